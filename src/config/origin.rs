//! An allowed origin.

use std::{borrow::Cow, fmt, net::Ipv6Addr, str::FromStr as _};

use serde::{Deserialize, Serialize};

/// An origin as browsers send it: lower case, no path, no default port. With `*.` before the host,
/// it stands for all hosts with one or more labels there.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct AllowedOrigin(Box<str>);

/// The text is not an origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not an origin: scheme://host or scheme://host:port, such as https://example.com or https://*.example.com"
)]
pub struct InvalidOrigin(String);

impl AllowedOrigin {
    /// Accepts `scheme://host[:port]` and `scheme://*.host[:port]` in any case.
    pub fn parse(raw: &str) -> Result<Self, InvalidOrigin> {
        read(&raw.to_ascii_lowercase()).ok_or_else(|| InvalidOrigin(raw.to_owned()))
    }

    /// The text as browsers send it, or with `*.` before the host.
    pub fn as_raw(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for AllowedOrigin {
    type Error = InvalidOrigin;

    fn try_from(raw: String) -> Result<Self, InvalidOrigin> {
        Self::parse(&raw)
    }
}

impl fmt::Display for AllowedOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Normalizes `text`, which is in lower case.
fn read(text: &str) -> Option<AllowedOrigin> {
    let (scheme, rest) = text.split_once("://")?;
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (rest, None),
    };
    if !is_scheme(scheme) || !(is_host(host) || is_pattern(host)) {
        return None;
    }
    let host = normalize_host(host);
    let port = match port {
        Some(port) => Some(port.parse::<u16>().ok().filter(|port| *port != 0)?),
        None => None,
    };
    let port = port.filter(|port| !matches!((scheme, port), ("http", 80) | ("https", 443)));
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    Some(AllowedOrigin(format!("{scheme}://{host}{port}").into()))
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-.".contains(&b))
}

fn is_host(text: &str) -> bool {
    match text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inner) => Ipv6Addr::from_str(inner).is_ok(),
        None => {
            !text.is_empty()
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
        }
    }
}

/// An IPv6 address as browsers write it.
fn normalize_host(host: &str) -> Cow<'_, str> {
    let inner = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match inner.and_then(|inner| Ipv6Addr::from_str(inner).ok()) {
        Some(address) => format!("[{address}]").into(),
        None => host.into(),
    }
}

/// Whether this stands for the hosts below a host with a name.
fn is_pattern(text: &str) -> bool {
    text.strip_prefix("*.")
        .is_some_and(|host| is_host(host) && !host.starts_with(['.', '[']) && !host.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_normalised_as_browsers_send_it() {
        for (raw, kept) in [
            ("https://Example.COM", "https://example.com"),
            ("https://example.com:443", "https://example.com"),
            ("http://localhost:5173", "http://localhost:5173"),
            ("http://[::1]:80", "http://[::1]"),
            ("http://[0:0:0:0:0:0:0:1]:8080", "http://[::1]:8080"),
            ("http://[::1]", "http://[::1]"),
            ("http://example.com:443", "http://example.com:443"),
            ("https://*.Example.com", "https://*.example.com"),
            ("https://*.example.com:8443", "https://*.example.com:8443"),
            ("https://*.example.com:443", "https://*.example.com"),
            ("capacitor://localhost", "capacitor://localhost"),
        ] {
            assert_eq!(AllowedOrigin::parse(raw).unwrap().as_raw(), kept);
        }
    }

    #[test]
    fn an_invalid_origin_is_refused() {
        for bad in [
            "",
            "*",
            "null",
            "example.com",
            "https://",
            "https://example.com/",
            "https://example.com/app",
            "https://user@example.com",
            "https://example.com:0",
            "https://example.com:99999",
            "https://example.com:",
            "https://*",
            "https://*.",
            "https://*..com",
            "https://*.com.",
            "https://*.[::1]",
            "https://*.*.example.com",
            "https://a.*.example.com",
            "https://*a.example.com",
            "https://a*.example.com",
            "https://example.*",
            "*://example.com",
            "https://example.com:*",
            "https://ex ample.com",
            "http://[::g]",
            "://example.com",
        ] {
            assert_eq!(AllowedOrigin::parse(bad), Err(InvalidOrigin(bad.into())));
        }
    }
}
