//! Position bias: how much of a click is the position, from items that were seen at several positions (intervention harvesting,
//! Agarwal et al. 2019).
//!
//! Clicks of item i at position p are Poisson with mean impressions × examination(p) × relevance(i). The likelihood is maximised by
//! fitting both factors in turn, as in a log-linear model of two margins. Items seen at one position only say nothing about positions
//! and are left out.

use serde::{Deserialize, Serialize};

use crate::attention::MeasuredAttention;
use crate::exposure_ratio::BootstrapOptions;
use crate::resample::{Interval, bootstrap_statistic, percentile_interval};
use crate::value::{Measure, Undefined};

/// Impressions and clicks of one item at one position, for one user.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shown {
    /// The user, as an index: intervals resample users.
    pub user: usize,
    /// The item, as an index.
    pub item: usize,
    /// Position, from 0.
    pub position: usize,
    /// Whether it was clicked.
    pub clicked: bool,
}

/// Fewest clicks of a position whose examination is estimated, among items seen at several positions.
pub const POSITION_CLICKS: f64 = 10.0;

/// Examination by position, relative to the first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PositionBias {
    /// One entry per position from the first to the last with enough clicks.
    pub positions: Vec<PositionExamination>,
    /// Items seen at two positions or more.
    pub items: usize,
    /// Impressions of those items.
    pub impressions: usize,
}

/// One position.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PositionExamination {
    /// Examination relative to the first position.
    pub examination: f64,
    /// Interval by user bootstrap.
    pub interval: Option<Interval>,
    /// Clicks.
    pub clicks: usize,
    /// Click-through without regard to the item, for comparison: it mixes position and relevance.
    pub click_through: f64,
}

impl PositionBias {
    /// The estimate as an exposure model.
    ///
    /// # Errors
    /// As [`MeasuredAttention::new`].
    pub fn attention(&self) -> Result<MeasuredAttention, Undefined> {
        MeasuredAttention::new(&self.positions.iter().map(|one| one.examination).collect::<Vec<f64>>())
    }
}

/// Impressions and clicks of an item at a position.
#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    item: usize,
    position: usize,
    impressions: f64,
    clicks: f64,
}

/// The cells of the impressions and the cell of each impression.
struct Cells {
    cells: Vec<Cell>,
    of: Vec<usize>,
}

fn cells(shown: &[Shown]) -> Cells {
    let mut order: Vec<usize> = (0..shown.len()).collect();
    order.sort_by_key(|at| (shown[*at].item, shown[*at].position));
    let (mut cells, mut of): (Vec<Cell>, Vec<usize>) = (Vec::new(), vec![0; shown.len()]);
    for at in order {
        let one = &shown[at];
        if cells.last().is_none_or(|cell| (cell.item, cell.position) != (one.item, one.position)) {
            cells.push(Cell { item: one.item, position: one.position, ..Cell::default() });
        }
        of[at] = cells.len() - 1;
    }
    Cells { cells, of }
}

/// Estimates the examination of each position.
///
/// # Errors
/// [`Undefined::NoObservations`] without impressions; [`Undefined::NoSupport`] when it is not identifiable: no items with clicks were
/// seen at several positions, or those do not link the second position to the first; [`Undefined::TooFew`] when the first position has
/// fewer than [`POSITION_CLICKS`] clicks on such items.
pub fn position_bias(shown: &[Shown], options: BootstrapOptions) -> Result<PositionBias, Undefined> {
    if shown.is_empty() {
        return Err(Undefined::NoObservations);
    }
    let Cells { mut cells, of } = cells(shown);
    let count = |cells: &mut Vec<Cell>, weight: &dyn Fn(usize) -> f64| {
        cells.iter_mut().for_each(|cell| (cell.impressions, cell.clicks) = (0.0, 0.0));
        for (one, cell) in shown.iter().zip(&of) {
            cells[*cell].impressions += weight(one.user);
            cells[*cell].clicks += if one.clicked { weight(one.user) } else { 0.0 };
        }
    };
    count(&mut cells, &|_| 1.0);
    let kept = identifiable(&cells)?;
    let positions = kept.positions;
    let used: Vec<bool> = cells.iter().map(|cell| cell.position < positions && kept.items[cell.item]).collect();
    let only = |cells: &[Cell]| -> Vec<Cell> {
        cells.iter().zip(&used).filter(|(cell, used)| **used && cell.impressions > 0.0).map(|(cell, _)| *cell).collect()
    };
    let whole = only(&cells);
    let centre = fit(&whole, kept.items.len(), positions)?;
    let mut samples: Vec<Vec<Measure>> = vec![Vec::with_capacity(options.replicates); positions];
    let users = shown.iter().map(|one| one.user + 1).max().unwrap_or(0);
    bootstrap_statistic(users, options.replicates, options.seed, |weights| {
        count(&mut cells, &|user| f64::from(weights[user]));
        let drawn = fit(&only(&cells), kept.items.len(), positions);
        for (position, sample) in samples.iter_mut().enumerate() {
            sample.push(drawn.as_ref().map(|values| values[position]).map_err(|reason| *reason));
        }
        Ok(0.0)
    });
    let one = |position: usize| {
        let sum =
            |value: fn(&Cell) -> f64| -> f64 { whole.iter().filter(|cell| cell.position == position).map(value).sum() };
        let (clicks, impressions) = (sum(|cell| cell.clicks), sum(|cell| cell.impressions));
        PositionExamination {
            examination: centre[position],
            interval: percentile_interval(&samples[position], options.level).ok(),
            clicks: clicks as usize,
            click_through: clicks / impressions.max(1.0),
        }
    };
    let mut items: Vec<usize> = whole.iter().map(|cell| cell.item).collect();
    items.dedup();
    Ok(PositionBias {
        positions: (0..positions).map(one).collect(),
        items: items.len(),
        impressions: whole.iter().map(|cell| cell.impressions).sum::<f64>() as usize,
    })
}

/// What can be estimated.
struct Identifiable {
    /// Positions from the first on that have enough clicks and are linked to the first by common items.
    positions: usize,
    /// Items with clicks that were seen at two positions or more.
    items: Vec<bool>,
}

fn identifiable(cells: &[Cell]) -> Result<Identifiable, Undefined> {
    let items = cells.iter().map(|cell| cell.item + 1).max().unwrap_or(0);
    let last = cells.iter().map(|cell| cell.position + 1).max().unwrap_or(0);
    let (mut places, mut clicks) = (vec![0_usize; items], vec![0.0; items]);
    for cell in cells {
        places[cell.item] += 1;
        clicks[cell.item] += cell.clicks;
    }
    let kept: Vec<bool> = (0..items).map(|item| places[item] > 1 && clicks[item] > 0.0).collect();
    let mut at = vec![0.0; last];
    cells.iter().filter(|cell| kept[cell.item]).for_each(|cell| at[cell.position] += cell.clicks);
    // Positions that share an item with the first, directly or through others.
    let mut linked = vec![false; last];
    let mut reached = vec![false; items];
    linked[0] = true;
    loop {
        let mut grew = false;
        for cell in cells.iter().filter(|cell| kept[cell.item]) {
            if linked[cell.position] != reached[cell.item] {
                (linked[cell.position], reached[cell.item], grew) = (true, true, true);
            }
        }
        if !grew {
            break;
        }
    }
    let positions = (0..last).take_while(|position| linked[*position] && at[*position] >= POSITION_CLICKS).count();
    match positions {
        0 if linked.iter().filter(|linked| **linked).count() > 1 => Err(Undefined::TooFew),
        0 | 1 => Err(Undefined::NoSupport),
        positions => Ok(Identifiable { positions, items: kept }),
    }
}

/// Fits examination and relevance in turn until nothing moves; examination of the first position is 1.
fn fit(cells: &[Cell], items: usize, positions: usize) -> Result<Vec<f64>, Undefined> {
    let mut examination = vec![1.0; positions];
    let mut relevance = vec![0.0; items];
    for _ in 0..500 {
        let mut sums = vec![(0.0, 0.0); items];
        for cell in cells {
            sums[cell.item].0 += cell.clicks;
            sums[cell.item].1 += cell.impressions * examination[cell.position];
        }
        for (relevance, (clicks, seen)) in relevance.iter_mut().zip(&sums) {
            *relevance = if *seen > 0.0 { clicks / seen } else { 0.0 };
        }
        let mut sums = vec![(0.0, 0.0); positions];
        for cell in cells {
            sums[cell.position].0 += cell.clicks;
            sums[cell.position].1 += cell.impressions * relevance[cell.item];
        }
        let next: Vec<f64> = sums.iter().map(|(clicks, seen)| if *seen > 0.0 { clicks / seen } else { 0.0 }).collect();
        let moved = next.iter().zip(&examination).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        examination = next;
        if moved < 1e-9 {
            break;
        }
    }
    let first = examination[0];
    if first > 0.0 { Ok(examination.iter().map(|one| one / first).collect()) } else { Err(Undefined::ZeroDenominator) }
}
