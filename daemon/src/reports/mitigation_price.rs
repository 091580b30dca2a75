//! The price of mitigations: the lists of users who returned in the validation window, before and after re-ranking (METRICS.md sections 1,
//! 3 and 4). The window is that of the reports. Nothing that is served changes: exposure is counted apart, from nothing on.

use mercer_rank::evaluate::{GroundTruth, ground_truth};
use mercer_rank::{
    BlendWeights, Candidates, Mode, RankRequest, RankedItem, Ranker, Recipient, ScoringPolicy, Snapshot, Window,
};
use mercer_shared::problem::{Code, Problem};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{MitigationPrice, MitigationSettings, Placement};
use mercer_store::DocKind;

use crate::reports::price_groups;
use crate::reports::price_rows::{self, PricedLists};
use crate::reports::rows::K;
use crate::reports::shoppers::Shoppers;
use crate::reports::window_lists::{MAX_USERS, thinned, window};
use crate::reports::window_scorer::window_policy;
use crate::serving::mitigation_rules::check;
use crate::serving::mitigations::price_key;
use crate::serving::rerank::pool::DEPTH;
use crate::serving::rerank::{Candidate, RerankContext, rerank};
use crate::state::app::App;
use crate::state::mitigations::ActiveMitigations;
use crate::state::problems::{Answer, internal, store_problem};
use crate::state::served_exposure::{ServedExposure, ShownItem};
use crate::state::shop::ShopState;

/// Lists that are in memory at once with all their candidates.
const AT_ONCE: usize = 256;

/// Measures the price of settings at a placement with the serving version, and keeps it.
///
/// # Errors
/// What is wrong with the settings, `out-of-range` for none, `not-enough-data` for a log without a window or without returning shoppers,
/// `unavailable` while the daemon warms up.
pub fn measure(app: &App, placement: &Placement, settings: &MitigationSettings) -> Answer<MitigationPrice> {
    app.warm()?;
    let view = app.view();
    check(&view, settings)?;
    if settings.rerankers.is_empty() {
        return Err(Problem::new(Code::OutOfRange, "there is no re-ranker to measure"));
    }
    let log = view.training_log();
    let Some((cutoff, end)) = window(&log, view.last_event) else {
        return Err(Problem::new(Code::NotEnoughData, "the log is too short for a window of later interactions"));
    };
    let snapshot = Snapshot { log, catalogue: view.rank.catalogue.clone(), index: app.moments.at(&view, cutoff) };
    let (ranker, blend, note) = window_policy(app, &view, &snapshot, cutoff)?;
    let active = ActiveMitigations { placement: placement.as_str().to_owned(), rerankers: settings.rerankers.clone() };
    let scene = Scene {
        app,
        view: &view,
        snapshot: &snapshot,
        policy: Policy { ranker: ranker.as_deref(), blend: &blend },
        window: Window { cutoff, end },
        mitigations: &active,
    };
    let lists = scene.lists()?;
    if lists.users.is_empty() {
        return Err(Problem::new(Code::NotEnoughData, "no shopper came back within the window"));
    }
    let mut price = MitigationPrice {
        placement: placement.clone(),
        rerankers: settings.rerankers.clone(),
        model: view.model.meta.version.clone(),
        created: Timestamp::now(),
        from: Some(Timestamp::at(cutoff)),
        to: Some(Timestamp::at(end)),
        users: lists.users.len() as u64,
        lists_changed: lists.before.iter().zip(&lists.after).filter(|(before, after)| before != after).count() as u64,
        rows: Vec::new(),
        notes: note.into_iter().collect(),
    };
    price_rows::fill(&snapshot, &lists, &mut price);
    let shoppers = Shoppers { app, view: &view, snapshot: &snapshot, cutoff, users: &lists.users };
    price_groups::worst_groups(&shoppers, &lists, &mut price);
    let key = price_key(placement, &settings.rerankers)?;
    app.store.put_doc(DocKind::MitigationPrice, &key, &price).map_err(|error| store_problem(&error))?;
    Ok(price)
}

/// What orders the lists before mitigations.
#[derive(Clone, Copy)]
struct Policy<'a> {
    ranker: Option<&'a Ranker>,
    blend: &'a BlendWeights,
}

/// The state and the window of a measurement.
struct Scene<'a> {
    app: &'a App,
    view: &'a ShopState,
    snapshot: &'a Snapshot,
    policy: Policy<'a>,
    window: Window,
    mitigations: &'a ActiveMitigations,
}

impl Scene<'_> {
    /// The lists of all users who took something in the window, in a fixed order: exposure adds up from one to the next.
    fn lists(&self) -> Answer<PricedLists> {
        let Window { end, .. } = self.window;
        let request = RankRequest::new(DEPTH).for_window(end);
        let truth = ground_truth(&self.snapshot.log, &self.snapshot.index, end, Mode::All, Candidates::All);
        let wanted = thinned(truth, MAX_USERS);
        let served = ServedExposure::default();
        let mut lists = PricedLists::default();
        for some in wanted.chunks(AT_ONCE) {
            for (entry, list) in some.iter().zip(self.candidates(some, &request)?) {
                let candidates: Vec<Candidate> =
                    list.iter().map(|row| Candidate { item: row.item, score: f64::from(row.score) }).collect();
                let after = self.reranked(entry.user, &candidates, &served);
                let before = candidates.iter().take(K).map(|candidate| candidate.item).collect();
                lists.push(entry, before, after);
            }
        }
        Ok(lists)
    }

    fn personal(&self, user: u32) -> bool {
        self.view.subject(user).is_some_and(|subject| subject.consent.personalise)
    }

    /// The candidates of some users as they are served: who refused personalisation gets those of an unknown visitor.
    fn candidates(&self, some: &[GroundTruth], request: &RankRequest<'_>) -> Answer<Vec<Vec<RankedItem>>> {
        let policy = ScoringPolicy { ranker: self.policy.ranker, blend: self.policy.blend };
        let cutoff = self.window.cutoff;
        let users: Vec<u32> = some.iter().map(|entry| entry.user).filter(|&user| self.personal(user)).collect();
        let lists = policy.lists(self.snapshot, &users, cutoff, request, &|| self.app.is_stopping());
        let mut lists = lists.map_err(|error| internal(&error))?.into_iter();
        let anonymous = if users.len() < some.len() {
            let list = policy.list(self.snapshot, Recipient::Session(&[]), cutoff, request);
            list.map_err(|error| internal(&error))?
        } else {
            Vec::new()
        };
        let of = |entry: &GroundTruth| {
            if self.personal(entry.user) { lists.next().unwrap_or_default() } else { anonymous.clone() }
        };
        Ok(some.iter().map(of).collect())
    }

    /// The first items of a user's list after re-ranking, which count as shown.
    fn reranked(&self, user: u32, candidates: &[Candidate], served: &ServedExposure) -> Vec<u32> {
        let cutoff = self.window.cutoff;
        let history = if self.personal(user) { self.snapshot.log.until(user, cutoff) } else { &[] };
        let tables = &self.app.mitigations.tables;
        let context =
            RerankContext { items: &self.view.items, snapshot: self.snapshot, history, at: cutoff, served, tables };
        let done = rerank(&context, self.mitigations, candidates, K);
        let list: Vec<u32> = done.order.iter().take(K).map(|&place| candidates[place].item).collect();
        if self.mitigations.reads_exposure() {
            let items = list.iter().filter_map(|&item| self.view.item(item));
            let shown = items.map(|item| ShownItem { seller: item.seller.as_deref(), brand: item.brand.as_deref() });
            served.record(&self.mitigations.placement, cutoff, shown);
        }
        list
    }
}
