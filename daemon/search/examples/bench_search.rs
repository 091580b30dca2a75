//! Measures retrieval on a prepared search set: writes run files to be scored, and prints build time and latency.
//!
//! `bench_search speed` times a made-up catalogue of 100,000 items with vectors of 384 numbers.
//!
//! `bench_search SET OUT_DIR [ITEM_VECTORS QUERY_VECTORS]` reads `$MERCER_DATA_DIR/benchmarks/SET/{items,queries}.ndjson.gz`
//! (default `../shared/data`). Vector files are flat little-endian f32 rows in the order of the items and of the queries. Writes
//! `lexical.jsonl` and, given vectors, `dense.jsonl` and `fused.jsonl`: lines of `{"query", "items"}`, 100 items each. With `MERCER_SCORES=1` also
//! `scores.jsonl`, the raw scores of the union of both lists, for the choice of a fusion.
//! `MERCER_OPTIONS` overrides constants: `k1=1.2,coverage=1,b0=0.75,boost0=2,words=0.4,characters=0.1,depth=200`.

#![allow(clippy::print_stdout, reason = "what it measures it prints")]

use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use flate2::read::GzDecoder;
use mercer_search::{DenseIndex, Document, LexicalIndex, Method, Query, QueryVector, SearchOptions, search};
use mercer_shared::wire::Item;
use serde::Deserialize;
use serde::de::DeserializeOwned;

#[derive(Deserialize)]
struct Asked {
    id: String,
    text: String,
}

fn lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, Box<dyn Error>> {
    let file = File::open(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let mut out = Vec::new();
    for line in BufReader::new(GzDecoder::new(file)).lines() {
        out.push(serde_json::from_str(&line?)?);
    }
    Ok(out)
}

fn vectors(path: &str, rows: usize) -> Result<Vec<Vec<f32>>, Box<dyn Error>> {
    let bytes = std::fs::read(path)?;
    let width = bytes.len() / rows / 4;
    if width == 0 || bytes.len() != rows * width * 4 {
        return Err(format!("{path}: {} bytes are not {rows} rows", bytes.len()).into());
    }
    let number = |b: &[u8]| f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
    Ok(bytes.chunks_exact(width * 4).map(|row| row.chunks_exact(4).map(number).collect()).collect())
}

fn options() -> Result<SearchOptions, Box<dyn Error>> {
    let mut options = SearchOptions::default();
    for pair in std::env::var("MERCER_OPTIONS").unwrap_or_default().split(',').filter(|p| !p.is_empty()) {
        let (key, value) = pair.split_once('=').ok_or("an option is KEY=NUMBER")?;
        let value: f64 = value.parse()?;
        let (name, field) = key.split_at(key.find(|c: char| c.is_ascii_digit() && key != "k1").unwrap_or(key.len()));
        match (name, field.parse::<usize>().ok()) {
            ("k1", _) => options.lexical.k1 = value,
            ("coverage", _) => options.lexical.coverage = value,
            ("b", Some(f @ 0..5)) => options.lexical.b[f] = value,
            ("boost", Some(f @ 0..5)) => options.lexical.boost[f] = value,
            ("depth", _) => options.depth = value as usize,
            ("words", _) => options.fusion.words = value,
            ("characters", _) => options.fusion.characters = value,
            ("rrf", _) => options.fusion.method = Method::Reciprocal { k: value },
            _ => return Err(format!("no option `{key}`").into()),
        }
    }
    Ok(options)
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (set, out, files) = match arguments.as_slice() {
        [only] if only == "speed" => return speed(),
        [set, out] => (set, PathBuf::from(out), None),
        [set, out, items, queries] => (set, PathBuf::from(out), Some((items, queries))),
        _ => return Err("bench_search SET OUT_DIR [ITEM_VECTORS QUERY_VECTORS]".into()),
    };
    let data = std::env::var_os("MERCER_DATA_DIR").map_or_else(|| PathBuf::from("../shared/data"), PathBuf::from);
    let folder = data.join("benchmarks").join(set);
    let items: Vec<Item> = lines(&folder.join("items.ndjson.gz"))?;
    let queries: Vec<Asked> = lines(&folder.join("queries.ndjson.gz"))?;
    let options = options()?;
    std::fs::create_dir_all(&out)?;

    let clock = Instant::now();
    let documents: Vec<Document> =
        items.iter().enumerate().map(|(n, item)| Document::from_item(n as u32, item)).collect();
    let mut index = LexicalIndex::new();
    index.upsert(&documents);
    index.commit();
    println!("{} items indexed in {:.2} s", items.len(), clock.elapsed().as_secs_f64());

    let mut dense = DenseIndex::new("bench", 0);
    let mut asked: Vec<Option<QueryVector>> = vec![None; queries.len()];
    if let Some((item_file, query_file)) = files {
        let rows = vectors(item_file, items.len())?;
        dense = DenseIndex::new("bench", rows[0].len());
        for (n, row) in rows.iter().enumerate() {
            dense.set(n as u32, row)?;
        }
        asked = vectors(query_file, queries.len())?
            .into_iter()
            .map(|values| Some(QueryVector { version: "bench".into(), values }))
            .collect();
    }

    let reader = index.reader();
    let nothing = DenseIndex::new("none", 0);
    let empty = LexicalIndex::new().reader();
    let mut runs = vec![("lexical", &reader, &nothing)];
    if files.is_some() {
        runs.extend([("dense", &empty, &dense), ("fused", &reader, &dense)]);
    }
    for (name, lexical, dense) in runs {
        let mut file = BufWriter::new(File::create(out.join(format!("{name}.jsonl")))?);
        let mut times = Vec::new();
        for (query, vector) in queries.iter().zip(&asked) {
            let clock = Instant::now();
            let read = Query::parse(&query.text)?;
            let hits = search(
                lexical,
                dense,
                &read,
                vector.as_ref().filter(|_| !dense.is_empty()),
                100,
                &|item| Some(mercer_search::tie_hash(item)),
                &options,
            )?;
            times.push(clock.elapsed().as_secs_f64() * 1e3);
            let ids: Vec<&str> = hits.iter().map(|h| items[h.item as usize].id.as_str()).collect();
            writeln!(file, "{}", serde_json::json!({"query": query.id, "items": ids}))?;
        }
        times.sort_by(f64::total_cmp);
        println!(
            "{name}: {:.2} ms median, {:.2} ms worst of {}",
            times[times.len() / 2],
            times[times.len() - 1],
            times.len()
        );
    }
    if std::env::var_os("MERCER_SCORES").is_some() {
        let mut file = BufWriter::new(File::create(out.join("scores.jsonl"))?);
        for (query, vector) in queries.iter().zip(&asked) {
            let matches = reader.search(
                &Query::parse(&query.text)?,
                options.depth,
                &|item| Some(mercer_search::tie_hash(item)),
                &options.lexical,
            );
            let near = vector.as_ref().map_or(Ok(Vec::new()), |v| {
                dense.top_k(v, options.depth, &|item| Some(mercer_search::tie_hash(item)))
            })?;
            let mut union: Vec<u32> = matches.top.iter().chain(&near).map(|s| s.item).collect();
            union.sort_unstable();
            union.dedup();
            let row = |n: &u32| {
                (
                    items[*n as usize].id.as_str().to_owned(),
                    matches.score(*n),
                    vector.as_ref().and_then(|v| dense.score(*n, &v.values)),
                )
            };
            let rows: Vec<_> = union.iter().map(row).collect();
            writeln!(file, "{}", serde_json::json!({"query": query.id, "scores": rows}))?;
        }
    }
    Ok(())
}

/// Index time, commit time of one changed item, and latency at 100,000 items.
fn speed() -> Result<(), Box<dyn Error>> {
    const ITEMS: u32 = 100_000;
    const DIM: usize = 384;
    let mut state = 1u64;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u32
    };
    // Word frequencies fall like those of real text: the cube of a uniform number times the vocabulary.
    let mut words = |n: usize| {
        let word = |r: u32| {
            let mut rest = ((f64::from(r) / f64::from(1u32 << 31)).powi(3) * 30_000.0) as u32;
            let mut word = String::from("w");
            while rest > 0 {
                word.push(char::from(b'a' + (rest % 26) as u8));
                rest /= 26;
            }
            word
        };
        (0..n).map(|_| word(random())).collect::<Vec<_>>().join(" ")
    };
    let documents: Vec<Document> = (0..ITEMS)
        .map(|item| Document { item, title: words(8), description: words(60), ..Document::default() })
        .collect();
    let clock = Instant::now();
    let mut index = LexicalIndex::new();
    index.upsert(&documents);
    index.commit();
    println!("{ITEMS} items indexed in {:.2} s", clock.elapsed().as_secs_f64());
    let clock = Instant::now();
    index.upsert(&documents[..1]);
    index.commit();
    println!("one changed item committed in {:.1} ms", clock.elapsed().as_secs_f64() * 1e3);

    let mut dense = DenseIndex::new("bench", DIM);
    let vector = |seed: u32| -> Vec<f32> {
        (0..DIM as u32)
            .map(|n| (seed.wrapping_mul(2_654_435_761).wrapping_add(n.wrapping_mul(40_503)) % 2_001) as f32 / 1e3 - 1.0)
            .collect()
    };
    for item in 0..ITEMS {
        dense.set(item, &vector(item))?;
    }
    let reader = index.reader();
    let options = SearchOptions::default();
    let nothing = DenseIndex::new("none", 0);
    for (name, dense) in [("lexical", &nothing), ("fused", &dense)] {
        let mut times = Vec::new();
        for n in 0..100 {
            let query = Query::parse(&words(3))?;
            let vector =
                (!dense.is_empty()).then(|| QueryVector { version: "bench".into(), values: vector(n + ITEMS) });
            let clock = Instant::now();
            search(&reader, dense, &query, vector.as_ref(), 20, &|item| Some(mercer_search::tie_hash(item)), &options)?;
            times.push(clock.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        println!(
            "{name}: {:.2} ms median, {:.2} ms worst of {}",
            times[times.len() / 2],
            times[times.len() - 1],
            times.len()
        );
    }
    let clock = Instant::now();
    let batch: Vec<QueryVector> = (0..16).map(|n| QueryVector { version: "bench".into(), values: vector(n) }).collect();
    dense.top_k_batch(&batch, 200, &|item| Some(mercer_search::tie_hash(item)))?;
    println!("dense, 16 queries in one pass: {:.2} ms", clock.elapsed().as_secs_f64() * 1e3);
    Ok(())
}
