//! The files of values per user that evaluations leave under the state directory.

use std::path::PathBuf;

use crate::state::app::App;

/// Where values per user are kept.
pub(crate) fn directory(app: &App) -> PathBuf {
    app.config.state.join("evaluations")
}

/// Deletes the values of every user: one of them was erased.
pub fn forget(app: &App) {
    if let Err(error) = std::fs::remove_dir_all(directory(app))
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::error!(%error, "values per shopper of evaluations stay after an erasure");
    }
}
