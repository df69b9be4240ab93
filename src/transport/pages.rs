//! The page, that of the API, and the official Socket.IO client, all from within the binary.
//!
//! The page runs under a policy that lets in nothing but its own files; the client is served as
//! the official server does it, down to the `ETag`.

use std::sync::LazyLock;

use axum::{
    Router,
    body::Body,
    extract::Path,
    middleware::map_response,
    response::{IntoResponse as _, Response},
    routing::get,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use rust_embed::{Embed, EmbeddedFile};
use serde::Deserialize;
use tower_http::{
    CompressionLevel, compression::CompressionLayer, set_header::SetResponseHeaderLayer,
};

/// What the page may do. Everything else is refused by the browser.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' blob: data:; connect-src 'self' ws: wss:; font-src 'self'; \
    manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The names under which the official server serves its client.
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

/// The files of the page. `package.json` is of no kind that is included.
#[derive(Embed)]
#[folder = "public/"]
#[include = "*.css"]
#[include = "*.html"]
#[include = "*.js"]
#[include = "*.png"]
#[include = "*.svg"]
#[include = "*.webmanifest"]
#[include = "*.woff2"]
#[exclude = "*/*"]
#[allow_missing = true]
struct PageFiles;

/// The official client as `npm ci` installs it in `public/`. Without it the build succeeds and its
/// files answer 404.
#[derive(Embed)]
#[folder = "public/node_modules/socket.io-client/"]
#[include = "package.json"]
#[include = "dist/socket.io*"]
#[allow_missing = true]
struct ClientPackage;

/// The `ETag` of the client's files: the version of the package, as with the official server.
static CLIENT_TAG: LazyLock<Option<HeaderValue>> = LazyLock::new(|| {
    #[derive(Deserialize)]
    struct Package {
        version: String,
    }
    let package = ClientPackage::get("package.json")?;
    let Package { version } = serde_json::from_slice(&package.data).ok()?;
    HeaderValue::from_str(&format!("\"{version}\"")).ok()
});

/// The page at `/`, that of the API at `/api/`, their parts under `/assets/`, the icon, and the official client's files beside
/// the engine's own path.
pub fn routes() -> Router {
    let nosniff = HeaderValue::from_static("nosniff");
    Router::new()
        .route("/", get(async |headers: HeaderMap| page_file("index.html", &headers)))
        .route("/api/", get(async |headers: HeaderMap| page_file("api.html", &headers)))
        .route("/favicon.ico", get(async |headers: HeaderMap| page_file("icon.svg", &headers)))
        .route("/assets/{name}", get(asset))
        .route("/socket.io/{name}", get(client))
        .layer(SetResponseHeaderLayer::overriding(header::X_CONTENT_TYPE_OPTIONS, nosniff))
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest))
        .layer(map_response(weaken_tag))
}

/// Makes the `ETag` of a compressed answer a weak one: it names the content and not these bytes.
/// The files' handlers accept it as they accept the strong one.
async fn weaken_tag(mut response: Response) -> Response {
    let headers = response.headers_mut();
    if headers.contains_key(header::CONTENT_ENCODING)
        && let Some(tag) = headers.get_mut(header::ETAG)
        && let Ok(weak) = HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat())
    {
        *tag = weak;
    }
    response
}

async fn client(Path(name): Path<String>, headers: HeaderMap) -> Response {
    client_file(&name, &headers)
}

/// The file `name` of the official client, or a 404.
fn client_file(name: &str, headers: &HeaderMap) -> Response {
    if !CLIENT_NAMES.contains(&name) {
        return not_found("not found");
    }
    let file = ClientPackage::get(&format!("dist/{name}"));
    let Some((file, tag)) = file.zip(CLIENT_TAG.clone()) else {
        return not_found("the Socket.IO client is not built in: run `npm ci` in public/ first");
    };
    let content_type = if has_extension(name, "map") {
        "application/json; charset=utf-8"
    } else {
        "application/javascript; charset=utf-8"
    };
    let fields =
        [(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "public, max-age=0")];
    (fields, file_response(file, tag, headers)).into_response()
}

async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    page_file(&name, &headers)
}

/// The file `name` of the page, or a plain 404.
fn page_file(name: &str, headers: &HeaderMap) -> Response {
    let Some(file) = PageFiles::get(name) else {
        return not_found("not found");
    };
    let fields = [
        (header::CONTENT_TYPE, content_type(name)),
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    let tag = content_tag(&file);
    (fields, file_response(file, tag, headers)).into_response()
}

/// The `ETag` of a page file: a part of the hash of its content.
fn content_tag(file: &EmbeddedFile) -> HeaderValue {
    let hash = file.metadata.sha256_hash();
    let hash = u64::from_be_bytes(hash.first_chunk().copied().unwrap_or_default());
    HeaderValue::from_str(&format!("\"{hash:016x}\"")).expect("hexadecimal digits are plain text")
}

/// The content of `file`, or 304 when the client has it.
fn file_response(file: EmbeddedFile, tag: HeaderValue, headers: &HeaderMap) -> Response {
    let known = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|it| it.to_str().ok());
    let mut tags = known.flat_map(|list| list.split(',')).map(str::trim);
    let is_known = tags.any(|it| it == "*" || tag == *it.strip_prefix("W/").unwrap_or(it));
    let tag = [(header::ETAG, tag)];
    if is_known {
        (StatusCode::NOT_MODIFIED, tag).into_response()
    } else {
        (tag, Body::from(file.data)).into_response()
    }
}

/// A 404 that says `why`.
fn not_found(why: &'static str) -> Response {
    (StatusCode::NOT_FOUND, why).into_response()
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
    use axum::body::to_bytes;
    use tower::ServiceExt as _;

    use super::*;

    async fn get(path: &str, known: &str) -> Response {
        get_encoded(path, known, "identity").await
    }

    async fn get_encoded(path: &str, known: &str, encoding: &str) -> Response {
        let request = http::Request::get(path)
            .header(header::IF_NONE_MATCH, known)
            .header(header::ACCEPT_ENCODING, encoding);
        routes().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    fn header_value(answer: &Response, name: &str) -> String {
        answer.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned()
    }

    #[tokio::test]
    async fn page_files_have_strict_headers_and_etags() {
        for name in PageFiles::iter() {
            let path = match &*name {
                "index.html" => "/".to_owned(),
                name => format!("/assets/{name}"),
            };
            let answer = get(&path, "\"another\"").await;
            assert_eq!(answer.status(), StatusCode::OK, "{path}");
            assert_eq!(header_value(&answer, "content-type"), content_type(&name));
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
            if CLIENT_TAG.is_none() {
                assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
                let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
                assert!(body.ends_with(b"run `npm ci` in public/ first"), "{body:?}");
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

    #[tokio::test]
    async fn a_compressed_file_has_a_weak_etag_that_is_accepted() {
        let plain = get("/assets/app.js", "").await;
        let tag = header_value(&plain, "etag");
        assert_eq!(header_value(&plain, "vary"), "accept-encoding");
        let answer = get_encoded("/assets/app.js", "", "gzip, deflate, br").await;
        assert_eq!(header_value(&answer, "content-encoding"), "gzip");
        assert_eq!(header_value(&answer, "vary"), "accept-encoding");
        assert_eq!(header_value(&answer, "etag"), format!("W/{tag}"));
        let again = get_encoded("/assets/app.js", &format!("W/{tag}"), "gzip").await;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    }

    #[test]
    fn the_page_and_the_whole_client_are_embedded() {
        let page: Vec<_> = PageFiles::iter().collect();
        for name in ["index.html", "app.js", "style.css", "icon.svg"] {
            assert!(page.contains(&name.into()), "{name} in {page:?}");
        }
        assert!(page.iter().all(|name| !name.contains('/') && !has_extension(name, "json")));
        let whole = CLIENT_NAMES.map(|name| ClientPackage::get(&format!("dist/{name}")).is_some());
        assert_eq!(whole, [CLIENT_TAG.is_some(); 8]);
    }
}
