//! Properties that hold for every re-ranking method and any candidates.

use mercer_reports::attention::Attention;
use mercer_reports::fair_prefix::PrefixTable;
use mercer_reports::rerank::*;
use proptest::prelude::*;

const GROUPS: usize = 3;

/// Everything that methods borrow.
struct Setting {
    table: PrefixTable,
    bounds: ExposureBounds,
    ledger: ExposureLedger,
}

fn setting() -> Setting {
    let bounds = ExposureBounds::new(vec![0.2, 0.1, 0.0], vec![1.0, 1.0, 0.5], 50.0, 0.5).unwrap();
    let mut ledger = ExposureLedger::new(GROUPS);
    ledger.record(&bounds, &[2, 2, 1], Attention::Logarithmic);
    Setting { table: PrefixTable::adjusted(20, 0.4, 0.1).unwrap(), bounds, ledger }
}

fn methods(setting: &Setting) -> Vec<(&'static str, Method<'_>)> {
    vec![
        ("mmr", Method::Mmr { lambda: 0.6 }),
        ("dpp", Method::Dpp { sharpness: Some(3.0), window: None }),
        ("dpp window", Method::Dpp { sharpness: Some(3.0), window: Some(4) }),
        ("xquad", Method::Xquad { lambda: 0.4, aspects: &[0.5, 0.3, 0.2], covers: None }),
        ("calibrated", Method::Calibrated { lambda: 0.7, history: &[5.0, 3.0, 2.0], events: 10, alpha: 0.01 }),
        ("det_greedy", Method::DetGreedy { shares: &[0.5, 0.3, 0.2] }),
        ("fair_prefix", Method::FairPrefix { table: &setting.table, protected: 1 }),
        (
            "exposure",
            Method::Exposure { bounds: &setting.bounds, ledger: &setting.ledger, model: Attention::Logarithmic },
        ),
    ]
}

/// Candidates that own what [`Candidates`] borrows. Few distinct scores and vectors, so that ties are common.
#[derive(Clone, Debug)]
struct Pool {
    ids: Vec<u64>,
    scores: Vec<f64>,
    groups: Vec<usize>,
    vectors: Vec<Option<[f32; 3]>>,
}

impl Pool {
    fn list(&self, method: Method<'_>, k: usize) -> Reranked {
        let vectors = UnitVectors::new(self.vectors.iter().map(|vector| vector.as_ref().map(|vector| &vector[..])));
        let candidates =
            Candidates { scores: &self.scores, keys: &self.ids, groups: &self.groups, vectors: Some(&vectors) };
        rerank(&candidates, method, k).unwrap()
    }

    fn permuted(&self, places: &[usize]) -> Self {
        Self {
            ids: places.iter().map(|place| self.ids[*place]).collect(),
            scores: places.iter().map(|place| self.scores[*place]).collect(),
            groups: places.iter().map(|place| self.groups[*place]).collect(),
            vectors: places.iter().map(|place| self.vectors[*place]).collect(),
        }
    }
}

fn pools() -> impl Strategy<Value = Pool> {
    let vector = prop::option::of(prop::array::uniform3(-2_i8..3));
    let one = (0_u8..6, 0..GROUPS, vector);
    prop::collection::vec(one, 0..30).prop_map(|rows| Pool {
        ids: (0..rows.len() as u64).map(|id| (id + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect(),
        scores: rows.iter().map(|row| f64::from(row.0) / 5.0).collect(),
        groups: rows.iter().map(|row| row.1).collect(),
        vectors: rows.iter().map(|row| row.2.map(|vector| vector.map(f32::from))).collect(),
    })
}

/// Greedy by comparing all with all, from the definitions.
fn plain_mmr(pool: &Pool, lambda: f64, k: usize) -> Vec<f64> {
    let vectors = UnitVectors::new(pool.vectors.iter().map(|vector| vector.as_ref().map(|vector| &vector[..])));
    let (mut list, mut gains): (Vec<usize>, Vec<f64>) = (Vec::new(), Vec::new());
    while list.len() < k.min(pool.ids.len()) {
        let gain = |i: usize| {
            let near = list.iter().map(|j| vectors.cosine(i, *j)).fold(f64::NEG_INFINITY, f64::max);
            lambda * pool.scores[i] - (1.0 - lambda) * if list.is_empty() { 0.0 } else { near }
        };
        let key = |i: usize| (gain(i), pool.scores[i], std::cmp::Reverse(pool.ids[i]));
        let free = (0..pool.ids.len()).filter(|i| !list.contains(i));
        let next = free.max_by(|a, b| key(*a).partial_cmp(&key(*b)).unwrap()).unwrap();
        gains.push(gain(next));
        list.push(next);
    }
    gains
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn every_candidate_stands_at_most_once(pool in pools(), k in 0_usize..40) {
        let setting = setting();
        for (name, method) in methods(&setting) {
            let list = pool.list(method, k);
            prop_assert_eq!(list.order.len(), k.min(pool.ids.len()), "{}", name);
            prop_assert_eq!(list.gains.len(), list.order.len(), "{}", name);
            prop_assert!(list.by_rule <= list.order.len() && list.unmet <= list.order.len(), "{}", name);
            let mut sorted = list.order.clone();
            sorted.sort_unstable();
            sorted.dedup();
            prop_assert_eq!(sorted.len(), list.order.len(), "{}", name);
            prop_assert!(sorted.iter().all(|index| *index < pool.ids.len()), "{}", name);
        }
    }

    #[test]
    fn the_order_of_the_candidates_does_not_matter(pool in pools(), turn in 0_usize..30, k in 1_usize..40) {
        let setting = setting();
        let mut places: Vec<usize> = (0..pool.ids.len()).collect();
        places.reverse();
        if !places.is_empty() {
            let turn = turn % places.len();
            places.rotate_left(turn);
        }
        let other = pool.permuted(&places);
        for (name, method) in methods(&setting) {
            let ids = |pool: &Pool| -> Vec<u64> { pool.list(method, k).order.iter().map(|index| pool.ids[*index]).collect() };
            prop_assert_eq!(ids(&pool), ids(&other), "{}", name);
        }
    }

    #[test]
    fn a_shorter_list_is_the_head_of_a_longer_one(pool in pools(), k in 1_usize..20) {
        let setting = setting();
        // The exposure of a list is shared among its ranks, so there the length matters.
        for (name, method) in methods(&setting).into_iter().filter(|(name, _)| *name != "exposure") {
            let (short, long) = (pool.list(method, k), pool.list(method, k + 5));
            prop_assert_eq!(&short.order[..], &long.order[..short.order.len()], "{}", name);
        }
    }

    #[test]
    fn looking_only_at_leaders_finds_what_comparing_all_finds(pool in pools(), k in 1_usize..20) {
        let (quick, plain) = (pool.list(Method::Mmr { lambda: 0.6 }, k).gains, plain_mmr(&pool, 0.6, k));
        prop_assert_eq!(quick, plain);
        // A window that no list fills is no window. Equal up to rounding, since the sums run in another order.
        let dpp = |window| pool.list(Method::Dpp { sharpness: Some(3.0), window }, k);
        let (all, wide) = (dpp(None), dpp(Some(100)));
        prop_assert!(all.gains[..all.by_rule].iter().zip(&wide.gains).all(|(a, b)| (a - b).abs() <= 1e-6 * a.max(1.0)), "{:?} {:?}", all, wide);
    }

    #[test]
    fn demands_are_met_wherever_candidates_allow(pool in pools()) {
        let setting = setting();
        let list = pool.list(Method::FairPrefix { table: &setting.table, protected: 1 }, 20);
        let flags: Vec<bool> = list.order.iter().map(|index| pool.groups[*index] == 1).collect();
        prop_assert_eq!(list.unmet == 0, setting.table.passes(&flags));
        let shares = [0.5, 0.3, 0.2];
        let list = pool.list(Method::DetGreedy { shares: &shares }, 20);
        let mut counts = [0_usize; GROUPS];
        for (rank, index) in list.order.iter().enumerate() {
            counts[pool.groups[*index]] += 1;
            let have = |group: usize| pool.groups.iter().filter(|g| **g == group).count();
            if (0..GROUPS).all(|group| have(group) >= 20) {
                prop_assert!((0..GROUPS).all(|g| counts[g] + 1 >= ((rank + 1) as f64 * shares[g]).floor() as usize));
            }
        }
    }
}

#[test]
fn empty_and_single_candidates_work_and_misfits_are_refused() {
    let setting = setting();
    let empty = Pool { ids: vec![], scores: vec![], groups: vec![], vectors: vec![] };
    let one = Pool { ids: vec![9], scores: vec![0.3], groups: vec![2], vectors: vec![None] };
    for (name, method) in methods(&setting) {
        assert_eq!(empty.list(method, 10), Reranked::default(), "{name}");
        assert_eq!(one.list(method, 10).order, [0], "{name}");
        assert!(one.list(method, 0).order.is_empty(), "{name}");
        let bare = Candidates { scores: &[0.5, 0.4], keys: &[1, 2], groups: &[], vectors: None };
        assert!(matches!(rerank(&bare, method, 2), Err(RerankError::Missing(_))), "{name}");
        assert!(matches!(rerank(&Candidates { scores: &[f64::NAN, 0.4], ..bare }, method, 2), Err(RerankError::Score)));
        assert!(matches!(rerank(&Candidates { keys: &[1], ..bare }, method, 2), Err(RerankError::Length { .. })));
    }
}

#[test]
fn unit_scale_keeps_the_order_and_fills_the_range() {
    assert_eq!(unit_scale(&[-3.0, 1.0, 5.0]), [0.0, 0.5, 1.0]);
    assert_eq!(unit_scale(&[2.0, 2.0]), [1.0, 1.0]);
    assert!(unit_scale(&[]).is_empty());
}
