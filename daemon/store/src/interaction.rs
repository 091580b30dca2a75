//! The stored form of an interaction, and the identity by which repeated ones are found.

use mercer_shared::ids::{InteractionId, ItemId, SessionId, UserId};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{Interaction, InteractionType};

use crate::error::Result;
use crate::keys::Keyring;
use crate::pseudonym::Pseudonym;
use crate::record::finite;

/// An interaction as the log keeps it: user and session are pseudonyms.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredInteraction {
    /// Sequence number in the log, from 1. It is never given twice; the log has gaps where a user was erased.
    pub seq: u64,
    /// The shop's id of the interaction.
    pub id: Option<InteractionId>,
    /// Pseudonym of the user.
    pub user: Option<Pseudonym>,
    /// Pseudonym of the session.
    pub session: Option<Pseudonym>,
    /// Type of the interaction.
    pub kind: InteractionType,
    /// The item it concerns.
    pub item: Option<ItemId>,
    /// Text of a search.
    pub query: Option<String>,
    /// The served list it belongs to.
    pub query_id: Option<String>,
    /// Quantity, rating or dwell time.
    pub value: Option<f64>,
    /// Text of a review.
    pub text: Option<String>,
    /// Rank in the served list, from 1.
    pub position: Option<u32>,
    /// When it happened.
    pub at: Timestamp,
    /// The shop's name of the source, such as an import file.
    pub source: Option<String>,
}

impl StoredInteraction {
    /// Converts an interaction of the wire; `seq` is 0 until the committer assigns one.
    ///
    /// # Errors
    /// [`StoreError::Invalid`](crate::StoreError::Invalid) if `value` is not finite.
    pub(crate) fn from_wire(keys: &Keyring, interaction: Interaction) -> Result<Self> {
        Ok(Self {
            seq: 0,
            id: interaction.id,
            user: interaction.user.as_ref().map(|id| keys.user(id)),
            session: interaction.session.as_ref().map(|id| keys.session(id)),
            kind: interaction.kind,
            item: interaction.item,
            query: interaction.query,
            query_id: interaction.query_id,
            value: finite("value", interaction.value)?,
            text: interaction.text,
            position: interaction.position,
            at: interaction.at,
            source: interaction.source,
        })
    }

    /// Converts back to the wire, with the ids that belong to the pseudonyms.
    pub(crate) fn into_wire(self, user: Option<UserId>, session: Option<SessionId>) -> Interaction {
        Interaction {
            id: self.id,
            user,
            session,
            kind: self.kind,
            item: self.item,
            query: self.query,
            query_id: self.query_id,
            value: self.value,
            text: self.text,
            position: self.position,
            at: self.at,
            source: self.source,
        }
    }

    /// Estimates its size in a block, in bytes.
    pub(crate) fn size_hint(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        48 + self.id.as_ref().map_or(0, |id| id.as_str().len())
            + self.item.as_ref().map_or(0, |id| id.as_str().len())
            + text(&self.query)
            + text(&self.query_id)
            + text(&self.text)
    }
}

/// Hashes what makes two interactions the same: the id, or the whole content if there is no id. The bytes hashed here never
/// change; they do not follow the record format.
pub(crate) fn identity(keys: &Keyring, line: &StoredInteraction) -> [u8; 16] {
    if let Some(id) = &line.id {
        return keys.identity("id", id.as_str().as_bytes());
    }
    let mut bytes = Vec::with_capacity(160);
    let mut field = |value: Option<&[u8]>| match value {
        None => bytes.push(0),
        Some(value) => {
            bytes.push(1);
            bytes.extend_from_slice(&(value.len() as u64).to_le_bytes());
            bytes.extend_from_slice(value);
        }
    };
    field(line.user.as_ref().map(|user| user.0.as_slice()));
    field(line.session.as_ref().map(|session| session.0.as_slice()));
    field(Some(line.kind.as_str().as_bytes()));
    field(line.item.as_ref().map(|item| item.as_str().as_bytes()));
    field(line.query.as_deref().map(str::as_bytes));
    field(line.query_id.as_deref().map(str::as_bytes));
    field(line.value.map(|value| value.to_bits().to_le_bytes()).as_ref().map(<[u8; 8]>::as_slice));
    field(line.text.as_deref().map(str::as_bytes));
    field(line.position.map(u32::to_le_bytes).as_ref().map(<[u8; 4]>::as_slice));
    field(Some(&line.at.millis().to_le_bytes()));
    field(line.source.as_deref().map(str::as_bytes));
    keys.identity("content", &bytes)
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::option::of;
    use proptest::prelude::*;

    use super::*;
    use crate::keys::Key;

    prop_compose! {
        /// Any interaction, valid or not.
        pub(crate) fn interaction()(
            names in (of("[a-c]{1,2}"), of("\\PC{1,40}"), of("[a-c]"), of("\\PC{1,20}")),
            kind in 0..InteractionType::ALL.len(),
            texts in (of(".{0,40}"), of(".{0,10}"), of(".{0,200}"), of("[xy]")),
            value in of(prop_oneof![0.0..1e9, Just(f64::MIN_POSITIVE), Just(f64::MAX), Just(-0.0)]),
            position in of(any::<u32>()),
            at in 0..=Timestamp::MAX.millis(),
        ) -> Interaction {
            Interaction {
                id: names.1.and_then(|id| InteractionId::new(id).ok()),
                user: names.0.map(|id| id.parse().unwrap()),
                session: names.2.map(|id| id.parse().unwrap()),
                kind: InteractionType::ALL[kind],
                item: names.3.and_then(|id| ItemId::new(id).ok()),
                query: texts.0,
                query_id: texts.1,
                value,
                text: texts.2,
                position,
                at: Timestamp::from_millis(at).unwrap(),
                source: texts.3,
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn identity_tells_contents_apart(one in interaction(), two in interaction()) {
            let keys = Keyring::new(&Key::from_bytes([3; 32]));
            let of = |line: &Interaction| identity(&keys, &StoredInteraction::from_wire(&keys, line.clone()).unwrap());
            let same_bits = one.value.map(f64::to_bits) == two.value.map(f64::to_bits);
            let same = if one.id.is_some() || two.id.is_some() { one.id == two.id } else { one == two && same_bits };
            prop_assert_eq!(of(&one) == of(&two), same);
            prop_assert_eq!(of(&one), of(&one.clone()));
        }
    }

    #[test]
    fn identity_is_fixed_for_good() {
        // A log imported by an older program must be recognised by a newer one: these bytes may never change.
        let keys = Keyring::new(&Key::from_bytes(std::array::from_fn(|index| index as u8)));
        let line: Interaction = serde_json::from_str(
            r#"{"user":"42","type":"purchase","item":"85123A","value":6,"at":"2010-12-01T08:26:00Z"}"#,
        )
        .unwrap();
        let hex = |line: &Interaction| {
            let stored = StoredInteraction::from_wire(&keys, line.clone()).unwrap();
            mercer_shared::hex::to_hex(&identity(&keys, &stored))
        };
        assert_eq!(hex(&line), "d403d41268613a17b624c91e2b3ee5e5");
        let named = Interaction { id: Some(InteractionId::new("536365-0").unwrap()), ..line };
        assert_eq!(hex(&named), "565f7c6f205e2b676ccb348d8cf0fa16");
    }
}
