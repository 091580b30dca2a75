//! Lists do not depend on how items and users are numbered, nor on the order in which events of one moment came: a restart, a
//! restore and an import in another order give the same lists to the bit.
use std::sync::Arc;

use mercer_rank::{
    BASELINES, BaselineBlend, BlendWeights, Candidates, Catalogue, CollaborativeIndex, DAY_MS, Dataset, EaseOptions,
    Event, FittedBaseline, IndexOptions, InteractionType, ItemFacts, Log, MlpOptions, Mode, RankRequest, RankedItem,
    RankerTrainOptions, Recipient, SOURCES, ScoringPolicy, Snapshot, TreeOptions, Vectors, WhitenedVectors,
    evaluate::ground_truth, fit_blend_weights, related, stable_key, train_ranker, trending,
};
use proptest::prelude::*;

const ITEMS: u32 = 150;
const USERS: u32 = 130;
const AT: i64 = 280 * DAY_MS;

/// A shop in some numbering: external item and user `n` have the numbers `items[n]` and `users[n]`.
struct Shop {
    items: Vec<u32>,
    users: Vec<u32>,
    log: Log,
    catalogue: Catalogue,
}

/// SplitMix64 of a number.
fn mix(x: u64) -> u64 {
    let mut z = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A permutation of `0..n`; the identity for seed 0.
fn permutation(n: u32, seed: u64) -> Vec<u32> {
    let mut out: Vec<u32> = (0..n).collect();
    if seed > 0 {
        out.sort_by_key(|&i| mix(seed ^ u64::from(i)));
    }
    out
}

/// Events of all users by external numbers. Several share a moment.
fn events() -> Vec<(u32, u32, InteractionType, f32, i64)> {
    let mut out = Vec::new();
    for user in 0..u64::from(USERS) {
        for n in 0..(20 + user % 50) {
            let r = mix(user * 1000 + n);
            let own = r >> 20 & 1 == 0;
            let item = if own { (user * 7 + (r >> 30) % 12) % u64::from(ITEMS) } else { (r >> 24) % u64::from(ITEMS) };
            let kind = match (r >> 50) % 12 {
                0 => InteractionType::View,
                1 => InteractionType::Cart,
                2 => InteractionType::Rating,
                3 => InteractionType::Return,
                4 => InteractionType::Dismiss,
                _ => InteractionType::Purchase,
            };
            let at = (r % 280) as i64 * DAY_MS + (r >> 40 & 3) as i64 * 3_600_000;
            out.push((user as u32, item as u32, kind, 1.0 + (r >> 13 & 3) as f32, at));
        }
    }
    out
}

fn shop(seed: u64) -> Shop {
    // Numbers that nobody has any more lie between the others.
    let gap = u32::from(seed > 0);
    let items = permutation(ITEMS, seed);
    let users: Vec<u32> = permutation(USERS, seed ^ 7).into_iter().map(|n| n * (1 + gap)).collect();
    let mut catalogue = Catalogue::default();
    let mut vectors = Vectors::new(12);
    for n in 0..ITEMS {
        let facts = ItemFacts {
            price: (n % 7 != 0).then_some(1.0 + n as f32),
            // Groups are numbered by first sight as well.
            category: (n % 5 != 0).then_some((n + seed as u32) % 9),
            brand: (n % 3 != 0).then_some((n + seed as u32) % 11),
            key: stable_key(&format!("item {n}")),
            ..ItemFacts::default()
        };
        catalogue.set(items[n as usize], facts);
        let row = (0..12).map(|k| (mix(u64::from(n) * 12 + k) >> 40) as f32 / (1u64 << 24) as f32 - 0.5).collect();
        vectors.set(items[n as usize], row).unwrap();
    }
    // The transform is fitted in training, under one numbering by ids, and stored with the version.
    let mut by_id = Vectors::new(12);
    (0..ITEMS).for_each(|n| by_id.set(n, vectors.get(items[n as usize]).unwrap().into()).unwrap());
    let whitening = Arc::clone(WhitenedVectors::fit(&by_id).unwrap().whitening());
    catalogue.set_whitened(Some(WhitenedVectors::new(&vectors, whitening).unwrap()));
    let whitened = WhitenedVectors::new(&vectors, Arc::clone(catalogue.whitening().unwrap())).unwrap();
    catalogue.set_vectors(Some(vectors));
    catalogue.set_whitened(Some(whitened));
    let mut log = Log::new();
    (0..USERS).for_each(|n| log.set_key(users[n as usize], stable_key(&format!("user {n}"))));
    let mut events = events();
    if seed > 0 {
        events.sort_by_key(|e| mix(seed ^ (u64::from(e.1) << 32) ^ e.4 as u64));
    }
    events.sort_by_key(|e| e.4);
    for (user, item, kind, value, at) in events {
        log.push(users[user as usize], Event { item: Some(items[item as usize]), text: None, kind, value, at });
    }
    Shop { items, users, log, catalogue }
}

impl Shop {
    fn data(&self) -> Dataset<'_> {
        Dataset { log: &self.log, catalogue: &self.catalogue }
    }

    fn snapshot(&self, o: &IndexOptions) -> Snapshot {
        let index = Arc::new(CollaborativeIndex::fit(self.data(), AT, o));
        Snapshot { log: self.log.clone(), catalogue: self.catalogue.clone(), index }
    }

    /// A list by external numbers, with the bits of the scores.
    fn external(&self, list: &[RankedItem]) -> Vec<(usize, u32, Vec<u32>)> {
        let external = |item: u32| self.items.iter().position(|&n| n == item).unwrap();
        let parts = |x: &RankedItem| x.parts.iter().map(|p| p.1.to_bits()).collect();
        list.iter().map(|x| (external(x.item), x.score.to_bits(), parts(x))).collect()
    }

    /// Lists of every kind, of every user and item.
    fn lists(&self, policy: ScoringPolicy<'_>, s: &Snapshot) -> Vec<Vec<(usize, u32, Vec<u32>)>> {
        let mut out = Vec::new();
        for mode in [Mode::All, Mode::Novel] {
            for candidates in [Candidates::All, Candidates::Cold] {
                let r = RankRequest { mode, candidates, ..RankRequest::new(25) };
                let lists = policy.lists(s, &self.users, AT, &r, &|| false).unwrap();
                out.extend(lists.iter().map(|list| self.external(list)));
            }
        }
        let r = RankRequest::new(25);
        out.extend(self.items.iter().map(|&item| self.external(&related(s, item, AT, &r).unwrap())));
        out.push(self.external(&trending(s, AT, &r).unwrap()));
        out
    }
}

/// All sources at once.
fn everything() -> BlendWeights {
    let all: Vec<_> = SOURCES.into_iter().map(|source| (source, 1.0)).collect();
    BlendWeights { all: all.clone(), novel: all }
}

fn options() -> IndexOptions {
    // Caps and cuts that are reached, so that ties at them count.
    let ease = Some(EaseOptions { max_items: 100, keep: 20, ..EaseOptions::default() });
    IndexOptions { cap: 25, keep_items: 12, keep_users: 20, ease, ..IndexOptions::default() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]
    #[test]
    fn blended_lists_are_the_same_to_the_bit_under_any_numbering(seed in 1u64..u64::MAX) {
        let (one, other) = (shop(0), shop(seed));
        let blend = everything();
        let of = |shop: &Shop| shop.lists(ScoringPolicy::blend(&blend), &shop.snapshot(&options()));
        let (a, b) = (of(&one), of(&other));
        for (n, (a, b)) in a.iter().zip(&b).enumerate() {
            prop_assert_eq!(a, b, "list {}", n);
        }
    }
}

#[test]
fn an_update_under_another_numbering_gives_the_same_lists() {
    let of = |seed| {
        let mut shop = shop(seed);
        let s = shop.snapshot(&options());
        let changed: Vec<u32> = (0..12).map(|n| shop.users[n]).collect();
        for (n, &user) in changed.iter().enumerate() {
            let item = Some(shop.items[n * 5]);
            shop.log.push(user, Event { item, text: None, kind: InteractionType::Purchase, value: 1.0, at: AT });
        }
        shop.log.erase(shop.users[3]);
        let index = Arc::new(s.index.follow(shop.data(), &changed).refresh(shop.data(), AT));
        let s = Snapshot { log: shop.log.clone(), catalogue: shop.catalogue.clone(), index };
        shop.lists(ScoringPolicy::blend(&everything()), &s)
    };
    assert_eq!(of(0), of(11));
}

#[test]
fn what_is_trained_is_the_same_to_the_bit_under_any_numbering() {
    let of = |seed| {
        let shop = shop(seed);
        let tree = Some(TreeOptions { rounds: 5, ..TreeOptions::default() });
        let mlp = MlpOptions { epochs: 1, members: 1, ..MlpOptions::default() };
        // Fewer lists than users come back, so that users are thinned.
        let o = RankerTrainOptions {
            index: options(),
            cutoffs: 3,
            lists: 220,
            mlp,
            trees: [tree; 2],
            ..RankerTrainOptions::default()
        };
        let (ranker, _) = train_ranker(shop.data(), AT, &o).unwrap();
        let policy = ScoringPolicy { ranker: Some(&ranker), blend: &ranker.blend };
        let lists = shop.lists(policy, &shop.snapshot(&options()));
        let (blend, ndcg) = fit_blend_weights(shop.data(), &[200 * DAY_MS, 240 * DAY_MS], &options());
        (serde_json::to_string(&ranker).unwrap(), lists, blend, ndcg)
    };
    assert!(of(0) == of(5));
}

#[test]
fn baselines_are_the_same_to_the_bit_under_any_numbering() {
    let of = |seed| {
        let shop = shop(seed);
        let at = 250 * DAY_MS;
        let fit = |b: &mercer_rank::Baseline| FittedBaseline::fit(*b, &b.grid(14)[0], shop.data(), at);
        let fitted: Vec<FittedBaseline> = BASELINES.iter().map(fit).collect();
        let truth = ground_truth(&shop.log, &fitted[0].snapshot().index, AT, Mode::All, Candidates::Warm);
        let blend = BaselineBlend::choose(&fitted, &truth, Mode::All, 10);
        let list = |&user: &u32| {
            let list = blend.recommend(&fitted, Recipient::User(user), AT, &RankRequest::new(10)).unwrap();
            shop.external(&list)
        };
        (blend.parts.clone(), blend.mean_ndcg.to_bits(), shop.users.iter().map(list).collect::<Vec<_>>())
    };
    assert!(of(0) == of(5));
}
