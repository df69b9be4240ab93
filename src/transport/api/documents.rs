//! What programs read about this server: `/api/openapi.json`, `/api/asyncapi.json` and
//! `/api/contract.d.ts`.
//!
//! No key is needed: the texts are the same for all servers of a version.

use std::sync::LazyLock;

use axum::{
    Router,
    routing::{MethodRouter, get},
};
use bytes::Bytes;
use http::{
    HeaderValue,
    header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS},
};
use tower_http::compression::CompressionLayer;

use super::{
    actions, ask, bans, failure::method_not_allowed, metrics, questions, rooms, session, webhooks,
};
use crate::wire::{
    api::{self, Operation},
    contract::{ContractFormat, contract},
};

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

static DECLARATIONS: LazyLock<Bytes> =
    LazyLock::new(|| contract(ContractFormat::TypeScript).into());
static ASYNCAPI: LazyLock<Bytes> = LazyLock::new(|| contract(ContractFormat::AsyncApi).into());

static OPENAPI: LazyLock<Bytes> =
    LazyLock::new(|| format!("{:#}\n", api::document(&all_operations())).into());

/// The routes.
pub(super) fn routes() -> Router {
    Router::new()
        .route("/api/asyncapi.json", document(JSON, &ASYNCAPI))
        .route("/api/contract.d.ts", document(TEXT, &DECLARATIONS))
        .route("/api/openapi.json", document(JSON, &OPENAPI))
        .layer(CompressionLayer::new())
}

/// The operations of all routes of the API: a line for each module with routes.
fn all_operations() -> Vec<Operation> {
    let mut all = session::operations();
    all.extend(actions::operations());
    all.extend(ask::operations());
    all.extend(bans::operations());
    all.extend(metrics::operations());
    all.extend(questions::operations());
    all.extend(rooms::operations());
    all.extend(webhooks::operations());
    all.extend(operations());
    all
}

/// The routes of this module.
fn operations() -> Vec<Operation> {
    vec![
        Operation::get("/api/asyncapi.json", "The events over WebSocket, as AsyncAPI")
            .answers_text("AsyncAPI 3.0.", JSON),
        Operation::get("/api/contract.d.ts", "The events, as TypeScript declarations")
            .answers_text("For the official Socket.IO client, and for `/ws`.", TEXT),
        Operation::get("/api/openapi.json", "This document").answers_text("OpenAPI 3.1.", JSON),
    ]
}

/// Answers with a text that is written when it is first asked for.
fn document(content_type: &'static str, text: &'static LazyLock<Bytes>) -> MethodRouter {
    let handler = async move || {
        let fields = [
            (CONTENT_TYPE, HeaderValue::from_static(content_type)),
            (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
            (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        ];
        (fields, Bytes::clone(text))
    };
    get(handler).fallback(async || method_not_allowed("GET, HEAD"))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    /// The paths of all `.route("…")` of the API, with the file of each.
    fn routes_in_sources() -> Vec<(String, String)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/transport/api");
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            let text = text.split("#[cfg(test)]").next().unwrap();
            for call in text.split(".route(").skip(1) {
                let Some(rest) = call.trim_start().strip_prefix('"') else { continue };
                let route = rest.split('"').next().unwrap().to_owned();
                found.push((route, path.file_name().unwrap().to_str().unwrap().to_owned()));
            }
        }
        found
    }

    #[test]
    fn every_route_is_in_the_document_and_no_other() {
        let document = api::document(&all_operations());
        let documented: BTreeSet<_> = document["paths"].as_object().unwrap().keys().collect();
        let routes = routes_in_sources();
        assert!(8 < routes.len(), "{routes:?}");
        for (route, file) in &routes {
            assert!(
                documented.contains(route),
                "{route} is not in /api/openapi.json: add an `Operation` for it in \
                 src/transport/api/{file}, and its `operations` to `all_operations`"
            );
        }
        let routes: BTreeSet<_> = routes.iter().map(|(route, _)| route).collect();
        assert_eq!(documented, routes);
    }

    #[test]
    fn every_reference_of_the_document_has_a_target() {
        let document = api::document(&all_operations());
        let text = document.to_string();
        let references: BTreeSet<_> = text.split(r##""$ref":"#"##).skip(1).collect();
        assert!(!references.is_empty());
        for reference in references {
            let pointer = reference.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
    }
}
