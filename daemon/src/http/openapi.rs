//! The OpenAPI 3.1 document of the wire, made from the handlers and the types they take and give.

use axum::Json;
use utoipa::OpenApi;

use crate::http::{admin, batch, collections, evaluations, imports, lists, metrics, operators, stream, users};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Mercer",
        description = "Search and recommendations for a shop, over HTTP/1.1 on a Unix socket.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    paths(
        admin::status,
        admin::config,
        admin::decisions,
        admin::audit,
        collections::items,
        collections::item,
        collections::put_item,
        collections::patch_item,
        batch::items,
        users::users,
        users::user,
        users::put_user,
        users::erase,
        users::profile,
        users::similar,
        batch::users,
        batch::interactions,
        lists::recommend,
        lists::related,
        lists::trending,
        lists::session,
        lists::search,
        operators::train,
        operators::runs,
        operators::run,
        operators::cancel,
        evaluations::start,
        evaluations::list,
        evaluations::show,
        evaluations::shoppers,
        evaluations::sweep,
        evaluations::start_replay,
        evaluations::replay,
        operators::models,
        operators::model,
        operators::promote,
        operators::rollback,
        operators::pin,
        operators::unpin,
        operators::report,
        operators::encoders,
        operators::add_encoder,
        imports::import,
        imports::presets,
        stream::export,
        stream::events,
        metrics::metrics,
        document,
    )
)]
struct Wire;

/// The document itself.
#[utoipa::path(get, path = "/v1/openapi.json", tag = "daemon", responses((status = 200, body = serde_json::Value)))]
pub async fn document() -> Json<utoipa::openapi::OpenApi> {
    Json(Wire::openapi())
}

/// The document as it is kept in `shared/openapi.json`.
///
/// # Errors
/// None in practice: the document always has a JSON form.
pub fn text() -> serde_json::Result<String> {
    Wire::openapi().to_pretty_json().map(|text| text + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kept_document_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/openapi.json");
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            kept == text().unwrap(),
            "shared/openapi.json is stale; write it anew: mercerd openapi > shared/openapi.json"
        );
    }

    #[test]
    fn the_document_is_openapi_3_1_with_every_path() {
        let json: serde_json::Value = serde_json::from_str(&text().unwrap()).unwrap();
        assert!(json["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")), "{}", json["openapi"]);
        // The router is the other list of paths: whatever it routes must be described.
        let routes = include_str!("mod.rs");
        let described = json["paths"].as_object().unwrap();
        let mut seen = 0;
        for path in routes.split('"').filter(|text| text.starts_with("/v1/") || *text == "/metrics") {
            assert!(described.contains_key(path), "{path} is not described");
            seen += 1;
        }
        assert_eq!(seen, described.len(), "a described path is not routed");
    }
}
