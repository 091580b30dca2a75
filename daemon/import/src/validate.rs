//! Validates documents before they are stored. HTTP and every import use these same checks, so they refuse the same
//! lines with the same codes.

use mercer_shared::problem::{Code, Problem};
use mercer_shared::time::{DAY_MS, Timestamp};
use mercer_shared::wire::{ExportLine, Interaction, InteractionType, Item, User};

/// Why a document was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Stable code.
    pub code: Code,
    /// The reason, in words.
    pub detail: String,
}

impl Refusal {
    /// A refusal with its code and its words.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }

    /// The same refusal with the place it is about in front, such as `events[3]`.
    #[must_use]
    pub fn at(self, place: &str) -> Self {
        Self { detail: format!("{place}: {}", self.detail), ..self }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.code, refusal.detail)
    }
}

/// Longest title in bytes.
pub const MAX_TITLE_BYTES: usize = 1_000;
/// Longest other text (description, query, review, attribute) in bytes.
pub const MAX_TEXT_BYTES: usize = 20_000;
/// Longest short label (brand, seller, source, `query_id`, name of an attribute) in bytes.
pub const MAX_LABEL_BYTES: usize = 1_000;
/// Most attributes of an item or a user.
pub const MAX_ATTRIBUTES: usize = 256;
/// Longest category path.
pub const MAX_CATEGORY_LEVELS: usize = 32;
/// Most components of a vector made elsewhere.
pub const MAX_EMBEDDING: usize = 8_192;
/// Largest lead of an interaction over our clock, milliseconds: one day covers clock errors and mistaken zones.
pub const MAX_AHEAD_MS: i64 = DAY_MS;

/// A document of the wire that can be checked before it is kept.
pub trait Document {
    /// Checks everything that serde cannot, as of the clock `now`.
    ///
    /// # Errors
    /// The first rule that is broken.
    fn validate(&self, now: Timestamp) -> Result<(), Refusal>;
}

impl Document for Item {
    fn validate(&self, now: Timestamp) -> Result<(), Refusal> {
        validate_item(self, now)
    }
}

impl Document for User {
    fn validate(&self, now: Timestamp) -> Result<(), Refusal> {
        validate_user(self, now)
    }
}

impl Document for Interaction {
    fn validate(&self, now: Timestamp) -> Result<(), Refusal> {
        validate_interaction(self, now)
    }
}

impl Document for ExportLine {
    fn validate(&self, now: Timestamp) -> Result<(), Refusal> {
        match self {
            Self::Item(item) => validate_item(item, now),
            // Its fields check themselves when they are read.
            Self::DeletedItem(_) => Ok(()),
            Self::User(user) => validate_user(user, now),
            Self::Interaction(interaction) => validate_interaction(interaction, now),
        }
    }
}

/// Checks an item: lengths, finite non-negative price, a currency of three letters. `available_from` may lie in the future:
/// shops announce things.
///
/// # Errors
/// `too-long`, `bad-number` or `wrong-type`, and which field.
pub fn validate_item(item: &Item, _now: Timestamp) -> Result<(), Refusal> {
    length("title", &item.title, MAX_TITLE_BYTES)?;
    optional("description", item.description.as_deref(), MAX_TEXT_BYTES)?;
    optional("brand", item.brand.as_deref(), MAX_LABEL_BYTES)?;
    optional("seller", item.seller.as_deref(), MAX_LABEL_BYTES)?;
    if item.category.len() > MAX_CATEGORY_LEVELS {
        return Err(Refusal::new(
            Code::TooLong,
            format!("category: at most {MAX_CATEGORY_LEVELS} levels, this one has {}", item.category.len()),
        ));
    }
    for level in &item.category {
        length("category", level, MAX_LABEL_BYTES)?;
    }
    number("price", item.price)?;
    if let Some(currency) = &item.currency
        && (currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_alphabetic()))
    {
        return Err(Refusal::new(
            Code::WrongType,
            format!("currency: `{}` is no ISO 4217 code such as EUR", clip(currency)),
        ));
    }
    if let Some(vector) = &item.image_embedding {
        if vector.len() > MAX_EMBEDDING {
            return Err(Refusal::new(
                Code::TooLong,
                format!("image_embedding: at most {MAX_EMBEDDING} components, this one has {}", vector.len()),
            ));
        }
        if !vector.iter().all(|component| component.is_finite()) {
            return Err(Refusal::new(Code::BadNumber, "image_embedding: every component must be finite".to_owned()));
        }
    }
    attributes(&item.attributes)
}

/// Checks a user: lengths and number of attributes.
///
/// # Errors
/// `too-long`, and which field.
pub fn validate_user(user: &User, _now: Timestamp) -> Result<(), Refusal> {
    attributes(&user.attributes)
}

/// Checks an interaction: a user or session, an item (or the query of a search), a time no later than [`MAX_AHEAD_MS`]
/// after `now`, a finite non-negative value, a position from 1.
///
/// # Errors
/// `bad-interaction`, `bad-time`, `bad-number` or `too-long`, and which field.
pub fn validate_interaction(interaction: &Interaction, now: Timestamp) -> Result<(), Refusal> {
    if interaction.user.is_none() && interaction.session.is_none() {
        return Err(Refusal::new(Code::BadInteraction, "names neither a user nor a session".to_owned()));
    }
    if interaction.kind == InteractionType::Search {
        if interaction.query.as_deref().is_none_or(|query| query.trim().is_empty()) {
            return Err(Refusal::new(Code::BadInteraction, "a search needs a query".to_owned()));
        }
    } else if interaction.item.is_none() {
        return Err(Refusal::new(Code::BadInteraction, format!("a {} needs an item", interaction.kind.as_str())));
    }
    if interaction.at > now.plus_millis(MAX_AHEAD_MS) {
        return Err(Refusal::new(Code::BadTime, format!("at: {} lies more than a day in the future", interaction.at)));
    }
    number("value", interaction.value)?;
    if interaction.position == Some(0) {
        return Err(Refusal::new(Code::BadNumber, "position: ranks count from 1".to_owned()));
    }
    optional("query", interaction.query.as_deref(), MAX_TEXT_BYTES)?;
    optional("text", interaction.text.as_deref(), MAX_TEXT_BYTES)?;
    optional("query_id", interaction.query_id.as_deref(), MAX_LABEL_BYTES)?;
    optional("source", interaction.source.as_deref(), MAX_LABEL_BYTES)
}

fn attributes(map: &std::collections::BTreeMap<String, String>) -> Result<(), Refusal> {
    if map.len() > MAX_ATTRIBUTES {
        return Err(Refusal::new(
            Code::TooLong,
            format!("attributes: at most {MAX_ATTRIBUTES}, these are {}", map.len()),
        ));
    }
    for (key, value) in map {
        length("attributes: a name", key, MAX_LABEL_BYTES)?;
        if value.len() > MAX_TEXT_BYTES {
            return Err(Refusal::new(
                Code::TooLong,
                format!("attributes.{}: at most {MAX_TEXT_BYTES} bytes, this one has {}", clip(key), value.len()),
            ));
        }
    }
    Ok(())
}

fn optional(field: &str, text: Option<&str>, limit: usize) -> Result<(), Refusal> {
    text.map_or(Ok(()), |text| length(field, text, limit))
}

fn length(field: &str, text: &str, limit: usize) -> Result<(), Refusal> {
    if text.len() > limit {
        return Err(Refusal::new(
            Code::TooLong,
            format!("{field}: at most {limit} bytes, this one has {}", text.len()),
        ));
    }
    Ok(())
}

fn number(field: &str, value: Option<f64>) -> Result<(), Refusal> {
    match value {
        Some(value) if !value.is_finite() => Err(Refusal::new(Code::BadNumber, format!("{field}: must be finite"))),
        Some(value) if value < 0.0 => Err(Refusal::new(Code::BadNumber, format!("{field}: {value} is negative"))),
        _ => Ok(()),
    }
}

/// The beginning of a text, short enough for an error line.
pub(crate) fn clip(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2024-05-01T12:00:00Z".parse().unwrap()
    }

    fn code_of<T: Document + serde::de::DeserializeOwned>(line: &str) -> Option<Code> {
        let document: T = serde_json::from_str(line).unwrap();
        document.validate(now()).err().map(|refusal| refusal.code)
    }

    #[test]
    fn interactions() {
        let cases = [
            (r#"{"user":"u","type":"view","item":"i","at":"2024-05-01"}"#, None),
            (r#"{"session":"s","type":"search","query":"red","at":"2024-05-02T11:59:59Z"}"#, None),
            (r#"{"type":"view","item":"i","at":"2024-05-01"}"#, Some(Code::BadInteraction)),
            (r#"{"user":"u","type":"view","at":"2024-05-01"}"#, Some(Code::BadInteraction)),
            (r#"{"user":"u","type":"search","query":"  ","at":"2024-05-01"}"#, Some(Code::BadInteraction)),
            (r#"{"user":"u","type":"search","item":"i","at":"2024-05-01"}"#, Some(Code::BadInteraction)),
            (r#"{"user":"u","type":"view","item":"i","at":"2024-05-02T12:00:01Z"}"#, Some(Code::BadTime)),
            (r#"{"user":"u","type":"purchase","item":"i","value":-1,"at":"2024-05-01"}"#, Some(Code::BadNumber)),
            (r#"{"user":"u","type":"click","item":"i","position":0,"at":"2024-05-01"}"#, Some(Code::BadNumber)),
        ];
        for (line, expected) in cases {
            assert_eq!(code_of::<Interaction>(line), expected, "{line}");
        }
        let long =
            format!(r#"{{"user":"u","type":"review","item":"i","text":"{}","at":"2024-05-01"}}"#, "x".repeat(20_001));
        assert_eq!(code_of::<Interaction>(&long), Some(Code::TooLong));
        let mut nan: Interaction =
            serde_json::from_slice(br#"{"user":"u","type":"view","item":"i","at":"2024-05-01"}"#).unwrap();
        nan.value = Some(f64::NAN);
        assert_eq!(nan.validate(now()).unwrap_err().code, Code::BadNumber);
    }

    #[test]
    fn items_and_users() {
        assert_eq!(code_of::<Item>(r#"{"id":"1","title":"t","available_from":"2034-01-01"}"#), None);
        assert_eq!(code_of::<Item>(r#"{"id":"1","title":"t","price":-0.01}"#), Some(Code::BadNumber));
        assert_eq!(code_of::<Item>(r#"{"id":"1","title":"t","currency":"euro"}"#), Some(Code::WrongType));
        assert_eq!(code_of::<Item>(&format!(r#"{{"id":"1","title":"{}"}}"#, "t".repeat(1_001))), Some(Code::TooLong));
        assert_eq!(
            code_of::<Item>(&format!(r#"{{"id":"1","title":"t","attributes":{{"a":"{}"}}}}"#, "t".repeat(20_001))),
            Some(Code::TooLong)
        );
        assert_eq!(code_of::<User>(r#"{"id":"1","attributes":{"region":"Ohio"}}"#), None);
        assert_eq!(code_of::<ExportLine>(r#"{"item":{"id":"1","title":"t","price":-1}}"#), Some(Code::BadNumber));
    }
}
