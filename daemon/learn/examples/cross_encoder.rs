//! Trains cross-encoders of several shapes on a shop's log for the same processor time each and compares them on later rows:
//! `cargo run --release -p mercer-learn --example cross_encoder -- ITEMS TRAIN CUT SECONDS POSITIVES [SHAPE...]`. ITEMS and TRAIN are NDJSON as
//! `mercer import` reads it, CUT the moment (`2011-10-10T12:50:00Z`) after which rows are for judging only. Choose on a window before the
//! one that is reported.
#![allow(clippy::print_stdout, reason = "what it measures it prints")]

mod log;

use candle_core::Device;
use log::{Fallible, Log, Processor, auc, millis, pairs, processor_seconds, read};
use mercer_learn::cross_encoder::examples::{ExampleOptions, NegativeSource, TimeWindow, pair_examples};
use mercer_learn::cross_encoder::{
    CrossEncoder, CrossEncoderOptions, HeadKind, Join, LabelledPairs, PairTemplate, train,
};
use mercer_learn::lora::{LoraOptions, Targets};
use mercer_learn::optim::AdamOptions;
use mercer_learn::{BaseEncoder, Method, TextTable};
use mercer_model::{Checkpoint, TextKind};

fn shape(name: &str) -> Option<CrossEncoderOptions> {
    let lora = Method::Lora(LoraOptions { dropout: 0.1, ..LoraOptions::default() });
    let all = Method::Lora(LoraOptions { dropout: 0.1, targets: Targets::AllLinear, ..LoraOptions::default() });
    let base = CrossEncoderOptions::default();
    let faster = |rate| AdamOptions { learning_rate: rate, ..CrossEncoderOptions::default().adam };
    Some(match name {
        "default" => base,
        "full-5e-5" => CrossEncoderOptions { adam: faster(5e-5), ..base },
        "full-1e-4" => CrossEncoderOptions { adam: faster(1e-4), ..base },
        "lora" => CrossEncoderOptions { method: lora, adam: faster(2e-4), ..base },
        "lora-all" => CrossEncoderOptions { method: all, adam: faster(2e-4), ..base },
        "first-token" => CrossEncoderOptions { head: HeadKind::First, ..base },
        "one-text" => CrossEncoderOptions { join: Join::First, ..base },
        "two-layers" => CrossEncoderOptions { upper_layers: 2, ..base },
        "head-only" => CrossEncoderOptions { upper_layers: 0, ..base },
        _ => return None,
    })
}

fn main() -> Fallible<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [items, log, cut, seconds, most, shapes @ ..] = &args[..] else {
        return Err("see the head of the file".into());
    };
    let Log { titles, events } = read(items, log)?;
    let (cut, seconds, most): (i64, f64, usize) =
        (millis(cut).ok_or("CUT is no moment")?, seconds.parse()?, most.parse()?);
    let options = ExampleOptions { most, ..ExampleOptions::default() };
    let learned =
        pair_examples(&events, NegativeSource::Sampled, TimeWindow { after_ms: i64::MIN, until_ms: cut }, &options);
    let later = TimeWindow { after_ms: cut, until_ms: i64::MAX };
    let later = pair_examples(&events, NegativeSource::Sampled, later, &ExampleOptions { most: 400, ..options });
    println!("{} rows to learn from, {} later ones", learned.len(), later.len());
    let checkpoint: Checkpoint = mercer_model::embedded::load()?;
    let tokens = checkpoint.tokens()?;
    let base =
        BaseEncoder { config: &checkpoint.config, pooling: checkpoint.rules.pooling, tensors: &checkpoint.tensors };
    for name in shapes {
        let options = shape(name).ok_or_else(|| format!("there is no shape {name}"))?;
        let form = PairTemplate::read(&tokens, options.join, options.max_tokens)?;
        let encoded = tokens.encode(&titles, TextKind::Passage)?;
        let bodies: Vec<Vec<u32>> = encoded.iter().map(|row| form.body(row, TextKind::Passage).to_vec()).collect();
        let mut texts = TextTable::new();
        let train_pairs = pairs(&learned, &form, &bodies, &mut texts);
        let later_pairs = pairs(&later, &form, &bodies, &mut texts);
        let length: usize = train_pairs.iter().map(|p| texts.get(p.history).len() + texts.get(p.item).len()).sum();
        let options = CrossEncoderOptions { wall_seconds: Some(seconds), ..options };
        let outcome =
            train(base, LabelledPairs { texts: &texts, pairs: &train_pairs }, &options, &Device::Cpu, &mut Processor)?;
        let scorer = CrossEncoder::new(base, &outcome.learned, &Device::Cpu)?;
        let began = processor_seconds();
        let scores = scorer.score(LabelledPairs { texts: &texts, pairs: &later_pairs }, || true)?;
        let took = processor_seconds() - began;
        let of = |repeat: Option<bool>| {
            auc(scores
                .iter()
                .zip(&later)
                .filter(|(_, r)| repeat.is_none_or(|x| x == r.repeat))
                .map(|(s, r)| (*s, r.label)))
        };
        println!(
            "{name:12} {:.0} tokens a pair, {} of {} steps, {:.2} CPU s a step; AUC all {:.4}, new {:.4}, repeat {:.4}; {:.1} CPU ms a pair scored; last losses {:.4}",
            length as f64 / train_pairs.len() as f64,
            outcome.steps,
            outcome.total_steps,
            outcome.seconds / outcome.steps.max(1) as f64,
            of(None),
            of(Some(false)),
            of(Some(true)),
            1e3 * took / later.len() as f64,
            outcome.losses.iter().rev().take(20).sum::<f32>() / outcome.losses.len().min(20) as f32,
        );
    }
    Ok(())
}
