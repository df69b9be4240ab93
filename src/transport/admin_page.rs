//! The page of the official Admin UI, as `npm ci` installs it in `public/`.
//!
//! Its files are served as they are. Its scripts make elements with styles of their own, so its policy
//! permits these. Its icons and its font come from other hosts, which the page names: the policy permits
//! style sheets and fonts of these hosts, and no scripts.

use std::sync::LazyLock;

use axum::{
    Router,
    extract::Path,
    middleware::map_response,
    response::{IntoResponse as _, Redirect, Response},
    routing::get,
};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use rust_embed::Embed;
use tower_http::{
    CompressionLevel, compression::CompressionLayer, set_header::SetResponseHeaderLayer,
};

use super::pages::{content_tag, content_type, file_response, not_found, weaken_tag};

/// What the page may do. It may connect to other servers, whose addresses its user enters.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let page = AdminFiles::get("index.html").map(|it| it.data).unwrap_or_default();
    let hosts = style_hosts(str::from_utf8(&page).unwrap_or_default()).join(" ");
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline' {hosts}; \
        img-src 'self' data:; connect-src http: https: ws: wss:; font-src 'self' {hosts}; \
        base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).expect("the hosts are plain")
});

/// The hosts of style sheets that a page names.
fn style_hosts(page: &str) -> Vec<String> {
    let addresses = page.split("<link rel=\"stylesheet\" href=\"https://").skip(1);
    let hosts = addresses.filter_map(|it| it.split_once('/')).map(|(host, _)| host);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    let plain = hosts.filter(|host| host.chars().all(is_plain));
    plain.map(|host| format!("https://{host}")).collect()
}

/// The files of the page, without the sources of its scripts. Without them the build succeeds and their
/// paths answer 404.
#[derive(Embed)]
#[folder = "$OUT_DIR/embedded/admin"]
struct AdminFiles;

/// The page at `/admin/`, and its files below.
pub(super) fn routes() -> Router {
    let nosniff = HeaderValue::from_static("nosniff");
    Router::new()
        .route("/admin", get(async || Redirect::permanent("/admin/")))
        .route("/admin/", get(async |headers: HeaderMap| admin_file("index.html", &headers)))
        .route("/admin/{*name}", get(file))
        .layer(SetResponseHeaderLayer::overriding(header::X_CONTENT_TYPE_OPTIONS, nosniff))
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest))
        .layer(map_response(weaken_tag))
}

async fn file(Path(name): Path<String>, headers: HeaderMap) -> Response {
    admin_file(&name, &headers)
}

/// The file `name`, or a 404.
fn admin_file(name: &str, headers: &HeaderMap) -> Response {
    let Some(file) = AdminFiles::get(name) else {
        return not_found(if AdminFiles::get("index.html").is_some() {
            "not found"
        } else {
            "the Admin UI is not built in: run `npm ci` in public/ first"
        });
    };
    let fields = [
        (header::CONTENT_TYPE, content_type(name)),
        (header::CACHE_CONTROL, "no-cache"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    let policy = [(header::CONTENT_SECURITY_POLICY, POLICY.clone())];
    let tag = content_tag(&file.metadata.sha256_hash());
    (fields, policy, file_response(file, tag, headers)).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use http::StatusCode;
    use tower::ServiceExt as _;

    use super::*;

    async fn get(path: &str) -> Response {
        let request = http::Request::get(path).body(Body::empty()).unwrap();
        routes().oneshot(request).await.unwrap()
    }

    #[tokio::test]
    async fn the_page_and_its_files_are_served_with_a_policy() {
        let answer = get("/admin").await;
        assert_eq!(answer.status(), StatusCode::PERMANENT_REDIRECT);
        assert_eq!(answer.headers()[header::LOCATION], "/admin/");
        if AdminFiles::get("index.html").is_none() {
            let body = to_bytes(get("/admin/").await.into_body(), usize::MAX).await.unwrap();
            assert!(body.ends_with(b"run `npm ci` in public/ first"), "{body:?}");
            return;
        }
        let page = AdminFiles::get("index.html").unwrap();
        for name in AdminFiles::iter() {
            let answer = get(&format!("/admin/{name}")).await;
            assert_eq!(answer.status(), StatusCode::OK, "{name}");
            assert_eq!(answer.headers()[header::CONTENT_TYPE], content_type(&name));
            assert_eq!(answer.headers()[header::CONTENT_SECURITY_POLICY], *POLICY);
            assert_eq!(answer.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
            let is_named = name == "index.html"
                || name.starts_with("img/")
                || page.data.windows(name.len()).any(|it| it == name.as_bytes());
            assert!(is_named, "the page does not need {name}");
        }
        let answer = get("/admin/").await;
        let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        assert_eq!(&*body, &*page.data, "the page is not changed");
    }

    #[test]
    fn the_policy_permits_style_sheets_of_the_hosts_that_the_page_names() {
        let link = |href: &str| format!("<link rel=\"stylesheet\" href=\"{href}\">");
        let page =
            ["https://a.example/x.css", "css/x.css", "https://b.example:1/x", "https://c;d/"];
        assert_eq!(style_hosts(&page.map(link).concat()), ["https://a.example"]);
        let policy = POLICY.to_str().unwrap();
        assert!(policy.contains("script-src 'self';") && policy.contains("default-src 'none'"));
    }

    #[tokio::test]
    async fn other_files_are_not_found() {
        for path in ["/admin/js/", "/admin/package.json", "/admin/..%2f..%2fpackage.json"] {
            assert_eq!(get(path).await.status(), StatusCode::NOT_FOUND, "{path}");
        }
    }
}
