//! The OpenAPI 3.1 document of the wire, collected from the registered routes.

use std::sync::LazyLock;

use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::http::routes::{upload, watch, work};

/// Title, description and licence of the document.
#[derive(OpenApi)]
#[openapi(info(
    title = "Mercer",
    description = "Search and recommendations for a shop, over HTTP/1.1 on a Unix socket.",
    license(name = "Apache-2.0", identifier = "Apache-2.0")
))]
struct Info;

/// The document; the routes do not change while the daemon runs.
static DOCUMENT: LazyLock<utoipa::openapi::OpenApi> = LazyLock::new(|| {
    let all = OpenApiRouter::with_openapi(Info::openapi()).merge(work()).merge(watch()).merge(upload());
    all.into_openapi()
});

/// The document.
pub(super) fn document() -> &'static utoipa::openapi::OpenApi {
    &DOCUMENT
}

/// The document as it is kept in `shared/openapi.json`.
///
/// # Errors
/// None in practice: the document always has a JSON form.
pub fn text() -> serde_json::Result<String> {
    DOCUMENT.to_pretty_json().map(|text| text + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With `MERCER_WRITE_DOCS` in the environment it writes the document.
    #[test]
    fn the_kept_document_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/openapi.json");
        if std::env::var_os("MERCER_WRITE_DOCS").is_some() {
            std::fs::write(path, text().unwrap()).unwrap();
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            kept == text().unwrap(),
            "shared/openapi.json is stale; write it anew: mercerd openapi > shared/openapi.json"
        );
    }

    #[test]
    fn the_document_is_openapi_3_1_with_the_routes_of_every_group() {
        let json: serde_json::Value = serde_json::from_str(&text().unwrap()).unwrap();
        assert!(json["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")), "{}", json["openapi"]);
        for (path, method) in [("/v1/items/{id}", "patch"), ("/v1/status", "get"), ("/v1/imports", "post")] {
            assert!(json["paths"][path][method].is_object(), "{method} {path} is missing");
        }
    }
}
