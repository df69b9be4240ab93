//! Which web pages may connect: browsers say whose page it is, and we believe them.

use http::{HeaderMap, HeaderValue, header};

use crate::domain::Rejection;

/// The pages that may connect besides those of this host.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    allowed: Vec<String>,
}

impl Origins {
    /// Allows these origins, written `scheme://host` or `scheme://host:port` in lower case.
    pub fn new(allowed: Vec<String>) -> Self {
        Self { allowed }
    }

    /// Checks the page that a request comes from.
    ///
    /// Answers the origin to name in CORS headers when the page is another host's and allowed, and
    /// nothing when there is no page (not a browser) or it is this host's own.
    pub fn check(&self, headers: &HeaderMap) -> Result<Option<HeaderValue>, Rejection> {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let Some(origin) = origins.next() else { return Ok(None) };
        if origins.next().is_some() {
            return Err(Rejection::OriginForbidden);
        }
        let text = origin.to_str().map_err(|_error| Rejection::OriginForbidden)?;
        if is_same_host(text, headers.get(header::HOST)) {
            Ok(None)
        } else if self.allowed.iter().any(|allowed| allowed == text) {
            Ok(Some(origin.clone()))
        } else {
            Err(Rejection::OriginForbidden)
        }
    }
}

/// Whether a page of `origin` and a request to `host` have the same host and port.
///
/// The scheme is not compared: behind a proxy that ends TLS we do not know our own.
fn is_same_host(origin: &str, host: Option<&HeaderValue>) -> bool {
    let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    match (authority, host.and_then(|host| host.to_str().ok())) {
        (Some(authority), Some(host)) => !host.is_empty() && authority.eq_ignore_ascii_case(host),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(origin: Option<&str>, allowed: &[&str]) -> Result<Option<HeaderValue>, Rejection> {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("chat.example.com:3000"));
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, HeaderValue::from_str(origin).unwrap());
        }
        Origins::new(allowed.iter().map(|it| (*it).to_owned()).collect()).check(&headers)
    }

    #[test]
    fn the_own_page_and_no_page_pass() {
        for own in ["http://chat.example.com:3000", "https://chat.example.com:3000"] {
            assert_eq!(check(Some(own), &[]), Ok(None), "{own}");
        }
        assert_eq!(check(None, &[]), Ok(None), "not a browser");
    }

    #[test]
    fn an_allowed_page_is_named_in_the_answer() {
        let shop = "https://shop.example";
        assert_eq!(check(Some(shop), &[shop]), Ok(Some(HeaderValue::from_static(shop))));
    }

    #[test]
    fn everybody_else_is_refused() {
        for other in [
            "null",
            "",
            "https://shop.example.evil.com",
            "https://evil.com/https://shop.example",
            "https://shop.example:8443",
            "http://shop.example",
            "http://chat.example.com",
            "http://chat.example.com:3000.evil.com",
            "ftp://chat.example.com:3000",
        ] {
            let refused = Err(Rejection::OriginForbidden);
            assert_eq!(check(Some(other), &["https://shop.example"]), refused, "{other}");
        }
    }
}
