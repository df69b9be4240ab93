//! The page, that of the API, and the official Socket.IO client, all from within the binary.
//!
//! The page runs under a policy that lets in nothing but its own files; the client is served as
//! the official server does it, down to the `ETag`.

mod document;
mod files;
mod joiner;

use axum::{
    Router,
    extract::Path,
    middleware::map_response,
    response::{IntoResponse as _, Response},
    routing::get,
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use tower_http::{
    CompressionLevel, compression::CompressionLayer, set_header::SetResponseHeaderLayer,
};

pub(super) use self::files::{content_tag, content_type, file_response};
use self::{
    document::{CHAT_PAGE, policy},
    files::{CLIENT_TAG, ClientPackage, PageFiles, has_extension, page_fields},
};

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

/// For files whose name never has another content.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// For files of which a browser asks whether it has the newest.
const REVALIDATED: &str = "no-cache";

/// The page at `/`, that of the API at `/api/`, their parts under `/assets/`, the icon, and the
/// official client's files beside the engine's own path.
pub fn routes() -> Router {
    let nosniff = HeaderValue::from_static("nosniff");
    Router::new()
        .route("/", get(async |headers: HeaderMap| document(&headers)))
        .route("/api/", get(async |headers: HeaderMap| page_file("api.html", &headers)))
        // Its scope is the folder that it is in.
        .route(
            "/service-worker.js",
            get(async |headers: HeaderMap| page_file("service-worker.js", &headers)),
        )
        .route("/favicon.ico", get(async |headers: HeaderMap| page_file("icon.svg", &headers)))
        .route("/assets/{name}", get(asset))
        .route("/assets/{version}/{name}", get(versioned_asset))
        .route("/socket.io/{name}", get(client))
        .layer(SetResponseHeaderLayer::overriding(header::X_CONTENT_TYPE_OPTIONS, nosniff))
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest))
        .layer(map_response(weaken_tag))
}

/// Makes the `ETag` of a compressed answer a weak one: it names the content and not these bytes.
/// The files' handlers accept it as they accept the strong one.
pub(super) async fn weaken_tag(mut response: Response) -> Response {
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

/// The chat page.
fn document(headers: &HeaderMap) -> Response {
    let fields = page_fields("index.html", REVALIDATED, CHAT_PAGE.policy.clone());
    (fields, CHAT_PAGE.document.response(headers)).into_response()
}

async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    page_file(&name, &headers)
}

/// A file of this version of the page. Another version is a 404: a page never mixes two.
async fn versioned_asset(
    Path((version, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let prepared = match name.as_str() {
        "app.js" => Some(&CHAT_PAGE.app),
        "socket.io.js" => CHAT_PAGE.client.as_ref(),
        _ => None,
    };
    if version != CHAT_PAGE.version {
        not_found("another version of the page is served here")
    } else if let Some(file) = prepared {
        (page_fields(&name, FOR_EVER, policy("", "")), file.response(&headers)).into_response()
    } else {
        let mut response = page_file(&name, &headers);
        if response.status() != StatusCode::NOT_FOUND {
            response
                .headers_mut()
                .insert(header::CACHE_CONTROL, HeaderValue::from_static(FOR_EVER));
        }
        response
    }
}

/// The file `name` of a page, or a plain 404.
fn page_file(name: &str, headers: &HeaderMap) -> Response {
    let Some(file) = PageFiles::get(name) else {
        return not_found("not found");
    };
    let tag = content_tag(&file.metadata.sha256_hash());
    let fields = page_fields(name, REVALIDATED, policy("", ""));
    (fields, file_response(file, tag, headers)).into_response()
}

/// A 404 that says `why`.
pub(super) fn not_found(why: &'static str) -> Response {
    (StatusCode::NOT_FOUND, why).into_response()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use axum::body::{Body, to_bytes};
    use bytes::Bytes;
    use flate2::read::GzDecoder;
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
            let path = format!("/assets/{name}");
            let answer = get(&path, "\"another\"").await;
            assert_eq!(answer.status(), StatusCode::OK, "{path}");
            assert_eq!(header_value(&answer, "content-type"), content_type(&name));
            assert_eq!(header_value(&answer, "cache-control"), "no-cache");
            assert_eq!(header_value(&answer, "content-security-policy"), policy("", ""));
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
            "/assets/0123456789abcdef/app.js",
            "/assets/0123456789abcdef/icon.svg",
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

    async fn body_of(answer: Response) -> Bytes {
        to_bytes(answer.into_body(), usize::MAX).await.unwrap()
    }

    #[tokio::test]
    async fn the_document_has_one_etag_and_the_same_content_compressed() {
        let plain = get("/", "").await;
        let tag = header_value(&plain, "etag");
        for (name, value) in [
            ("cache-control", REVALIDATED),
            ("content-type", "text/html; charset=utf-8"),
            ("content-security-policy", CHAT_PAGE.policy.to_str().unwrap()),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("vary", "accept-encoding"),
        ] {
            assert_eq!(header_value(&plain, name), value, "{name}");
        }
        let plain = body_of(plain).await;
        let compressed = get_encoded("/", "", "gzip").await;
        assert_eq!(header_value(&compressed, "content-encoding"), "gzip");
        assert_eq!(header_value(&compressed, "vary"), "accept-encoding");
        assert_eq!(header_value(&compressed, "etag"), format!("W/{tag}"));
        let mut content = Vec::new();
        GzDecoder::new(&*body_of(compressed).await).read_to_end(&mut content).unwrap();
        assert_eq!(content, plain);
        for known in [tag.clone(), format!("W/{tag}")] {
            for encoding in ["identity", "gzip"] {
                let again = get_encoded("/", &known, encoding).await;
                assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{known}");
            }
        }
    }

    #[tokio::test]
    async fn what_the_document_names_is_kept_for_ever() {
        let document = String::from_utf8(body_of(get("/", "").await).await.to_vec()).unwrap();
        let mut paths: Vec<_> = document.split("\"/assets/").skip(1).collect();
        for path in &mut paths {
            *path = path.split('"').next().unwrap();
        }
        for name in ["app.js", "socket.io.js", "icon.svg"] {
            let path = format!("{}/{name}", CHAT_PAGE.version);
            assert!(paths.contains(&&*path), "{path} in {paths:?}");
        }
        for path in paths {
            let answer = get_encoded(&format!("/assets/{path}"), "", "gzip").await;
            if path.ends_with("socket.io.js") && CLIENT_TAG.is_none() {
                assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
                continue;
            }
            assert_eq!(answer.status(), StatusCode::OK, "{path}");
            assert_eq!(header_value(&answer, "cache-control"), FOR_EVER, "{path}");
            assert_eq!(header_value(&answer, "content-type"), content_type(path), "{path}");
            assert_eq!(header_value(&answer, "content-encoding"), "gzip", "{path}");
        }
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
