//! The diversity report: coverage, concentration, dissimilarity, long tail, novelty (METRICS.md section 3).

use std::sync::Arc;

use mercer_rank::Snapshot;
use mercer_reports::diversity as d;
use mercer_reports::{Measure, Undefined};
use mercer_search::passage_text;
use mercer_shared::wire::{CurvePoint, Report, ReportCurve};
use rustc_hash::FxHashMap;

use crate::reports::rows::{K, plain_row};
use crate::reports::window_lists::Lists;
use crate::state::app::App;
use crate::state::problems::Answer;
use crate::state::problems::model_problem;
use crate::state::shop::ShopState;
use crate::versions::encoders;

/// How often every eligible item was shown, and the lists as places among the eligible items.
struct Exposure {
    /// The lists.
    lists: Vec<Vec<u32>>,
    /// Times each item was shown, or why that is undefined.
    counts: Result<Vec<f64>, Undefined>,
    /// Purchases of each item up to the cut-off.
    purchases: Arc<Vec<f64>>,
    /// Dissimilarity within each list of two items or more.
    dissimilarity: Vec<f64>,
}

impl Exposure {
    fn counted(&self, metric: impl Fn(&[f64]) -> Measure) -> Measure {
        metric(self.counts.as_ref().map_err(|reason| *reason)?)
    }
}

/// A number of the report.
struct Metric {
    name: &'static str,
    label: &'static str,
    formula: &'static str,
    value: fn(&Exposure) -> Measure,
}

/// The numbers of the report, in its order.
const METRICS: &[Metric] = &[
    Metric {
        name: "coverage@10",
        label: "share of eligible items shown to anybody",
        formula: "items in at least one list / items that are not hidden; grows with the number of users",
        value: |shown| shown.counted(d::coverage),
    },
    Metric {
        name: "gini@10",
        label: "concentration of exposure, 0 even, 1 one item",
        formula: "sum (2i-n-1) c_(i) / (n sum c), zeros included",
        value: |shown| shown.counted(d::gini),
    },
    Metric {
        name: "effective-items@10",
        label: "items that share the exposure as if evenly",
        formula: "exp(-sum p ln p)",
        value: |shown| shown.counted(d::effective_items),
    },
    Metric {
        name: "ild@10",
        label: "dissimilarity within a list, by the untuned encoder",
        formula: "mean over pairs of 1 - cosine by the base encoder; mean over lists",
        value: |shown| match shown.dissimilarity.len() {
            0 => Err(Undefined::ListTooShort),
            lists => Ok(shown.dissimilarity.iter().sum::<f64>() / lists as f64),
        },
    },
    Metric {
        name: "long-tail-share@10",
        label: "exposure of the long tail",
        formula: "tail: items beyond the smallest set with 80 % of purchases, unsold ones included",
        value: |shown| {
            let tail = d::tail_membership(&shown.purchases, 0.8)?;
            shown.counted(|counts| d::tail_share(counts, &tail))
        },
    },
    Metric {
        name: "novelty@10",
        label: "surprise in bits",
        formula: "mean -log2(n_i / N) over shown items, add-one for unsold ones",
        value: |shown| mercer_reports::novelty::novelty(&shown.lists, &shown.purchases),
    },
];

/// The lists that a report compares.
#[derive(Clone, Copy)]
pub(crate) struct ReportLists<'a> {
    /// The model's.
    pub(crate) model: &'a Lists,
    /// Those of popularity: the baseline.
    pub(crate) popularity: &'a Lists,
}

/// Rows of the diversity report: the model's lists and, as baseline, those of popularity.
pub(crate) fn rows(
    app: &App,
    view: &ShopState,
    snapshot: &Snapshot,
    ReportLists { model: mine, popularity: popular }: ReportLists<'_>,
    report: &mut Report,
) -> Answer<()> {
    // Only eligible items are counted: a hidden item is not dead stock.
    let eligible: Vec<u32> =
        (0..).zip(view.rank.catalogue.iter()).filter(|(_, facts)| !facts.hidden).map(|(number, _)| number).collect();
    let place: FxHashMap<u32, u32> = eligible.iter().copied().zip(0..).collect();
    let purchases: Arc<Vec<f64>> =
        Arc::new(eligible.iter().map(|&i| snapshot.index.stats(i).map_or(0.0, |s| f64::from(s.count))).collect());
    let vectors = vectors(app, view, mine.lists.iter().chain(&popular.lists).flatten().copied().collect())?;
    let exposure = |lists: &Lists| {
        let of_list = |list: &Vec<u32>| {
            let rows: Vec<&[f32]> = list.iter().filter_map(|i| vectors.get(i)).map(|row| &**row).collect();
            d::ild(&rows).ok()
        };
        let dissimilarity = lists.lists.iter().filter_map(of_list).collect();
        let lists: Vec<Vec<u32>> =
            lists.lists.iter().map(|list| list.iter().filter_map(|item| place.get(item).copied()).collect()).collect();
        let counts = d::counts(&lists, K, eligible.len());
        Exposure { lists, counts, purchases: Arc::clone(&purchases), dissimilarity }
    };
    let (mine, users, popular) = (exposure(mine), mine.lists.len(), exposure(popular));
    for metric in METRICS {
        let value = (metric.value)(&mine);
        let mut row = plain_row(metric.name, metric.label, value.ok(), users, metric.formula);
        row.undefined = value.err().map(|reason| reason.to_string());
        row.baseline = (metric.value)(&popular).ok();
        report.rows.push(row);
    }
    report.curves.extend(mine.counts.as_ref().ok().and_then(|counts| exposure_curve(counts)));
    Ok(())
}

/// Points of the curve beside the first.
const CURVE_POINTS: usize = 50;

/// How exposure is shared among the eligible items (a Lorenz curve, the most shown items first); `None` where nothing was shown.
fn exposure_curve(counts: &[f64]) -> Option<ReportCurve> {
    let total: f64 = counts.iter().sum();
    if counts.is_empty() || total <= 0.0 {
        return None;
    }
    let mut sorted = counts.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let sums: Vec<f64> = std::iter::once(0.0)
        .chain(sorted.iter().scan(0.0, |sum, count| {
            *sum += count;
            Some(*sum)
        }))
        .collect();
    let points = (0..=CURVE_POINTS).map(|n| {
        let items = n * counts.len() / CURVE_POINTS;
        CurvePoint { x: items as f64 / counts.len() as f64, y: sums[items] / total }
    });
    let mut points: Vec<CurvePoint> = points.collect();
    points.dedup_by_key(|point| point.x.to_bits());
    Some(ReportCurve {
        name: "exposure".to_owned(),
        label: "share of the items, the most shown first, against the share of the exposure that they get".to_owned(),
        points,
    })
}

/// Vectors of items by the base encoder. Never by the model under test: tuning would change the measure (METRICS.md section 3).
fn vectors(app: &App, view: &ShopState, mut items: Vec<u32>) -> Answer<FxHashMap<u32, Arc<[f32]>>> {
    items.sort_unstable();
    items.dedup();
    let named = &view.model.meta.encoder;
    let base_encoder = Arc::new(
        mercer_model::BertEncoder::on_best_device(encoders::base(&app.config.state, &named.name, &named.sha256)?)
            .map_err(|e| model_problem(&e))?,
    );
    let texts: Vec<String> =
        items.iter().map(|&i| view.item(i).map(|item| passage_text(item)).unwrap_or_default()).collect();
    let rows = app
        .vectors
        .embed(&app.model, &base_encoder, &texts, mercer_model::Priority::Background)
        .map_err(|e| model_problem(&e))?;
    Ok(items.into_iter().zip(rows).collect())
}
