//! Chooses the shopper and the items of the demo from the simulated log, so that it works with any seed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use mercer_shared::ids::UserId;
use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::{ExportLine, InteractionType};

/// What there is to ask about.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shop {
    /// The shopper with most purchases.
    pub(super) user: UserId,
    /// The most frequent search in English that names something the shop has.
    pub(super) english: String,
    /// The same in Chinese.
    pub(super) chinese: String,
}

/// Whether the text is in Chinese.
fn han(text: &str) -> bool {
    text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
}

/// Whether one title holds every word of the query.
fn named(query: &str, titles: &[String]) -> bool {
    let query = query.to_lowercase();
    titles.iter().any(|title| query.split_whitespace().all(|word| title.contains(word)))
}

/// The key with the highest count; of equals the first.
fn most<K: Ord>(counts: BTreeMap<K, u64>) -> Option<K> {
    let mut best: Option<(K, u64)> = None;
    for (key, count) in counts {
        if best.as_ref().is_none_or(|(_, most)| count > *most) {
            best = Some((key, count));
        }
    }
    best.map(|(key, _)| key)
}

impl Shop {
    /// Reads a simulated log.
    pub(super) fn read(file: &Path) -> Result<Self, Problem> {
        let bad = |why: &dyn std::fmt::Display| Problem::new(Code::BadFile, format!("{}: {why}", file.display()));
        let mut buyers: BTreeMap<UserId, u64> = BTreeMap::new();
        let (mut titles, mut queries) = (Vec::new(), BTreeMap::new());
        for line in BufReader::new(File::open(file).map_err(|error| bad(&error))?).lines() {
            let line = line.map_err(|error| bad(&error))?;
            let one = match serde_json::from_str(&line).map_err(|error| bad(&error))? {
                ExportLine::Item(item) => {
                    titles.push(item.title.to_lowercase());
                    continue;
                }
                ExportLine::DeletedItem(_) | ExportLine::User(_) => continue,
                ExportLine::Interaction(one) => one,
            };
            match (one.kind, one.user, one.query) {
                (InteractionType::Purchase, Some(user), _) => *buyers.entry(user).or_default() += 1,
                (InteractionType::Search, _, Some(query)) => *queries.entry(query).or_default() += 1,
                _ => {}
            }
        }
        queries.retain(|query, _| named(query, &titles));
        let (chinese, english) = queries.into_iter().partition(|(query, _)| han(query));
        match (most(buyers), most(english), most(chinese)) {
            (Some(user), Some(english), Some(chinese)) => Ok(Self { user, english, chinese }),
            _ => Err(bad(&"lacks purchases or searches in one of the languages")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_are_chosen() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("shop.ndjson");
        let line = |user: &str, kind: &str, more: &str| {
            format!(
                "{{\"interaction\":{{\"user\":\"{user}\",\"type\":\"{kind}\",{more},\"at\":\"2026-01-01T00:00:00Z\"}}}}\n"
            )
        };
        let buys = |user| line(user, "purchase", "\"item\":\"i\"");
        let asks = |query: &str| line("u", "search", &format!("\"query\":\"{query}\""));
        let item = |title: &str| format!("{{\"item\":{{\"id\":\"{title}\",\"title\":\"{title}\"}}}}\n");
        let asked = ["red lamp", "red lamp", "bed", "nice", "nice", "nice", "连衣裙"].map(asks).concat();
        let items = ["A Lamp in Red", "bed", "红色连衣裙"].map(item).concat();
        let text = [items, buys("a"), buys("b"), buys("b"), asked].concat();
        std::fs::write(&file, text).unwrap();
        assert_eq!(
            Shop::read(&file).unwrap(),
            Shop { user: "b".parse().unwrap(), english: "red lamp".into(), chinese: "连衣裙".into() }
        );
        std::fs::write(&file, buys("a")).unwrap();
        assert_eq!(Shop::read(&file).unwrap_err().code, Code::BadFile);
    }
}
