//! The interface to which an import hands its documents. The daemon implements it with a sink that writes; [`DryRun`]
//! only counts.

use mercer_shared::ids::{InteractionId, ItemId, UserId};
use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::{DeletedItem, Interaction, Item, User};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::account::Outcome;

/// Takes documents in batches and returns one outcome per document, in order. The documents have passed
/// [`validate`](crate::validate).
pub trait Sink {
    /// Writes items.
    fn items(&mut self, items: Vec<Item>) -> Vec<Outcome>;

    /// Writes tombstones of deleted items.
    fn deleted_items(&mut self, deleted: Vec<DeletedItem>) -> Vec<Outcome>;

    /// Writes users.
    fn users(&mut self, users: Vec<User>) -> Vec<Outcome>;

    /// Writes interactions.
    fn interactions(&mut self, interactions: Vec<Interaction>) -> Vec<Outcome>;

    /// Whether the shop has this item. Logs that only name items must not overwrite its description. A sink that cannot
    /// tell returns false.
    fn knows_item(&self, _id: &ItemId) -> bool {
        false
    }

    /// Called between batches: the reason to stop, such as a read-only store or a stopping daemon.
    fn ends(&mut self) -> Option<Problem> {
        None
    }
}

/// Writes nothing and reports what would happen, as far as the file alone shows: a repeated document is a duplicate.
#[derive(Debug, Default)]
pub struct DryRun {
    interactions: FxHashSet<[u8; 16]>,
    items: FxHashMap<ItemId, [u8; 16]>,
    deleted: FxHashSet<ItemId>,
    users: FxHashMap<UserId, [u8; 16]>,
}

/// 128 bits of a document's content, for telling equal ones.
fn print<T: serde::Serialize>(document: &T) -> Result<[u8; 16], Outcome> {
    let bytes = serde_json::to_vec(document).map_err(|error| Outcome::Rejected(Code::Internal, error.to_string()))?;
    let mut print = [0; 16];
    print.copy_from_slice(&blake3::hash(&bytes).as_bytes()[..16]);
    Ok(print)
}

fn change<K: std::hash::Hash + Eq, T: serde::Serialize>(
    known: &mut FxHashMap<K, [u8; 16]>,
    key: K,
    document: &T,
) -> Outcome {
    match print(document) {
        Err(refused) => refused,
        Ok(print) if known.insert(key, print) == Some(print) => Outcome::Duplicate,
        Ok(_) => Outcome::Accepted,
    }
}

impl Sink for DryRun {
    fn items(&mut self, items: Vec<Item>) -> Vec<Outcome> {
        items.into_iter().map(|item| change(&mut self.items, item.id.clone(), &item)).collect()
    }

    fn deleted_items(&mut self, deleted: Vec<DeletedItem>) -> Vec<Outcome> {
        let mut one = |item: DeletedItem| {
            self.items.remove(&item.id);
            if self.deleted.insert(item.id) { Outcome::Accepted } else { Outcome::Duplicate }
        };
        deleted.into_iter().map(&mut one).collect()
    }

    fn users(&mut self, users: Vec<User>) -> Vec<Outcome> {
        users.into_iter().map(|user| change(&mut self.users, user.id.clone(), &user)).collect()
    }

    fn interactions(&mut self, interactions: Vec<Interaction>) -> Vec<Outcome> {
        let mut one = |interaction: Interaction| {
            // Without an id the content is the identity, as in the store.
            let identity = interaction.id.as_ref().map(InteractionId::as_str);
            match identity.map_or_else(|| print(&interaction), |id| print(&id)) {
                Err(refused) => refused,
                Ok(print) if self.interactions.insert(print) => Outcome::Accepted,
                Ok(_) => Outcome::Duplicate,
            }
        };
        interactions.into_iter().map(&mut one).collect()
    }
}
