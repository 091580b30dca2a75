//! How the catalogue is shown: coverage, concentration, dissimilarity, long tail, novelty (METRICS.md section 3).

use std::sync::Arc;

use mercer_rank::Snapshot;
use mercer_reports::diversity as d;
use mercer_search::passage_text;
use mercer_shared::wire::Report;

use crate::reports::rows::{K, plain_row};
use crate::reports::window_lists::Lists;
use crate::state::app::App;
use crate::state::problems::Answer;
use crate::state::problems::model_problem;
use crate::state::shop::ShopState;
use crate::versions::encoders;

/// Rows of the diversity report: the model's lists and, as baseline, those of popularity.
pub(crate) fn rows(
    app: &App,
    view: &ShopState,
    snapshot: &Snapshot,
    (mine, popular): (&Lists, &Lists),
    report: &mut Report,
) -> Answer<()> {
    // Only eligible items are counted: a hidden item is not dead stock.
    let eligible: Vec<u32> =
        (0..).zip(view.rank.catalogue.iter()).filter(|(_, facts)| !facts.hidden).map(|(number, _)| number).collect();
    let place: rustc_hash::FxHashMap<u32, u32> = eligible.iter().copied().zip(0..).collect();
    let purchases: Vec<f64> =
        eligible.iter().map(|&i| snapshot.index.stats(i).map_or(0.0, |s| f64::from(s.count))).collect();
    // The base_encoder is the base encoder, never the model under test, or tuning would move the base_encoder (METRICS.md section 3).
    let named = &view.model.meta.encoder;
    let base_encoder = Arc::new(
        mercer_model::BertEncoder::on_best_device(encoders::base(&app.config.state, &named.name, &named.sha256)?)
            .map_err(|e| model_problem(&e))?,
    );
    let mut shown: Vec<u32> = mine.lists.iter().chain(&popular.lists).flatten().copied().collect();
    shown.sort_unstable();
    shown.dedup();
    let texts: Vec<String> = shown.iter().filter_map(|&i| view.item(i)).map(|item| passage_text(item)).collect();
    let rows = app
        .vectors
        .embed(&app.model, &base_encoder, &texts, mercer_model::Priority::Background)
        .map_err(|e| model_problem(&e))?;
    let vectors: rustc_hash::FxHashMap<u32, &Arc<[f32]>> = shown.iter().copied().zip(&rows).collect();
    let numbers = |lists: &Lists| -> Vec<Result<f64, String>> {
        let say = |reason: mercer_reports::Undefined| reason.to_string();
        let shown: Vec<Vec<u32>> =
            lists.lists.iter().map(|list| list.iter().filter_map(|item| place.get(item).copied()).collect()).collect();
        let counts = d::counts(&shown, K, eligible.len()).map_err(say);
        let each = |f: &dyn Fn(&[f64]) -> mercer_reports::Measure| counts.clone().and_then(|c| f(&c).map_err(say));
        let ild: Vec<f64> = lists
            .lists
            .iter()
            .filter_map(|list| {
                let rows: Vec<&[f32]> = list.iter().filter_map(|i| vectors.get(i)).map(|row| &***row).collect();
                d::ild(&rows).ok()
            })
            .collect();
        let tail = d::tail_membership(&purchases, 0.8).map_err(say);
        vec![
            each(&d::coverage),
            each(&d::gini),
            each(&d::effective_items),
            if ild.is_empty() {
                Err("no list of two items".to_owned())
            } else {
                Ok(ild.iter().sum::<f64>() / ild.len() as f64)
            },
            tail.and_then(|tail| counts.clone().and_then(|c| d::tail_share(&c, &tail).map_err(say))),
            mercer_reports::novelty::novelty(&shown, &purchases).map_err(say),
        ]
    };
    let labels = [
        (
            "coverage@10",
            "share of eligible items shown to anybody",
            "items in at least one list / items that are not hidden; grows with the number of users",
        ),
        ("gini@10", "concentration of exposure, 0 even, 1 one item", "sum (2i-n-1) c_(i) / (n sum c), zeros included"),
        ("effective-items@10", "items that share the exposure as if evenly", "exp(-sum p ln p)"),
        (
            "ild@10",
            "dissimilarity within a list, frozen base_encoder",
            "mean over pairs of 1 - cosine by the base encoder; mean over lists",
        ),
        (
            "long-tail-share@10",
            "exposure of the long tail",
            "tail: items beyond the smallest set with 80 % of purchases, unsold ones included",
        ),
        ("novelty@10", "surprise in bits", "mean -log2(n_i / N) over shown items, add-one for unsold ones"),
    ];
    for (((name, label, formula), value), base) in labels.into_iter().zip(numbers(mine)).zip(numbers(popular)) {
        let mut row = plain_row(name, label, value.as_ref().ok().copied(), mine.lists.len(), formula);
        row.undefined = value.err();
        row.baseline = base.ok();
        report.rows.push(row);
    }
    Ok(())
}
