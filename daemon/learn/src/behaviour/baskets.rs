//! A shopper's interactions as a story of baskets: sets, in an order of their own, so that the order in which a basket was logged is gone
//! before anything is computed.

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::data::Interaction;

/// Milliseconds of a day.
pub(crate) const DAY_MS: i64 = 86_400_000;

/// Buckets of times: nothing, then powers of two of a minute up to some eight years.
pub const TIME_BUCKETS: usize = 24;
/// Buckets of counts and quantities: nothing, then powers of two.
pub const COUNT_BUCKETS: usize = 10;

/// Which interactions are one basket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grouping {
    /// Those of the same moment.
    Moment,
    /// Those of the same day, UTC: for logs that know days only.
    Day,
}

/// Bucket of a time, below [`TIME_BUCKETS`].
pub(crate) fn time_bucket(ms: i64) -> u8 {
    let minutes = ms.max(0) / 60_000;
    (64 - minutes.leading_zeros()).min(TIME_BUCKETS as u32 - 1) as u8
}

/// Bucket of a count, below [`COUNT_BUCKETS`].
pub(crate) fn count_bucket(n: f32) -> u8 {
    let n = if n > 0.0 { n.min(1e6) as u32 } else { 0 };
    (32 - n.leading_zeros()).min(COUNT_BUCKETS as u32 - 1) as u8
}

/// One interaction inside its basket.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Token {
    pub(crate) item: Option<u32>,
    pub(crate) text: Option<u32>,
    pub(crate) kind: u8,
    /// Sum over the lines of the basket.
    pub(crate) quantity: f32,
    /// How many earlier baskets had the same item with the same kind.
    pub(crate) times: u32,
    /// Milliseconds since the last of them; 0 when there is none.
    pub(crate) since: i64,
}

/// Item, query and kind: what makes two lines the same.
type What = (Option<u32>, Option<u32>, u8);

/// A set of tokens at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Basket {
    /// First moment of the basket.
    pub(crate) at: i64,
    /// Tokens `from..to` of the story.
    pub(crate) from: usize,
    pub(crate) to: usize,
}

/// Everything a shopper did up to a moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Story {
    pub(crate) baskets: Vec<Basket>,
    pub(crate) tokens: Vec<Token>,
}

impl Story {
    /// From interactions in any order, those with `at <= until`.
    pub(crate) fn new(events: &[Interaction], until: i64, grouping: Grouping) -> Self {
        let known = |e: &&Interaction| e.at <= until && (e.item.is_some() || e.text.is_some());
        let key = |e: &Interaction| match grouping {
            Grouping::Moment => e.at,
            Grouping::Day => e.at.div_euclid(DAY_MS),
        };
        let mut sorted: Vec<Interaction> = events.iter().filter(known).copied().collect();
        // The value takes part, so that sums of quantities do not depend on the order of the lines either.
        sorted.sort_by(|a, b| {
            let side = |e: &Interaction| (key(e), e.item, e.text, e.kind);
            side(a).cmp(&side(b)).then(a.value.total_cmp(&b.value))
        });
        let mut story = Self::default();
        let mut last: FxHashMap<What, (i64, u32)> = FxHashMap::default();
        for lines in sorted.chunk_by(|a, b| key(a) == key(b)) {
            let at = lines.iter().map(|e| e.at).min().unwrap_or(until);
            let from = story.tokens.len();
            for same in lines.chunk_by(|a, b| (a.item, a.text, a.kind) == (b.item, b.text, b.kind)) {
                let e = same[0];
                let quantity = same.iter().map(|e| if e.value.is_finite() { e.value } else { 1.0 }).sum();
                let seen = last.entry((e.item, e.text, e.kind)).or_insert((at, 0));
                let token =
                    Token { item: e.item, text: e.text, kind: e.kind, quantity, times: seen.1, since: at - seen.0 };
                *seen = (at, seen.1 + 1);
                story.tokens.push(token);
            }
            story.baskets.push(Basket { at, from, to: story.tokens.len() });
        }
        story
    }

    /// Tokens of a basket.
    pub(crate) fn of(&self, basket: &Basket) -> &[Token] {
        &self.tokens[basket.from..basket.to]
    }

    /// Items of a kind in a basket, ascending.
    pub(crate) fn items(&self, basket: &Basket, kind: u8) -> impl Iterator<Item = u32> + '_ {
        self.of(basket).iter().filter(move |t| t.kind == kind).filter_map(|t| t.item)
    }

    /// Numbers of the tokens of a basket that a context of `most` takes: all, or those of `most` whose items hash lowest: a choice that no order
    /// of lines decides.
    pub(crate) fn chosen(&self, basket: &Basket, most: usize) -> Vec<usize> {
        let mut all: Vec<usize> = (basket.from..basket.to).collect();
        if all.len() > most {
            let rank = |i: &usize| {
                let t = &self.tokens[*i];
                // A search goes by its place among those of the basket: the row of its vector is another in each batch.
                let text = t.text.map_or(u64::MAX >> 32, |_| (*i - basket.from) as u64);
                let mixed = (u64::from(t.item.unwrap_or(u32::MAX)) << 32 | text) ^ u64::from(t.kind);
                (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31), *i)
            };
            all.sort_unstable_by_key(rank);
            all.truncate(most);
            all.sort_unstable();
        }
        all
    }

    /// First of the baskets that fit, up to basket `end` (exclusive), into a context of `most` tokens. Always at least one basket if there is one.
    pub(crate) fn context(&self, end: usize, most: usize) -> usize {
        let mut from = end;
        let mut n = 0;
        while from > 0 {
            n += (self.baskets[from - 1].to - self.baskets[from - 1].from).min(largest(most));
            if n > most && from < end {
                break;
            }
            from -= 1;
        }
        from
    }
}

/// Most tokens that one basket may take of a context: half, so that there is always room for the one before.
pub(crate) fn largest(most: usize) -> usize {
    (most / 2).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bought(item: u32, value: f32, at: i64) -> Interaction {
        Interaction { item: Some(item), text: None, kind: 0, value, at }
    }

    #[test]
    fn lines_of_a_basket_are_merged_and_their_order_is_gone() {
        let a = [bought(3, 1.0, 5), bought(1, 2.5, 5), bought(3, 0.1, 5), bought(1, 1.0, 9)];
        let b = [a[2], a[3], a[1], a[0]];
        let story = Story::new(&a, 100, Grouping::Moment);
        assert_eq!(story, Story::new(&b, 100, Grouping::Moment));
        assert_eq!(story.baskets, [Basket { at: 5, from: 0, to: 2 }, Basket { at: 9, from: 2, to: 3 }]);
        assert!((story.tokens[1].quantity - 1.1).abs() < 1e-6);
        assert_eq!((story.tokens[2].times, story.tokens[2].since), (1, 4));
        assert_eq!(Story::new(&a, 8, Grouping::Moment).baskets.len(), 1);
        assert_eq!(Story::new(&a, 100, Grouping::Day).baskets.len(), 1);
    }

    #[test]
    fn a_context_is_made_of_whole_baskets() {
        let events: Vec<Interaction> = (0..12).map(|i| bought(i, 1.0, i64::from(i / 3))).collect();
        let story = Story::new(&events, 100, Grouping::Moment);
        assert_eq!(story.baskets.len(), 4);
        assert_eq!(
            (story.context(4, 12), story.context(4, 11), story.context(4, 6), story.context(4, 3)),
            (0, 1, 2, 1)
        );
        assert_eq!(story.context(1, 1), 0);
        assert_eq!(story.context(0, 5), 0);
        assert_eq!(story.chosen(&story.baskets[0], 2).len(), 2);
    }

    #[test]
    fn buckets_rise_and_end() {
        assert_eq!((time_bucket(-5), time_bucket(59_999), time_bucket(60_000), time_bucket(DAY_MS)), (0, 0, 1, 11));
        assert_eq!(usize::from(time_bucket(i64::MAX)), TIME_BUCKETS - 1);
        assert_eq!((count_bucket(-1.0), count_bucket(1.0), count_bucket(2.0), count_bucket(f32::NAN)), (0, 1, 2, 0));
        assert_eq!(usize::from(count_bucket(1e30)), COUNT_BUCKETS - 1);
    }
}
