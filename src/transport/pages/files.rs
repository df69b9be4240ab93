//! The files that the binary has, and answers with them.

use std::{io::Write as _, sync::LazyLock};

use axum::{
    body::Body,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use rust_embed::{Embed, EmbeddedFile};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

/// The files of the page, which `build.rs` chooses.
#[derive(Embed)]
#[folder = "$OUT_DIR/embedded/page"]
pub(super) struct PageFiles;

/// The official client as `npm ci` installs it in `public/`. Without it the build succeeds and its
/// files answer 404.
#[derive(Embed)]
#[folder = "$OUT_DIR/embedded/client"]
pub(super) struct ClientPackage;

/// The `ETag` of the client's files: the version of the package, as with the official server.
pub(super) static CLIENT_TAG: LazyLock<Option<HeaderValue>> = LazyLock::new(|| {
    #[derive(Deserialize)]
    struct Package {
        version: String,
    }
    let package = ClientPackage::get("package.json")?;
    let Package { version } = serde_json::from_slice(&package.data).ok()?;
    HeaderValue::from_str(&format!("\"{version}\"")).ok()
});

/// A file that is made once, with its compressed form.
#[derive(Debug)]
pub(super) struct PreparedFile {
    tag: HeaderValue,
    plain: Bytes,
    gzip: Bytes,
}

impl PreparedFile {
    pub(super) fn new(content: Vec<u8>) -> Self {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        let gzip = encoder.write_all(&content).and_then(|()| encoder.finish());
        Self {
            tag: content_tag(&Sha256::digest(&content).into()),
            plain: content.into(),
            gzip: gzip.expect("a vector accepts all bytes").into(),
        }
    }

    /// The content in the best form that the client accepts, or 304 when it has it.
    pub(super) fn response(&self, headers: &HeaderMap) -> Response {
        if !accepts_gzip(headers) {
            return answer(self.plain.clone().into(), self.tag.clone(), headers);
        }
        let fields = [(header::CONTENT_ENCODING, "gzip"), (header::VARY, "accept-encoding")];
        (fields, answer(self.gzip.clone().into(), self.tag.clone(), headers)).into_response()
    }
}

/// The content of `file`, or 304 when the client has it.
pub(in crate::transport) fn file_response(
    file: EmbeddedFile,
    tag: HeaderValue,
    headers: &HeaderMap,
) -> Response {
    answer(file.data.into(), tag, headers)
}

/// The headers of a file of the page. `policy` is what the page may do, if it is one.
pub(super) fn page_fields(
    name: &str,
    cache: &'static str,
    policy: HeaderValue,
) -> [(HeaderName, HeaderValue); 5] {
    let text = HeaderValue::from_static;
    [
        (header::CONTENT_TYPE, text(content_type(name))),
        (header::CACHE_CONTROL, text(cache)),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::REFERRER_POLICY, text("no-referrer")),
        (HeaderName::from_static("cross-origin-opener-policy"), text("same-origin")),
    ]
}

/// The `ETag` of a page file: a part of the hash of its content.
pub(in crate::transport) fn content_tag(hash: &[u8; 32]) -> HeaderValue {
    let hash = u64::from_be_bytes(hash.first_chunk().copied().unwrap_or_default());
    HeaderValue::from_str(&format!("\"{hash:016x}\"")).expect("hexadecimal digits are plain text")
}

pub(in crate::transport) fn content_type(name: &str) -> &'static str {
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

pub(super) fn has_extension(name: &str, kind: &str) -> bool {
    name.rsplit('.').next() == Some(kind)
}

fn answer(content: Body, tag: HeaderValue, headers: &HeaderMap) -> Response {
    let known = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|it| it.to_str().ok());
    let mut tags = known.flat_map(|list| list.split(',')).map(str::trim);
    let is_known = tags.any(|it| it == "*" || tag == *it.strip_prefix("W/").unwrap_or(it));
    let tag = [(header::ETAG, tag)];
    if is_known {
        (StatusCode::NOT_MODIFIED, tag).into_response()
    } else {
        (tag, content).into_response()
    }
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    let lists = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|it| it.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|it| {
        let (coding, weight) = it.split_once(';').unwrap_or((it, "q=1"));
        let weight = weight.trim().strip_prefix("q=").and_then(|it| it.parse::<f32>().ok());
        coding.trim() == "gzip" && weight.is_some_and(|it| it > 0.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_to_those_who_accept_it() {
        for (accepted, is) in [
            ("gzip", true),
            ("br, gzip;q=0.5", true),
            ("gzip; q=1", true),
            ("gzip;q=0", false),
            ("gzip;q=x", false),
            ("x-gzip, br", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, accepted.parse().unwrap());
            assert_eq!(accepts_gzip(&headers), is, "{accepted}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
