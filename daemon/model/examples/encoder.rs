//! Packs, measures and times encoders. The figures in `data/encoder/README.md` come from here.
//!
//! * `encoder pack DIR OUT SCRIPT,... BITS FILE...`
//! * `encoder search PATH BENCHMARK_DIR title|text OUT.jsonl`: dense run over `items.ndjson`, `queries.ndjson` (unzipped)
//! * `encoder compare PATH PATH FILE query|passage`: cosines between two encoders over the lines of a file
//! * `encoder speed PATH FILE`: texts a second over the lines of a file
#![allow(clippy::print_stdout, reason = "what it measures it prints")]

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use mercer_model::packed::Bits;
use mercer_model::{BertEncoder, Checkpoint, Encoder, PackOptions, TextKind, Vectors, pack};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["pack", dir, out, scripts, bits, files @ ..] => run_pack(dir, out, scripts, bits, files),
        ["search", path, dir, field, out] => search(path, Path::new(dir), field, out),
        ["compare", one, other, file, kind] => compare(one, other, file, kind),
        ["speed", path, file] => speed(path, file),
        _ => Err("usage: encoder pack|search|compare|speed ... (see the head of the source)".into()),
    }
}

fn run_pack(dir: &str, out: &str, scripts: &str, bits: &str, files: &[&str]) -> Outcome<()> {
    let scripts = scripts.split(',').filter(|s| !s.is_empty()).map(str::parse).collect::<Result<_, String>>()?;
    let bits = if bits == "8" { Bits::Eight } else { Bits::Four };
    let report = pack(&PackOptions {
        source: dir.into(),
        output: out.into(),
        scripts,
        used_by: files.iter().map(Into::into).collect(),
        bits,
        limit: 24_000_000,
    })?;
    println!("{report:#?}");
    Ok(())
}

fn open(path: &str) -> Outcome<BertEncoder> {
    Ok(BertEncoder::on_best_device(Checkpoint::load(Path::new(path))?)?)
}

fn field(row: &serde_json::Value, name: &str) -> String {
    row.get(name).and_then(|v| v.as_str()).unwrap_or_default().to_owned()
}

fn rows(path: &Path) -> Outcome<Vec<serde_json::Value>> {
    Ok(std::fs::read_to_string(path)?.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}

fn embed(encoder: &BertEncoder, texts: &[String], kind: TextKind) -> Outcome<Vectors> {
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    Ok(encoder.embed(&texts, kind)?)
}

fn search(path: &str, dir: &Path, what: &str, out: &str) -> Outcome<()> {
    let encoder = open(path)?;
    let items = rows(&dir.join("items.ndjson"))?;
    let queries = rows(&dir.join("queries.ndjson"))?;
    let texts: Vec<String> = items
        .iter()
        .map(|i| match what {
            "title" => field(i, "title"),
            _ => format!("{}. {}", field(i, "title"), field(i, "description")),
        })
        .collect();
    let start = Instant::now();
    let passages = embed(&encoder, &texts, TextKind::Passage)?;
    println!("{} passages in {:.1} s", texts.len(), start.elapsed().as_secs_f64());
    let asked: Vec<String> = queries.iter().map(|q| field(q, "text")).collect();
    let asked = embed(&encoder, &asked, TextKind::Query)?;
    let mut file = std::fs::File::create(out)?;
    for (query, vector) in queries.iter().zip(asked.rows()) {
        let mut scored: Vec<(f32, usize)> =
            passages.rows().enumerate().map(|(i, p)| (p.iter().zip(vector).map(|(a, b)| a * b).sum(), i)).collect();
        scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let best: Vec<String> = scored.iter().take(100).map(|&(_, i)| field(&items[i], "id")).collect();
        writeln!(file, "{}", serde_json::json!({"query": field(query, "id"), "items": best}))?;
    }
    Ok(())
}

fn compare(one: &str, other: &str, file: &str, kind: &str) -> Outcome<()> {
    let kind = if kind == "query" { TextKind::Query } else { TextKind::Passage };
    let texts: Vec<String> = std::fs::read_to_string(file)?.lines().map(str::to_owned).collect();
    let (a, b) = (embed(&open(one)?, &texts, kind)?, embed(&open(other)?, &texts, kind)?);
    let mut cosines: Vec<f32> =
        a.rows().zip(b.rows()).map(|(a, b)| a.iter().zip(b).map(|(a, b)| a * b).sum()).collect();
    cosines.sort_by(f32::total_cmp);
    let same = cosines.iter().filter(|c| **c > 0.9999).count();
    let mean = cosines.iter().sum::<f32>() / cosines.len() as f32;
    println!("{} texts: {same} alike (cosine above .9999), smallest {:.5}, mean {mean:.5}", texts.len(), cosines[0]);
    Ok(())
}

fn speed(path: &str, file: &str) -> Outcome<()> {
    let start = Instant::now();
    let mut encoder = open(path)?;
    println!("loaded in {:.2} s, {:?}", start.elapsed().as_secs_f64(), encoder.device());
    let texts: Vec<String> = std::fs::read_to_string(file)?.lines().map(str::to_owned).collect();
    let tokens: usize = encoder.tokens().encode(&texts, TextKind::Passage)?.iter().map(Vec::len).sum();
    println!("{} texts, {:.1} tokens each", texts.len(), tokens as f64 / texts.len() as f64);
    for batch in [256, 512, 1024, 2048, 4096] {
        encoder = encoder.with_batch_tokens(batch);
        let start = Instant::now();
        embed(&encoder, &texts, TextKind::Passage)?;
        let seconds = start.elapsed().as_secs_f64();
        println!("batches of {batch} tokens: {seconds:.2} s, {:.1} texts a second", texts.len() as f64 / seconds);
    }
    let start = Instant::now();
    for text in texts.iter().take(20) {
        embed(&encoder, std::slice::from_ref(text), TextKind::Query)?;
    }
    println!("one alone: {:.1} ms", start.elapsed().as_secs_f64() * 1e3 / 20.0);
    Ok(())
}
