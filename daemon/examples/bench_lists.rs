//! Writes recommendation lists for a prepared benchmark, and scores them where its own training part allows that.
//!
//! `bench_lists NAME [--at test|val|DATE] [--mode repeat|new] [--cand w|f|c] [--arm blend|refit|ranker|popularity|own|knn] [--vectors FILE --dim D [--raw]] [--network] [--trees] [--without SIGNALS] [--ablate] [--seed N] [--out FILE]`
//!
//! `--network` trains the sequence model too and gives it to the ranker; `--without own,text` trains the ranker without these
//! signals (see `Signal`), and `--ablate` also without each of them, before T, with what is lost and its paired interval; with `--trees` there are trees beside the ranker's networks, and before T the lists are scored without them too.
//!
//! Reads `$MERCER_DATA_DIR/benchmarks/NAME/{items,users,train}.ndjson.gz` and `meta.json`. With `--at val` the history ends at `T_val` and
//! the truth is what `train` holds after it, as long as the test window is; with a date it ends there. On such windows alone anything may
//! be chosen; all slices are scored. With `--at test` the lists are
//! written for `score_runs.py`; the truth is not read. `FILE` of vectors: little-endian f32 rows in the order of `items.ndjson.gz`;
//! `--raw` compares texts by them as they are, without whitening.
#![allow(clippy::print_stdout, reason = "what it measures it prints")]
use std::collections::{BTreeSet, HashMap};
use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use mercer_daemon::state::sequence;
use mercer_daemon::training::sequence_stages::{SequenceData, SequenceStages};
use mercer_learn::sequence::AdvanceOutcome;
use mercer_rank::evaluate::{ground_truth, ndcg};
use mercer_rank::{
    BlendWeights, Candidates, Catalogue, CollaborativeIndex, CutoffLists, Dataset, Event, IndexOptions,
    InteractionType, ItemFacts, Log, MlpOptions, Mode, RankRequest, Ranker, RankerTrainOptions, RankerTraining,
    SIGNALS, ScoringPolicy, SequenceScorerHistory, Signal, Snapshot, TrainedRanker, TreeOptions, Vectors,
    WhitenedVectors, cutoffs, fit_blend_weights, stable_key,
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
    window: i64,
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
            key: stable_key(&id),
            ..ItemFacts::default()
        });
        index.insert(id.clone(), items.len() as u32);
        items.push(id);
    }
    let (mut log, mut users) = (Log::new(), HashMap::new());
    for r in rows(&dir.join("train.ndjson.gz"))? {
        let (Some(user), Some(at)) = (r["user"].as_str(), r["at"].as_str().and_then(millis)) else { continue };
        let kind: InteractionType = serde_json::from_value(r["type"].clone())?;
        let item = r["item"].as_str().and_then(|i| index.get(i)).copied();
        let value = r["value"].as_f64().unwrap_or(1.0) as f32;
        log.push(number(&mut users, user), Event { item, text: None, kind, value, at });
    }
    let eval = BufReader::new(File::open(dir.join("eval_users.txt"))?).lines().collect::<Result<_, _>>()?;
    let (t, t_val) = (time("T")?, time("T_val")?);
    Ok(Bench { log, catalogue: Catalogue::new(facts), items, users, eval, t, t_val, window: t - t_val })
}

fn vectors(path: &str, dim: usize) -> Result<Vectors, Fail> {
    let flat: Vec<f32> =
        std::fs::read(path)?.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    Ok(Vectors::from_flat(&flat, dim)?)
}

fn signal(name: &str) -> Result<Signal, Fail> {
    Ok(serde_json::from_value(Value::from(name))?)
}

/// The sequence model as of every cut-off of the ranker's training, and of the moment that is asked about.
fn stages(b: &Bench, at: i64, seed: u64, o: &RankerTrainOptions) -> Result<SequenceStages, Fail> {
    let start = Instant::now();
    let cuts: BTreeSet<i64> = cutoffs(&b.log, at, o.cutoffs).0.into_iter().chain([at]).collect();
    let items = sequence::items(&b.catalogue, b.catalogue.vectors())?;
    let mut each = |a: &AdvanceOutcome| println!("  network: {} steps in {:.1} s", a.steps, a.seconds);
    let options = sequence::options(&b.log, at, seed);
    let mut stages = SequenceStages::default();
    stages.train(
        SequenceData { log: &b.log, texts: b.catalogue.texts(), items: &items },
        options,
        &cuts,
        &mut (),
        &mut each,
    )?;
    println!("{} stages of the network in {:.1?}", cuts.len(), start.elapsed());
    Ok(stages)
}

/// Metrics of lists of one kind.
struct Slice {
    name: String,
    /// NDCG@10 of each shopper.
    ndcg: Vec<f64>,
    /// The same if the candidates stood in the best order.
    most: f64,
    candidates: usize,
    seconds: f64,
}

impl Slice {
    /// One line; with the lists of the whole ranker what is lost against them, with a paired interval.
    fn print(&self, whole: Option<&Self>) {
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
        let (name, mean_of) = (&self.name, mean(&self.ndcg));
        let Some(whole) = whole else {
            println!(
                "{name}: {} lists in {:.1} s; NDCG@10 {mean_of:.4}, at most {:.4} with {} candidates",
                self.ndcg.len(),
                self.seconds,
                self.most,
                self.candidates
            );
            return;
        };
        let differences: Vec<f64> = self.ndcg.iter().zip(&whole.ndcg).map(|(a, b)| a - b).collect();
        match mercer_reports::bootstrap_mean(&differences, 0.95, 2_000, 1) {
            Ok((d, i)) => println!("  {name}: NDCG@10 {mean_of:.4}, {d:+.4} [{:+.4}, {:+.4}]", i.low, i.high),
            Err(error) => println!("  {name}: NDCG@10 {mean_of:.4}; {error}"),
        }
    }
}

/// Makes and evaluates all kinds of lists on a window.
fn slices(
    s: &Snapshot,
    ranker: Option<&Ranker>,
    (at, end): (i64, i64),
    weights: &BlendWeights,
    trees: bool,
) -> Result<Vec<Slice>, Fail> {
    let mut out = Vec::new();
    for (name, mode, candidates) in [
        ("repeat-w", Mode::All, Candidates::Warm),
        ("repeat-f", Mode::All, Candidates::All),
        ("new-w", Mode::Novel, Candidates::Warm),
        ("new-f", Mode::Novel, Candidates::All),
        ("cold", Mode::All, Candidates::Cold),
    ] {
        // Beyond the candidates a list goes on in the blend's order.
        let ordered = Ranker::candidates(mode, candidates);
        let r = RankRequest { mode, candidates, ..RankRequest::new(ordered) }.for_window(end);
        let truth = ground_truth(&s.log, &s.index, end, mode, candidates);
        let users: Vec<u32> = truth.iter().map(|t| t.user).collect();
        let variants: &[(&str, bool, bool)] = match candidates {
            Candidates::Cold => &[("", false, true), (", by the blend", false, false)],
            _ if trees => &[("", false, true), (", with trees", true, true)],
            _ => &[("", false, true)],
        };
        for &(what, trees, cold) in variants {
            let ranker = ranker.cloned().map(|ranker| ranker.with_trees_of([trees; 2]));
            let ranker = ranker.map(|ranker| if cold { ranker } else { ranker.without_cold() });
            let start = Instant::now();
            let policy = ScoringPolicy { ranker: ranker.as_ref(), blend: weights };
            let lists = policy.lists(s, &users, at, &r, &|| false)?;
            let (mut each, mut most) = (Vec::new(), 0.0);
            for (list, t) in lists.iter().zip(&truth) {
                let items: Vec<u32> = list.iter().map(|x| x.item).collect();
                let mut perfect = items.clone();
                perfect.sort_by_key(|i| t.items.binary_search(i).is_err());
                each.push(ndcg(&items, &t.items, 10));
                most += ndcg(&perfect, &t.items, 10) / truth.len() as f64;
            }
            let seconds = start.elapsed().as_secs_f64();
            out.push(Slice { name: format!("{name}{what}"), ndcg: each, most, candidates: ordered, seconds });
        }
    }
    Ok(out)
}

fn main() -> Result<(), Fail> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let name =
        args.first().ok_or("usage: bench_lists NAME [--at ..] [--mode ..] [--cand ..] [--arm ..] [--out FILE]")?;
    let flag = |name: &str| args.iter().any(|arg| arg == name);
    let get = |flag: &str| args.iter().position(|a| a == flag).and_then(|i| args.get(i + 1)).map(String::as_str);
    let root = std::env::var("MERCER_DATA_DIR").unwrap_or_else(|_| "../shared/data".into());
    let start = Instant::now();
    let mut b = load(&PathBuf::from(root).join("benchmarks").join(name))?;
    if let Some(path) = get("--vectors") {
        let rows = vectors(path, get("--dim").ok_or("--dim is missing")?.parse()?)?;
        let start = Instant::now();
        let whitened = if flag("--raw") { None } else { WhitenedVectors::fit(&rows) };
        println!("whitened in {:.1?}", start.elapsed());
        b.catalogue.set_vectors(Some(rows));
        b.catalogue.set_whitened(whitened);
    }
    println!("read {} events, {} items in {:.1?}", b.log.len(), b.items.len(), start.elapsed());
    let at = match get("--at") {
        Some("val") => b.t_val,
        None | Some("test") => b.t,
        Some(date) => millis(&format!("{date}T00:00:00Z")).ok_or("--at takes test, val or a date")?,
    };
    let end = at + b.window;
    if at < b.t && end > b.t {
        return Err("the window would reach into the test window".into());
    }
    let mode = if get("--mode") == Some("new") { Mode::Novel } else { Mode::All };
    let candidates = match get("--cand") {
        Some("f") => Candidates::All,
        Some("c") => Candidates::Cold,
        _ => Candidates::Warm,
    };
    let start = Instant::now();
    let index = CollaborativeIndex::fit(Dataset { log: &b.log, catalogue: &b.catalogue }, at, &IndexOptions::default());
    println!("fitted the index in {:.1?}; {:?}", start.elapsed(), index.summary());
    let seed = get("--seed").map_or(Ok(0), str::parse)?;
    let o = RankerTrainOptions::default();
    let o = RankerTrainOptions { mlp: MlpOptions { seed: o.mlp.seed + seed, ..o.mlp }, ..o };
    let stages = if flag("--network") { Some(stages(&b, at, seed, &o)?) } else { None };
    let index = index.with_sequence(stages.as_ref().and_then(|stages| stages.at(at)));
    let s = Snapshot { log: b.log.clone(), catalogue: b.catalogue.clone(), index: Arc::new(index) };
    let start = Instant::now();
    let weights = match get("--arm") {
        Some("popularity") => BlendWeights::popularity(),
        Some("own") => BlendWeights::own_repeats(),
        Some("knn") => BlendWeights::item_knn(),
        Some("refit") => {
            let (cuts, _) = cutoffs(&b.log, at, 5);
            fit_blend_weights(Dataset { log: &b.log, catalogue: &b.catalogue }, &cuts, &IndexOptions::default()).0
        }
        _ => BlendWeights::for_index(&s.index),
    };
    let kept = &mut CutoffLists::default();
    let mut train = |without: Vec<Signal>| -> Result<Ranker, Fail> {
        let start = Instant::now();
        let trees = [flag("--trees").then(TreeOptions::default); 2];
        let o = RankerTrainOptions { trees, without, ..o.clone() };
        let sequence = stages.as_ref().map(|stages| stages as &dyn SequenceScorerHistory);
        let data = Dataset { log: &b.log, catalogue: &b.catalogue };
        let clock = || start.elapsed().as_secs_f64();
        let TrainedRanker { ranker, report, seconds, .. } =
            RankerTraining { sequence, clock: &clock, ..RankerTraining::new(data, at, &o) }.run(kept)?;
        println!("trained in {:.1?}, {seconds:?}; {report:?}", start.elapsed());
        Ok(ranker)
    };
    let ranker = if get("--arm") == Some("ranker") {
        let without = get("--without").map(|list| list.split(',').map(signal).collect::<Result<Vec<_>, Fail>>());
        Some(train(without.transpose()?.unwrap_or_default())?)
    } else {
        None
    };
    println!("weights ready in {:.1?}: {weights:?}", start.elapsed());
    if at < b.t {
        let judged = |ranker: Option<&Ranker>| slices(&s, ranker, (at, end), &weights, flag("--trees"));
        let all = judged(ranker.as_ref())?;
        for slice in &all {
            slice.print(None);
        }
        for without in
            SIGNALS.into_iter().filter(|signal| flag("--ablate") && (stages.is_some() || *signal != Signal::Sequence))
        {
            println!("without {without:?}:");
            let ranker = train(vec![without])?;
            for (slice, whole) in judged(Some(&ranker))?.iter().zip(&all) {
                slice.print(Some(whole));
            }
        }
        return Ok(());
    }
    let r = RankRequest { mode, candidates, ..RankRequest::new(20) };
    let users: Vec<u32> = b.eval.iter().map(|u| b.users.get(u).copied().unwrap_or(u32::MAX)).collect();
    let start = Instant::now();
    let policy = ScoringPolicy { ranker: ranker.as_ref(), blend: &weights };
    let lists = policy.lists(&s, &users, at, &r, &|| false)?;
    println!("{} lists in {:.1?}", lists.len(), start.elapsed());
    let mut out = BufWriter::new(File::create(get("--out").unwrap_or("lists.jsonl"))?);
    for (user, list) in b.eval.iter().zip(&lists) {
        let ids: Vec<&str> = list.iter().map(|x| b.items[x.item as usize].as_str()).collect();
        writeln!(out, "{}", serde_json::json!({"user": user, "items": ids}))?;
    }
    out.flush()?;
    Ok(())
}
