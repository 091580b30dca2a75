//! Writes users: checks each line, makes it durable, then applies it.

use mercer_import::validate_user;
use mercer_shared::ids::UserId;
use mercer_shared::problem::Problem;
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{Interaction, User};
use mercer_store::{Change, ConsentOrigin, WrittenUser};

use crate::ingest::lines::{checked, finish};
use crate::state::app::App;
use crate::state::problems::{Answer, store_problem};

/// Documents of a batch up to which the answer waits until readers see them: a back end that writes a user and asks at once must not be
/// answered from before. Imports are published in the background.
const IN_FORCE_AT_ONCE: usize = 16;

/// What a document did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserOutcome {
    /// What it changed.
    pub change: Change,
    /// Whether it came from a file and asked for what the person withdrew: that stays off.
    pub consent_kept: bool,
}

/// Writes users: attributes whole, of consent what each document says. One answer each. A small batch is in force when it is answered.
pub fn users(app: &App, lines: Vec<User>, origin: &ConsentOrigin) -> Vec<Answer<Change>> {
    outcomes(app, lines, origin).into_iter().map(|answer| answer.map(|outcome| outcome.change)).collect()
}

/// Writes users as [`users`] does, and says of each what became of its consent.
pub fn outcomes(app: &App, lines: Vec<User>, origin: &ConsentOrigin) -> Vec<Answer<UserOutcome>> {
    if let Err(problem) = app.writable() {
        return lines.iter().map(|_| Err(problem.clone())).collect();
    }
    let now = Timestamp::now();
    let (mut answers, places, good) = checked(lines, |user: &User| validate_user(user, now).map_err(Problem::from));
    let ids: Vec<UserId> = good.iter().map(|user| user.id.clone()).collect();
    let small = ids.len() <= IN_FORCE_AT_ONCE;
    let _in_order = app.write_order.users(ids.iter());
    match app.store.put_users(good, origin) {
        Ok(written) => {
            let mut changed = false;
            {
                let mut shop = app.shop.lock();
                for (place, outcome) in places.into_iter().zip(written) {
                    let answer = outcome.map_err(|error| store_problem(&error));
                    answers[place] = Some(answer.map(|WrittenUser { change, user, consent_kept }| {
                        if change != Change::Same {
                            shop.put_user(user);
                            changed = true;
                        }
                        UserOutcome { change, consent_kept }
                    }));
                }
            }
            if changed && small {
                app.publish();
            }
        }
        Err(error) => {
            for place in places {
                answers[place] = Some(Err(store_problem(&error)));
            }
        }
    }
    finish(answers)
}

/// Records the defaults of a source for the users of interactions whom the store does not know yet. The caller holds their order.
///
/// # Errors
/// The store's.
pub(super) fn introduce(app: &App, lines: &[Interaction], origin: &ConsentOrigin) -> Answer<()> {
    if origin.defaults.is_empty() {
        return Ok(());
    }
    let ids = lines.iter().filter_map(|line| line.user.clone()).collect();
    let new = app.store.introduce_users(ids, origin).map_err(|error| store_problem(&error))?;
    let mut shop = app.shop.lock();
    new.into_iter().for_each(|user| shop.put_user(user));
    Ok(())
}

#[cfg(test)]
mod tests;
