//! What the examples share: a shop's log from NDJSON as `mercer import` reads it, pairs of tokens, AUC, and time that a busy machine does not blur.

use std::collections::HashMap;

use mercer_learn::cross_encoder::examples::{HistoryEntry, PairExample};
use mercer_learn::cross_encoder::{LabelledPair, PairTemplate};
use mercer_learn::examples::Interaction;
use mercer_learn::{Hooks, TextTable};
use mercer_shared::interaction::InteractionType;
use serde_json::Value;

/// Anything may go wrong in an example.
pub(crate) type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

/// UTC milliseconds of a moment in RFC 3339.
pub(crate) fn millis(text: &str) -> Option<i64> {
    Some(text.parse::<jiff::Timestamp>().ok()?.as_millisecond())
}

/// The process's time on all processors, so that a busy machine does not blur the comparison.
pub(crate) struct Processor;

/// Seconds of all threads of this process so far.
pub(crate) fn processor_seconds() -> f64 {
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

/// Titles by number, and who took what.
pub(crate) struct Log {
    pub(crate) titles: Vec<String>,
    pub(crate) events: Vec<Interaction>,
}

/// Reads items and interactions, all of them purchases.
pub(crate) fn read(items: &str, train: &str) -> Fallible<Log> {
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
        events.push(Interaction { user, item, kind: InteractionType::Purchase, value: 1.0, query: None, at_ms });
    }
    Ok(Log { titles, events })
}

/// Rows as token ids.
pub(crate) fn pairs(
    rows: &[PairExample],
    form: &PairTemplate,
    bodies: &[Vec<u32>],
    texts: &mut TextTable,
) -> Vec<LabelledPair> {
    let body = |entry: &HistoryEntry| match entry {
        HistoryEntry::Item(item) => Some(&bodies[*item as usize][..]),
        HistoryEntry::Query(_) => None,
    };
    rows.iter()
        .map(|row| LabelledPair {
            history: texts.push(&form.history(row.history.iter().filter_map(body))),
            item: texts.push(&form.item(&bodies[row.item as usize])),
            label: row.label,
        })
        .collect()
}

/// Area under the ROC curve of scores and labels.
pub(crate) fn auc(scored: impl Iterator<Item = (f32, bool)>) -> f64 {
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
