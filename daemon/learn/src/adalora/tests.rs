//! The rank schedule, initial tensors and rank allocation of AdaLoRA.

use super::*;

const CPU: Device = Device::Cpu;

fn values(t: &Tensor) -> Vec<f32> {
    t.flatten_all().unwrap().to_vec1().unwrap()
}

fn shape(out: usize, inner: usize) -> WeightShape {
    WeightShape { out, inner }
}

#[test]
fn the_budget_falls_along_a_cube_and_ends_at_the_mean_rank() {
    let o = AdaLoraOptions::default();
    let ranks: Vec<usize> = (1..=100).map(|step| o.ranks(step, 100, 4)).collect();
    assert!(ranks[..10].iter().all(|r| *r == 48) && ranks[69..].iter().all(|r| *r == 32), "{ranks:?}");
    assert!(ranks.is_sorted_by(|a, b| a >= b) && ranks[10] < 48);
    assert!(ranks[40] < 40, "half way most of what goes has gone: {ranks:?}");
    for short in 1..=3 {
        assert_eq!(o.ranks(short, short, 4), 32, "a short run ends at the mean rank too");
    }
    let wrong = |o: AdaLoraOptions| o.check().unwrap_err().to_string();
    assert!(wrong(AdaLoraOptions { initial: 4, ..o.clone() }).contains("initial"));
    assert!(wrong(AdaLoraOptions { warmup: 0.8, ..o.clone() }).contains("warmup"));
    assert!(wrong(AdaLoraOptions { orthogonal: -1.0, ..o.clone() }).contains("orthogonal"));
    let smoothing = Smoothing { importance: 1.0, uncertainty: 0.0 };
    assert!(wrong(AdaLoraOptions { smoothing, ..o }).contains("smoothing"));
}

#[test]
fn smoothing_is_stored_as_a_pair_of_numbers() {
    let json = serde_json::to_value(AdaLoraOptions::default()).unwrap();
    assert_eq!(json["smoothing"], serde_json::json!([0.85, 0.85]));
    assert_eq!(serde_json::from_value::<AdaLoraOptions>(json).unwrap(), AdaLoraOptions::default());
}

#[test]
fn starts_at_right_angles_and_goes_on_from_a_pair() {
    let start = |ranks, shape, earlier: Option<&LowRankPair>| {
        let vars = init("m", ranks, shape, 1, earlier, &CPU)?;
        Ok::<_, LearnError>((vars.a, vars.b, vars.e.unwrap()))
    };
    let (q, p, l) = start(6, shape(9, 7), None).unwrap();
    assert_eq!((q.dims(), p.dims(), l.dims()), (&[6, 7][..], &[9, 6][..], &[6][..]));
    assert!(values(&l).iter().all(|l| *l == 0.0) && to_pair(&q, &p, &l).unwrap().is_none());
    let skewed = orthogonality_penalty(q.as_tensor(), p.as_tensor()).unwrap().to_scalar::<f32>().unwrap();
    assert!(skewed < 1e-8, "{skewed}");
    // A pair comes back as the same product.
    let a = Tensor::new(&[[1.0f32, 2.0, 0.0], [0.0, 1.0, 3.0]], &CPU).unwrap();
    let b = Tensor::new(&[[1.0f32, 0.5], [2.0, -1.0]], &CPU).unwrap();
    let earlier = LowRankPair { a, b };
    let (q, p, l) = start(3, shape(2, 3), Some(&earlier)).unwrap();
    let back = to_pair(&q, &p, &l).unwrap().unwrap();
    assert_eq!((back.a.dims(), back.b.dims()), (&[2, 3][..], &[2, 2][..]), "the third rank is still 0");
    let product = |pair: &LowRankPair| values(&pair.b.matmul(&pair.a).unwrap());
    let gap = product(&earlier).iter().zip(product(&back)).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max);
    assert!(gap < 1e-5, "{gap}");
    let too_many = start(1, shape(2, 3), Some(&earlier)).unwrap_err();
    assert!(too_many.to_string().contains("rank 2"), "{too_many}");
}

#[test]
fn ranks_that_matter_stay_wherever_they_are() {
    // Two modules of two ranks; half of the four stay. Both ranks of the second have gradients.
    let var = |rows: &[f32], shape: &[usize]| Var::from_vec(rows.to_vec(), shape, &CPU).unwrap();
    let mut vars = BTreeMap::new();
    for module in ["m.0", "m.1"] {
        vars.insert(var_name(module, 'A'), var(&[1.0, 0.0, 0.0, 1.0], &[2, 2]));
        vars.insert(var_name(module, 'B'), var(&[1.0, 0.0, 0.0, 1.0], &[2, 2]));
        vars.insert(var_name(module, 'E'), var(&[0.5, 0.5], &[2]));
    }
    let grads: BTreeMap<String, Tensor> = vars
        .iter()
        .map(|(name, v)| {
            let size = if name.contains("m.1") { 1.0 } else { 0.01 };
            (name.clone(), v.ones_like().unwrap().affine(size, 0.0).unwrap())
        })
        .collect();
    let lora = LoraOptions { rank: 1, ..LoraOptions::default() };
    let o = AdaLoraOptions { lora, initial: 2, warmup: 0.0, rest: 1.0, ..AdaLoraOptions::default() };
    let mut ranks = RankAllocator::new(&o, &vars).unwrap();
    ranks.after_step(1, 10, &grads, &vars).unwrap();
    let l = |module: &str| values(vars[&var_name(module, 'E')].as_tensor());
    assert_eq!((l("m.0"), l("m.1")), (vec![0.0, 0.0], vec![0.5, 0.5]));
    let mut again = RankAllocator::new(&o, &vars).unwrap();
    again.restore(&ranks.state(), &CPU).unwrap();
    assert_eq!(again.rank_scores("m.1").unwrap(), ranks.rank_scores("m.1").unwrap());
    assert!(again.restore(&BTreeMap::new(), &CPU).is_err());
}
