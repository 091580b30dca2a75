//! Users: declared attributes and consent under a pseudonym, the id sealed beside it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use mercer_shared::ids::UserId;
use mercer_shared::wire::User;
use rustc_hash::FxHashMap;

use crate::commit::name_record;
use crate::items::{Change, walk};
use crate::keys::Pseudonym;
use crate::layout::{USER, USER_NAME, pseudonym_key};
use crate::record::{Record, UserV1};
use crate::store::{Core, Writer};
use crate::{Result, Store, StoreError};

fn pseudonym_of(key: &[u8]) -> Result<Pseudonym> {
    let bytes = key.get(1..).and_then(|rest| rest.try_into().ok());
    bytes.map(Pseudonym).ok_or_else(|| StoreError::corrupt(key, "the key is no pseudonym"))
}

impl Store {
    /// Writes users whole; says of each what changed, or [`StoreError::Erased`] for one who was erased. The others are
    /// written all or none.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`], [`StoreError::Storage`].
    pub fn put_users(&self, users: Vec<User>) -> Result<Vec<Result<Change>>> {
        let mut writer = self.core().write()?;
        self.write_users(&mut writer, users)
    }

    /// Changes a user, who need not have been written before; gives what stands now.
    ///
    /// # Errors
    /// [`StoreError::Erased`], [`StoreError::ReadOnly`], [`StoreError::Storage`], and [`StoreError::Corrupt`] if the present
    /// record is damaged.
    pub fn update_user(&self, id: &UserId, change: impl FnOnce(&mut User)) -> Result<(User, Change)> {
        let mut writer = self.core().write()?;
        let mut user = self.get_user(id)?.unwrap_or_else(|| UserV1::default().into_wire(id.clone()));
        change(&mut user);
        user.id = id.clone();
        let mut outcomes = self.write_users(&mut writer, vec![user.clone()])?;
        let outcome = outcomes.pop().unwrap_or(Ok(Change::Same));
        outcome.map(|change| (user, change))
    }

    fn write_users(&self, writer: &mut Writer, users: Vec<User>) -> Result<Vec<Result<Change>>> {
        let core = self.core();
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
            let stored;
            let before = match pending.get(&pseudonym) {
                Some(bytes) => Some(bytes.as_slice()),
                None => {
                    stored = core.tree.get(key)?;
                    stored.as_deref()
                }
            };
            let change = match before {
                None => Change::New,
                Some(before) if before == bytes => Change::Same,
                Some(_) => Change::Changed,
            };
            outcomes.push(Ok(change));
            if change != Change::Same {
                if let Some((name_key, record)) = name_record(core, writer, USER_NAME, pseudonym, id.as_str())? {
                    batch.insert(&name_key[..], record);
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

    /// A user who was written as a document; one known by interactions only has none, see [`Store::knows_user`].
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if the record is damaged.
    pub fn get_user(&self, id: &UserId) -> Result<Option<User>> {
        let key = pseudonym_key(USER, &self.pseudonym(id));
        let bytes = self.core().tree.get(key)?;
        bytes.map(|bytes| Ok(UserV1::decode(&key, &bytes)?.into_wire(id.clone()))).transpose()
    }

    /// Whether the store has anything of this user: a document or an interaction.
    ///
    /// # Errors
    /// [`StoreError::Storage`] if it cannot be read.
    pub fn knows_user(&self, id: &UserId) -> Result<bool> {
        Ok(self.core().tree.contains_key(pseudonym_key(USER_NAME, &self.pseudonym(id)))?)
    }

    /// The id behind a pseudonym, if the store has it.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if the sealed id does not open.
    pub fn user_id(&self, pseudonym: &Pseudonym) -> Result<Option<UserId>> {
        self.core().unsealed(USER_NAME, pseudonym)
    }

    /// All users that were written as documents, in order of their pseudonyms; a damaged record is one error of the walk.
    pub fn users(&self) -> impl Iterator<Item = Result<User>> + use<> {
        walk(Arc::clone(self.core()), USER, |core, key, bytes| {
            let id = name_of(core, &pseudonym_of(key)?)?;
            Ok(UserV1::decode(key, bytes)?.into_wire(id))
        })
    }

    /// The ids of all users the store knows, by document or interaction, in order of their pseudonyms.
    pub fn user_ids(&self) -> impl Iterator<Item = Result<UserId>> + use<> {
        walk(Arc::clone(self.core()), USER_NAME, |core, key, bytes| core.open_name(key, &pseudonym_of(key)?, bytes))
    }
}

fn name_of(core: &Core, pseudonym: &Pseudonym) -> Result<UserId> {
    core.unsealed(USER_NAME, pseudonym)?
        .ok_or_else(|| StoreError::corrupt(&pseudonym_key(USER, pseudonym), "the sealed id is missing"))
}
