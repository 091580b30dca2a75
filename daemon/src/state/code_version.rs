//! The version of this program, as stored with runs and model versions and shown in the status.

/// Version of the program: the crate's, and the commit where the build names one in `MERCER_COMMIT`.
#[must_use]
pub fn code_version() -> String {
    let version = env!("CARGO_PKG_VERSION");
    option_env!("MERCER_COMMIT").map_or_else(|| version.to_owned(), |commit| format!("{version}+{commit}"))
}
