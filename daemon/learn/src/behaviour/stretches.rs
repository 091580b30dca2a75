//! Which stretches of history are asked about in training, and about which moments.

use super::baskets::Story;

/// A stretch of one shopper's baskets: `from` is the first that is looked at, `targets` those to be predicted from the ones before each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) shopper: u32,
    pub(crate) from: usize,
    /// `targets.0..targets.1`.
    pub(crate) targets: (usize, usize),
}

/// A moment in training: `known` baskets are known at `at`, and `items` (ascending) are what the shopper then takes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Question {
    pub(crate) known: usize,
    pub(crate) at: i64,
    pub(crate) items: Vec<u32>,
}

/// Cuts a story so that every basket but the first is a target once, with at least half a context (`tokens / 2`) before it where there is so much.
/// Each stretch is cut in two where its targets pass `after`; returns those up to `after` and those later.
pub(crate) fn cut(shopper: u32, story: &Story, tokens: usize, target: u8, after: Option<i64>) -> [Vec<Stretch>; 2] {
    let mut out = [Vec::new(), Vec::new()];
    let n = story.baskets.len();
    let mut first = 1;
    while first < n {
        let from = story.context(first, (tokens / 2).max(1));
        let mut end = first + 1;
        while end < n && story.context(end, tokens) <= from {
            end += 1;
        }
        let old = |b: usize| after.is_some_and(|a| story.baskets[b].at <= a);
        let border = (first..end).find(|b| !old(*b)).unwrap_or(end);
        for (list, (a, b)) in out.iter_mut().zip([(first, border), (border, end)]) {
            if (a..b).any(|b| story.items(&story.baskets[b], target).next().is_some()) {
                list.push(Stretch { shopper, from, targets: (a, b) });
            }
        }
        first = end;
    }
    out
}

/// A number that looks random, from what it belongs to.
pub(crate) fn mix(parts: &[u64]) -> u64 {
    // SplitMix64's finaliser over a running sum.
    parts.iter().fold(0x9e37_79b9_7f4a_7c15, |h, p| {
        let z = (h ^ p).wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

/// Questions of a stretch: at most `most` of its targets, each asked about at a moment drawn evenly between the basket before (exclusive) and the
/// target (inclusive): whoever asks in earnest does not know when the shopper comes back either. What is taken within `horizon` milliseconds
/// of the moment belongs to the answer, the target basket always.
pub(crate) fn questions(
    stretch: &Stretch,
    story: &Story,
    target: u8,
    most: usize,
    horizon: i64,
    key: &[u64],
) -> Vec<Question> {
    let draw = |b: usize, what: u64| {
        let mut parts = key.to_vec();
        parts.extend([u64::from(stretch.shopper), b as u64, what]);
        mix(&parts)
    };
    let takes = |b: &usize| story.items(&story.baskets[*b], target).next().is_some();
    let mut targets: Vec<usize> = (stretch.targets.0..stretch.targets.1).filter(takes).collect();
    if targets.len() > most {
        targets.sort_unstable_by_key(|b| (draw(*b, 0), *b));
        targets.truncate(most);
        targets.sort_unstable();
    }
    let ask = |b: usize| {
        let (before, there) = (story.baskets[b - 1].at, story.baskets[b].at);
        let along = (draw(b, 1) >> 11) as f64 / (1u64 << 53) as f64;
        let at = (there - ((there - before) as f64 * along) as i64).max(before + 1);
        let within = story.baskets[b..].iter().enumerate().take_while(|(i, x)| *i == 0 || x.at <= at + horizon);
        let mut items: Vec<u32> = within.flat_map(|(_, x)| story.items(x, target)).collect();
        items.sort_unstable();
        items.dedup();
        Question { known: b, at, items }
    };
    targets.into_iter().map(ask).collect()
}

#[cfg(test)]
mod tests {
    use super::super::baskets::Grouping;
    use super::super::data::Interaction;
    use super::*;

    fn story(n: u32, per: u32) -> Story {
        let line =
            |i: u32| Interaction { item: Some(i), text: None, kind: 0, value: 1.0, at: i64::from(i / per) * 1000 };
        Story::new(&(0..n).map(line).collect::<Vec<_>>(), i64::MAX, Grouping::Moment)
    }

    #[test]
    fn every_basket_but_the_first_is_a_target_once() {
        for (n, per, tokens) in [(40, 2, 8), (9, 9, 8), (1, 1, 8), (30, 7, 8), (100, 1, 6)] {
            let story = story(n, per);
            let [old, new] = cut(3, &story, tokens, 0, Some(2500));
            let mut all: Vec<usize> = old.iter().chain(&new).flat_map(|s| s.targets.0..s.targets.1).collect();
            all.sort_unstable();
            assert_eq!(all, (1..story.baskets.len()).collect::<Vec<_>>());
            assert!(old.iter().all(|s| (s.targets.0..s.targets.1).all(|b| story.baskets[b].at <= 2500)));
            assert!(new.iter().all(|s| (s.targets.0..s.targets.1).all(|b| story.baskets[b].at > 2500)));
            for s in old.iter().chain(&new) {
                let half = story.context(s.targets.0, tokens / 2);
                assert!(s.from <= half && s.from < s.targets.0, "{s:?}");
            }
        }
    }

    #[test]
    fn a_question_knows_nothing_of_its_answer() {
        let story = story(40, 2);
        let stretch = Stretch { shopper: 1, from: 0, targets: (1, 20) };
        let all = questions(&stretch, &story, 0, 100, 2500, &[7]);
        assert_eq!(all.len(), 19);
        for q in &all {
            assert!(story.baskets[..q.known].iter().all(|b| b.at < q.at) && q.at <= story.baskets[q.known].at);
            assert!(q.items.len() >= 4 || q.known == 19, "the target and what else lies within the horizon");
            assert!(q.items.iter().all(|i| *i >= q.known as u32 * 2));
        }
        assert_eq!(questions(&stretch, &story, 0, 5, 0, &[7]).len(), 5);
        assert_ne!(questions(&stretch, &story, 0, 5, 0, &[7]), questions(&stretch, &story, 0, 5, 0, &[8]));
        assert!(questions(&stretch, &story, 1, 5, 0, &[7]).is_empty());
    }
}
