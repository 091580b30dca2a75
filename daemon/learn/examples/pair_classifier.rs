//! Trains pair classifiers of several shapes on a shop's log for the same processor time each and compares them on later rows:
//! `cargo run --release -p mercer-learn --example pair_classifier -- ITEMS TRAIN CUT SECONDS POSITIVES [SHAPE...]`. ITEMS and TRAIN are NDJSON as
//! `mercer import` reads it, CUT the moment (`2011-10-10T12:50:00Z`) after which rows are for judging only. Choose on a window before the
//! one that is reported.
#![allow(clippy::print_stdout)]

use std::collections::HashMap;

use candle_core::Device;
use mercer_learn::examples::{Interaction, Kind};
use mercer_learn::lora::{LoraOptions, Targets};
use mercer_learn::optim::AdamOptions;
use mercer_learn::pair_classifier::examples::{Entry, Options, Row, Source, Window, rows};
use mercer_learn::pair_classifier::{Form, HeadKind, Join, LabelledPair, PairOptions, PairSet, Scorer, train};
use mercer_learn::{Base, Hooks, Method, TextTable};
use mercer_model::{Checkpoint, TextKind};
use serde_json::Value;

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

/// Milliseconds of `2011-10-10T12:50:00Z`.
fn millis(text: &str) -> Option<i64> {
    let part = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let (y, m, d) = (part(0, 4)?, part(5, 7)?, part(8, 10)?);
    // Days from civil date (Hinnant).
    let y = if m <= 2 { y - 1 } else { y };
    let day_of_year = (153 * ((m + 9) % 12) + 2) / 5 + d - 1;
    let days = y.div_euclid(400) * 146_097 + y.rem_euclid(400) * 365 + y.rem_euclid(400) / 4 - y.rem_euclid(400) / 100
        + day_of_year
        - 719_468;
    Some(((days * 24 + part(11, 13)?) * 60 + part(14, 16)?) * 60_000 + part(17, 19)? * 1_000)
}

/// The process's time on all processors, so that a busy machine does not blur the comparison.
struct Processor;

fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // proc(5): user and system time are the 14th and 15th field, the second of which may hold blanks in brackets; in hundredths.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / 100.0
}

impl Hooks for Processor {
    fn seconds(&self) -> f64 {
        processor_seconds()
    }
}

fn lines(path: &str) -> Fallible<Vec<Value>> {
    Ok(std::fs::read_to_string(path)?.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}

struct Log {
    titles: Vec<String>,
    events: Vec<Interaction>,
}

fn read(items: &str, train: &str) -> Fallible<Log> {
    let mut numbers: HashMap<String, u32> = HashMap::new();
    let mut titles = Vec::new();
    for line in lines(items)? {
        numbers.insert(line["id"].as_str().unwrap_or_default().to_owned(), titles.len() as u32);
        titles.push(line["title"].as_str().unwrap_or_default().to_owned());
    }
    let mut users: HashMap<String, u32> = HashMap::new();
    let mut events = Vec::new();
    for line in lines(train)? {
        let next = users.len() as u32;
        let user = *users.entry(line["user"].as_str().unwrap_or_default().to_owned()).or_insert(next);
        let item = line["item"].as_str().and_then(|id| numbers.get(id)).copied();
        let at_ms = line["at"].as_str().and_then(millis).ok_or("a time is missing")?;
        events.push(Interaction { user, item, kind: Kind::Purchase, query: None, at_ms });
    }
    Ok(Log { titles, events })
}

fn pairs(rows: &[Row], form: &Form, bodies: &[Vec<u32>], texts: &mut TextTable) -> Vec<LabelledPair> {
    let body = |entry: &Entry| match entry {
        Entry::Item(item) => Some(&bodies[*item as usize][..]),
        Entry::Query(_) => None,
    };
    rows.iter()
        .map(|row| LabelledPair {
            behaviour: texts.push(&form.behaviour(row.history.iter().filter_map(body))),
            item: texts.push(&form.item(&bodies[row.item as usize])),
            label: row.label,
        })
        .collect()
}

fn auc(scored: impl Iterator<Item = (f32, bool)>) -> f64 {
    let mut all: Vec<(f32, bool)> = scored.collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut twice) = (0f64, 0f64);
    for ties in all.chunk_by(|a, b| a.0 == b.0) {
        let up = ties.iter().filter(|x| x.1).count() as f64;
        let down = ties.len() as f64 - up;
        twice += up * (2.0 * below + down);
        below += down;
    }
    let positives = all.iter().filter(|x| x.1).count() as f64;
    twice / (2.0 * positives * below)
}

fn shape(name: &str) -> Option<PairOptions> {
    let lora = Method::Lora(LoraOptions { dropout: 0.1, ..LoraOptions::default() });
    let all = Method::Lora(LoraOptions { dropout: 0.1, targets: Targets::AllLinear, ..LoraOptions::default() });
    let base = PairOptions::default();
    let faster = |rate| AdamOptions { learning_rate: rate, ..PairOptions::default().adam };
    Some(match name {
        "default" => base,
        "full-5e-5" => PairOptions { adam: faster(5e-5), ..base },
        "full-1e-4" => PairOptions { adam: faster(1e-4), ..base },
        "lora" => PairOptions { method: lora, adam: faster(2e-4), ..base },
        "lora-all" => PairOptions { method: all, adam: faster(2e-4), ..base },
        "first-token" => PairOptions { head: HeadKind::First, ..base },
        "one-text" => PairOptions { join: Join::First, ..base },
        "two-layers" => PairOptions { upper_layers: 2, ..base },
        "head-only" => PairOptions { upper_layers: 0, ..base },
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
    let options = Options { most, ..Options::default() };
    let learned = rows(&events, Source::Sampled, Window { after_ms: i64::MIN, until_ms: cut }, &options);
    let later = Window { after_ms: cut, until_ms: i64::MAX };
    let later = rows(&events, Source::Sampled, later, &Options { most: 400, ..options });
    println!("{} rows to learn from, {} later ones", learned.len(), later.len());
    let checkpoint: Checkpoint = mercer_model::embedded::load()?;
    let tokens = checkpoint.tokens()?;
    let base = Base { config: &checkpoint.config, pooling: checkpoint.rules.pooling, tensors: &checkpoint.tensors };
    for name in shapes {
        let options = shape(name).ok_or_else(|| format!("there is no shape {name}"))?;
        let form = Form::read(&tokens, options.join, options.max_tokens)?;
        let encoded = tokens.encode(&titles, TextKind::Passage)?;
        let bodies: Vec<Vec<u32>> = encoded.iter().map(|row| form.body(row, TextKind::Passage).to_vec()).collect();
        let mut texts = TextTable::new();
        let train_pairs = pairs(&learned, &form, &bodies, &mut texts);
        let later_pairs = pairs(&later, &form, &bodies, &mut texts);
        let length: usize = train_pairs.iter().map(|p| texts.get(p.behaviour).len() + texts.get(p.item).len()).sum();
        let options = PairOptions { wall_seconds: Some(seconds), ..options };
        let outcome =
            train(base, PairSet { texts: &texts, pairs: &train_pairs }, &options, &Device::Cpu, &mut Processor)?;
        let scorer = Scorer::new(base, &outcome.weights, &Device::Cpu)?;
        let began = processor_seconds();
        let scores = scorer.score(PairSet { texts: &texts, pairs: &later_pairs }, || true)?;
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
