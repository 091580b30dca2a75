//! Refuses query parameters that the OpenAPI document does not name for a route, so that a misspelt one is never ignored.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use mercer_shared::problem::{Code, Problem};
use utoipa::openapi::OpenApi;

use crate::http::extract::discard;
use crate::http::problem::ProblemResponse;

/// A method, in lower case as the document writes it, and a path.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Operation {
    method: String,
    path: String,
}

/// Names of the query parameters of every operation of an OpenAPI document.
#[derive(Debug)]
pub(super) struct Parameters(HashMap<Operation, Vec<String>>);

impl Parameters {
    /// Reads them from the document.
    pub(super) fn of(document: &OpenApi) -> Self {
        // The document always has a JSON form.
        let document = serde_json::to_value(document).unwrap_or_default();
        let mut all = HashMap::new();
        for (path, methods) in document["paths"].as_object().into_iter().flatten() {
            for (method, operation) in methods.as_object().into_iter().flatten() {
                let parameters = operation["parameters"].as_array().into_iter().flatten();
                let names = parameters.filter(|parameter| parameter["in"] == "query");
                let names = names.filter_map(|parameter| parameter["name"].as_str().map(str::to_owned)).collect();
                all.insert(Operation { method: method.clone(), path: path.clone() }, names);
            }
        }
        Self(all)
    }

    /// The refusal of the first parameter in `query` that the operation does not take.
    fn refusal(&self, operation: &Operation, query: &str) -> Option<Problem> {
        // A method that the path does not take gets its own refusal.
        let known = self.0.get(operation)?;
        // What cannot be parsed here cannot be parsed by the handler either, which says so.
        let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).ok()?;
        let (name, _) = pairs.into_iter().find(|(name, _)| !known.contains(name))?;
        let takes = if known.is_empty() { "no parameters".to_owned() } else { known.join(", ") };
        let Operation { method, path } = operation;
        let detail = format!("`{name}` is not a parameter of {} {path}; it takes {takes}", method.to_uppercase());
        Some(Problem::new(Code::BadParameter, detail))
    }
}

/// Refuses a request with an unknown query parameter before its handler runs.
pub(super) async fn refuse_unknown_parameters(
    State(parameters): State<Arc<Parameters>>,
    route: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let refusal = match (&route, request.uri().query()) {
        (Some(route), Some(query)) => {
            // Routes answer HEAD as they answer GET.
            let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
            let operation = Operation { method: method.as_str().to_lowercase(), path: route.as_str().to_owned() };
            parameters.refusal(&operation, query)
        }
        _ => None,
    };
    match refusal {
        Some(problem) => {
            discard(request.into_body()).await;
            ProblemResponse(problem).into_response()
        }
        None => next.run(request).await,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::http::openapi;

    static PARAMETERS: LazyLock<Parameters> = LazyLock::new(|| Parameters::of(openapi::document()));

    fn refusal(method: &str, path: &str, query: &str) -> Option<String> {
        let operation = Operation { method: method.to_owned(), path: path.to_owned() };
        PARAMETERS.refusal(&operation, query).map(|problem| problem.detail)
    }

    #[test]
    fn only_documented_parameters_pass() {
        assert_eq!(refusal("get", "/v1/search", "q=lamp&filter=stock"), None);
        let detail = refusal("get", "/v1/search", "q=lamp&filters=stock").unwrap();
        assert!(detail.starts_with("`filters` is not a parameter of GET /v1/search; it takes q, "), "{detail}");
        let detail = refusal("get", "/v1/status", "verbose").unwrap();
        assert_eq!(detail, "`verbose` is not a parameter of GET /v1/status; it takes no parameters");
        assert_eq!(refusal("get", "/v1/items/{id}/related", "%6b=5"), None, "names are decoded");
        assert_eq!(refusal("delete", "/v1/status", "verbose"), None, "another refusal has this");
    }
}
