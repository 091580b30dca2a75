//! Where the consent of the shoppers of a report comes from.

use mercer_shared::wire::ConsentScope;

use crate::state::shop::ShopState;

/// Where the consent of the shoppers of a report comes from, in words.
pub(crate) fn basis(view: &ShopState, users: &[u32]) -> String {
    let subjects: Vec<_> = users.iter().filter_map(|&user| view.subject(user)).collect();
    let said = |scope: ConsentScope| {
        let explicit = subjects.iter().filter(|subject| subject.explicit.get(scope) == Some(true)).count();
        100.0 * explicit as f64 / subjects.len().max(1) as f64
    };
    format!(
        "consent: of the shoppers measured {:.0} % agreed explicitly to training, {:.0} % to personalisation, {:.0} % to the use of \
         attributes in audits; for the others the default of their source holds (`consent.default`)",
        said(ConsentScope::Train),
        said(ConsentScope::Personalise),
        said(ConsentScope::AuditAttributes)
    )
}
