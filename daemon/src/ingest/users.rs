//! Writes users: checks each line, makes it durable, then applies it.

use mercer_import::validate_user;
use mercer_shared::ids::UserId;
use mercer_shared::problem::Problem;
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{Interaction, User};
use mercer_store::{Change, ConsentOrigin};

use crate::ingest::lines::{checked, finish};
use crate::state::app::App;
use crate::state::problems::{Answer, store_problem};

/// Documents of a batch up to which the answer waits until readers see them: a back end that writes a user and asks at once must not be
/// answered from before. Imports are published in the background.
const IN_FORCE_AT_ONCE: usize = 16;

/// Writes users: attributes whole, of consent what each document says. One answer each. A small batch is in force when it is answered.
pub fn users(app: &App, lines: Vec<User>, origin: &ConsentOrigin) -> Vec<Answer<Change>> {
    if let Err(problem) = app.writable() {
        return lines.iter().map(|_| Err(problem.clone())).collect();
    }
    let now = Timestamp::now();
    let (mut answers, places, good) = checked(lines, |user: &User| validate_user(user, now).map_err(Problem::from));
    let ids: Vec<UserId> = good.iter().map(|user| user.id.clone()).collect();
    let small = ids.len() <= IN_FORCE_AT_ONCE;
    let _in_order = app.write_order.users(ids.iter());
    match app.store.put_users(good, origin) {
        Ok(outcomes) => {
            let mut changed = false;
            {
                let mut shop = app.shop.lock();
                for (place, outcome) in places.into_iter().zip(outcomes) {
                    let answer = outcome.map_err(|error| store_problem(&error));
                    answers[place] = Some(answer.map(|written| {
                        if written.change != Change::Same {
                            shop.put_user(written.user);
                            changed = true;
                        }
                        written.change
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
