//! Skips a cycle whose data, settings and seed equal the last one's: it would make the same version again and spend alpha on it.

use mercer_shared::wire::Run;
use mercer_store::{Setting, SettingDocument};
use serde::{Deserialize, Serialize};

use crate::runs::context::RunExit;
use crate::runs::plan::Plan;
use crate::state::app::App;
use crate::state::dense_ids::IdMap;
use crate::state::problems::store_problem;
use crate::state::shop::ShopState;
use crate::versions::encoders;

/// What a whole cycle learned from, and what it made of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Learned {
    data: String,
    run: String,
    model: Option<String>,
}

impl SettingDocument for Learned {
    const SETTING: Setting = Setting::DataFingerprint;
}

/// A digest of everything that a cycle's outcome depends on: interactions and consent per user, the items, the encoder,
/// the settings. An erasure or a change of consent changes it, because a cycle then has something to forget.
pub(crate) fn digest(app: &App, view: &ShopState, ids: &IdMap, plan: &Plan, run: &Run) -> Result<String, RunExit> {
    let mut hash = blake3::Hasher::new();
    let mut add = |part: &[u8]| {
        hash.update(&(part.len() as u64).to_le_bytes());
        hash.update(part);
    };
    let budget = plan.request.budget_seconds.unwrap_or(app.config.train.budget_seconds);
    let settings = (
        env!("CARGO_PKG_VERSION"),
        <(String, String)>::from(encoders::active_encoder(&app.store)?),
        (run.seed, plan.request.encoder.unwrap_or(true), budget, plan.request.holdout.unwrap_or(false)),
        plan.request.tuning.unwrap_or(app.config.train.tuning),
        plan.cursor,
    );
    add(format!("{settings:?}").as_bytes());
    if app.config.privacy.is_on() {
        add(format!("{:?}", app.config.privacy).as_bytes());
    }
    let train = &app.config.train;
    let balance = (train.cap_per_user, train.tail_oversampling, &train.group_weights, train.popularity_debias);
    add(format!("{balance:?}").as_bytes());
    for &number in ids.users() {
        let events = view.rank.log.events(number).len() as u64;
        let Some(subject) = view.subject(number) else { continue };
        add(&[events.to_le_bytes().as_slice(), &[u8::from(subject.consent.train)]].concat());
        if !train.group_weights.is_empty() {
            let name = &train.group_weights;
            let open = app.config.consent.audits(name, subject.consent, subject.explicit);
            let group = subject.attributes.get(name).filter(|_| open);
            add(group.map_or(b"", |value| value.as_bytes()));
        }
    }
    for item in ids.items().iter().filter_map(|number| view.item(*number)) {
        add(&serde_json::to_vec(&**item).map_err(|error| crate::runs::context::failed(&error))?);
    }
    Ok(hash.finalize().to_hex().to_string())
}

/// Why a cycle would learn nothing, in words. `None` if it would, or if the version that it would make again no longer
/// exists.
pub(crate) fn nothing_new(app: &App, data: &str) -> Result<Option<String>, RunExit> {
    let last: Option<Learned> = app.store.get_setting().map_err(|e| store_problem(&e))?;
    let Some(last) = last.filter(|last| last.data == data) else { return Ok(None) };
    let Some(version) = &last.model else { return Ok(None) };
    let kept = app.store.get_model(version).map_err(|e| store_problem(&e))?;
    Ok(kept.map(|_| {
        format!(
            "nothing is new since {} made {version} from the same log, items, settings and seed: no version is made again",
            last.run
        )
    }))
}

/// Notes what a whole cycle learned from.
pub(crate) fn note(app: &App, data: String, run: &str, model: &str) -> Result<(), RunExit> {
    let learned = Learned { data, run: run.to_owned(), model: Some(model.to_owned()) };
    app.store.put_setting(&learned).map_err(|e| RunExit::from(store_problem(&e)))
}
