//! Chooses the components of a version for evaluating a window that its serving components may have been trained on.

use std::sync::Arc;

use mercer_rank::{BlendWeights, Ranker, Snapshot};

use crate::state::app::App;
use crate::state::problems::Answer;
use crate::state::shop::ShopState;
use crate::versions::load;

/// The scoring policy of a version for a window that begins at `from`: its ranker if that was not trained on the window, else the one that
/// the gate compared, else the blend. Also returns which one it is, unless it is the version's own.
pub(crate) fn window_policy(
    app: &App,
    view: &ShopState,
    snapshot: &Snapshot,
    from: i64,
) -> Answer<(Option<Arc<Ranker>>, BlendWeights, Option<String>)> {
    let (model, meta) = (&view.model, &view.model.meta);
    let rule = || BlendWeights::for_index(&snapshot.index);
    if meta.data.to.is_none_or(|to| to.millis() <= from) {
        return Ok((model.artifacts.ranker.clone(), model.artifacts.blend.clone().unwrap_or_else(rule), None));
    }
    let judged = match &meta.gate {
        Some(gate) if gate.from.millis() <= from => load::judged_ranker(app, view, from)?,
        _ => None,
    };
    let note = match &judged {
        Some(_) => {
            "the version learned from this window; measured instead is its ranker as the gate measured it, fitted up to the window"
                .to_owned()
        }
        None => {
            "the version learned from this window; measured instead is the blend, which needs no training".to_owned()
        }
    };
    Ok((judged.map(Arc::new), rule(), Some(note)))
}
