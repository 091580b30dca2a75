//! Writes recommendation lists for a prepared benchmark, and scores them where its own training part allows that.
//!
//! `bench_lists NAME [--at test|val] [--mode repeat|new] [--cand w|f|c] [--arm blend|refit|ranker|popularity|own|knn] [--vectors FILE --dim D] [--without SIGNALS] [--out FILE]`
//!
//! `--without own,text` trains the ranker without these signals (see `Signal`).
//!
//! Reads `$MERCER_DATA_DIR/benchmarks/NAME/{items,users,train}.ndjson.gz` and `meta.json`. With `--at val` the history ends at `T_val` and
//! the truth is what `train` holds after it: the only window on which anything may be chosen; all slices are scored. With `--at test` the lists are
//! written for `score_runs.py`; the truth is not read. `FILE` of vectors: little-endian f32 rows in the order of `items.ndjson.gz`.
#![allow(clippy::print_stdout)]
use std::collections::HashMap;
use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use mercer_rank::evaluate::{lists, ndcg, truth};
use mercer_rank::{
    BlendWeights, Candidates, Catalogue, Event, ItemFacts, Kind, Log, Memory, MemoryOptions, Mode, ReplayOptions,
    Request, Signal, Snapshot, Vectors, cutoffs, refit_weights, tie_key, train_ranker,
};
use serde_json::Value;

type Fail = Box<dyn Error>;

fn rows(path: &Path) -> Result<Vec<Value>, Fail> {
    let file = BufReader::new(flate2::read::MultiGzDecoder::new(File::open(path)?));
    file.lines().map(|l| Ok(serde_json::from_str(&l?)?)).collect()
}

/// UTC milliseconds of a moment in RFC 3339.
fn millis(text: &str) -> Option<i64> {
    Some(text.parse::<jiff::Timestamp>().ok()?.as_millisecond())
}

fn number(map: &mut HashMap<String, u32>, key: &str) -> u32 {
    let next = map.len() as u32;
    *map.entry(key.to_owned()).or_insert(next)
}

struct Bench {
    log: Log,
    catalogue: Catalogue,
    items: Vec<String>,
    users: HashMap<String, u32>,
    eval: Vec<String>,
    t: i64,
    t_val: i64,
}

fn load(dir: &Path) -> Result<Bench, Fail> {
    let meta: Value = serde_json::from_reader(File::open(dir.join("meta.json"))?)?;
    let time = |k: &str| meta[k].as_str().and_then(millis).ok_or(format!("meta.json: no {k}"));
    let (mut items, mut index, mut categories, mut brands) =
        (Vec::new(), HashMap::new(), HashMap::new(), HashMap::new());
    let mut facts = Vec::new();
    for r in rows(&dir.join("items.ndjson.gz"))? {
        let id = r["id"].as_str().ok_or("item without id")?.to_owned();
        let brand = r["brand"].as_str().or_else(|| r["title"].as_str()?.split_whitespace().next());
        facts.push(ItemFacts {
            price: r["price"].as_f64().map(|p| p as f32),
            category: r["category"].as_str().map(|c| number(&mut categories, c)),
            brand: brand.map(|b| number(&mut brands, &b.to_lowercase())),
            available_from: r["available_from"].as_str().and_then(millis),
            tie: tie_key(b"mercer benchmark lists tie break", &id),
            ..ItemFacts::default()
        });
        index.insert(id.clone(), items.len() as u32);
        items.push(id);
    }
    let (mut log, mut users) = (Log::new(), HashMap::new());
    for r in rows(&dir.join("train.ndjson.gz"))? {
        let (Some(user), Some(at)) = (r["user"].as_str(), r["at"].as_str().and_then(millis)) else { continue };
        let kind: Kind = serde_json::from_value(r["type"].clone())?;
        let item = r["item"].as_str().and_then(|i| index.get(i)).copied();
        let value = r["value"].as_f64().unwrap_or(1.0) as f32;
        log.push(number(&mut users, user), Event { item, kind, value, at });
    }
    let eval = BufReader::new(File::open(dir.join("eval_users.txt"))?).lines().collect::<Result<_, _>>()?;
    Ok(Bench { log, catalogue: Catalogue::new(facts), items, users, eval, t: time("T")?, t_val: time("T_val")? })
}

fn vectors(path: &str, dim: usize) -> Result<Vectors, Fail> {
    let flat: Vec<f32> =
        std::fs::read(path)?.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    Ok(Vectors::from_flat(&flat, dim)?)
}

fn signal(name: &str) -> Result<Signal, Fail> {
    Ok(serde_json::from_value(Value::from(name))?)
}

fn main() -> Result<(), Fail> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let name =
        args.first().ok_or("usage: bench_lists NAME [--at ..] [--mode ..] [--cand ..] [--arm ..] [--out FILE]")?;
    let get = |flag: &str| args.iter().position(|a| a == flag).and_then(|i| args.get(i + 1)).map(String::as_str);
    let root = std::env::var("MERCER_DATA_DIR").unwrap_or_else(|_| "../shared/data".into());
    let start = Instant::now();
    let mut b = load(&PathBuf::from(root).join("benchmarks").join(name))?;
    if let Some(path) = get("--vectors") {
        b.catalogue.set_vectors(Some(vectors(path, get("--dim").ok_or("--dim is missing")?.parse()?)?));
    }
    println!("read {} events, {} items in {:.1?}", b.log.len(), b.items.len(), start.elapsed());
    let val = get("--at") == Some("val");
    let at = if val { b.t_val } else { b.t };
    let mode = if get("--mode") == Some("new") { Mode::New } else { Mode::Repeat };
    let candidates = match get("--cand") {
        Some("f") => Candidates::All,
        Some("c") => Candidates::Cold,
        _ => Candidates::Warm,
    };
    let start = Instant::now();
    let memory = Arc::new(Memory::fit(&b.log, &b.catalogue, at, &MemoryOptions::default()));
    println!("fitted memory in {:.1?}; {:?}", start.elapsed(), memory.shape());
    let s = Snapshot { log: b.log.clone(), catalogue: b.catalogue.clone(), memory };
    let start = Instant::now();
    let weights = match get("--arm") {
        Some("popularity") => BlendWeights::popularity(),
        Some("own") => BlendWeights::own_repeats(),
        Some("knn") => BlendWeights::item_knn(),
        Some("refit") => {
            let (cuts, _) = cutoffs(&b.log, at, 5);
            refit_weights(&b.log, &b.catalogue, &cuts, &MemoryOptions::default()).0
        }
        _ => BlendWeights::for_memory(&s.memory),
    };
    let ranker = if get("--arm") == Some("ranker") {
        let without = get("--without").map(|list| list.split(',').map(signal).collect::<Result<Vec<_>, Fail>>());
        let o = ReplayOptions { without: without.transpose()?.unwrap_or_default(), ..ReplayOptions::default() };
        let (ranker, report) = train_ranker(&b.log, &b.catalogue, at, &o)?;
        println!("trained in {:.1?}; {report:?}", start.elapsed());
        Some(ranker)
    } else {
        None
    };
    println!("weights ready in {:.1?}: {weights:?}", start.elapsed());
    let r = Request { mode, candidates, ..Request::new(20, &weights) };
    if val {
        for (slice, mode, candidates) in [
            ("repeat-w", Mode::Repeat, Candidates::Warm),
            ("repeat-f", Mode::Repeat, Candidates::All),
            ("new-w", Mode::New, Candidates::Warm),
            ("new-f", Mode::New, Candidates::All),
            ("cold", Mode::Repeat, Candidates::Cold),
        ] {
            let r = Request { mode, candidates, ..Request::new(20, &weights) };
            let truth = truth(&b.log, &s.memory, b.t, mode, candidates);
            let users: Vec<u32> = truth.iter().map(|t| t.user).collect();
            let start = Instant::now();
            let lists = lists(&s, ranker.as_ref(), &users, at, &r, &|| false)?;
            let sum: f64 = lists
                .iter()
                .zip(&truth)
                .map(|(l, t)| ndcg(&l.iter().map(|x| x.item).collect::<Vec<_>>(), &t.items, 10))
                .sum();
            let mean = sum / truth.len().max(1) as f64;
            println!("{slice}: {} lists in {:.1?}; NDCG@10 {mean:.4}", lists.len(), start.elapsed());
        }
        return Ok(());
    }
    let users: Vec<u32> = b.eval.iter().map(|u| b.users.get(u).copied().unwrap_or(u32::MAX)).collect();
    let start = Instant::now();
    let lists = lists(&s, ranker.as_ref(), &users, at, &r, &|| false)?;
    println!("{} lists in {:.1?}", lists.len(), start.elapsed());
    let mut out = BufWriter::new(File::create(get("--out").unwrap_or("lists.jsonl"))?);
    for (user, list) in b.eval.iter().zip(&lists) {
        let ids: Vec<&str> = list.iter().map(|x| b.items[x.item as usize].as_str()).collect();
        writeln!(out, "{}", serde_json::json!({"user": user, "items": ids}))?;
    }
    out.flush()?;
    Ok(())
}
