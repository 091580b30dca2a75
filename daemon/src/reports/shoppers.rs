//! The shoppers who are put into groups: what they declared, what they refused, and what they had bought before the window.

use mercer_rank::Snapshot;

use crate::state::app::App;
use crate::state::shop::ShopState;
use crate::state::shop::state::Subject;

/// Shoppers as of the beginning of a window.
#[derive(Clone, Copy)]
pub(crate) struct Shoppers<'a> {
    pub(crate) app: &'a App,
    pub(crate) view: &'a ShopState,
    pub(crate) snapshot: &'a Snapshot,
    /// Beginning of the window, UTC milliseconds.
    pub(crate) cutoff: i64,
    /// Slots of the shoppers.
    pub(crate) users: &'a [u32],
}

impl<'a> Shoppers<'a> {
    /// Whether a shopper refused personalisation.
    pub(crate) fn refused(&self, user: u32) -> bool {
        self.view.subject(user).is_some_and(|subject| !subject.consent.personalise)
    }

    /// A shopper's purchases up to the window, oldest first: items and moments (UTC milliseconds).
    pub(crate) fn purchases(&self, user: u32) -> impl Iterator<Item = (u32, i64)> + use<'a> {
        let target = self.snapshot.index.summary().target;
        let before = self.snapshot.log.until(user, self.cutoff).iter();
        before.filter(move |event| event.is_positive(target)).filter_map(|event| Some((event.item?, event.at)))
    }

    /// Whether audits may use an attribute of a shopper.
    pub(crate) fn audited(&self, subject: &Subject, attribute: &str) -> bool {
        self.app.config.consent.audits(attribute, subject.consent, subject.explicit)
    }
}
