//! The documents of membership tests: one per run, and the latest of each version.

use mercer_shared::wire::MembershipTest;
use mercer_store::DocKind;

use crate::state::app::App;
use crate::state::problems::{Answer, store_problem};

/// Which test.
#[derive(Debug, Clone, Copy)]
pub(crate) enum MembershipKey<'a> {
    /// The one that a run made.
    Run(&'a str),
    /// The latest of a version.
    Version(&'a str),
}

impl MembershipKey<'_> {
    fn document(self) -> String {
        match self {
            Self::Run(id) => format!("membership-{id}"),
            Self::Version(version) => format!("membership-of-{version}"),
        }
    }
}

/// Stores a test under its run and as the latest of its version.
pub(crate) fn store(app: &App, test: &MembershipTest) -> Answer<()> {
    for key in [MembershipKey::Run(&test.id), MembershipKey::Version(&test.model)] {
        app.store.put_doc(DocKind::Report, &key.document(), test).map_err(|e| store_problem(&e))?;
    }
    Ok(())
}

/// A stored test; `None` if there is none.
pub(crate) fn get(app: &App, key: MembershipKey<'_>) -> Answer<Option<MembershipTest>> {
    app.store.get_doc(DocKind::Report, &key.document()).map_err(|e| store_problem(&e))
}
