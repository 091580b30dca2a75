//! The configuration of personal data: consent by default, what follows an erasure, retention, sensitive categories.

use std::collections::BTreeMap;
use std::path::Path;

use mercer_shared::problem::{Code, Problem};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{Consent, ConsentChoice, InteractionType};

use crate::state::settings::settings;
use crate::state::shop::sensitive::Lexicon;

settings! {
    /// What holds for a shopper who says nothing of consent. What a document or a request says always wins, and a document that says nothing
    /// never changes what was recorded.
    pub struct ConsentConfig in "consent" {
        /// For every source that has no default of its own, scope by scope: history shapes lists (`personalise`), history trains models
        /// (`train`), declared attributes are used in fairness reports (`audit_attributes`), explanations name own events (`explanations`).
        /// Reports say how many shoppers agreed explicitly.
        default: Consent = Consent::default();
        /// By import preset: for shoppers whom an import by it brings in. Wins over `[consent]` in the preset itself.
        presets: BTreeMap<String, ConsentChoice> = BTreeMap::new(), like "{ gorse = { train = false } }";
        /// By declared attribute: whether reports may use it of a shopper who did not explicitly agree to `audit_attributes`. An attribute
        /// that is not named follows that scope.
        attributes: BTreeMap<String, bool> = BTreeMap::new(), like "{ gender = false }";
    }
}

settings! {
    /// What follows an erasure.
    pub struct EraseConfig in "erase" {
        /// Minutes after which nothing of what was erased is left in the files of the store, which are written anew for that; writes wait
        /// meanwhile. 0 does it before the erasure is answered.
        compact_within_minutes: u64 = 60;
        /// Days after which versions that know an erased shopper are rebuilt from the remaining log and deleted. The rebuilt version serves
        /// whatever the gate says, because the serving one must go. 0 rebuilds on request only (`mercer models rebuild`).
        rebuild_within_days: u64 = 0;
    }
}

settings! {
    /// Days for which interactions of each type are kept, by their own time; 0 keeps them for good. Older ones are removed at the start and
    /// once a day from the store and from memory, and the removal is noted in the audit log.
    pub struct RetentionConfig in "retention" {
        /// Searches.
        search_days: u64 = 0;
        /// Impressions.
        impression_days: u64 = 0;
        /// Views.
        view_days: u64 = 0;
        /// Clicks.
        click_days: u64 = 0;
        /// Carts.
        cart_days: u64 = 0;
        /// Favourites.
        favourite_days: u64 = 0;
        /// Purchases.
        purchase_days: u64 = 0;
        /// Returns.
        return_days: u64 = 0;
        /// Ratings.
        rating_days: u64 = 0;
        /// Reviews.
        review_days: u64 = 0;
        /// Dismissals.
        dismiss_days: u64 = 0;
    }
}

impl RetentionConfig {
    /// Days for which a type is kept; 0 for good.
    #[must_use]
    pub const fn days(&self, kind: InteractionType) -> u64 {
        match kind {
            InteractionType::Search => self.search_days,
            InteractionType::Impression => self.impression_days,
            InteractionType::View => self.view_days,
            InteractionType::Click => self.click_days,
            InteractionType::Cart => self.cart_days,
            InteractionType::Favourite => self.favourite_days,
            InteractionType::Purchase => self.purchase_days,
            InteractionType::Return => self.return_days,
            InteractionType::Rating => self.rating_days,
            InteractionType::Review => self.review_days,
            InteractionType::Dismiss => self.dismiss_days,
        }
    }

    /// Whether an interaction of this type and time is still kept.
    #[must_use]
    pub fn keeps(&self, kind: InteractionType, at: Timestamp, now: Timestamp) -> bool {
        let days = i64::try_from(self.days(kind)).unwrap_or(i64::MAX);
        days == 0 || now.millis() - at.millis() <= days.saturating_mul(mercer_rank::DAY_MS)
    }
}

/// What is done with events of sensitive categories.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SensitiveHistory {
    /// They shape nothing.
    #[default]
    Exclude,
    /// They count like all others.
    Include,
}

impl ConsentConfig {
    /// Whether reports may use a declared attribute of a shopper with this agreement.
    #[must_use]
    pub fn audits(&self, attribute: &str, consent: Consent, explicit: ConsentChoice) -> bool {
        let by_default = || self.attributes.get(attribute).copied().unwrap_or(true);
        consent.audit_attributes && (explicit.audit_attributes == Some(true) || by_default())
    }
}

impl SensitiveHistory {
    /// The lexicon in force; none where nothing is left out.
    ///
    /// # Errors
    /// `bad-config` for a file that cannot be read.
    pub fn terms(self, file: Option<&Path>) -> Result<Option<Lexicon>, Problem> {
        if self == Self::Include {
            return Ok(None);
        }
        let bad = |place: &dyn std::fmt::Display, error: &dyn std::fmt::Display| {
            Problem::new(Code::BadConfig, format!("{place}: {error}"))
        };
        let lexicon = match file {
            None => Lexicon::shipped().map_err(|error| bad(&"data/privacy/sensitive.toml", &error))?,
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(|error| bad(&path.display(), &error))?;
                Lexicon::parse(&text).map_err(|error| bad(&path.display(), &error))?
            }
        };
        Ok(Some(lexicon))
    }
}
