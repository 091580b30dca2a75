//! The questions before mitigations change, with the price in sight.

use mercer_shared::problem::Problem;
use mercer_shared::wire::{Mitigation, MitigationPrice, PriceStatus};

use super::mitigation_detail::price_sentences;
use crate::mitigations::{MitigationDraft, rerankers};
use crate::text;
use crate::tui::ask::Ask;
use crate::tui::overlays::confirm::Confirm;

/// Whether settings shall take the place of what is in force now. Without a price, the problem says why it could not be measured.
pub(super) fn set(
    draft: &MitigationDraft,
    now: Option<&Mitigation>,
    price: Result<&MitigationPrice, Option<&Problem>>,
) -> Confirm {
    let MitigationDraft { placement, settings } = draft;
    let now = now.map_or_else(|| "off".to_owned(), |one| rerankers(&one.current.rerankers));
    let next = rerankers(&settings.rerankers);
    let mut paragraphs = vec![format!("{next}, in place of {now}. It works from the next list on.")];
    match price {
        _ if settings.rerankers.is_empty() => {}
        Ok(price) => {
            paragraphs.push(format!("Its price, of {}:", text::plural(price.users, "shopper", "shoppers")));
            paragraphs.extend(price_sentences(price));
        }
        Err(problem) => {
            let why = problem.map_or("it was measured on another version", |problem| problem.detail.as_str());
            paragraphs.push(format!("Its price is not known: {why}."));
        }
    }
    paragraphs.push("u undoes it. The change is noted in the audit log.".to_owned());
    Confirm {
        title: format!("Set the mitigations of {placement}?"),
        paragraphs,
        order: Ask::SetMitigation(draft.clone()),
        verb: "set",
    }
}

/// Whether what was in force before shall come back.
///
/// # Errors
/// Why there is nothing to undo.
pub(super) fn undo(shown: &Mitigation) -> Result<Confirm, String> {
    let Mitigation { placement, current, .. } = shown;
    let back = match current.before {
        None if current.rerankers.is_empty() => return Err(format!("Nothing to undo at {placement}: nothing is on")),
        None => format!("Nothing was set before: the lists of {placement} are as the model orders them."),
        Some(version) => match shown.history.iter().find(|revision| revision.version == version) {
            Some(revision) => format!("Version {version} comes back: {}.", rerankers(&revision.rerankers)),
            None => return Err("The history before it is no longer kept".to_owned()),
        },
    };
    let replaced = format!("It replaces {}.", rerankers(&current.rerankers));
    Ok(Confirm {
        title: format!("Undo the last change at {placement}?"),
        paragraphs: with_price(shown, vec![back, replaced]),
        order: Ask::UndoMitigation(placement.clone()),
        verb: "undo",
    })
}

/// Whether mitigations shall be turned off.
///
/// # Errors
/// That they are off.
pub(super) fn off(shown: &Mitigation) -> Result<Confirm, String> {
    let Mitigation { placement, current, .. } = shown;
    if current.rerankers.is_empty() {
        return Err(format!("The mitigations of {placement} are off already"));
    }
    let off = format!("{} no longer re-ranks the lists of {placement}.", rerankers(&current.rerankers));
    Ok(Confirm {
        title: format!("Turn the mitigations of {placement} off?"),
        paragraphs: with_price(shown, vec![off]),
        order: Ask::MitigationOff(placement.clone()),
        verb: "turn off",
    })
}

/// Adds what the present mitigations cost, which goes with them.
fn with_price(shown: &Mitigation, mut paragraphs: Vec<String>) -> Vec<String> {
    if let Some(price) = shown.price.as_ref().filter(|_| shown.price_status != PriceStatus::Off) {
        paragraphs.push(format!("What goes had this price on {}:", price.model));
        paragraphs.extend(price_sentences(price));
    }
    paragraphs.push("The change is noted in the audit log.".to_owned());
    paragraphs
}
