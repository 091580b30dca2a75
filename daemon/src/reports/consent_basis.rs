//! Where the consent of the shoppers of a report comes from.

use mercer_reports::table_rounding::CellSize;
use mercer_shared::wire::ConsentScope;

use crate::reports::rounding::{LEAST, RoundedShares, secret_seed};
use crate::state::app::App;
use crate::state::shop::ShopState;

/// Scopes that a report depends on, in the order of the sentence.
const SCOPES: [(&str, ConsentScope); 3] = [
    ("train", ConsentScope::Train),
    ("personalise", ConsentScope::Personalise),
    ("audit attributes", ConsentScope::AuditAttributes),
];

/// Where the consent of the shoppers of a report comes from, in words.
pub(crate) fn basis(app: &App, view: &ShopState, users: &[u32]) -> String {
    let subjects: Vec<_> = users.iter().filter_map(|&user| view.subject(user)).collect();
    let parts = SCOPES.map(|(cell, scope)| CellSize {
        cell,
        users: subjects.iter().filter(|subject| subject.explicit.get(scope) == Some(true)).count(),
    });
    let shares = RoundedShares::new(secret_seed(app, "consent basis"), subjects.len(), parts);
    let [Some(train), Some(personalise), Some(audit)] = parts.map(|part| shares.share(part)) else {
        return format!("consent: suppressed, because fewer than {LEAST} shoppers are measured");
    };
    let percent = |share: f64| 100.0 * share;
    format!(
        "consent: of the shoppers measured {:.0} % agreed explicitly to training, {:.0} % to personalisation, {:.0} % to the use of \
         attributes in audits; for the others the default of their source holds (`consent.default`)",
        percent(train),
        percent(personalise),
        percent(audit)
    )
}
