//! Converts failures of the store and of the model to problem documents, and defines the result type of all services.

use mercer_shared::problem::{Code, Problem};

/// What every service returns.
pub type Answer<T> = Result<T, Problem>;

/// The problem document of a failure that only a fault of the program or a damaged file explains.
pub(crate) fn internal(error: &dyn std::fmt::Display) -> Problem {
    Problem::new(Code::Internal, error.to_string())
}

/// The problem document of a failure of the store.
#[must_use]
pub fn store_problem(error: &mercer_store::StoreError) -> Problem {
    Problem::new(error.code(), error.to_string())
}

/// The problem document of a failure of the model.
#[must_use]
pub fn model_problem(error: &mercer_model::ModelError) -> Problem {
    match error {
        mercer_model::ModelError::Overloaded { retry_after } => Problem::new(Code::Overloaded, error.to_string())
            .retry_after(retry_after.as_secs_f64().ceil().max(1.0) as u32),
        mercer_model::ModelError::Stopped => Problem::new(Code::Unavailable, error.to_string()),
        _ => Problem::new(Code::Internal, error.to_string()),
    }
}
