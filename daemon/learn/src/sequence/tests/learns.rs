//! What trains, what the loss is, and that something is learned.

use std::collections::BTreeSet;

use candle_core::{Device, Tensor, Var};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::super::loss::{Candidates, LossInputs, LossRow, log_q, set_softmax};
use super::super::negatives::NegativeSampler;
use super::super::popularity::{HORIZONS, Popularity, TargetEvent, Timeline};
use super::*;

#[test]
fn everything_that_trains_changes_within_two_steps() {
    let mut shop = shop(30, 12, 60);
    // All kinds occur, so that every table has a row in use; one full price range; queries are there.
    let o = SequenceOptions { max_steps: Some(2), batch: 12, dropout: 0.0, id_dropout: 0.0, ..small() };
    shop.users[0].push(line(3, 5, 2.0, 30 * DAY_MS));
    let mut trainer = SequenceTrainer::new(o, &shop.items).unwrap();
    let before = trainer.graph();
    let before: Vec<(String, Vec<f32>)> =
        before.weights.iter().map(|(n, t)| (n.clone(), t.flatten_all().unwrap().to_vec1().unwrap())).collect();
    assert_eq!(advance(&mut trainer, &shop, 60 * DAY_MS).steps, 2);
    let after = trainer.graph();
    let names: BTreeSet<&str> = before.iter().map(|(n, _)| n.as_str()).collect();
    for part in ["text.weight", "item.residual", "layers.1.time", "layers.0.keyvalue.bias", "repeat.gate", "prior.bias"]
    {
        assert!(names.contains(part), "{part} is not a weight");
    }
    let same: Vec<&String> = before
        .iter()
        .filter(|(n, old)| after.get(n).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap() == *old)
        .map(|(n, _)| n)
        .collect();
    assert!(same.is_empty(), "these did not train: {same:?}");
}

struct Small {
    base: Tensor,
    prior: Tensor,
    repeat: Tensor,
}

fn values(rng: &mut ChaCha8Rng, n: usize) -> Vec<f32> {
    (0..n).map(|_| rng.random_range(-2.0f32..2.0)).collect()
}

/// Two rows over `n` items, with prior, repeats and one item that is no candidate yet for the first row.
fn inputs(candidates: Candidates) -> LossInputs {
    let mut popularity = Popularity::new(40, [7.0, 30.0, 90.0]);
    let events: Vec<TargetEvent> =
        (0..200).map(|i| TargetEvent { at: i * DAY_MS / 20, item: (i * i % 37) as u32 }).collect();
    let timeline = Timeline::new(&events, &mut popularity, 10 * DAY_MS);
    let column = |item: u32| candidates.column(item).unwrap() as u32;
    let row = |days: i64, targets: &[u32], repeats, weight| LossRow {
        at: days * DAY_MS,
        table: timeline.table(days * DAY_MS),
        targets: targets.iter().map(|i| column(*i)).collect(),
        repeats,
        weight,
    };
    let rows = vec![row(5, &[2, 9, 30], 0..2, 0.25), row(8, &[4], 2..3, 0.75)];
    let repeat_columns = [9, 11, 2].map(column).to_vec();
    LossInputs { rows, repeat_columns, timeline: Arc::new(timeline), candidates: Arc::new(candidates) }
}

fn full(n: u32) -> Candidates {
    let since = (0..n).map(|i| if i == 17 { 6 * DAY_MS } else { -1 }).collect();
    Candidates { items: (0..n).collect(), correction: vec![0.0; n as usize], since }
}

fn small_tensors(rng: &mut ChaCha8Rng, n: usize) -> Small {
    let tensor = |v: Vec<f32>, shape: &[usize]| Tensor::from_vec(v, shape, &Device::Cpu).unwrap();
    Small {
        base: tensor(values(rng, 2 * n), &[2, n]),
        prior: tensor(values(rng, 2 * HORIZONS), &[2, HORIZONS]),
        repeat: tensor(values(rng, 3), &[3]),
    }
}

/// The definition in f64.
fn by_hand(base: &[f32], prior: &[f32], repeat: &[f32], inputs: &LossInputs) -> f64 {
    let candidates = &inputs.candidates;
    let n = candidates.items.len();
    let mut total = 0.0;
    for (r, row) in inputs.rows.iter().enumerate() {
        let z: Vec<f64> = (0..n)
            .map(|c| {
                let f = inputs.timeline.feature(row.table, candidates.items[c]);
                let p: f64 = (0..HORIZONS).map(|h| f64::from(f[h] * prior[r * HORIZONS + h])).sum();
                let own = row.repeats.clone().filter(|k| inputs.repeat_columns[*k] as usize == c);
                let again: f64 = own.map(|k| f64::from(repeat[k])).sum();
                f64::from(base[r * n + c]) + p + again + f64::from(candidates.correction[c])
            })
            .collect();
        let sum: f64 = (0..n).filter(|c| candidates.since[*c] < row.at).map(|c| z[c].exp()).sum();
        let targets: f64 = row.targets.iter().map(|c| z[*c as usize]).sum::<f64>() / row.targets.len() as f64;
        total += f64::from(row.weight) * (sum.ln() - targets);
    }
    total
}

#[test]
fn the_set_softmax_is_its_definition_and_its_gradient_is_the_difference() {
    let rng = &mut ChaCha8Rng::seed_from_u64(3);
    let inputs = Arc::new(inputs(full(40)));
    let t = small_tensors(rng, 40);
    let vars: Vec<Var> = [&t.base, &t.prior, &t.repeat].iter().map(|t| Var::from_tensor(t).unwrap()).collect();
    let loss = set_softmax(&vars[0], &vars[1], &vars[2], &inputs).unwrap();
    let flat: Vec<Vec<f32>> = vars.iter().map(|v| v.flatten_all().unwrap().to_vec1().unwrap()).collect();
    let expected = by_hand(&flat[0], &flat[1], &flat[2], &inputs);
    assert!((f64::from(loss.to_scalar::<f32>().unwrap()) - expected).abs() < 1e-5);
    let grads = loss.backward().unwrap();
    for (v, var) in vars.iter().enumerate() {
        let g: Vec<f32> = grads.get(var).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        for (at, g) in g.iter().enumerate() {
            let moved = |by: f32| {
                let mut x = flat.clone();
                x[v][at] += by;
                by_hand(&x[0], &x[1], &x[2], &inputs)
            };
            let numeric = (moved(1e-2) - moved(-1e-2)) / 2e-2;
            assert!((numeric - f64::from(*g)).abs() < 2e-4, "{v}[{at}]: {g} and {numeric}");
        }
    }
    // No candidate, no gradient.
    let g: Vec<f32> = grads.get(&vars[0]).unwrap().flatten_all().unwrap().to_vec1().unwrap();
    assert!(g[17] == 0.0 && g[40 + 17] > 0.0);
}

#[test]
fn log_q_is_the_vector_of_the_metrics() {
    let z: Vec<f64> = [2.0, 1.5, 1.0].into_iter().zip([0.2, 0.05, 0.01]).map(|(s, q)| log_q(s, q).exp()).collect();
    let sum: f64 = z.iter().sum();
    for (z, expected) in z.iter().zip([0.092_732, 0.224_980, 0.682_287]) {
        assert!((z / sum - expected).abs() < 1e-6);
    }
    assert_eq!(log_q(0.0, 0.0), log_q(0.0, 1e-6));
}

#[test]
fn sampled_and_full_softmax_agree_in_the_mean() {
    let rng = &mut ChaCha8Rng::seed_from_u64(4);
    let whole = inputs(full(40));
    let t = small_tensors(rng, 40);
    let base: Vec<Vec<f32>> = t.base.to_vec2().unwrap();
    let gradient = |inputs: LossInputs, base: &Tensor| -> (f64, Vec<Vec<f32>>) {
        let var = Var::from_tensor(base).unwrap();
        let loss = set_softmax(&var, &t.prior, &t.repeat, &Arc::new(inputs)).unwrap();
        let g = loss.backward().unwrap().get(&var).unwrap().to_vec2().unwrap();
        (f64::from(loss.to_scalar::<f32>().unwrap()), g)
    };
    let (full_loss, full_gradient) = gradient(whole, &t.base);
    let touched = [2, 4, 9, 11, 30];
    let negatives = NegativeSampler::new((0..40).collect(), &(0..40).map(|i| 1 + i % 5).collect::<Vec<u32>>());
    let since: Vec<i64> = full(40).since;
    // Distance of the mean over many draws from the full softmax, for few and many negatives.
    let distance = |draws: usize, times: u64| {
        let (mut loss, mut g) = (0.0, vec![vec![0f64; 40]; 2]);
        for key in 0..times {
            let candidates = negatives.candidates(&touched, draws, key * 31 + draws as u64, &since);
            let items = candidates.items.clone();
            let rows: Vec<f32> =
                base.iter().flat_map(|row| items.iter().map(|i| row[*i as usize]).collect::<Vec<_>>()).collect();
            let rows = Tensor::from_vec(rows, (2, items.len()), &Device::Cpu).unwrap();
            let (l, part) = gradient(inputs(candidates), &rows);
            loss += l / times as f64;
            for (g, part) in g.iter_mut().zip(part) {
                items.iter().zip(part).for_each(|(i, p)| g[*i as usize] += f64::from(p) / times as f64);
            }
        }
        let flat = g.iter().flatten().zip(full_gradient.iter().flatten());
        ((loss - full_loss).abs(), flat.map(|(a, b)| (a - f64::from(*b)).abs()).fold(0.0, f64::max))
    };
    let (few, many) = (distance(8, 1000), distance(4000, 200));
    // The sum is unbiased, its logarithm is only for many draws (Jensen).
    assert!(few.0 < 0.4 && few.1 < 0.1, "{few:?}");
    assert!(many.0 < 0.003 && many.1 < 0.003, "{many:?}");
}

/// Half of the users buy even items and half odd ones; what they buy next follows what they bought.
#[test]
fn a_taste_is_learned_with_full_and_with_sampled_softmax() {
    let rng = &mut ChaCha8Rng::seed_from_u64(8);
    let one = |odd: u32, rng: &mut ChaCha8Rng| {
        let buy = |day: i64| line(rng.random_range(0..20u32) * 2 + odd, 0, 1.0, day * DAY_MS);
        (0..12).map(buy).collect::<Vec<_>>()
    };
    let users = (0..60).map(|i| one(i % 2, rng)).collect();
    let shop = Shop { items: items(40, TEXT), users, queries: Vec::new() };
    for full_softmax in [100, 10] {
        let o = SequenceOptions { full_softmax, epochs: 40.0, batch: 20, negatives: 20, dropout: 0.0, ..small() };
        let (_, model) = shop.train(&o, 20 * DAY_MS);
        for user in 0..10 {
            let scores = shop.score(&model, user, 12 * DAY_MS);
            let mean = |odd: usize| scores.iter().skip(odd).step_by(2).sum::<f32>() / 20.0;
            let (own, other) = (mean(user % 2), mean(1 - user % 2));
            assert!(own > other + 1.0, "user {user}, full up to {full_softmax}: {own} and {other}");
        }
    }
}

#[test]
fn a_rhythm_is_learned() {
    // Everyone buys item 0 every ten days and, in between, something else once.
    let rng = &mut ChaCha8Rng::seed_from_u64(9);
    let one = |rng: &mut ChaCha8Rng| {
        let first = rng.random_range(0..10i64);
        let mut events: Vec<SequenceEvent> = (0..12).map(|k| line(0, 0, 1.0, (first + 10 * k) * DAY_MS)).collect();
        events.extend((0..40).map(|k| line(rng.random_range(1..38u32), 0, 1.0, (first + 3 * k + 1) * DAY_MS)));
        events
    };
    let users: Vec<Vec<SequenceEvent>> = (0..40).map(|_| one(rng)).collect();
    let shop = Shop { items: items(40, TEXT), users, queries: Vec::new() };
    let o = SequenceOptions { epochs: 30.0, horizon_days: 0.0, tokens: 16, dropout: 0.0, points: 64, ..small() };
    let (_, model) = shop.train(&o, 100 * DAY_MS);
    let known: Vec<SequenceEvent> = shop.users[3].iter().filter(|e| e.at < 100 * DAY_MS).copied().collect();
    let last = known.iter().filter(|e| e.item == Some(0)).map(|e| e.at).max().unwrap();
    // How far item 0 is above the others.
    let again = |days: i64| {
        let mut scores = vec![0.0; 40];
        model.score(&known, &[], last + days * DAY_MS, &mut scores).unwrap();
        scores[0] - scores[1..38].iter().sum::<f32>() / 37.0
    };
    assert!(again(10) > again(2) + 0.5, "due {} and just bought {}", again(10), again(2));
}
