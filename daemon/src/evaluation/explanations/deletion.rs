//! Deletion of a shopper's own events in the order of the explanation, against random orders.

use std::collections::HashMap;

use mercer_rank::Recipient;
use mercer_reports::fidelity::{AgainstRandom, deletion_against_random};
use mercer_reports::value::{Measure, Undefined};
use mercer_shared::problem::Problem;
use mercer_shared::wire::ListItem;

use crate::evaluation::explanations::replay::{Named, Replay};
use crate::serving::explain::{Cause, own_causes};
use crate::state::problems::Answer;

/// Own causes that are deleted, those of the most interest: each subset is one list.
const CAUSES: usize = 6;
/// Random orders.
const DRAWS: usize = 5;

/// The value of a rank: 1 for the first, 0 beyond the depth.
fn value(rank: Option<u32>) -> f64 {
    rank.map_or(0.0, |rank| 1.0 / f64::from(1 + rank).log2())
}

/// The curve of the first row of a list; `None` with fewer than two own causes.
pub(super) fn curve(replay: &Replay<'_>, rows: &[ListItem], seed: u64) -> Answer<Option<AgainstRandom>> {
    let Some(item) = rows.first().and_then(|row| replay.view.item_number(row.id.as_str())) else { return Ok(None) };
    let whom = Recipient::User(replay.user);
    let mut causes = own_causes(replay.snapshot, replay.scorer, whom, replay.asked.at, &[item]);
    causes.truncate(CAUSES);
    if causes.len() < 2 {
        return Ok(None);
    }
    let mut known: HashMap<u32, f64> = HashMap::new();
    let mut failed: Option<Problem> = None;
    // One bit for each cause that is kept.
    let mut of_kept = |kept: u32| -> Measure {
        if let Some(value) = known.get(&kept) {
            return Ok(*value);
        }
        let mut named = Named::default();
        for (n, cause) in causes.iter().enumerate().filter(|(n, _)| kept & (1 << n) == 0) {
            match cause {
                Cause::Item(item) => named.items.push(*item),
                Cause::Query(text) => named.texts.push(*text),
                _ => return Err(Undefined::BadParameter),
            }
            debug_assert!(n < CAUSES);
        }
        let rank = replay.rank_without(&named, item).map_err(|problem| {
            failed = Some(problem);
            Undefined::NoObservations
        })?;
        known.insert(kept, value(rank));
        Ok(value(rank))
    };
    let all = (1u32 << causes.len()) - 1;
    // The explanation's order: the lower the value without a cause, the stronger it is.
    let alone: Result<Vec<f64>, Undefined> = (0..causes.len()).map(|n| of_kept(all & !(1 << n))).collect();
    let found = alone.and_then(|alone| {
        let mut order: Vec<usize> = (0..causes.len()).collect();
        order.sort_by(|a, b| alone[*a].total_cmp(&alone[*b]));
        let bits = |kept: &[bool]| kept.iter().enumerate().fold(0, |bits, (n, kept)| bits | u32::from(*kept) << n);
        deletion_against_random(&order, DRAWS, seed, |kept| of_kept(bits(kept)))
    });
    match (found, failed) {
        (_, Some(problem)) => Err(problem),
        (found, None) => Ok(found.ok()),
    }
}
