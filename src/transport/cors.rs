//! The rules for requests of web pages: which pages may send them, and which may read the answers.
//!
//! `Origins` decides. The middleware here refuses the request or writes the decision into headers.
//! `tower_http::cors::CorsLayer` cannot take its place: it refuses no request, answers preflights
//! with 200 and adds `Vary` to the answers for every origin, the server's own included.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse as _, Response},
};
use http::{
    HeaderMap, HeaderValue, Method, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS,
        ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE,
        ACCESS_CONTROL_REQUEST_HEADERS, CACHE_CONTROL, VARY,
    },
};
use tower_http::set_header::SetResponseHeaderLayer;

use super::origin::Origins;

/// What an allowed page may send without asking for particular headers.
const HEADERS: HeaderValue = HeaderValue::from_static("authorization, content-type");

/// The value of `Cache-Control` that keeps answers out of caches.
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// The rules of a group of routes.
#[derive(Clone, Debug)]
pub(super) struct CrossOrigin {
    /// The origins whose pages may send requests.
    pub(super) origins: Arc<Origins>,
    /// The methods that the answer to `OPTIONS` lists.
    pub(super) methods: &'static str,
}

/// Puts `routes` under the rules for web pages.
pub(super) fn guard(routes: Router, origins: Arc<Origins>, methods: &'static str) -> Router {
    routes.layer(from_fn_with_state(CrossOrigin { origins, methods }, cross_origin))
}

/// Keeps answers out of caches.
pub(super) fn no_store() -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::overriding(CACHE_CONTROL, NO_STORE)
}

/// The rules as a layer.
async fn cross_origin(State(rules): State<CrossOrigin>, request: Request, next: Next) -> Response {
    rules.answer(request, |request| next.run(request)).await
}

impl CrossOrigin {
    /// Refuses pages of other origins before anything else happens, answers every `OPTIONS` request,
    /// and lets an allowed page read the answer of `respond`. The server's own pages need none of
    /// these headers. Caches store no answer.
    pub(super) async fn answer<B, F: Future<Output = Response>>(
        &self,
        request: http::Request<B>,
        respond: impl FnOnce(http::Request<B>) -> F,
    ) -> Response {
        let origin = match self.origins.check(request.headers()) {
            Ok(origin) => origin,
            Err(rejection) => return rejection.into_response(),
        };
        let mut response = if request.method() == Method::OPTIONS {
            preflight(request.headers(), self.methods)
        } else {
            respond(request).await
        };
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, NO_STORE);
        if let Some(origin) = origin {
            allow(headers, origin);
        }
        response
    }
}

/// Lets a page of this origin read an answer.
fn allow(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    let vary = HeaderValue::from_static("origin, access-control-request-headers");
    headers.append(VARY, vary);
}

/// Allows the headers that the page asks for, since the origin is what is checked.
fn preflight(headers: &HeaderMap, methods: &'static str) -> Response {
    let allowed = headers.get(ACCESS_CONTROL_REQUEST_HEADERS).cloned().unwrap_or(HEADERS);
    let fields = [
        (ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods)),
        (ACCESS_CONTROL_ALLOW_HEADERS, allowed),
        (ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600")),
    ];
    (StatusCode::NO_CONTENT, fields).into_response()
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, routing::get};
    use http::header::{HOST, ORIGIN};
    use tower::ServiceExt as _;

    use super::*;

    const ALLOWED: &str = "https://good.example";

    async fn send(method: Method, origin: &'static str) -> Response {
        let routes = Router::new().route("/", get(async || "here"));
        let origins = Arc::new(Origins::new(vec![ALLOWED.to_owned()]));
        let request = Request::builder()
            .method(method)
            .header(HOST, "here.example")
            .header(ORIGIN, origin)
            .header(ACCESS_CONTROL_REQUEST_HEADERS, "x-one");
        let request = request.body(Body::empty()).unwrap();
        guard(routes, origins, "GET, OPTIONS").oneshot(request).await.unwrap()
    }

    fn has_cors_headers(response: &Response) -> bool {
        let mut names = response.headers().keys().map(http::HeaderName::as_str);
        names.any(|name| name.starts_with("access-control-allow-origin") || name == "vary")
    }

    #[tokio::test]
    async fn other_origins_are_refused_without_cors_headers() {
        for method in [Method::GET, Method::OPTIONS, Method::PUT] {
            let response = send(method, "https://evil.example").await;
            assert_eq!(response.status(), StatusCode::FORBIDDEN);
            assert!(!has_cors_headers(&response));
            assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
        }
    }

    #[tokio::test]
    async fn an_allowed_origin_may_read_the_answer() {
        for (method, status) in [(Method::GET, 200), (Method::OPTIONS, 204), (Method::PUT, 405)] {
            let response = send(method, ALLOWED).await;
            assert_eq!(response.status(), status);
            let headers = response.headers();
            assert_eq!(headers[ACCESS_CONTROL_ALLOW_ORIGIN], ALLOWED);
            assert_eq!(headers[ACCESS_CONTROL_ALLOW_CREDENTIALS], "true");
            assert_eq!(headers[VARY], "origin, access-control-request-headers");
            assert_eq!(headers[CACHE_CONTROL], "no-store");
        }
    }

    #[tokio::test]
    async fn the_own_origin_gets_no_cors_headers() {
        for (method, status) in [(Method::GET, 200), (Method::OPTIONS, 204)] {
            let response = send(method, "https://here.example").await;
            assert_eq!(response.status(), status);
            assert!(!has_cors_headers(&response));
        }
    }

    #[tokio::test]
    async fn every_options_request_lists_methods_and_headers() {
        for origin in [ALLOWED, "https://here.example"] {
            let response = send(Method::OPTIONS, origin).await;
            let headers = response.headers();
            assert_eq!(headers[ACCESS_CONTROL_ALLOW_METHODS], "GET, OPTIONS");
            assert_eq!(headers[ACCESS_CONTROL_ALLOW_HEADERS], "x-one");
            assert_eq!(headers[ACCESS_CONTROL_MAX_AGE], "600");
        }
    }
}
