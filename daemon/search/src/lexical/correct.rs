//! Terms close to one that the index does not hold: one or two typing errors away, or beginning with it.

use std::collections::BTreeMap;

use super::score::LexicalReader;

/// Most readings that are tried for a term.
const MOST: usize = 4;
/// Weight of a term one error away; two errors square it.
const ERROR: f64 = 0.8;
/// Weight of a term that begins with what was typed.
const COMPLETED: f64 = 0.7;

/// Terms of the index close to `typed`, with their weights, best first. `last` words may be unfinished.
pub(super) fn similar(reader: &LexicalReader, typed: &str, last: bool) -> Vec<(String, f64)> {
    let target: Vec<char> = typed.chars().collect();
    // A short word has neighbours everywhere, and a number with another digit is another number.
    if target.len() < 4 || !target.iter().all(|c| c.is_alphabetic()) {
        return Vec::new();
    }
    let allowed = if target.len() >= 8 { 2 } else { 1 };
    let mut found: BTreeMap<String, (usize, u32)> = BTreeMap::new();
    for (segment, live) in reader.segments.iter() {
        let longest = if last { segment.longest() } else { target.len() + allowed };
        for length in target.len() - allowed..=longest.min(segment.longest()) {
            for &id in segment.of_length(length) {
                let frequency = live.frequency[id as usize];
                if frequency == 0 {
                    continue;
                }
                let term = &segment.terms[id as usize];
                let distance = if length <= target.len() + allowed { distance(&target, term, allowed) } else { None };
                // Completions stand behind every correction.
                let rank = distance.or_else(|| (last && term.starts_with(typed)).then_some(allowed + 1));
                if let Some(rank) = rank {
                    found.entry(term.to_string()).or_insert((rank, 0)).1 += frequency;
                }
            }
        }
    }
    let mut ordered: Vec<(String, (usize, u32))> = found.into_iter().collect();
    ordered.sort_by(|(a, (ra, fa)), (b, (rb, fb))| ra.cmp(rb).then(fb.cmp(fa)).then(a.cmp(b)));
    let nearest = ordered.first().map(|(_, (rank, _))| *rank);
    ordered.retain(|(_, (rank, _))| Some(*rank) == nearest);
    ordered.truncate(MOST);
    ordered
        .into_iter()
        .map(|(t, (rank, _))| (t, if rank > allowed { COMPLETED } else { ERROR.powi(rank as i32) }))
        .collect()
}

/// Optimal string alignment distance (insertions, deletions, substitutions, swaps of neighbours), if at most `limit`.
fn distance(a: &[char], b: &str, limit: usize) -> Option<usize> {
    let b: Vec<char> = b.chars().collect();
    if a.len().abs_diff(b.len()) > limit {
        return None;
    }
    let width = b.len() + 1;
    let (mut before, mut above, mut row) = (vec![0; width], (0..width).collect::<Vec<usize>>(), vec![0; width]);
    for i in 1..=a.len() {
        row[0] = i;
        for j in 1..width {
            let cost = usize::from(a[i - 1] != b[j - 1]);
            row[j] = (above[j] + 1).min(row[j - 1] + 1).min(above[j - 1] + cost);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        if row.iter().all(|&d| d > limit) {
            return None;
        }
        std::mem::swap(&mut before, &mut above);
        std::mem::swap(&mut above, &mut row);
    }
    (above[b.len()] <= limit).then_some(above[b.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        let d = |a: &str, b| distance(&a.chars().collect::<Vec<_>>(), b, 2);
        assert_eq!(d("chrisma", "christma"), Some(1));
        assert_eq!(d("lihgt", "light"), Some(1));
        assert_eq!(d("same", "same"), Some(0));
        assert_eq!(d("lamp", "table"), None);
        assert_eq!(d("kitten", "sitting"), None);
    }
}
