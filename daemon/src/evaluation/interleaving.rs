//! The verdict of an interleaving: which version's rows users took (METRICS.md section 2).
//!
//! The unit is the user, not the list, so that a user with many lists does not count many times.

use std::collections::BTreeMap;

use mercer_reports::interleave::preference;
use mercer_shared::wire::Interleaving;
use mercer_store::{Pseudonym, ServedKind, ServedRecord};

use crate::evaluation::outcomes::{Lists, Outcomes};
use crate::state::app::App;
use crate::state::problems::{Answer, store_problem};
use crate::versions::trial::{self, Trial};

/// The interleaving that is on, with the preference so far; `None` where none is.
///
/// # Errors
/// The store's.
pub fn show(app: &App) -> Answer<Option<Interleaving>> {
    let trial = trial::current(app)?.filter(|trial| trial.interleave);
    let Some(trial) = trial else { return Ok(None) };
    app.served_log.flush(&app.store).map_err(|error| store_problem(&error))?;
    let mut known = Lists::default();
    let lists = || app.store.served_since(ServedKind::Interleaved, trial.since);
    for record in lists() {
        known.add(&record.map_err(|error| store_problem(&error))?);
    }
    let outcomes = Outcomes::of_lists(&app.store, known)?;
    // Read once more instead of held: rows are most of a list.
    let lists = lists().map(|record| record.map_err(|error| store_problem(&error)));
    Ok(Some(verdict(&trial, lists, |list, row| outcomes.took(&list.query_id, &list.rows[row].item))?))
}

fn verdict(
    trial: &Trial,
    lists: impl Iterator<Item = Answer<ServedRecord>>,
    took: impl Fn(&ServedRecord, usize) -> bool,
) -> Answer<Interleaving> {
    // Rows taken of the serving and of the compared version, by user.
    let mut taken: BTreeMap<Pseudonym, [u64; 2]> = BTreeMap::new();
    let mut read = 0;
    for list in lists {
        let list = list?;
        read += 1;
        let Some(user) = list.user else { continue };
        for (place, row) in list.rows.iter().enumerate() {
            if let Some(team) = row.team.filter(|_| took(&list, place)) {
                taken.entry(user).or_default()[usize::from(team.min(1))] += 1;
            }
        }
    }
    let count = |order| taken.values().filter(|[serving, other]| other.cmp(serving) == order).count() as u64;
    let (wins, losses, ties) =
        (count(std::cmp::Ordering::Greater), count(std::cmp::Ordering::Less), count(std::cmp::Ordering::Equal));
    let found = preference(wins, losses, ties);
    Ok(Interleaving {
        version: trial.version.clone(),
        serving: trial.other.clone(),
        since: trial.since,
        share: trial.share,
        lists: read,
        wins,
        losses,
        ties,
        delta: found.ok().map(|found| found.delta),
        p: found.ok().map(|found| found.p),
        undefined: found.err().map(|_| "nobody has taken anything from an interleaved list yet".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use mercer_shared::time::Timestamp;
    use mercer_store::ServedRow;

    use super::*;

    fn list(user: u8, query_id: &str) -> ServedRecord {
        let row =
            |(item, team): (&str, u8)| ServedRow { item: item.parse().unwrap(), propensity: 1.0, team: Some(team) };
        ServedRecord {
            user: Some(Pseudonym([user; 32])),
            query_id: query_id.to_owned(),
            at: Timestamp::at(10),
            seq: 1,
            version: "v1+v2".to_owned(),
            placement: "default".to_owned(),
            rows: [("a", 0), ("b", 1), ("c", 1), ("d", 0)].map(row).to_vec(),
            pool: Vec::new(),
        }
    }

    #[test]
    fn a_user_counts_once_however_many_lists() {
        let trial = Trial {
            version: "v2".to_owned(),
            other: "v1".to_owned(),
            since: Timestamp::at(5),
            share: 0.5,
            interleave: true,
        };
        let lists = [list(1, "q1"), list(1, "q2"), list(1, "q3"), list(2, "q4"), list(3, "q5"), list(4, "q6")];
        // User 1 takes two rows of v2 and one of v1, user 2 one of v1, user 3 one of each, user 4 nothing.
        let took = [("q1", 1), ("q2", 2), ("q3", 0), ("q4", 3), ("q5", 0), ("q5", 1)];
        let read = || lists.iter().cloned().map(Ok);
        let found = verdict(&trial, read(), |list, row| took.contains(&(list.query_id.as_str(), row))).unwrap();
        assert_eq!((found.lists, found.wins, found.losses, found.ties), (6, 1, 1, 1));
        assert_eq!((found.delta, found.p), (Some(0.0), Some(1.0)));
        let none = verdict(&trial, read(), |_, _| false).unwrap();
        assert_eq!((none.delta, none.p), (None, None));
        assert!(none.undefined.is_some());
    }
}
