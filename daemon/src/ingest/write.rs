//! Writes documents: checks each line, makes it durable, then applies it. A wrong line does not affect the others.

use mercer_import::{validate_interaction, validate_item};
use mercer_shared::ids::ItemId;
use mercer_shared::problem::{Code, Problem};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{DeletedItem, EventKind, Interaction, Item, ItemPatch};
use mercer_store::{Appended, Change, ConsentOrigin};

use crate::ingest::lines::{checked, finish, refuse};
use crate::ingest::users;
use crate::state::app::App;
use crate::state::problems::{Answer, store_problem};

/// Writes interactions and returns one answer per line, in order. An accepted line is durable and will be seen by readers within a second. Users
/// whom the store does not know yet get the consent of their source.
pub fn interactions(app: &App, lines: Vec<Interaction>, origin: &ConsentOrigin) -> Vec<Answer<Appended>> {
    if let Err(problem) = app.writable() {
        return lines.iter().map(|_| Err(problem.clone())).collect();
    }
    let now = Timestamp::now();
    let (mut answers, places, good) = {
        let shop = app.shop.lock();
        let known = &shop.view().item_index;
        checked(lines, |line: &Interaction| {
            validate_interaction(line, now).map_err(Problem::from)?;
            match &line.item {
                // Interactions with a deleted item stay part of the log, and so they must be importable.
                Some(item)
                    if !known.contains_key(item)
                        && !app.store.is_deleted_item(item).map_err(|e| store_problem(&e))? =>
                {
                    Err(Problem::new(Code::UnknownItem, format!("there is no item `{item}`")))
                }
                _ => Ok(()),
            }
        })
    };
    let in_order = app.write_order.interactions(&good);
    if let Err(problem) = users::introduce(app, &good, origin) {
        return finish(refuse(answers, places, &problem));
    }
    let outcomes = app.store.append(good.clone());
    let mut accepted = 0;
    {
        let mut shop = app.shop.lock();
        for ((place, line), outcome) in places.into_iter().zip(good).zip(outcomes) {
            if let Ok(Appended::Accepted(seq)) = outcome {
                let taker = line.user.clone().filter(|_| line.kind.is_taken());
                shop.interact(seq, line);
                accepted += 1;
                if let Some(user) = taker.and_then(|user| shop.view().user_index.get(&user).copied()) {
                    app.guardrails.took(user);
                }
            }
            answers[place] = Some(outcome.map_err(|error| store_problem(&error)));
        }
    }
    drop(in_order);
    if accepted > 0 {
        app.counters.interactions(accepted);
        app.tell(EventKind::Interactions { accepted, total: app.store.counts().interactions });
    }
    finish(answers)
}

/// Writes items whole; one answer each.
pub fn items(app: &App, lines: Vec<Item>) -> Vec<Answer<Change>> {
    if let Err(problem) = app.writable() {
        return lines.iter().map(|_| Err(problem.clone())).collect();
    }
    let now = Timestamp::now();
    let (mut answers, places, good) = checked(lines, |item: &Item| validate_item(item, now).map_err(Problem::from));
    match app.store.put_items(good.clone()) {
        Ok(changes) => {
            let mut written = 0;
            let mut shop = app.shop.lock();
            for ((place, item), change) in places.into_iter().zip(good).zip(changes) {
                if change != Change::Same {
                    shop.put_item(item);
                    written += 1;
                }
                answers[place] = Some(Ok(change));
            }
            let total = shop.view().item_count() as u64;
            drop(shop);
            if written > 0 {
                app.tell(EventKind::Items { written, total });
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

/// Changes some fields of an item.
///
/// # Errors
/// `unknown-item`, or the refusal of the changed item.
pub fn patch_item(app: &App, id: &str, patch: ItemPatch) -> Answer<Item> {
    app.writable()?;
    let id = ItemId::new(id).map_err(|error| Problem::new(Code::BadId, error.to_string()))?;
    let unknown = || Problem::new(Code::UnknownItem, format!("there is no item `{id}`"));
    let mut result = app.store.get_item(&id).map_err(|e| store_problem(&e))?.ok_or_else(unknown)?;
    patch.clone().apply(&mut result);
    validate_item(&result, Timestamp::now()).map_err(Problem::from)?;
    let (item, change) = app.store.patch_item(&id, patch).map_err(|e| store_problem(&e))?.ok_or_else(unknown)?;
    if change != Change::Same {
        let total = {
            let mut shop = app.shop.lock();
            shop.put_item(item.clone());
            shop.view().item_count() as u64
        };
        app.publish();
        app.tell(EventKind::Items { written: 1, total });
    }
    Ok(item)
}

/// Writes tombstones of deleted items; one answer each. The items leave every list at once.
pub fn deleted_items(app: &App, lines: Vec<DeletedItem>) -> Vec<Answer<Change>> {
    if let Err(problem) = app.writable() {
        return lines.iter().map(|_| Err(problem.clone())).collect();
    }
    let changes = match app.store.put_deleted_items(lines.clone()) {
        Ok(changes) => changes,
        Err(error) => return lines.iter().map(|_| Err(store_problem(&error))).collect(),
    };
    forget_items(
        app,
        lines.iter().zip(&changes).filter(|(_, change)| **change != Change::Same).map(|(line, _)| &line.id),
    );
    changes.into_iter().map(Ok).collect()
}

/// Deletes an item and leaves a tombstone. Interactions with it stay, and writing the item again brings it back.
///
/// # Errors
/// `unknown-item`, also for an item that is deleted already, `bad-id`, or the store's.
pub fn delete_item(app: &App, id: &str) -> Answer<DeletedItem> {
    app.writable()?;
    let id = ItemId::new(id).map_err(|error| Problem::new(Code::BadId, error.to_string()))?;
    let deleted = app.store.delete_item(&id, Timestamp::now()).map_err(|e| store_problem(&e))?;
    let deleted = deleted.ok_or_else(|| Problem::new(Code::UnknownItem, format!("there is no item `{id}`")))?;
    forget_items(app, std::iter::once(&id));
    Ok(deleted)
}

/// Takes deleted items out of every list, from the next request on.
fn forget_items<'a>(app: &App, ids: impl Iterator<Item = &'a ItemId>) {
    let (written, total) = {
        let mut shop = app.shop.lock();
        let written = ids.map(|id| shop.delete_item(id)).count() as u64;
        (written, shop.view().item_count() as u64)
    };
    app.publish();
    if written > 0 {
        app.tell(EventKind::Items { written, total });
    }
}
