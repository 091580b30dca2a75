//! Membership test of a version (`mercer eval membership`): can the users that it was trained on be told from users that were held out of
//! it? Both groups come from the same population, because a keyed pseudonym decides who is held out.
//!
//! Two attacks. The first looks at the encoder: how far does the loss of a user's own examples fall from the base encoder to the tuned one?
//! The second looks at lists: how much better does the version list what a user took in the last window that it learned from, compared with
//! popularity? Both subtract what is easy for everybody, so what remains is what was learned from these users.

use mercer_learn::BaseEncoder;
use mercer_learn::private::{UserLossOptions, user_losses};
use mercer_model::Checkpoint;
use mercer_rank::{
    BlendWeights, CollaborativeIndex, Dataset, IndexOptions, Log, RankRequest, ScoringPolicy, Snapshot, Window,
};
use mercer_reports::membership::{AttackScores, attack};
use mercer_shared::problem::{Code, Problem};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{MembershipAttack, MembershipRequest, MembershipTest, ModelVersion, RunCause, RunPhase};

use crate::background::follow;
use crate::gate::holdout;
use crate::reports::window_lists::{Limits, evaluate};
use crate::runs::context::{RunContext, RunExit, failed};
use crate::runs::labelled_log::Scope;
use crate::runs::lifecycle::Enqueue;
use crate::runs::plan::{Job, Plan};
use crate::state::app::App;
use crate::state::membership_documents::{MembershipKey, store};
use crate::state::problems::Answer;
use crate::state::shop::ShopState;
use crate::training::encoder_tuning::Progress;
use crate::training::private_pairs::{PrivateExamples, gather};
use crate::versions::{embedded_catalogue, encoders, load, registry};

/// False positive rate at which attacks are measured.
const FPR: f64 = 0.01;
/// Users of a group at most, evenly over all.
const USERS: usize = 2_000;
/// Length of the lists that the second attack reads.
const DEPTH: usize = 200;

/// Starts a test; it runs where training runs, one at a time.
///
/// # Errors
/// `training-runs` while something is in progress, `not-found` for an unknown version, `not-enough-data` for one that held nobody out,
/// `read-only`.
pub(crate) fn prepare(app: &App, request: &MembershipRequest) -> Answer<Enqueue> {
    app.writable()?;
    let version = request.model.clone().unwrap_or_else(|| app.view().model.meta.version.clone());
    let meta = registry::show(app, &version)?;
    if meta.data.held_out <= 0.0 {
        let why = format!(
            "nobody was held out of {version}, so there is nobody to compare its users with; set gate.holdout (and gate.holdout_shoppers \
             in a small shop) and train"
        );
        return Err(Problem::new(Code::NotEnoughData, why));
    }
    let job = Job::Membership(MembershipRequest { model: Some(version), ..request.clone() });
    let plan = Plan { job, holdout: meta.data.held_out, ..Plan::default() };
    let seed = request.seed.unwrap_or(app.config.train.seed);
    Ok(Enqueue { plan, seed, cursor: None, cause: RunCause::Operator })
}

/// One test with its numbers.
///
/// # Errors
/// `not-found`.
pub fn show(app: &App, id: &str) -> Answer<MembershipTest> {
    crate::state::membership_documents::get(app, MembershipKey::Run(id))?
        .ok_or_else(|| Problem::new(Code::NotFound, format!("there is no membership test `{id}`")))
}

/// The whole test.
pub(crate) fn run(
    app: &App,
    plan: &Plan,
    request: &MembershipRequest,
    context: &RunContext<'_>,
) -> Result<(), RunExit> {
    let Some(run) = crate::state::run_documents::current(app) else { return Ok(()) };
    let meta = registry::show(app, request.model.as_deref().unwrap_or_default())?;
    let whole = app.view();
    let groups = Groups {
        members: holdout::without(app, &whole, plan.holdout),
        others: holdout::only(app, &whole, plan.holdout),
    };
    let target = Target { app, meta: &meta, groups: &groups, seed: run.seed, context };
    context.phase(RunPhase::Evaluation, 2);
    let mut attacks = vec![target.by_encoder()?];
    context.step(1, 2);
    attacks.push(target.by_lists()?);
    context.step(2, 2);
    let test = MembershipTest {
        id: plan.run.clone(),
        created: Timestamp::now(),
        model: meta.version.clone(),
        held_out: plan.holdout,
        fpr: FPR,
        privacy: meta.privacy.clone(),
        notes: notes(&meta),
        attacks,
    };
    for one in &test.attacks {
        context.note(words(one));
    }
    Ok(store(app, &test)?)
}

/// Users that the version may have been trained on, and users that were held out: two views of one shop.
struct Groups {
    members: ShopState,
    others: ShopState,
}

/// What is attacked.
struct Target<'a> {
    app: &'a App,
    meta: &'a ModelVersion,
    groups: &'a Groups,
    seed: u64,
    context: &'a RunContext<'a>,
}

impl Target<'_> {
    /// The attack on the tuned encoder.
    fn by_encoder(&self) -> Result<MembershipAttack, RunExit> {
        let outcome = Outcome {
            name: "encoder_loss",
            what: "how far the loss of a user's examples falls from the base encoder to the tuned one",
            seed: self.seed,
        };
        let state = &self.app.config.state;
        let Some(adapter) = load::adapter(state, self.meta)? else {
            return Ok(outcome.undefined("the version serves its base encoder: nobody's data is in it".to_owned()));
        };
        let base = encoders::base(state, &self.meta.encoder.name, &self.meta.encoder.sha256)?;
        let tuned = load::merged(&base, &adapter)?;
        let members = self.falls(&self.groups.members, &base, &tuned)?;
        let others = self.falls(&self.groups.others, &base, &tuned)?;
        Ok(outcome.of(&members, &others))
    }

    /// For each user of a view how far its loss falls.
    fn falls(&self, view: &ShopState, base: &Checkpoint, tuned: &Checkpoint) -> Result<Vec<f64>, RunExit> {
        let until =
            self.meta.gate.as_ref().map(|gate| gate.from).or(self.meta.data.to).map_or(i64::MAX, Timestamp::millis);
        let scope = Scope { cursor: self.meta.data.cursor, after: i64::MIN, until };
        let mut examples = gather(self.app, view, base, scope)?;
        examples.users = evenly(std::mem::take(&mut examples.users), USERS);
        let (before, after) = (self.losses(&examples, base)?, self.losses(&examples, tuned)?);
        Ok(before.iter().zip(after).map(|(before, after)| before - after).collect())
    }

    fn losses(&self, examples: &PrivateExamples, encoder: &Checkpoint) -> Result<Vec<f64>, RunExit> {
        if examples.users.is_empty() || examples.catalogue.is_empty() {
            return Ok(Vec::new());
        }
        let base = BaseEncoder { config: &encoder.config, pooling: encoder.rules.pooling, tensors: &encoder.tensors };
        let options = UserLossOptions { seed: self.seed, ..UserLossOptions::default() };
        let mut hooks = Progress::new(self.context, self.app.model.clone());
        let device = mercer_model::device::pick();
        let losses = user_losses(base, examples.set(), &options, &device, &mut hooks).map_err(|e| failed(&e))?;
        self.context.check()?;
        losses.ok_or(RunExit::Cancelled)
    }

    /// The attack on the lists of the ranker that serves.
    fn by_lists(&self) -> Result<MembershipAttack, RunExit> {
        let outcome = Outcome {
            name: "ranker_lists",
            what: "NDCG@200 of what a user took in the last window that the version learned from, less that of popularity",
            seed: self.seed,
        };
        let (Some(to), Some(gate)) = (self.meta.data.to.map(Timestamp::millis), &self.meta.gate) else {
            return Ok(outcome.undefined("the version was not trained on a log".to_owned()));
        };
        let from = to - (gate.to.millis() - gate.from.millis());
        let lists = self.lists(Window { cutoff: from, end: to })?;
        Ok(outcome.of(&lists.members, &lists.others))
    }

    fn lists(&self, window: Window) -> Result<GroupScores, RunExit> {
        let (app, members) = (self.app, &self.groups.members);
        // Loaded anew also if it serves: its sequence model is brought to a past moment here.
        let model = load::load(&app.config.state, self.meta.clone())?;
        let log = members.training_log();
        let embedded = embedded_catalogue::embed_catalogue(app, &model.encoder, |_| self.context.check())?;
        let (vectors, whitened) = embedded.under(&model)?;
        let mut catalogue = members.rank.catalogue.clone();
        catalogue.set_vectors(Some(vectors));
        catalogue.set_whitened(whitened);
        follow::follow(app, &model, (members, &log), window.cutoff);
        let dataset = Dataset { log: &log, catalogue: &catalogue };
        let index = std::sync::Arc::new(CollaborativeIndex::fit(dataset, window.cutoff, &IndexOptions::default()));
        let blend = model.artifacts.blend.clone().unwrap_or_else(|| BlendWeights::for_index(&index));
        let popularity = BlendWeights::popularity();
        let unwanted = || self.context.unwanted();
        let limits = Limits { users: USERS, unwanted: &unwanted };
        let scores = |log: Log| -> Result<Vec<f64>, RunExit> {
            let snapshot = Snapshot { log, catalogue: catalogue.clone(), index: std::sync::Arc::clone(&index) };
            let ndcg =
                |policy| evaluate(&snapshot, window, &RankRequest::new(DEPTH), policy, &limits).map(|lists| lists.ndcg);
            let own = ndcg(ScoringPolicy { ranker: model.artifacts.ranker.as_deref(), blend: &blend });
            self.context.check()?;
            let popular = ndcg(ScoringPolicy::blend(&popularity));
            self.context.check()?;
            let (own, popular) = (own.map_err(|e| failed(&e))?, popular.map_err(|e| failed(&e))?);
            Ok(own.iter().zip(popular).map(|(own, popular)| own - popular).collect())
        };
        let others = self.groups.others.training_log();
        Ok(GroupScores { members: scores(log.clone())?, others: scores(others)? })
    }
}

/// Scores of an attack by group.
struct GroupScores {
    members: Vec<f64>,
    others: Vec<f64>,
}

/// An evenly spaced sample.
fn evenly<T>(all: Vec<T>, most: usize) -> Vec<T> {
    let (n, step) = (all.len(), all.len() as f64 / most as f64);
    if n <= most {
        return all;
    }
    let kept: std::collections::BTreeSet<usize> = (0..most).map(|at| (at as f64 * step) as usize).collect();
    all.into_iter().zip(0..).filter(|(_, at)| kept.contains(at)).map(|(one, _)| one).collect()
}

/// An attack whose scores are known, on the way to its document.
struct Outcome {
    name: &'static str,
    what: &'static str,
    seed: u64,
}

impl Outcome {
    fn undefined(&self, why: String) -> MembershipAttack {
        MembershipAttack {
            name: self.name.to_owned(),
            what: self.what.to_owned(),
            members: 0,
            others: 0,
            tpr: None,
            low: None,
            high: None,
            auc: None,
            undefined: Some(why),
        }
    }

    fn of(&self, members: &[f64], others: &[f64]) -> MembershipAttack {
        let counts = |result: MembershipAttack| MembershipAttack {
            members: members.len() as u64,
            others: others.len() as u64,
            ..result
        };
        match attack(AttackScores { members, others }, FPR, 0.95, self.seed) {
            Ok(found) => counts(MembershipAttack {
                tpr: Some(found.tpr),
                low: Some(found.low),
                high: Some(found.high),
                auc: Some(found.auc),
                undefined: None,
                ..self.undefined(String::new())
            }),
            Err(why) => counts(self.undefined(format!(
                "{why}: {} members and {} others, and a false positive rate of 1 % needs 100 others",
                members.len(),
                others.len()
            ))),
        }
    }
}

fn words(attack: &MembershipAttack) -> String {
    match (attack.tpr, attack.low, attack.high, &attack.undefined) {
        (Some(tpr), Some(low), Some(high), _) => format!(
            "{}: recognises {:.2} % [{:.2}, {:.2}] of {} members at 1 % false positives among {} others",
            attack.name,
            100.0 * tpr,
            100.0 * low,
            100.0 * high,
            attack.members,
            attack.others
        ),
        (.., why) => format!("{}: not measured: {}", attack.name, why.as_deref().unwrap_or_default()),
    }
}

fn notes(meta: &ModelVersion) -> Vec<String> {
    vec![
        "members agreed to training and were not held out; others agreed and were held out by a keyed pseudonym".to_owned(),
        "equal scores are decided by lot, so an attack that knows nothing recognises 1 %; the interval is the wider of a bootstrap over \
         shoppers and Wilson's"
            .to_owned(),
        format!(
            "at most {USERS} shoppers of each group; a stronger attacker, with models of its own, may do better: a low value is no proof"
        ),
        match &meta.parent {
            Some(parent) => format!(
                "shoppers who are held out of {} may have been members of {parent} or an earlier version if the share has grown since",
                meta.version
            ),
            None => "the version has no parent".to_owned(),
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTCOME: Outcome = Outcome { name: "encoder_loss", what: "a test", seed: 1 };

    #[test]
    fn an_attack_without_enough_others_has_a_reason_and_no_number() {
        let found = OUTCOME.of(&[1.0; 50], &[0.0; 99]);
        assert_eq!((found.tpr, found.members, found.others), (None, 50, 99));
        assert!(words(&found).contains("100 others"), "{}", words(&found));
        let found = OUTCOME.of(&[1.0; 50], &[0.0; 100]);
        assert_eq!((found.tpr, found.undefined.clone()), (Some(1.0), None));
        assert!(words(&found).contains("recognises 100.00 %"));
        let blind = OUTCOME.of(&[0.0; 50], &[0.0; 200]);
        assert!((blind.tpr.unwrap() - 0.01).abs() < 1e-9 && blind.auc == Some(0.5));
    }

    #[test]
    fn a_sample_is_spread_over_all() {
        assert_eq!(evenly((0..10).collect(), 5), [0, 2, 4, 6, 8]);
        assert_eq!(evenly((0..3).collect(), 5), [0, 1, 2]);
        assert_eq!(evenly((0..2_001).collect::<Vec<_>>(), 2_000).len(), 2_000);
    }
}
