//! Times training steps of an encoder of a given shape with random weights, against the graph without the cache of frozen layers, against
//! adapters in all layers, and against private steps: `cargo run --release -p mercer-learn --example step_time -- [layers] [hidden] [upper] [pairs] [tokens] [steps]`.
#![allow(clippy::print_stdout, reason = "what it measures it prints")]

use std::collections::HashMap;

use candle_core::{Device, Tensor};
use mercer_learn::{
    Anchor, BaseEncoder, CatalogueText, ContrastivePair, Hooks, KnownPositives, Method, PrivacyLedger, PrivateOptions,
    PrivateSet, StepReport, TextTable, TrainingSet, TuneOptions, tune, tune_privately,
};
use mercer_model::{BertConfig, HiddenAct, ModelType, Pooling};

struct Times(Vec<f64>);

impl Hooks for Times {
    fn on_step(&mut self, _: &StepReport) {
        self.0.push(self.seconds());
    }
}

/// Peak resident memory in MB, where the system tells.
fn peak_mb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kb| kb / 1024)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut shape = [12, 384, 4, 32, 24, 6];
    for (slot, arg) in shape.iter_mut().zip(std::env::args().skip(1)) {
        *slot = arg.parse()?;
    }
    let [layers, hidden, upper, pairs, tokens, steps] = shape;
    let config = BertConfig {
        model_type: ModelType::Bert,
        vocab_size: 2_000,
        hidden_size: hidden,
        num_hidden_layers: layers,
        num_attention_heads: 12,
        intermediate_size: 4 * hidden,
        hidden_act: HiddenAct::Gelu,
        max_position_embeddings: 512,
        type_vocab_size: 2,
        layer_norm_eps: 1e-12,
        pad_token_id: 0,
        position_embedding_type: "absolute".to_owned(),
    };
    let device = Device::Cpu;
    let mut tensors = HashMap::new();
    for (name, shape) in config.tensor_shapes() {
        let mean = if name.contains("LayerNorm.weight") { 1.0 } else { 0.0 };
        tensors.insert(name, Tensor::randn(mean, 0.05f32, shape, &device)?);
    }
    let base = BaseEncoder { config: &config, pooling: Pooling::Mean, tensors: &tensors };
    let mut texts = TextTable::new();
    let mut text = |n: usize| {
        let words: Vec<u32> = (0..tokens).map(|i| 5 + ((n * 7_919 + i * 104_729) % 1_990) as u32).collect();
        texts.push(&words)
    };
    let all: Vec<ContrastivePair> = (0..pairs)
        .map(|i| ContrastivePair {
            anchor: Anchor::Text(text(2 * i)),
            positive: text(2 * i + 1),
            item: i as u32,
            group: i as u64,
            weight: 1.0,
            hard_negative: None,
        })
        .collect();
    let known = KnownPositives::from_pairs(&all);
    let set = TrainingSet { texts: &texts, pairs: &all, known: &known, teacher: None };
    // The one batch is the whole epoch: the first step fills the cache and is left out.
    let options = TuneOptions {
        upper_layers: upper,
        batch_pairs: pairs,
        epochs: 1e6,
        max_steps: Some(steps + 1),
        ..TuneOptions::default()
    };
    let runs = [
        ("cached, upper layers adapted", options.clone()),
        ("uncached, upper layers adapted", TuneOptions { cache_bytes: 0, ..options.clone() }),
        ("all layers adapted", TuneOptions { upper_layers: layers, ..options.clone() }),
        ("cached, upper layers in full", TuneOptions { method: Method::Full, ..options }),
    ];
    let mut reference = None;
    let mut print = |name: &str, times: &Times| {
        let mut gaps: Vec<f64> = times.0.windows(2).map(|w| w[1] - w[0]).collect();
        gaps.sort_by(f64::total_cmp);
        let median = gaps[gaps.len() / 2];
        let ratio = median / *reference.get_or_insert(median);
        println!(
            "{name:32} {median:7.3} s a step, {ratio:5.2} times the first; peak so far {} MB",
            peak_mb().unwrap_or(0)
        );
    };
    for (name, options) in runs {
        let mut times = Times(Vec::new());
        tune(base, set, None, &options, &device, &mut times)?;
        print(name, &times);
    }
    // The same pairs, four of each user, with as many negatives from the catalogue.
    let users: Vec<Vec<ContrastivePair>> = all.chunks(4).map(<[ContrastivePair]>::to_vec).collect();
    let catalogue: Vec<CatalogueText> =
        all.iter().map(|pair| CatalogueText { text: pair.positive, item: pair.item }).collect();
    let set = PrivateSet { texts: &texts, users: &users, catalogue: &catalogue };
    let options = PrivateOptions {
        upper_layers: upper,
        steps: steps + 1,
        rate: 1.0,
        expected_batch: users.len() as f64,
        pairs_per_user: 4,
        negatives: pairs,
        ..PrivateOptions::default()
    };
    let mut times = Times(Vec::new());
    tune_privately(base, set, None, &options, &device, &mut Unlimited, &mut times)?;
    print("private, user by user", &times);
    Ok(())
}

/// Books every step: nothing is kept of what this trains.
struct Unlimited;

impl PrivacyLedger for Unlimited {
    fn book(&mut self) -> mercer_learn::Result<bool> {
        Ok(true)
    }
}
