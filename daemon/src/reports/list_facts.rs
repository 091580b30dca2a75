//! What the diversity report knows of lists: exposure of the eligible items, popularity, dissimilarity by the base encoder, and how far a
//! list departs from the categories of the shopper's own history (METRICS.md section 3).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mercer_rank::DAY_MS;
use mercer_reports::diversity as d;
use mercer_reports::{Measure, Undefined};
use mercer_search::passage_text;
use rustc_hash::FxHashMap;

use crate::reports::evaluated::Evaluated;
use crate::reports::item_side::Eligible;
use crate::reports::rows::K;
use crate::reports::window_lists::Lists;
use crate::state::problems::{Answer, model_problem};
use crate::versions::encoders;

/// Days of the popularity that novelty and lift use.
const POPULARITY_DAYS: i64 = 90;
/// Half-life of the history that calibration compares with, in days.
const HALF_LIFE_DAYS: f64 = 90.0;
/// Share of the history in the smoothed distribution of a list (Steck 2018).
const ALPHA: f64 = 0.01;

/// Facts about the eligible items, by place among them.
pub(crate) struct CatalogueFacts {
    pub(crate) eligible: Eligible,
    /// Distinct buyers of the last 90 days before the window.
    pub(crate) buyers: Vec<f64>,
    /// Membership in the long tail: the items beyond the smallest set with 80 % of the purchases.
    pub(crate) tail: Result<Vec<f64>, Undefined>,
}

impl CatalogueFacts {
    pub(crate) fn of(evaluated: &Evaluated<'_>) -> Self {
        let eligible = Eligible::of(evaluated);
        let stats = |&item: &u32| evaluated.snapshot.index.stats(item).map_or(0.0, |stats| f64::from(stats.count));
        let purchases: Vec<f64> = eligible.items.iter().map(stats).collect();
        let tail = d::tail_membership(&purchases, 0.8);
        let buyers = buyers(evaluated, &eligible);
        Self { eligible, buyers, tail }
    }
}

/// Distinct buyers of each eligible item over the trailing 90 days.
fn buyers(evaluated: &Evaluated<'_>, eligible: &Eligible) -> Vec<f64> {
    let since = evaluated.window.cutoff - POPULARITY_DAYS * DAY_MS;
    let mut counts = vec![0.0; eligible.items.len()];
    for user in 0..evaluated.snapshot.log.users() as u32 {
        let recent = evaluated.purchases(user).filter(|(_, at)| *at > since).map(|(item, _)| item);
        let items: BTreeSet<u32> = recent.collect();
        for place in eligible.places(&items.into_iter().collect::<Vec<_>>()) {
            counts[place as usize] += 1.0;
        }
    }
    counts
}

/// Lists, reduced to what the report counts. All lists hold places among the eligible items.
pub(crate) struct ListFacts {
    /// The lists, one for each user.
    pub(crate) lists: Vec<Vec<u32>>,
    /// What each user took.
    pub(crate) truth: Vec<Vec<u32>>,
    /// Times each item was shown.
    pub(crate) counts: Result<Vec<f64>, Undefined>,
    /// Dissimilarity within the list of each user.
    pub(crate) dissimilarity: Vec<Measure>,
    /// Miscalibration of the list of each user.
    pub(crate) miscalibration: Vec<Measure>,
}

impl ListFacts {
    pub(crate) fn of(evaluated: &Evaluated<'_>, items: &CatalogueFacts, lists: &Lists, vectors: &Vectors) -> Self {
        let eligible = &items.eligible;
        let places: Vec<Vec<u32>> = lists.lists.iter().map(|list| eligible.places(list)).collect();
        let counts = d::counts(&places, K, eligible.items.len());
        let dissimilarity = lists.lists.iter().map(|list| vectors.dissimilarity(list)).collect();
        let miscalibration =
            lists.users.iter().zip(&lists.lists).map(|(&user, list)| miscalibration(evaluated, user, list)).collect();
        let truth = lists.truth.iter().map(|items| eligible.places(items)).collect();
        Self { lists: places, truth, counts, dissimilarity, miscalibration }
    }

    /// A metric of the exposure counts.
    pub(crate) fn counted(&self, metric: impl Fn(&[f64]) -> Measure) -> Measure {
        metric(self.counts.as_ref().map_err(|reason| *reason)?)
    }
}

/// C_KL of a list against the categories of the user's purchases, which count half after 90 days.
fn miscalibration(evaluated: &Evaluated<'_>, user: u32, list: &[u32]) -> Measure {
    let category = |item: u32| evaluated.view.rank.catalogue.get(item).and_then(|facts| facts.category);
    let mut weights: BTreeMap<u32, (f64, f64)> = BTreeMap::new();
    let mut events = 0;
    for (item, at) in evaluated.purchases(user) {
        if let Some(category) = category(item) {
            let days = (evaluated.window.cutoff - at) as f64 / DAY_MS as f64;
            weights.entry(category).or_default().0 += 0.5_f64.powf(days / HALF_LIFE_DAYS);
            events += 1;
        }
    }
    for category in list.iter().filter_map(|&item| category(item)) {
        weights.entry(category).or_default().1 += 1.0;
    }
    let (history, shown): (Vec<f64>, Vec<f64>) = weights.into_values().unzip();
    d::calibration_kl(&history, &shown, events, ALPHA)
}

/// Vectors of items by the base encoder. Never by the model under test: tuning would change the measure (METRICS.md section 3).
pub(crate) struct Vectors(FxHashMap<u32, Arc<[f32]>>);

impl Vectors {
    /// Vectors of items; those not embedded yet are embedded now.
    ///
    /// # Errors
    /// The model thread's.
    pub(crate) fn of(evaluated: &Evaluated<'_>, items: BTreeSet<u32>) -> Answer<Self> {
        let (app, view) = (evaluated.app, evaluated.view);
        let named = &view.model.meta.encoder;
        let base_encoder = Arc::new(
            mercer_model::BertEncoder::on_best_device(encoders::base(&app.config.state, &named.name, &named.sha256)?)
                .map_err(|e| model_problem(&e))?,
        );
        let text = |&item: &u32| view.item(item).map(|item| passage_text(item)).unwrap_or_default();
        let texts: Vec<String> = items.iter().map(text).collect();
        let rows = app
            .vectors
            .embed(&app.model, &base_encoder, &texts, mercer_model::Priority::Background)
            .map_err(|e| model_problem(&e))?;
        Ok(Self(items.into_iter().zip(rows).collect()))
    }

    /// Mean over pairs of 1 − cosine.
    pub(crate) fn dissimilarity(&self, list: &[u32]) -> Measure {
        let rows: Vec<&[f32]> = list.iter().filter_map(|item| self.0.get(item)).map(|row| &**row).collect();
        d::ild(&rows)
    }
}
