//! The page, and the official Socket.IO client, both from within the binary.
//!
//! The page runs under a policy that lets in nothing but its own files; the client is served as
//! the official server does it, down to the `ETag`.

use axum::{Router, body::Body, extract::Path, response::Response, routing::get};
use http::{HeaderMap, HeaderValue, StatusCode, header};

/// What the page may do. Everything else is refused by the browser.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' blob: data:; connect-src 'self' ws: wss:; font-src 'self'; \
    manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Where the official client is.
const CLIENT_PATH: &str = "/socket.io/";

/// The names under which the official server serves it.
const CLIENT_NAMES: [&str; 8] = [
    "socket.io.js",
    "socket.io.js.map",
    "socket.io.min.js",
    "socket.io.min.js.map",
    "socket.io.esm.min.js",
    "socket.io.esm.min.js.map",
    "socket.io.msgpack.min.js",
    "socket.io.msgpack.min.js.map",
];

/// A file that was there when the binary was built.
struct File {
    name: &'static str,
    tag: &'static str,
    bytes: &'static [u8],
}

// `PAGE` and `CLIENT`, by build.rs.
include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// The page at `/`, what it is made of under `/assets/`, and its icon.
pub fn pages() -> Router {
    Router::new()
        .route("/", get(async |headers: HeaderMap| page_file("index.html", &headers)))
        .route("/favicon.ico", get(async |headers: HeaderMap| page_file("icon.svg", &headers)))
        .route("/assets/{name}", get(asset))
}

/// The official client, where nobody else answers under `/socket.io/`.
pub fn client_files() -> Router {
    Router::new().route("/socket.io/{name}", get(client))
}

/// The answer to a request for a file of the official client; nothing when `path` is none of its
/// names.
pub fn client_file(path: &str, headers: &HeaderMap) -> Option<Response> {
    let name = path.strip_prefix(CLIENT_PATH).filter(|name| CLIENT_NAMES.contains(name))?;
    let Some(file) = CLIENT.iter().find(|file| file.name == name) else {
        return Some(not_found(
            "the Socket.IO client is not built in: run `npm ci` in public/ first",
        ));
    };
    let kind =
        if has_extension(name, "map") { "application/json" } else { "application/javascript" };
    let mut answer = answer(file, headers);
    let fields = answer.headers_mut();
    set_header(fields, header::CACHE_CONTROL, "public, max-age=0");
    if let Ok(kind) = HeaderValue::from_str(&format!("{kind}; charset=utf-8")) {
        fields.insert(header::CONTENT_TYPE, kind);
    }
    Some(answer)
}

async fn client(Path(name): Path<String>, headers: HeaderMap) -> Response {
    client_file(&format!("{CLIENT_PATH}{name}"), &headers).unwrap_or_else(|| not_found("not found"))
}

async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    page_file(&name, &headers)
}

/// The file `name` of the page, or a plain 404.
fn page_file(name: &str, headers: &HeaderMap) -> Response {
    let Some(file) = PAGE.iter().find(|file| file.name == name) else {
        return not_found("not found");
    };
    let mut answer = answer(file, headers);
    let fields = answer.headers_mut();
    set_header(fields, header::CONTENT_TYPE, content_type(name));
    set_header(fields, header::CACHE_CONTROL, "no-cache");
    set_header(fields, header::CONTENT_SECURITY_POLICY, POLICY);
    set_header(fields, header::REFERRER_POLICY, "no-referrer");
    set_header(
        fields,
        header::HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    );
    answer
}

/// The content of `file`, or 304 when the client has it.
fn answer(file: &File, headers: &HeaderMap) -> Response {
    let known = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|it| it.to_str().ok());
    let mut tags = known.flat_map(|list| list.split(',')).map(str::trim);
    let has_it = tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == file.tag);
    let mut answer = if has_it {
        let mut answer = Response::new(Body::empty());
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
        answer
    } else {
        Response::new(Body::from(file.bytes))
    };
    set_header(answer.headers_mut(), header::ETAG, file.tag);
    set_header(answer.headers_mut(), header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    answer
}

/// A 404 that says `why`.
fn not_found(why: &'static str) -> Response {
    let mut answer = Response::new(Body::from(why));
    *answer.status_mut() = StatusCode::NOT_FOUND;
    set_header(answer.headers_mut(), header::CONTENT_TYPE, "text/plain; charset=utf-8");
    set_header(answer.headers_mut(), header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    answer
}

fn set_header(headers: &mut HeaderMap, name: header::HeaderName, value: &'static str) {
    headers.insert(name, HeaderValue::from_static(value));
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("png") => "image/png",
        Some("svg") => "image/svg+xml",
        Some("webmanifest") => "application/manifest+json",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}

fn has_extension(name: &str, kind: &str) -> bool {
    name.rsplit('.').next() == Some(kind)
}

#[cfg(test)]
mod tests {
    use tower::ServiceExt as _;

    use super::*;

    async fn get(path: &str, known: &str) -> Response {
        let request = http::Request::get(path).header(header::IF_NONE_MATCH, known);
        let router = pages().merge(client_files());
        router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    fn header_value(answer: &Response, name: &str) -> String {
        answer.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned()
    }

    #[tokio::test]
    async fn page_files_have_strict_headers_and_etags() {
        for file in PAGE {
            let path = match file.name {
                "index.html" => "/".to_owned(),
                name => format!("/assets/{name}"),
            };
            let answer = get(&path, "\"another\"").await;
            assert_eq!(answer.status(), StatusCode::OK, "{path}");
            assert_eq!(header_value(&answer, "content-type"), content_type(file.name));
            assert_eq!(header_value(&answer, "cache-control"), "no-cache");
            assert_eq!(header_value(&answer, "content-security-policy"), POLICY);
            assert_eq!(header_value(&answer, "x-content-type-options"), "nosniff");
            assert_eq!(header_value(&answer, "referrer-policy"), "no-referrer");
            assert_eq!(header_value(&answer, "cross-origin-opener-policy"), "same-origin");
            let again = get(&path, &header_value(&answer, "etag")).await;
            assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{path}");
        }
    }

    #[tokio::test]
    async fn unknown_paths_are_not_found() {
        for path in [
            "/assets/package.json",
            "/assets/..%2fpackage.json",
            "/assets/nothing.js",
            "/assets/",
            "/socket.io/socket.js",
            "/socket.io/..%2f..%2fpackage.json",
            "/index.html",
        ] {
            assert_eq!(get(path, "x").await.status(), StatusCode::NOT_FOUND, "{path}");
        }
    }

    #[tokio::test]
    async fn the_official_client_is_served_as_the_official_server_does() {
        for name in CLIENT_NAMES {
            let path = format!("/socket.io/{name}");
            let answer = get(&path, "\"0.0.0\"").await;
            if !CLIENT.iter().any(|file| file.name == name) {
                assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
                continue;
            }
            assert_eq!(answer.status(), StatusCode::OK, "{path}");
            let kind = if name.ends_with("map") { "json" } else { "javascript" };
            let kind = format!("application/{kind}; charset=utf-8");
            assert_eq!(header_value(&answer, "content-type"), kind);
            assert_eq!(header_value(&answer, "cache-control"), "public, max-age=0");
            let tag = header_value(&answer, "etag");
            for known in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".to_owned()]
            {
                let again = get(&path, &known).await;
                assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{known}");
            }
        }
    }

    #[test]
    fn other_paths_are_not_client_files() {
        let nothing = HeaderMap::new();
        for path in ["/socket.io/", "/socket.io/other.js", "/socket.io.js", "/"] {
            assert!(client_file(path, &nothing).is_none(), "{path}");
        }
        assert!(client_file("/socket.io/socket.io.js", &nothing).is_some());
    }
}
