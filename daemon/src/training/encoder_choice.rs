//! Chooses the encoder of a cycle: the tuned one where it improves lists and search on the window, weighted by their traffic; else the
//! base encoder.

use crate::gate::evaluate::Evaluated;
use crate::gate::objectives::Traffic;
use crate::gate::search_queries::{MIN_SEARCHERS, SearchQueries};
use crate::reports::window_lists::mean;
use crate::runs::context::RunExit;
use crate::training::prepare::{Cycle, CycleData};
use crate::versions::encoder_variant::EncoderVariant;

/// An encoder with the metrics of the lists and the search that use it.
pub(crate) struct EvaluatedVariant {
    pub(crate) variant: EncoderVariant,
    pub(crate) evaluated: Evaluated,
}

/// Gain in NDCG@10 over the whole traffic, from the gains of lists and of search.
fn weighted_gain(lists: f64, search: f64, traffic: &Traffic) -> f64 {
    let share = traffic.search_share();
    (1.0 - share) * lists + share * search
}

/// The tuned encoder if it gains on the window, else the base encoder. Search counts only with enough searching users.
/// `evaluate` makes the lists of a variant.
pub(crate) fn choose(
    cycle: Cycle<'_>,
    data: &CycleData,
    mut base: EvaluatedVariant,
    tuned: Option<EncoderVariant>,
    queries: &SearchQueries,
    evaluate: impl Fn(&EncoderVariant) -> Result<Evaluated, RunExit>,
) -> Result<EvaluatedVariant, RunExit> {
    let context = cycle.context;
    let searchers = queries.users();
    let search = |variant: &EncoderVariant| {
        let row = |n: u32| variant.embedded.rows.get(&n).map(|row| &**row);
        if searchers >= MIN_SEARCHERS {
            queries.evaluate(cycle.app, &data.view, &variant.encoder, &row, context)
        } else {
            Ok(Vec::new())
        }
    };
    base.evaluated.search = search(&base.variant)?;
    let Some(tuned) = tuned else { return Ok(base) };
    let mut with_tuned = evaluate(&tuned)?;
    with_tuned.search = search(&tuned)?;
    let lists = with_tuned.lists_ndcg() - base.evaluated.lists_ndcg();
    let found = with_tuned.search_ndcg() - base.evaluated.search_ndcg();
    context.note(format!(
        "fine-tuned encoder against its base: NDCG@10 of lists {lists:+.4}, of {searchers} searching shoppers {found:+.4}"
    ));
    // Reported only: lists of cold items alone are a small part of what a shop shows.
    if !with_tuned.cold.is_empty() {
        let (cold, users) = (mean(&with_tuned.cold) - mean(&base.evaluated.cold), with_tuned.cold.len());
        context.note(format!("the same on lists of cold items alone: {cold:+.4} for {users} shoppers"));
    }
    let traffic = if searchers >= MIN_SEARCHERS { queries.traffic() } else { Traffic::default() };
    if tuned.privacy.is_some() && cycle.app.config.privacy.always_serve {
        context.note("the private adapter is taken whatever the comparison says (privacy.always_serve)");
        return Ok(EvaluatedVariant { variant: tuned, evaluated: with_tuned });
    }
    if weighted_gain(lists, found, &traffic) > 0.0 {
        return Ok(EvaluatedVariant { variant: tuned, evaluated: with_tuned });
    }
    context.note("the base encoder is kept: tuning did not pay on this window");
    Ok(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gains_count_by_their_share_of_the_traffic() {
        let traffic = |searched, listed| Traffic { searched, listed, searching_users: 100 };
        // A loss in lists that few use does not outweigh a gain in search that nearly all use, and the other way round.
        assert!(weighted_gain(-0.02, 0.0128, &traffic(95, 5)) > 0.0);
        assert!(weighted_gain(-0.01, 0.0128, &traffic(5, 95)) < 0.0);
        assert!(weighted_gain(0.001, 0.0, &Traffic::default()) > 0.0);
    }
}
