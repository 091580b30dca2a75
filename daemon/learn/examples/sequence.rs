//! Trains the sequence model on a prepared benchmark and scores it alone.
//!
//! `sequence NAME [--at val|test] [--vectors FILE --dim D] [--stages N] [--window DAYS] [--set field=value ..] [--save FILE]`
//!
//! Reads `$MERCER_DATA_DIR/benchmarks/NAME/{items,train,test}.ndjson.gz` and `meta.json`. `--at val` (the default) trains up to `T_val` and scores
//! on what `train` holds after it: the only window on which anything may be chosen. `--at test` trains up to `T` and scores on `test`, for
//! reporting. `--window` is what lists are judged over, 30 days if absent. `--stages N` goes there in N monthly advances instead of one. `--set` takes any field of the options. `FILE` of vectors:
//! little-endian f32 rows in the order of `items.ndjson.gz`.
#![allow(clippy::print_stdout, reason = "what it measures it prints")]
use std::collections::{BTreeMap, HashMap, HashSet};
use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::Instant;

use mercer_learn::sequence::{
    ItemFeatures, SequenceEvent, SequenceLog, SequenceModel, SequenceOptions, SequenceTrainer,
};
use mercer_learn::{Hooks, StepReport};
use serde_json::Value;

type Fail = Box<dyn Error>;
const DAY: i64 = 86_400_000;

fn rows(path: &Path) -> Result<Vec<Value>, Fail> {
    let file = BufReader::new(flate2::read::MultiGzDecoder::new(File::open(path)?));
    file.lines().map(|l| Ok(serde_json::from_str(&l?)?)).collect()
}

/// UTC milliseconds of a moment in RFC 3339.
fn millis(text: &str) -> Option<i64> {
    Some(text.parse::<jiff::Timestamp>().ok()?.as_millisecond())
}

#[derive(Default)]
struct Progress {
    losses: Vec<f32>,
}

impl Hooks for Progress {
    fn on_step(&mut self, r: &StepReport) {
        self.losses.push(r.loss);
        if r.step.is_multiple_of(100) || r.step == r.total {
            let last = &self.losses[self.losses.len().saturating_sub(100)..];
            let mean = last.iter().sum::<f32>() / last.len() as f32;
            println!(
                "  step {:5} of {}: loss {mean:.4}, norm {:.2}, {:.0} s to go",
                r.step, r.total, r.grad_norm, r.eta_s
            );
        }
    }
}

struct Bench {
    users: Vec<Vec<SequenceEvent>>,
    test: Vec<Vec<SequenceEvent>>,
    prices: Vec<f32>,
    times: BTreeMap<&'static str, i64>,
}

fn load(dir: &Path) -> Result<Bench, Fail> {
    let meta: Value = serde_json::from_reader(File::open(dir.join("meta.json"))?)?;
    let mut times = BTreeMap::new();
    for key in ["T", "T_val", "T_end"] {
        times.insert(key, meta[key].as_str().and_then(millis).ok_or(format!("meta.json: no {key}"))?);
    }
    let (mut index, mut prices) = (HashMap::new(), Vec::new());
    for r in rows(&dir.join("items.ndjson.gz"))? {
        index.insert(r["id"].as_str().ok_or("item without id")?.to_owned(), prices.len() as u32);
        prices.push(r["price"].as_f64().unwrap_or(0.0) as f32);
    }
    let mut users: HashMap<String, usize> = HashMap::new();
    let mut read = |name: &str| -> Result<Vec<Vec<SequenceEvent>>, Fail> {
        let mut out: Vec<Vec<SequenceEvent>> = vec![Vec::new(); users.len()];
        for r in rows(&dir.join(name))? {
            let (Some(user), Some(at)) = (r["user"].as_str(), r["at"].as_str().and_then(millis)) else { continue };
            let Some(item) = r["item"].as_str().and_then(|i| index.get(i)).copied() else { continue };
            let next = users.len();
            let slot = *users.entry(user.to_owned()).or_insert(next);
            out.resize_with(users.len().max(out.len()), Vec::new);
            let value = r["value"].as_f64().unwrap_or(1.0) as f32;
            out[slot].push(SequenceEvent { item: Some(item), text: None, kind: 0, value, at });
        }
        Ok(out)
    };
    let (mut users, mut test) = (read("train.ndjson.gz")?, read("test.ndjson.gz")?);
    let n = users.len().max(test.len());
    users.resize_with(n, Vec::new);
    test.resize_with(n, Vec::new);
    Ok(Bench { users, test, prices, times })
}

fn ndcg(scores: &[f32], truth: &HashSet<u32>, allowed: impl Fn(u32) -> bool) -> f64 {
    let mut order: Vec<u32> = (0..scores.len() as u32).filter(|i| allowed(*i)).collect();
    let k = order.len().min(10);
    if k == 0 {
        return 0.0;
    }
    let by = |a: &u32, b: &u32| scores[*b as usize].total_cmp(&scores[*a as usize]).then(a.cmp(b));
    order.select_nth_unstable_by(k - 1, by);
    order.truncate(k);
    order.sort_by(by);
    let gain = |rank: usize| 1.0 / ((rank + 2) as f64).log2();
    let got: f64 = order.iter().enumerate().filter(|(_, i)| truth.contains(i)).map(|(r, _)| gain(r)).sum();
    got / (0..truth.len().min(10)).map(gain).sum::<f64>()
}

/// NDCG@10 of repeat-w, new-w and cold-only lists with the number of users of each.
fn evaluate(model: &SequenceModel, b: &Bench, at: i64, end: i64) -> Result<[(f64, usize); 3], Fail> {
    let warm: HashSet<u32> = b.users.iter().flatten().filter(|e| e.at <= at).filter_map(|e| e.item).collect();
    let mut sums = [(0.0, 0); 3];
    let mut scores = vec![0f32; model.items()];
    let start = Instant::now();
    let mut lists = 0;
    for (events, later) in b.users.iter().zip(&b.test) {
        let had: HashSet<u32> = events.iter().filter(|e| e.at <= at).filter_map(|e| e.item).collect();
        let window = |e: &&SequenceEvent| e.at > at && e.at <= end;
        let truth: HashSet<u32> = events.iter().chain(later).filter(window).filter_map(|e| e.item).collect();
        if had.is_empty() || truth.is_empty() {
            continue;
        }
        model.score(events, &[], at, &mut scores)?;
        lists += 1;
        let slices: [&dyn Fn(u32) -> bool; 3] =
            [&|i| warm.contains(&i), &|i| warm.contains(&i) && !had.contains(&i), &|i| !warm.contains(&i)];
        for (sum, allowed) in sums.iter_mut().zip(slices) {
            let truth: HashSet<u32> = truth.iter().copied().filter(|i| allowed(*i)).collect();
            if !truth.is_empty() {
                *sum = (sum.0 + ndcg(&scores, &truth, allowed), sum.1 + 1);
            }
        }
    }
    println!("{:.2} ms a user, lists and measuring included", start.elapsed().as_secs_f64() * 1e3 / f64::from(lists));
    Ok(sums.map(|(sum, n)| (sum / n.max(1) as f64, n)))
}

fn options(args: &[String]) -> Result<SequenceOptions, Fail> {
    let window = args.iter().position(|a| a == "--window").and_then(|i| args.get(i + 1));
    let window = window.map_or(Ok(30.0), |w| w.parse())?;
    let mut json = serde_json::to_value(SequenceOptions::for_window(window))?;
    for pair in args.windows(2).filter(|w| w[0] == "--set").map(|w| &w[1]) {
        let (field, value) = pair.split_once('=').ok_or("--set field=value")?;
        let value: Value = serde_json::from_str(value)?;
        match field.strip_prefix("adam.") {
            Some(inner) => json["adam"][inner] = value,
            None => json[field] = value,
        }
    }
    Ok(serde_json::from_value(json)?)
}

fn main() -> Result<(), Fail> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let name = args.first().ok_or("usage: sequence NAME [--at val|test] [--vectors FILE --dim D] ..")?;
    let get = |flag: &str| args.iter().position(|a| a == flag).and_then(|i| args.get(i + 1)).map(String::as_str);
    let root = std::env::var("MERCER_DATA_DIR").unwrap_or_else(|_| "../shared/data".into());
    let b = load(&PathBuf::from(root).join("benchmarks").join(name))?;
    let dim: usize = get("--dim").map_or(Ok(0), str::parse)?;
    let vectors: Vec<f32> = match get("--vectors") {
        Some(path) => {
            std::fs::read(path)?.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
        }
        None => Vec::new(),
    };
    let items = ItemFeatures::new(dim, vectors.into(), b.prices.clone().into())?;
    let (at, end) =
        if get("--at") == Some("test") { (b.times["T"], b.times["T_end"]) } else { (b.times["T_val"], b.times["T"]) };
    let o = options(&args)?;
    let mut trainer = SequenceTrainer::new(o, &items)?;
    let log = SequenceLog { users: &b.users, queries: &[] };
    let stages: i64 = get("--stages").map_or(Ok(1), str::parse)?;
    let start = Instant::now();
    let mut model = None;
    for stage in (0..stages).rev() {
        let advance = trainer.advance(&items, log, at - stage * 30 * DAY, &mut Progress::default())?;
        let (steps, seconds) = (advance.steps, advance.seconds);
        println!("{:?}: {steps} steps in {seconds:.1} s, full softmax {}", advance.status, advance.full_softmax);
        model = advance.model;
    }
    let model = model.ok_or("cancelled")?;
    println!("trained in {:.1} s", start.elapsed().as_secs_f64());
    if let Some(path) = get("--save") {
        model.save(Path::new(path))?;
    }
    let [repeat, new, cold] = evaluate(&model, &b, at, end)?;
    println!(
        "NDCG@10 repeat-w {:.4} ({}), new-w {:.4} ({}), cold {:.4} ({})",
        repeat.0, repeat.1, new.0, new.1, cold.0, cold.1
    );
    Ok(())
}
