//! The session cookie: found in a request, set and cleared in an answer.

use std::{fmt::Write as _, str::Utf8Error};

use http::{HeaderMap, HeaderValue, header};

use crate::domain::{Rejection, Token};

/// The cookie's name.
const NAME: &str = "roomcast_session";

/// The token in a request's cookie. Two that differ are refused: which of them is the page's own, and
/// which one another host of the site has put beside it, cannot be told.
pub(super) fn find(headers: &HeaderMap) -> Result<Option<Token>, Rejection> {
    let mut found = all(headers);
    match (found.pop(), found.is_empty()) {
        (Some(Ok(token)), true) => Ok(Some(token)),
        (None, _) => Ok(None),
        (Some(_), _) => Err(Rejection::Unauthorized),
    }
}

/// The tokens in a request's cookies, each once. Cookies that are none of ours may hold anything.
pub(super) fn all(headers: &HeaderMap) -> Vec<Result<Token, Utf8Error>> {
    let values = headers.get_all(header::COOKIE).iter();
    let pairs = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b';'));
    let pairs = pairs.filter_map(|pair| pair.trim_ascii().strip_prefix(NAME.as_bytes()));
    let mut tokens: Vec<_> = pairs.filter_map(|rest| rest.strip_prefix(b"=")).collect();
    tokens.sort_unstable();
    tokens.dedup();
    tokens.into_iter().map(|token| str::from_utf8(token).map(Token::from_raw)).collect()
}

/// `Set-Cookie` with a token that is good for so many seconds.
pub(super) fn set(token: &Token, seconds: i64, headers: &HeaderMap) -> HeaderValue {
    cookie(token.expose(), seconds.max(0), headers)
}

/// `Set-Cookie` without one.
pub(super) fn clear(headers: &HeaderMap) -> HeaderValue {
    cookie("", 0, headers)
}

/// `Lax`, so that it comes with a link from elsewhere, and with nothing that other sites' pages send.
fn cookie(token: &str, seconds: i64, headers: &HeaderMap) -> HeaderValue {
    let mut text = format!("{NAME}={token}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax");
    if is_secure(headers) {
        write!(text, "; Secure").expect("text takes anything");
    }
    let mut value = HeaderValue::from_str(&text).expect("a token is plain text");
    value.set_sensitive(true);
    value
}

/// Whether the page came over TLS, as far as its browser or the proxy before us says. Whoever lies here
/// only does without their own cookie.
fn is_secure(headers: &HeaderMap) -> bool {
    let starts = |name, start: &str| {
        let value = headers.get(name).and_then(|it| it.to_str().ok());
        value.is_some_and(|it| {
            it.get(..start.len()).is_some_and(|it| it.eq_ignore_ascii_case(start))
        })
    };
    starts(header::HeaderName::from_static("x-forwarded-proto"), "https")
        || starts(header::ORIGIN, "https://")
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
            set(&Token::from_raw("a.b.c"), 60, &headers).to_str().unwrap().to_owned()
        };
        let plain = "roomcast_session=a.b.c; Path=/; Max-Age=60; HttpOnly; SameSite=Lax";
        for (name, value, secure) in [
            ("x-forwarded-proto", "https", true),
            ("x-forwarded-proto", "HTTPS, http", true),
            ("x-forwarded-proto", "http", false),
            ("origin", "https://example.com", true),
            ("origin", "http://example.com", false),
        ] {
            let expected = if secure { format!("{plain}; Secure") } else { plain.to_owned() };
            assert_eq!(set(name, value), expected, "{name}: {value}");
        }
    }
}
