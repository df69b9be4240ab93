//! The session cookie: found in a request, set and cleared in an answer.

use cookie::{Cookie, SameSite, time::Duration};
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::domain::{Rejection, Token};

/// The cookie's name.
const NAME: &str = "roomcast_session";

/// The header in which a proxy names the scheme.
pub(super) const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The token in a request's cookie. Two that differ are refused: another host of the same site may
/// have set one of them, and nothing tells which.
pub(super) fn find(headers: &HeaderMap) -> Result<Option<Token>, Rejection> {
    let mut found = all(headers);
    match (found.pop(), found.is_empty()) {
        (Some(Ok(token)), true) => Ok(Some(token)),
        (None, _) => Ok(None),
        (Some(_), _) => Err(Rejection::Unauthorized),
    }
}

/// The tokens in a request's session cookies, each once.
///
/// The header is split as bytes, so that foreign cookies may hold anything: the parser takes text
/// only.
pub(super) fn all(headers: &HeaderMap) -> Vec<Result<Token, Rejection>> {
    let values = headers.get_all(header::COOKIE).iter();
    let pairs = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b';'));
    let mut pairs: Vec<_> =
        pairs.map(<[u8]>::trim_ascii).filter(|pair| is_session_cookie(pair)).collect();
    pairs.sort_unstable();
    pairs.dedup();
    pairs.into_iter().map(parse).collect()
}

fn is_session_cookie(pair: &[u8]) -> bool {
    pair.strip_prefix(NAME.as_bytes()).is_some_and(|rest| rest.starts_with(b"="))
}

fn parse(pair: &[u8]) -> Result<Token, Rejection> {
    let text = str::from_utf8(pair).map_err(|_error| Rejection::Unauthorized)?;
    let cookie = Cookie::parse(text).map_err(|_error| Rejection::Unauthorized)?;
    Ok(Token::from_raw(cookie.value()))
}

/// `Set-Cookie` with a token that is valid for so many seconds.
pub(super) fn set(token: &Token, seconds: i64, headers: &HeaderMap) -> HeaderValue {
    session_cookie(token.expose(), seconds.max(0), headers)
}

/// `Set-Cookie` that deletes the cookie.
pub(super) fn clear(headers: &HeaderMap) -> HeaderValue {
    session_cookie("", 0, headers)
}

/// `Lax`: browsers send the cookie with links from other sites, and with none of those sites'
/// requests.
fn session_cookie(token: &str, seconds: i64, headers: &HeaderMap) -> HeaderValue {
    let cookie = Cookie::build((NAME, token))
        .path("/")
        .max_age(Duration::seconds(seconds))
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(is_secure(headers));
    let mut value = HeaderValue::from_str(&cookie.to_string()).expect("a token is plain text");
    value.set_sensitive(true);
    value
}

/// Whether the page came over TLS, according to the browser or a proxy, trusted or not: a false claim
/// affects only the cookie of the client that makes it.
fn is_secure(headers: &HeaderMap) -> bool {
    let starts = |name, start: &str| {
        let value = headers.get(name).and_then(|it| it.to_str().ok());
        value.is_some_and(|it| {
            it.get(..start.len()).is_some_and(|it| it.eq_ignore_ascii_case(start))
        })
    };
    let forwarded = headers.get_all(header::FORWARDED).iter().filter_map(|it| it.to_str().ok());
    let mut pairs = forwarded.flat_map(|it| it.split([',', ';'])).map(str::trim);
    let is_https = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or_default();
        name.eq_ignore_ascii_case("proto") && value.trim_matches('"').eq_ignore_ascii_case("https")
    };
    pairs.any(is_https) || starts(FORWARDED_PROTO, "https") || starts(header::ORIGIN, "https://")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(cookies: &[&str]) -> Result<Option<Token>, Rejection> {
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append(header::COOKIE, HeaderValue::from_str(cookie).unwrap());
        }
        find(&headers)
    }

    #[test]
    fn a_token_is_found_among_other_cookies() {
        let token = Ok(Some(Token::from_raw("a.b.c")));
        assert_eq!(found(&["theme=dark; roomcast_session=a.b.c;lang=de"]), token);
        assert_eq!(found(&["theme=dark", "roomcast_session=a.b.c"]), token);
        assert_eq!(found(&["roomcast_session=a.b.c; roomcast_session=a.b.c"]), token);
        for none in ["", "theme", "xroomcast_session=a", "Roomcast_Session=a", ";;=;"] {
            assert_eq!(found(&[none]), Ok(None), "{none}");
        }
    }

    #[test]
    fn two_different_tokens_are_refused() {
        let two = "roomcast_session=a.b.c; roomcast_session=d.e.f";
        assert_eq!(found(&[two]), Err(Rejection::Unauthorized));
    }

    #[test]
    fn invalid_bytes_in_other_cookies_are_ignored() {
        let mut headers = HeaderMap::new();
        let others =
            HeaderValue::from_bytes(b"x=\xc3\xa9; y=\xff; roomcast_session=a.b.c").unwrap();
        headers.insert(header::COOKIE, others);
        assert_eq!(find(&headers), Ok(Some(Token::from_raw("a.b.c"))));
        let odd = HeaderValue::from_bytes(b"roomcast_session=\xff").unwrap();
        headers.insert(header::COOKIE, odd);
        assert_eq!(find(&headers), Err(Rejection::Unauthorized));
    }

    #[test]
    fn the_cookie_is_secure_when_the_page_is() {
        let set = |name: &'static str, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(value));
            set(&Token::from_raw("a.b.c"), 60, &headers)
        };
        let plain = ["HttpOnly", "Max-Age=60", "Path=/", "SameSite=Lax"];
        for (name, value, secure) in [
            ("x-forwarded-proto", "https", true),
            ("x-forwarded-proto", "HTTPS, http", true),
            ("x-forwarded-proto", "http", false),
            ("forwarded", "for=192.0.2.1;Proto=https;by=10.0.0.1, for=10.0.0.2", true),
            ("forwarded", "for=192.0.2.1;proto=\"HTTPS\"", true),
            ("forwarded", "for=192.0.2.1;proto=http", false),
            ("forwarded", "https", false),
            ("origin", "https://example.com", true),
            ("origin", "http://example.com", false),
        ] {
            let cookie = set(name, value);
            assert!(cookie.is_sensitive());
            let mut parts = cookie.to_str().unwrap().split("; ");
            assert_eq!(parts.next(), Some("roomcast_session=a.b.c"));
            let mut attributes: Vec<_> = parts.collect();
            attributes.sort_unstable();
            let expected = if secure { &[&plain[..], &["Secure"]].concat() } else { &plain[..] };
            assert_eq!(attributes, expected, "{name}: {value}");
        }
    }
}
