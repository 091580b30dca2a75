//! Users: declared attributes and consent, stored under a pseudonym; the sealed id is a record of its own.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use mercer_shared::ids::UserId;
use mercer_shared::wire::User;
use rustc_hash::FxHashMap;

use crate::arrival;
use crate::core::{Core, Writer};
use crate::error::{Result, StoreError};
use crate::items::{Change, read_keys};
use crate::layout::{USER, USER_NAME, pseudonym_key};
use crate::names::{name_record, open_name};
use crate::pseudonym::Pseudonym;
use crate::record::{Record, UserV1};
use crate::store::Store;

impl Store {
    /// Writes users whole; says of each what changed, or [`StoreError::Erased`] for an erased one. The others are written all or
    /// none.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`], [`StoreError::Storage`].
    pub fn put_users(&self, users: Vec<User>) -> Result<Vec<Result<Change>>> {
        let mut writer = self.core().write()?;
        write_users(self.core(), &mut writer, users)
    }

    /// Whether the store has a document or an interaction of this user.
    ///
    /// # Errors
    /// [`StoreError::Storage`] if it cannot be read.
    pub fn knows_user(&self, id: &UserId) -> Result<bool> {
        Ok(self.core().tree.contains_key(pseudonym_key(USER_NAME, &self.pseudonym(id)))?)
    }

    /// All users with a document, in order of arrival. A damaged record is one error of the iterator.
    pub fn users(&self) -> impl Iterator<Item = Result<User>> + use<> {
        read_users(self.core(), |user| user.document.map(|document| document.into_wire(user.id)))
    }

    /// All users in order of arrival: the documents of [`Store::users`], and an empty one with the default consent for each user
    /// known only by interactions. A damaged record is one error of the iterator.
    pub fn known_users(&self) -> impl Iterator<Item = Result<User>> + use<> {
        read_users(self.core(), |user| Some(user.document.unwrap_or_default().into_wire(user.id)))
    }
}

/// Reads all users in order of arrival, in the form that `choose` gives them.
fn read_users(core: &Arc<Core>, choose: fn(KnownUser) -> Option<User>) -> impl Iterator<Item = Result<User>> + use<> {
    let users = read_keys(Arc::clone(core), user_keys(core), KnownUser::read);
    users.filter_map(move |user| user.map(choose).transpose())
}

/// A user whom the store knows by a document or by interactions.
struct KnownUser {
    id: UserId,
    document: Option<UserV1>,
}

impl KnownUser {
    /// Reads a user from the record of the name.
    fn read(core: &Core, name_key: &[u8], name: &[u8]) -> Result<Self> {
        if name_key.first() != Some(&USER_NAME) {
            return Err(StoreError::corrupt(name_key, "the sealed id is missing"));
        }
        let id = open_name(core, name_key, name)?;
        let key = [&[USER], name_key.get(1..).unwrap_or_default()].concat();
        let document = core.tree.get(&key)?.map(|bytes| UserV1::decode(&key, &bytes)).transpose()?;
        Ok(Self { id, document })
    }
}

/// Lists the keys of all users' names in order of arrival, then the keys of documents whose name is missing.
fn user_keys(core: &Core) -> Result<Vec<sled::IVec>> {
    let mut keys = arrival::keys(core, USER_NAME)?;
    for key in core.tree.scan_prefix([USER]).keys() {
        let key = key?;
        let name = [&[USER_NAME], key.get(1..).unwrap_or_default()].concat();
        if !core.tree.contains_key(name)? {
            keys.push(key);
        }
    }
    Ok(keys)
}

/// Writes users; the caller holds the writer.
fn write_users(core: &Core, writer: &mut Writer, users: Vec<User>) -> Result<Vec<Result<Change>>> {
    let mut batch = sled::Batch::default();
    let mut pending: FxHashMap<Pseudonym, Vec<u8>> = FxHashMap::default();
    let mut outcomes = Vec::with_capacity(users.len());
    for user in users {
        let id = user.id.clone();
        let pseudonym = core.keys.user(&id);
        if writer.tombstones.contains(&core.keys.tombstone(&pseudonym)) {
            outcomes.push(Err(StoreError::Erased));
            continue;
        }
        let key = pseudonym_key(USER, &pseudonym);
        let bytes = UserV1::from_wire(user).encode(&key)?;
        let before = match pending.get(&pseudonym) {
            Some(bytes) => Some(sled::IVec::from(bytes.as_slice())),
            None => core.tree.get(key)?,
        };
        let change = match before {
            None => Change::New,
            Some(before) if *before == *bytes => Change::Same,
            Some(_) => Change::Changed,
        };
        outcomes.push(Ok(change));
        if change != Change::Same {
            if let Some(name) = name_record(core, writer, USER_NAME, pseudonym, id.as_str())? {
                batch.insert(&name.key[..], name.bytes);
            }
            batch.insert(&key[..], bytes.as_slice());
            pending.insert(pseudonym, bytes);
        }
    }
    if !pending.is_empty() {
        core.apply(batch)?;
        let new = outcomes.iter().filter(|outcome| **outcome == Ok(Change::New)).count() as u64;
        core.counters.users.fetch_add(new, Ordering::AcqRel);
    }
    Ok(outcomes)
}
