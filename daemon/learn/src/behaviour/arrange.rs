//! From stories to rows: what the graph reads of a few shoppers, each asked about at some moments. Training and serving arrange alike.

use rayon::prelude::*;

use super::baskets::{Story, count_bucket, largest, time_bucket};
use crate::ops::prefix::Sight;

/// A stretch of a story and the moments it is asked about.
#[derive(Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) story: &'a Story,
    /// First basket that is looked at.
    pub(crate) from: usize,
    /// Number of baskets known, and the moment, which is later than all of them. In rising order.
    pub(crate) questions: Vec<(usize, i64)>,
}

/// Rows of one batch; every vector has one entry per token, or per question.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) items: Vec<Option<u32>>,
    pub(crate) texts: Vec<Option<u32>>,
    pub(crate) kinds: Vec<u32>,
    /// Time since the basket before.
    pub(crate) gaps: Vec<u32>,
    pub(crate) prices: Vec<u32>,
    pub(crate) quantities: Vec<u32>,
    /// How often the shopper had the same before.
    pub(crate) times: Vec<u32>,
    /// How long ago the shopper had the same.
    pub(crate) since: Vec<u32>,
    /// Per question: time since the last basket, and number of baskets.
    pub(crate) idle: Vec<u32>,
    pub(crate) visits: Vec<u32>,
    /// What tokens see of tokens: their own basket and those before.
    pub(crate) tokens_see: Sight,
    /// What questions see of tokens: the baskets before.
    pub(crate) questions_see: Sight,
}

/// Rows of one ask, before they are put below each other.
struct Part {
    tokens: Vec<usize>,
    gaps: Vec<u8>,
    tokens_see: Vec<Vec<u8>>,
    questions_see: Vec<Vec<u8>>,
}

fn part(ask: &Ask<'_>, most: usize) -> Part {
    let story = ask.story;
    let end = ask.questions.iter().map(|q| q.0).max().unwrap_or(ask.from);
    let (mut tokens, mut gaps, mut tokens_see) = (Vec::new(), Vec::new(), Vec::new());
    // Moment of each chosen token, and how many are chosen up to each basket.
    let (mut moments, mut counts) = (Vec::new(), vec![0]);
    for number in ask.from..end {
        let basket = &story.baskets[number];
        let chosen = story.chosen(basket, largest(most));
        let gap = if number == 0 { 0 } else { time_bucket(basket.at - story.baskets[number - 1].at).max(1) };
        moments.resize(moments.len() + chosen.len(), basket.at);
        gaps.resize(moments.len(), gap);
        let seen: Vec<u8> = moments.iter().map(|m| time_bucket(basket.at - m)).collect();
        tokens_see.resize(moments.len(), seen);
        tokens.extend(chosen);
        counts.push(tokens.len());
    }
    let seen =
        |&(known, at): &(usize, i64)| moments[..counts[known - ask.from]].iter().map(|m| time_bucket(at - m)).collect();
    let questions_see = ask.questions.iter().map(seen).collect();
    Part { tokens, gaps, tokens_see, questions_see }
}

/// Arranges asks. `most` is the context in tokens, `bands` the price band of each item.
pub(crate) fn arrange(asks: &[Ask<'_>], most: usize, bands: &[u8]) -> Rows {
    let parts: Vec<Part> = asks.par_iter().map(|a| part(a, most)).collect();
    let mut rows = Rows { tokens_see: Sight::new(), questions_see: Sight::new(), ..Rows::default() };
    for (ask, part) in asks.iter().zip(&parts) {
        rows.tokens_see.push(part.tokens.len(), &part.tokens_see);
        rows.questions_see.push(part.tokens.len(), &part.questions_see);
        rows.gaps.extend(part.gaps.iter().map(|g| u32::from(*g)));
        for t in part.tokens.iter().map(|i| &ask.story.tokens[*i]) {
            rows.items.push(t.item);
            rows.texts.push(t.text);
            rows.kinds.push(u32::from(t.kind));
            rows.prices.push(t.item.and_then(|i| bands.get(i as usize)).map_or(0, |b| u32::from(*b)));
            rows.quantities.push(u32::from(count_bucket(t.quantity)));
            rows.times.push(u32::from(count_bucket(t.times as f32)));
            rows.since.push(if t.times == 0 { 0 } else { u32::from(time_bucket(t.since).max(1)) });
        }
        for &(known, at) in &ask.questions {
            let last = known.checked_sub(1).map(|b| ask.story.baskets[b].at);
            rows.idle.push(last.map_or(0, |l| u32::from(time_bucket(at - l).max(1))));
            rows.visits.push(u32::from(count_bucket(known as f32)));
        }
    }
    rows
}
