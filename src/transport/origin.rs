//! Which web pages may connect, by the `Origin` header that browsers send.

use http::{HeaderMap, HeaderValue, header};

use super::origin_log::{OriginLog, OriginProblem};
use crate::{chat::Replaceable, domain::Rejection};

/// The origins whose pages may connect besides those of this host.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    allowed: Replaceable<Vec<OriginPattern>>,
    log: OriginLog,
}

/// Allowed origins, in lower case and as browsers write them.
#[derive(Clone, Debug)]
enum OriginPattern {
    /// `scheme://host` or `scheme://host:port`.
    Exact(String),
    /// All hosts below one: the text before and after their names.
    Subdomains { before: String, after: String },
}

impl Origins {
    /// Allows these origins, written `scheme://host` or `scheme://host:port` in lower case. A host
    /// that begins with `*.` matches all hosts below it, at any depth, but not the host itself.
    pub fn new(allowed: Vec<String>) -> Self {
        let origins = Self::default();
        origins.replace(allowed);
        origins
    }

    /// Allows these origins instead. Open connections stay.
    pub fn replace(&self, allowed: Vec<String>) {
        let allowed = allowed.into_iter().map(|text| match text.split_once("://*.") {
            Some((scheme, host)) => OriginPattern::Subdomains {
                before: format!("{scheme}://"),
                after: format!(".{host}"),
            },
            None => OriginPattern::Exact(text),
        });
        self.allowed.replace(allowed.collect());
    }

    /// Checks the origin of a request.
    ///
    /// Returns the origin for the CORS headers if it is another host's and allowed, and `None` for
    /// this host's own pages and for clients that send no origin.
    pub fn check(&self, headers: &HeaderMap) -> Result<Option<HeaderValue>, Rejection> {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let Some(origin) = origins.next() else { return Ok(None) };
        let text = match (origin.to_str(), origins.next()) {
            (Ok(text), None) => text,
            (text, _) => {
                return Err(self.refuse(OriginProblem::Malformed, text.unwrap_or_default()));
            }
        };
        if is_same_host(text, headers.get(header::HOST)) {
            Ok(None)
        } else if self.allowed.get().iter().any(|allowed| allowed.allows(text)) {
            Ok(Some(origin.clone()))
        } else {
            Err(self.refuse(OriginProblem::of_unlisted(text), text))
        }
    }

    fn refuse(&self, problem: OriginProblem, origin: &str) -> Rejection {
        self.log.record(problem, origin);
        Rejection::OriginForbidden
    }
}

impl OriginPattern {
    fn allows(&self, origin: &str) -> bool {
        match self {
            Self::Exact(allowed) => origin == allowed,
            Self::Subdomains { before, after } => {
                let rest = origin.strip_prefix(before.as_str());
                rest.and_then(|rest| rest.strip_suffix(after.as_str())).is_some_and(are_labels)
            }
        }
    }
}

/// Whether `text` consists of labels of a host, without characters that would change the host.
fn are_labels(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b);
    text.split('.').all(|label| !label.is_empty() && label.bytes().all(plain))
}

/// Whether `origin` and `host` have the same host and port. The default port of the origin's scheme
/// may be left out in either: browsers leave it out, some proxies and clients do not.
///
/// The scheme is not compared: behind a proxy that terminates TLS, the server does not know its
/// own.
fn is_same_host(origin: &str, host: Option<&HeaderValue>) -> bool {
    let http = origin.strip_prefix("http://").map(|authority| (authority, ":80"));
    let https = || origin.strip_prefix("https://").map(|authority| (authority, ":443"));
    match (http.or_else(https), host.and_then(|host| host.to_str().ok())) {
        (Some((authority, default_port)), Some(host)) => {
            let [origin, host] =
                [authority, host].map(|text| text.strip_suffix(default_port).unwrap_or(text));
            !host.is_empty() && origin.eq_ignore_ascii_case(host)
        }
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
    fn the_same_host_and_no_origin_pass() {
        for own in ["http://chat.example.com:3000", "https://chat.example.com:3000"] {
            assert_eq!(check(Some(own), &[]), Ok(None), "{own}");
        }
        assert_eq!(check(None, &[]), Ok(None), "not a browser");
    }

    #[test]
    fn a_default_port_may_be_left_out_on_either_side() {
        let is_own = |host: &'static str, origin: &str| {
            is_same_host(origin, Some(&HeaderValue::from_static(host)))
        };
        for (host, origin) in [
            ("chat.example.com:443", "https://chat.example.com"),
            ("chat.example.com", "https://chat.example.com:443"),
            ("Chat.Example.com:80", "http://chat.example.com"),
            ("chat.example.com", "http://chat.example.com:80"),
            ("[::1]:443", "https://[::1]"),
        ] {
            assert!(is_own(host, origin), "{host} and {origin}");
        }
        for (host, origin) in [
            ("chat.example.com:80", "https://chat.example.com"),
            ("chat.example.com:443", "http://chat.example.com"),
            ("chat.example.com:8443", "https://chat.example.com"),
            ("chat.example.com", "https://chat.example.com:80"),
            ("chat.example.com:443:443", "https://chat.example.com"),
            (":443", "https://"),
            (":443", "https://:443"),
        ] {
            assert!(!is_own(host, origin), "{host} and {origin}");
        }
    }

    #[test]
    fn an_allowed_origin_is_returned() {
        let shop = "https://shop.example";
        assert_eq!(check(Some(shop), &[shop]), Ok(Some(HeaderValue::from_static(shop))));
    }

    #[test]
    fn a_star_stands_for_all_hosts_below_one() {
        let allowed = ["https://*.example.com", "http://*.dev.example:8080"];
        for good in [
            "https://a.example.com",
            "https://a.b.example.com",
            "https://xn--bcher-kva.example.com",
            "http://a.dev.example:8080",
        ] {
            let named = Ok(Some(HeaderValue::from_static(good)));
            assert_eq!(check(Some(good), &allowed), named, "{good}");
        }
        for evil in [
            "https://example.com",
            "https://.example.com",
            "https://a..example.com",
            "https://evilexample.com",
            "https://a.example.com.evil.com",
            "https://a.example.com:8443",
            "http://a.example.com",
            "https://A.example.com",
            "https://evil.com/.example.com",
            "https://evil.com#.example.com",
            "https://evil.com?.example.com",
            "https://evil.com@a.example.com",
            "https://evil.com:80.example.com",
            "https://*.example.com",
            "http://a.dev.example",
        ] {
            assert_eq!(check(Some(evil), &allowed), Err(Rejection::OriginForbidden), "{evil}");
        }
    }

    #[test]
    fn other_origins_are_refused() {
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
