//! A user's events as a history of baskets. A basket is a set in an order of its own, so that the order in which its lines were logged has no
//! effect.

use rustc_hash::FxHashMap;

use super::data::SequenceEvent;
use super::options::BasketGrouping;

/// Milliseconds of a day.
pub(crate) const DAY_MS: i64 = 86_400_000;

/// Time buckets: below a minute, then powers of two of a minute up to about eight years.
pub const TIME_BUCKETS: usize = 24;
/// Count and quantity buckets: zero, then powers of two.
pub const COUNT_BUCKETS: usize = 10;

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

/// One item or query of a basket.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Token {
    pub(crate) item: Option<u32>,
    pub(crate) text: Option<u32>,
    pub(crate) kind: u8,
    /// Sum over the equal lines of the basket.
    pub(crate) quantity: f32,
    /// Number of earlier baskets with the same item and kind.
    pub(crate) times: u32,
    /// Milliseconds since the last of them; 0 if there is none.
    pub(crate) since: i64,
}

/// Identity of a line: two lines with equal keys are the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct LineKey {
    item: Option<u32>,
    text: Option<u32>,
    kind: u8,
}

impl LineKey {
    fn of(e: &SequenceEvent) -> Self {
        Self { item: e.item, text: e.text, kind: e.kind }
    }
}

/// Earlier baskets with the same line.
struct Earlier {
    at: i64,
    times: u32,
}

/// A set of tokens at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Basket {
    /// Earliest time of the basket, UTC milliseconds.
    pub(crate) at: i64,
    /// Tokens `from..to` of the history.
    pub(crate) from: usize,
    pub(crate) to: usize,
}

/// A user's events up to a moment, as baskets in time order.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct UserHistory {
    pub(crate) baskets: Vec<Basket>,
    pub(crate) tokens: Vec<Token>,
}

impl UserHistory {
    /// From events in any order; reads those with `at <= until`.
    pub(crate) fn new(events: &[SequenceEvent], until: i64, grouping: BasketGrouping) -> Self {
        let known = |e: &&SequenceEvent| e.at <= until && (e.item.is_some() || e.text.is_some());
        let key = |e: &SequenceEvent| match grouping {
            BasketGrouping::Moment => e.at,
            BasketGrouping::Day => e.at.div_euclid(DAY_MS),
        };
        let mut sorted: Vec<SequenceEvent> = events.iter().filter(known).copied().collect();
        // Sorting by value too makes sums of quantities independent of the order of the lines.
        sorted.sort_by(|a, b| {
            let side = |e: &SequenceEvent| (key(e), LineKey::of(e));
            side(a).cmp(&side(b)).then(a.value.total_cmp(&b.value))
        });
        let mut history = Self::default();
        let mut last: FxHashMap<LineKey, Earlier> = FxHashMap::default();
        for lines in sorted.chunk_by(|a, b| key(a) == key(b)) {
            let at = lines.iter().map(|e| e.at).min().unwrap_or(until);
            let from = history.tokens.len();
            for same in lines.chunk_by(|a, b| LineKey::of(a) == LineKey::of(b)) {
                let e = same[0];
                let quantity = same.iter().map(|e| if e.value.is_finite() { e.value } else { 1.0 }).sum();
                let seen = last.entry(LineKey::of(&e)).or_insert(Earlier { at, times: 0 });
                history.tokens.push(Token {
                    item: e.item,
                    text: e.text,
                    kind: e.kind,
                    quantity,
                    times: seen.times,
                    since: at - seen.at,
                });
                *seen = Earlier { at, times: seen.times + 1 };
            }
            history.baskets.push(Basket { at, from, to: history.tokens.len() });
        }
        history
    }

    /// Tokens of a basket.
    pub(crate) fn of(&self, basket: &Basket) -> &[Token] {
        &self.tokens[basket.from..basket.to]
    }

    /// Items of a kind in a basket, ascending.
    pub(crate) fn items(&self, basket: &Basket, kind: u8) -> impl Iterator<Item = u32> + '_ {
        self.of(basket).iter().filter(move |t| t.kind == kind).filter_map(|t| t.item)
    }

    /// Numbers of at most `most` tokens of a basket: those with the lowest hashes, so that the choice does not depend on the order of lines.
    pub(crate) fn chosen(&self, basket: &Basket, most: usize) -> Vec<usize> {
        let mut all: Vec<usize> = (basket.from..basket.to).collect();
        if all.len() > most {
            let rank = |i: &usize| {
                let t = &self.tokens[*i];
                // A query counts by its place in the basket, because its row number differs between batches.
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

    /// First basket of the context of at most `most` tokens that ends before basket `end`. The context holds at least one basket if there is one.
    pub(crate) fn context(&self, end: usize, most: usize) -> usize {
        let mut from = end;
        let mut n = 0;
        while from > 0 {
            n += (self.baskets[from - 1].to - self.baskets[from - 1].from).min(max_tokens_per_basket(most));
            if n > most && from < end {
                break;
            }
            from -= 1;
        }
        from
    }
}

/// Maximum number of tokens of one basket in a context: half of it, so that the basket before has room too.
pub(crate) fn max_tokens_per_basket(most: usize) -> usize {
    (most / 2).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bought(item: u32, value: f32, at: i64) -> SequenceEvent {
        SequenceEvent { item: Some(item), text: None, kind: 0, value, at }
    }

    #[test]
    fn lines_of_a_basket_are_merged_and_their_order_is_gone() {
        let a = [bought(3, 1.0, 5), bought(1, 2.5, 5), bought(3, 0.1, 5), bought(1, 1.0, 9)];
        let b = [a[2], a[3], a[1], a[0]];
        let history = UserHistory::new(&a, 100, BasketGrouping::Moment);
        assert_eq!(history, UserHistory::new(&b, 100, BasketGrouping::Moment));
        assert_eq!(history.baskets, [Basket { at: 5, from: 0, to: 2 }, Basket { at: 9, from: 2, to: 3 }]);
        assert!((history.tokens[1].quantity - 1.1).abs() < 1e-6);
        assert_eq!((history.tokens[2].times, history.tokens[2].since), (1, 4));
        assert_eq!(UserHistory::new(&a, 8, BasketGrouping::Moment).baskets.len(), 1);
        assert_eq!(UserHistory::new(&a, 100, BasketGrouping::Day).baskets.len(), 1);
    }

    #[test]
    fn a_context_is_made_of_whole_baskets() {
        let events: Vec<SequenceEvent> = (0..12).map(|i| bought(i, 1.0, i64::from(i / 3))).collect();
        let history = UserHistory::new(&events, 100, BasketGrouping::Moment);
        assert_eq!(history.baskets.len(), 4);
        assert_eq!(
            (history.context(4, 12), history.context(4, 11), history.context(4, 6), history.context(4, 3)),
            (0, 1, 2, 1)
        );
        assert_eq!(history.context(1, 1), 0);
        assert_eq!(history.context(0, 5), 0);
        assert_eq!(history.chosen(&history.baskets[0], 2).len(), 2);
    }

    #[test]
    fn buckets_rise_and_end() {
        assert_eq!((time_bucket(-5), time_bucket(59_999), time_bucket(60_000), time_bucket(DAY_MS)), (0, 0, 1, 11));
        assert_eq!(usize::from(time_bucket(i64::MAX)), TIME_BUCKETS - 1);
        assert_eq!((count_bucket(-1.0), count_bucket(1.0), count_bucket(2.0), count_bucket(f32::NAN)), (0, 1, 2, 0));
        assert_eq!(usize::from(count_bucket(1e30)), COUNT_BUCKETS - 1);
    }
}
