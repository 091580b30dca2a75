//! Users: declared attributes and consent, stored under a pseudonym; the sealed id is a record of its own.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use mercer_shared::ids::UserId;
use mercer_shared::wire::{ConsentChoice, ForgottenInterest, User};
use rustc_hash::FxHashMap;

use crate::arrival;
use crate::consent::{ConsentOrigin, StoredUser};
use crate::core::{Core, Writer};
use crate::error::{Result, StoreError};
use crate::items::{Change, read_keys};
use crate::layout::{USER, USER_NAME, pseudonym_key};
use crate::names::{name_record, open_name};
use crate::pseudonym::Pseudonym;
use crate::store::Store;
use crate::user_record::{UserV2, read_user};

/// A user after a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenUser {
    /// What the write changed.
    pub change: Change,
    /// The user as stored now.
    pub user: StoredUser,
    /// Whether a file asked for what the person withdrew, and did not get it.
    pub consent_kept: bool,
}

/// What is to become of a user.
enum UserWrite {
    /// A document.
    Document(User),
    /// A choice of consent; attributes stay.
    Choice(UserId, ConsentChoice),
    /// The defaults of the source, if the user is new.
    Introduction(UserId),
    /// The removal of an interest.
    Forget(UserId, ForgottenInterest),
}

impl UserWrite {
    const fn id(&self) -> &UserId {
        match self {
            Self::Document(user) => &user.id,
            Self::Choice(id, _) | Self::Introduction(id) | Self::Forget(id, _) => id,
        }
    }
}

impl Store {
    /// Writes users: attributes whole, of consent what the document says. Says of each what changed, or [`StoreError::Erased`] for
    /// an erased one. The others are written all or none.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`], [`StoreError::Storage`], [`StoreError::Corrupt`] if the present record is damaged.
    pub fn put_users(&self, users: Vec<User>, origin: &ConsentOrigin) -> Result<Vec<Result<WrittenUser>>> {
        let mut writer = self.core().write()?;
        write_users(self.core(), &mut writer, users.into_iter().map(UserWrite::Document), origin)
    }

    /// Records a choice of consent of a known user; scopes that it does not name stay. `None` for an unknown user.
    ///
    /// # Errors
    /// As [`Store::put_users`], and [`StoreError::Erased`].
    pub fn choose_consent(
        &self,
        id: &UserId,
        choice: ConsentChoice,
        origin: &ConsentOrigin,
    ) -> Result<Option<WrittenUser>> {
        let mut writer = self.core().write()?;
        if writer.tombstones.contains(&self.core().keys.tombstone(&self.pseudonym(id))) {
            return Err(StoreError::Erased);
        }
        if !self.knows_user(id)? {
            return Ok(None);
        }
        let write = std::iter::once(UserWrite::Choice(id.clone(), choice));
        write_users(self.core(), &mut writer, write, origin)?.pop().transpose()
    }

    /// Removes an interest of a known user; `None` for an unknown one.
    ///
    /// # Errors
    /// As [`Store::choose_consent`].
    pub fn forget_interest(&self, id: &UserId, interest: ForgottenInterest) -> Result<Option<WrittenUser>> {
        let mut writer = self.core().write()?;
        if !self.knows_user(id)? {
            return Ok(None);
        }
        let write = std::iter::once(UserWrite::Forget(id.clone(), interest));
        write_users(self.core(), &mut writer, write, &ConsentOrigin::default())?.pop().transpose()
    }

    /// Records the defaults of a source for those of the users that are new; returns these. Erased users are passed over.
    ///
    /// # Errors
    /// As [`Store::put_users`].
    pub fn introduce_users(&self, ids: Vec<UserId>, origin: &ConsentOrigin) -> Result<Vec<StoredUser>> {
        if origin.defaults.is_empty() {
            return Ok(Vec::new());
        }
        let mut writer = self.core().write()?;
        let mut new = Vec::new();
        for id in ids {
            if !self.knows_user(&id)? {
                new.push(UserWrite::Introduction(id));
            }
        }
        let written = write_users(self.core(), &mut writer, new.into_iter(), origin)?;
        Ok(written.into_iter().flatten().map(|written| written.user).collect())
    }

    /// The user as stored; one without attributes and consent if known only by interactions, `None` if unknown.
    ///
    /// # Errors
    /// [`StoreError::Storage`], [`StoreError::Corrupt`].
    pub fn stored_user(&self, id: &UserId) -> Result<Option<StoredUser>> {
        let key = pseudonym_key(USER, &self.pseudonym(id));
        if let Some(bytes) = self.core().tree().get(key)? {
            return read_user(&key, &bytes, id.clone()).map(Some);
        }
        Ok(self.knows_user(id)?.then(|| StoredUser::new(id.clone())))
    }

    /// The keyed hash that is kept of a user after an erasure. Without the key it cannot be matched with the pseudonym.
    #[must_use]
    pub fn tombstone(&self, user: &UserId) -> Pseudonym {
        self.core().keys.tombstone(&self.pseudonym(user))
    }

    /// Whether the store has a document or an interaction of this user.
    ///
    /// # Errors
    /// [`StoreError::Storage`] if it cannot be read.
    pub fn knows_user(&self, id: &UserId) -> Result<bool> {
        Ok(self.core().tree().contains_key(pseudonym_key(USER_NAME, &self.pseudonym(id)))?)
    }

    /// All users with a document, in order of arrival. A damaged record is one error of the iterator.
    pub fn users(&self) -> impl Iterator<Item = Result<StoredUser>> + use<> {
        read_users(self.core(), |user| user.document)
    }

    /// All users in order of arrival: the documents of [`Store::users`], and an empty one for each user known only by
    /// interactions. A damaged record is one error of the iterator.
    pub fn known_users(&self) -> impl Iterator<Item = Result<StoredUser>> + use<> {
        read_users(self.core(), |user| Some(user.document.unwrap_or_else(|| StoredUser::new(user.id))))
    }
}

/// Reads all users in order of arrival, in the form that `choose` gives them.
fn read_users(
    core: &Arc<Core>,
    choose: fn(KnownUser) -> Option<StoredUser>,
) -> impl Iterator<Item = Result<StoredUser>> + use<> {
    let users = read_keys(Arc::clone(core), user_keys(core), KnownUser::read);
    users.filter_map(move |user| user.map(choose).transpose())
}

/// A user whom the store knows by a document or by interactions.
struct KnownUser {
    id: UserId,
    document: Option<StoredUser>,
}

impl KnownUser {
    /// Reads a user from the record of the name.
    fn read(core: &Core, name_key: &[u8], name: &[u8]) -> Result<Self> {
        if name_key.first() != Some(&USER_NAME) {
            return Err(StoreError::corrupt(name_key, "the sealed id is missing"));
        }
        let id: UserId = open_name(core, name_key, name)?;
        let key = [&[USER], name_key.get(1..).unwrap_or_default()].concat();
        let document = core.tree().get(&key)?.map(|bytes| read_user(&key, &bytes, id.clone())).transpose()?;
        Ok(Self { id, document })
    }
}

/// Lists the keys of all users' names in order of arrival, then the keys of documents whose name is missing.
fn user_keys(core: &Core) -> Result<Vec<sled::IVec>> {
    let mut keys = arrival::keys(core, USER_NAME)?;
    for key in core.tree().scan_prefix([USER]).keys() {
        let key = key?;
        let name = [&[USER_NAME], key.get(1..).unwrap_or_default()].concat();
        if !core.tree().contains_key(name)? {
            keys.push(key);
        }
    }
    Ok(keys)
}

/// Writes users; the caller holds the writer.
fn write_users(
    core: &Core,
    writer: &mut Writer,
    writes: impl Iterator<Item = UserWrite>,
    origin: &ConsentOrigin,
) -> Result<Vec<Result<WrittenUser>>> {
    let mut batch = sled::Batch::default();
    let mut pending: FxHashMap<Pseudonym, StoredUser> = FxHashMap::default();
    let (mut outcomes, mut new_documents) = (Vec::new(), 0);
    for write in writes {
        let id = write.id().clone();
        let pseudonym = core.keys.user(&id);
        if writer.tombstones.contains(&core.keys.tombstone(&pseudonym)) {
            outcomes.push(Err(StoreError::Erased));
            continue;
        }
        let key = pseudonym_key(USER, &pseudonym);
        let before = match pending.get(&pseudonym) {
            Some(user) => Some(user.clone()),
            None => core.tree().get(key)?.map(|bytes| read_user(&key, &bytes, id.clone())).transpose()?,
        };
        let is_new = before.is_none() && !core.tree().contains_key(pseudonym_key(USER_NAME, &pseudonym))?;
        let mut user = before.clone().unwrap_or_else(|| StoredUser::new(id.clone()));
        let mut consent_kept = false;
        match write {
            UserWrite::Document(document) => consent_kept = user.take(document, is_new, origin),
            UserWrite::Choice(_, choice) => user.consent.take(choice, is_new, origin),
            UserWrite::Forget(_, interest) => user.forget(interest),
            UserWrite::Introduction(_) => user.consent.take(ConsentChoice::UNSAID, is_new, origin),
        }
        let change = match &before {
            None => Change::New,
            Some(before) if *before == user => Change::Same,
            Some(_) => Change::Changed,
        };
        if change != Change::Same {
            if let Some(name) = name_record(core, writer, USER_NAME, pseudonym, id.as_str())? {
                batch.insert(&name.key[..], name.bytes);
            }
            batch.insert(&key[..], UserV2::write(&key, &user)?);
            new_documents += u64::from(change == Change::New);
            pending.insert(pseudonym, user.clone());
        }
        outcomes.push(Ok(WrittenUser { change, user, consent_kept }));
    }
    if !pending.is_empty() {
        core.apply(batch)?;
        core.counters.users.fetch_add(new_documents, Ordering::AcqRel);
    }
    Ok(outcomes)
}
