//! What each method trains, and what its adapter holds.

use super::*;
use crate::adalora::AdaLoraOptions;

#[test]
fn each_tensor_meant_to_train_changes_and_no_other_does() {
    let (tiny, planted) = (Tiny::new(3, 32), Planted::new(2));
    let before = fingerprint(&tiny);
    let six = [
        "attention.self.query",
        "attention.self.key",
        "attention.self.value",
        "attention.output.dense",
        "intermediate.dense",
        "output.dense",
    ];
    let norms = ["attention.output.LayerNorm", "output.LayerNorm"];
    for (targets, modules) in [(Targets::QueryValue, vec![six[0], six[2]]), (Targets::AllLinear, six.to_vec())] {
        let options = TuneOptions {
            method: Method::Lora(LoraOptions { targets, ..LoraOptions::default() }),
            upper_layers: 2,
            ..quick(2)
        };
        let start = run(&tiny, &planted, &TuneOptions { max_steps: Some(0), ..options.clone() });
        let end = run(&tiny, &planted, &options);
        let (old, new) = (tensors(&start), tensors(&end));
        let modules: Vec<String> =
            [1, 2].iter().flat_map(|l| modules.iter().map(move |m| format!("encoder.layer.{l}.{m}"))).collect();
        let expected: BTreeSet<String> = modules.iter().flat_map(|m| [format!("{m}.A"), format!("{m}.B")]).collect();
        assert_eq!(new.keys().cloned().collect::<BTreeSet<_>>(), expected);
        for (name, t) in &new {
            assert!(&old[name] != t, "{name} did not change");
        }
        let weights: BTreeSet<String> = modules.iter().map(|m| format!("{m}.weight")).collect();
        assert_eq!(differing(&tiny, &end), weights);
    }
    let full = run(&tiny, &planted, &TuneOptions { method: Method::Full, upper_layers: 2, ..quick(2) });
    // A key's bias shifts all scores of a row alike, so softmax takes its gradient away: what is left is rounding, and Adam makes steps of it.
    let weights: BTreeSet<String> = [1, 2]
        .iter()
        .flat_map(|l| {
            six.iter().chain(&norms).flat_map(move |m| ["weight", "bias"].map(|p| format!("encoder.layer.{l}.{m}.{p}")))
        })
        .collect();
    assert_eq!(differing(&tiny, &full), weights);
    assert_eq!(fingerprint(&tiny), before, "tuning wrote into the base");
}

/// AdaLoRA on all linear layers of two layers, from 6 ranks a module to 4 in the mean.
fn varied() -> Method {
    let lora = LoraOptions { rank: 4, targets: Targets::AllLinear, ..LoraOptions::default() };
    Method::AdaLora(AdaLoraOptions { lora, initial: 6, ..AdaLoraOptions::default() })
}

#[test]
fn adalora_ends_with_its_ranks_where_they_matter_and_learns() {
    let (tiny, planted) = (Tiny::new(2, 32), Planted::new(30));
    let options = thorough(varied());
    let tuned = run(&tiny, &planted, &options);
    let ranks: Vec<usize> = tuned.learned.pairs.values().map(|pair| pair.a.dim(0).unwrap()).collect();
    assert_eq!(ranks.iter().sum::<usize>(), 12 * 4, "{ranks:?}");
    assert!(ranks.iter().any(|r| *r != 4) && ranks.iter().max() == Some(&tuned.learned.meta.rank), "{ranks:?}");
    let (before, after) = (recall(&tiny, &planted, None), recall(&tiny, &planted, Some(&tuned.learned)));
    assert!(after > before + 0.3, "{before} {after}");
    // What it leaves is a file like any other, and training goes on from it.
    let bytes = tuned.learned.to_bytes().unwrap();
    let back = Adapter::from_bytes(&bytes, std::path::Path::new("a"), &CPU).unwrap();
    let none = TuneOptions { max_steps: Some(0), ..options.clone() };
    let same = tune(tiny.base(), planted.set(), Some(&back), &none, &CPU, &mut ()).unwrap();
    let gap = |a: &Adapter, b: &Adapter| {
        let (a, b) = (a.changed(&tiny.tensors).unwrap(), b.changed(&tiny.tensors).unwrap());
        a.iter()
            .map(|(n, t)| values(t).iter().zip(values(&b[n])).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max))
            .fold(0.0, f32::max)
    };
    assert!(gap(&same.learned, &tuned.learned) < 1e-5);
    let on =
        tune(tiny.base(), planted.set(), Some(&back), &TuneOptions { max_steps: Some(3), ..options }, &CPU, &mut ());
    assert_eq!(on.unwrap().learned.meta.steps, 123);
}

#[test]
fn full_tuning_goes_on_from_its_own_weights() {
    let (tiny, planted) = (Tiny::new(2, 32), Planted::new(3));
    let options =
        TuneOptions { upper_layers: 1, batch_pairs: 8, max_steps: Some(3), ..TuneOptions::for_method(Method::Full) };
    assert_eq!(options.adam.learning_rate, 2e-5);
    let first = run(&tiny, &planted, &options);
    assert!(first.learned.pairs.is_empty() && !first.learned.weights.is_empty());
    let back = Adapter::from_bytes(&first.learned.to_bytes().unwrap(), std::path::Path::new("a"), &CPU).unwrap();
    let none = TuneOptions { max_steps: Some(0), ..options.clone() };
    let same = tune(tiny.base(), planted.set(), Some(&back), &none, &CPU, &mut ()).unwrap();
    assert_eq!(tensors(&same), tensors(&first));
    let error = tune(tiny.base(), planted.set(), Some(&back), &quick(2), &CPU, &mut ()).unwrap_err();
    assert!(error.to_string().contains("whole weights"), "{error}");
}

#[test]
fn the_pull_keeps_weights_near_the_base() {
    let (tiny, planted) = (Tiny::new(2, 32), Planted::new(4));
    let ada = AdaLoraOptions { orthogonal: 0.0, ..AdaLoraOptions::default() };
    for method in [Method::Lora(LoraOptions::default()), Method::AdaLora(ada), Method::Full] {
        let distance = |pull: f64| {
            let adam = crate::optim::AdamOptions { learning_rate: 5e-3, ..Default::default() };
            let o = run(&tiny, &planted, &TuneOptions { method: method.clone(), pull, adam, ..quick(40) });
            let changed = o.learned.changed(&tiny.tensors).unwrap();
            changed
                .iter()
                .map(|(n, t)| values(&(t - &tiny.tensors[n]).unwrap()).iter().map(|v| v * v).sum::<f32>())
                .sum::<f32>()
        };
        let (free, held) = (distance(0.0), distance(10.0));
        assert!(held < 0.5 * free, "{free} {held}");
    }
}
