//! The token of a request: where it may be, and which one counts.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{HeaderMap, header};
use tracing::debug;

use super::{cookie, subprotocol::Offer};
use crate::{
    domain::{QueryTokens, Rejection, Token},
    wire::parameter,
};

/// The token of a request, in the order of trust: header, cookie, subprotocol, query. One that
/// cannot be read is refused, so that its user does not become a guest.
pub(super) fn find(
    headers: &HeaderMap,
    offer: Offer,
    query: &str,
    in_query: QueryTokens,
) -> Result<Option<Token>, Rejection> {
    if let Some(token) = authorization(headers)? {
        return Ok(Some(token));
    }
    if let Some(token) = cookie::find(headers)? {
        return Ok(Some(token));
    }
    if let Some(token) = offer.token {
        return token.map(Some);
    }
    match (parameter(query, "token")?, in_query) {
        (None, _) => Ok(None),
        (Some(token), QueryTokens::Accepted) => Ok(Some(Token::from_raw(&token))),
        (Some(_), QueryTokens::Rejected) => {
            debug!("a token in an address is refused: see token.in_query");
            Err(Rejection::Unauthorized)
        }
    }
}

/// The token in `Authorization`: RFC 6750 (Bearer), or RFC 7617 (Basic) as the password of any
/// user. Other schemes are ignored.
pub(super) fn authorization(headers: &HeaderMap) -> Result<Option<Token>, Rejection> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => value,
        (Some(_), Some(_)) => return Err(Rejection::Unauthorized),
    };
    let text = value.to_str().map_err(|_error| Rejection::Unauthorized)?;
    let (scheme, rest) = text.split_once([' ', '\t']).unwrap_or((text, ""));
    if scheme.eq_ignore_ascii_case("bearer") {
        Ok(Some(Token::from_raw(rest.trim())))
    } else if scheme.eq_ignore_ascii_case("basic") {
        password(rest.trim()).map(Some).ok_or(Rejection::Unauthorized)
    } else {
        Ok(None)
    }
}

fn password(encoded: &str) -> Option<Token> {
    let decoded = BASE64_STANDARD.decode(encoded).ok()?;
    let (_user, password) = str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some(Token::from_raw(password))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::transport::subprotocol::JSON;

    const TOKEN_PLACES: [(&str, &str); 4] = [
        ("authorization", "Bearer by.bearer"),
        ("cookie", "roomcast_session=by.cookie"),
        ("sec-websocket-protocol", "roomcast.bearer, by.subprotocol"),
        ("query", "room=news&token=by.query"),
    ];

    fn find_in(
        places: &[(&'static str, &str)],
        in_query: QueryTokens,
    ) -> Result<String, Rejection> {
        let (mut headers, mut query) = (HeaderMap::new(), "");
        for (place, value) in places {
            match *place {
                "query" => query = value,
                name => drop(headers.append(name, HeaderValue::from_str(value).unwrap())),
            }
        }
        let offer = Offer::read(&headers, &[JSON])?;
        let token = find(&headers, offer, query, in_query)?;
        Ok(token.map(|it| it.expose().to_owned()).unwrap_or_default())
    }

    fn found(places: &[(&'static str, &str)]) -> Result<String, Rejection> {
        find_in(places, QueryTokens::Accepted)
    }

    #[test]
    fn the_first_token_in_the_order_of_trust_counts() {
        assert_eq!(found(&[]).unwrap(), "");
        for (first, name) in
            ["by.bearer", "by.cookie", "by.subprotocol", "by.query"].iter().enumerate()
        {
            assert_eq!(found(&TOKEN_PLACES[first..]).unwrap(), *name);
        }
    }

    #[test]
    fn basic_carries_a_token_as_its_password() {
        for (plain, token) in
            [("x:a.b.c", "a.b.c"), (":a.b.c", "a.b.c"), ("x:a:b", "a:b"), ("x:", "")]
        {
            let value = format!("basic {}", BASE64_STANDARD.encode(plain));
            assert_eq!(found(&[("authorization", &value)]).unwrap(), token);
        }
    }

    #[test]
    fn an_unreadable_token_is_refused_even_if_another_follows() {
        let bad = ["Basic", "Basic !!!", "Basic dXNlcg==", "Basic /////w=="];
        for value in bad {
            let places = [("authorization", value), TOKEN_PLACES[1]];
            assert_eq!(found(&places), Err(Rejection::Unauthorized), "{value}");
        }
        let twice = [TOKEN_PLACES[0], ("authorization", "Bearer other")];
        assert_eq!(found(&twice), Err(Rejection::Unauthorized));
        assert_eq!(found(&[("authorization", "Bearer")]).unwrap(), "", "present, and no token");
        let bearer = ("sec-websocket-protocol", "roomcast.bearer");
        assert_eq!(found(&[bearer, TOKEN_PLACES[3]]), Err(Rejection::Unauthorized));
    }

    #[test]
    fn a_tab_separates_the_scheme_and_two_query_tokens_are_refused() {
        assert_eq!(found(&[("authorization", "Bearer\ta.b.c")]).unwrap(), "a.b.c");
        let twice = [("query", "token=a&token=b")];
        assert!(matches!(found(&twice), Err(Rejection::BadRequest(_))));
    }

    #[test]
    fn other_authorization_schemes_are_ignored() {
        assert_eq!(
            found(&[("authorization", "Digest username=x"), TOKEN_PLACES[3]]).unwrap(),
            "by.query"
        );
    }

    #[test]
    fn tokens_in_the_query_may_be_disabled() {
        let closed = |places| find_in(places, QueryTokens::Rejected);
        assert_eq!(closed(&TOKEN_PLACES[3..]), Err(Rejection::Unauthorized));
        assert_eq!(closed(&TOKEN_PLACES[2..]).unwrap(), "by.subprotocol");
        assert_eq!(closed(&[("query", "room=news")]).unwrap(), "");
    }
}
