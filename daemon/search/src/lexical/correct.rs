//! Finds terms similar to one that the index lacks: one or two typing errors away, or with it as prefix.

use std::collections::BTreeMap;

use super::reader::LexicalReader;
use super::segment::CommittedSegment;

/// Most similar terms that are tried for a term.
const MOST: usize = 4;
/// Weight of a term one error away; its square for two errors.
const ERROR: f64 = 0.8;
/// Weight of a term with the typed one as prefix.
const COMPLETED: f64 = 0.7;

/// A similar term and its weight.
pub(super) struct Similar {
    pub(super) term: String,
    pub(super) weight: f64,
}

/// How near a term is to the typed one.
struct Nearness {
    /// Edit distance; completions come after every correction.
    rank: usize,
    /// Number of documents that contain the term.
    frequency: u32,
}

/// Finds the terms of the index that are similar to `typed`, best first. The last word of a query may be unfinished, so it is also
/// completed.
pub(super) fn similar(reader: &LexicalReader, typed: &str, last: bool) -> Vec<Similar> {
    let target: Vec<char> = typed.chars().collect();
    // A short word has neighbours everywhere, and a number with another digit is another number.
    if target.len() < 4 || !target.iter().all(|c| c.is_alphabetic()) {
        return Vec::new();
    }
    let allowed = if target.len() >= 8 { 2 } else { 1 };
    let mut found: BTreeMap<String, Nearness> = BTreeMap::new();
    for CommittedSegment { segment, live } in reader.segments.iter() {
        let longest = if last { segment.longest() } else { target.len() + allowed };
        for length in target.len() - allowed..=longest.min(segment.longest()) {
            for &id in segment.of_length(length) {
                let frequency = live.frequency[id as usize];
                if frequency == 0 {
                    continue;
                }
                let term = &segment.terms[id as usize];
                let distance = if length <= target.len() + allowed { distance(&target, term, allowed) } else { None };
                let rank = distance.or_else(|| (last && term.starts_with(typed)).then_some(allowed + 1));
                if let Some(rank) = rank {
                    let nearness = found.entry(term.to_string()).or_insert(Nearness { rank, frequency: 0 });
                    nearness.frequency += frequency;
                }
            }
        }
    }
    let mut ordered: Vec<(String, Nearness)> = found.into_iter().collect();
    ordered.sort_by(|(a, one), (b, two)| {
        one.rank.cmp(&two.rank).then(two.frequency.cmp(&one.frequency)).then_with(|| a.cmp(b))
    });
    let nearest = ordered.first().map(|(_, nearness)| nearness.rank);
    ordered.retain(|(_, nearness)| Some(nearness.rank) == nearest);
    ordered.truncate(MOST);
    let weight = |rank: usize| if rank > allowed { COMPLETED } else { ERROR.powi(rank as i32) };
    ordered.into_iter().map(|(term, nearness)| Similar { term, weight: weight(nearness.rank) }).collect()
}

/// Optimal string alignment distance (insertions, deletions, substitutions, swaps of neighbours), if at most `limit`. Ours, because it
/// stops at the limit: it runs over all terms of similar length, and `strsim` computes each distance to the end.
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

    proptest::proptest! {
        #[test]
        fn up_to_the_limit_it_is_the_distance_of_strsim(a in "[abc]{0,7}", b in "[abcé]{0,7}", limit in 0..4_usize) {
            let exact = strsim::osa_distance(&a, &b);
            let expected = (exact <= limit).then_some(exact);
            proptest::prop_assert_eq!(distance(&a.chars().collect::<Vec<_>>(), &b, limit), expected);
        }
    }
}
