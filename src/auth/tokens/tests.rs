//! Tokens as strangers make them.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::crypto::sign;
use serde_json::{Value, json};
use time::macros::datetime;

use super::*;
use crate::domain::Space;

const NOW: OffsetDateTime = datetime!(2026-03-01 12:00 UTC);
const KEY: &[u8] = b"a key of at least thirty-two bytes";

struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> OffsetDateTime {
        NOW
    }
}

fn tokens(key: &[u8]) -> KeyTokens {
    KeyTokens::new(&Secret::from_raw(key), Arc::new(Stopped))
}

fn ann() -> Claims {
    Claims {
        user: UserName::from_raw("ann"),
        expires_at: NOW + Duration::hours(1),
        spaces: Vec::new(),
        guest: None,
    }
}

fn later(seconds: i64) -> i64 {
    NOW.unix_timestamp() + seconds
}

/// A token with this header and payload, signed with the key whatever they say.
fn signed(header: &str, payload: &str) -> String {
    let part = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
    let message = format!("{}.{}", part(header), part(payload));
    let key = EncodingKey::from_secret(KEY);
    let signature = sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

fn hs256(payload: &Value) -> String {
    signed(r#"{"alg":"HS256","typ":"JWT"}"#, &payload.to_string())
}

fn check(token: &str) -> Result<Claims, Rejection> {
    tokens(KEY).check(token, NOW)
}

#[test]
fn what_was_issued_is_accepted_until_its_time_is_over() {
    let tokens = tokens(KEY);
    let claims = Claims {
        spaces: vec![SpacePattern::parse("/shop").unwrap(), SpacePattern::parse("/t-*").unwrap()],
        guest: Some("stay".to_owned()),
        ..ann()
    };
    let token = tokens.issue(&claims).unwrap();
    assert_eq!(tokens.check(&token, NOW), Ok(claims.clone()));
    let last = claims.expires_at - Duration::NANOSECOND;
    assert_eq!(tokens.check(&token, last), Ok(claims.clone()));
    assert_eq!(tokens.check(&token, claims.expires_at), Err(Rejection::TokenExpired));
}

#[test]
fn a_fraction_of_a_second_is_not_cut_off() {
    let tokens = tokens(KEY);
    let claims = Claims { expires_at: NOW + Duration::milliseconds(1500), ..ann() };
    let token = tokens.issue(&claims).unwrap();
    assert!(tokens.check(&token, NOW + Duration::milliseconds(1499)).is_ok());
    assert_eq!(tokens.check(&token, NOW + Duration::seconds(2)), Err(Rejection::TokenExpired));
}

#[test]
fn a_token_says_when_it_was_made() {
    let token = tokens(KEY).issue(&ann()).unwrap();
    let payload = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let payload: Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(payload, json!({"sub": "ann", "exp": later(3600), "iat": later(0)}));
}

#[test]
fn tokens_of_a_back_end_are_accepted() {
    for payload in [
        json!({"sub": "ann", "exp": later(1)}),
        json!({"sub": "  ann ", "exp": later(1)}),
        json!({"sub": "ann", "exp": later(1), "nbf": later(0)}),
        json!({"sub": "ann", "exp": later(9), "nbf": later(5)}),
        json!({"sub": "ann", "exp": 1_772_366_400.5 + 1.0}),
        json!({"sub": "ann", "exp": 253_402_300_799_i64}),
        json!({"sub": "ann", "exp": later(1), "aud": "me", "iss": ["you"], "iat": "x", "role": {}}),
    ] {
        let claims = check(&hs256(&payload)).unwrap_or_else(|error| panic!("{payload}: {error}"));
        assert_eq!((claims.user.as_raw(), claims.spaces.len()), ("ann", 0));
    }
}

#[test]
fn the_claim_spaces_limits_where_a_token_opens_a_door() {
    let token = hs256(&json!({"sub": "ann", "exp": later(1), "spaces": ["/shop", "/team-*"]}));
    let claims = check(&token).unwrap();
    for (space, open) in [("/shop", true), ("/team-red", true), ("/", false), ("/other", false)] {
        assert_eq!(claims.open(&Space::from_raw(space)), open, "{space}");
    }
}

#[test]
fn an_expired_token_is_told_so() {
    for seconds in [0, -1, -1_000_000] {
        let token = hs256(&json!({"sub": "ann", "exp": later(seconds)}));
        assert_eq!(check(&token), Err(Rejection::TokenExpired));
    }
}

#[test]
fn a_wrong_claim_is_a_wrong_token() {
    let exp = later(60);
    for payload in [
        r#"{"sub":"ann"}"#.to_owned(),
        r#"{"sub":"ann","exp":null}"#.to_owned(),
        r#"{"sub":"ann","exp":true}"#.to_owned(),
        r#"{"sub":"ann","exp":-1}"#.to_owned(),
        r#"{"sub":"ann","exp":1e400}"#.to_owned(),
        r#"{"sub":"ann","exp":1e300}"#.to_owned(),
        r#"{"sub":"ann","exp":99999999999999999999}"#.to_owned(),
        r#"{"sub":"ann","exp":253402300800}"#.to_owned(),
        format!(r#"{{"sub":"ann","exp":"{exp}"}}"#),
        format!(r#"{{"sub":"ann","exp":[{exp}]}}"#),
        format!(r#"{{"sub":"ann","exp":{exp},"exp":{exp}}}"#),
        format!(r#"{{"exp":{exp}}}"#),
        format!(r#"{{"sub":"","exp":{exp}}}"#),
        format!(r#"{{"sub":7,"exp":{exp}}}"#),
        format!(r#"{{"sub":"{}","exp":{exp}}}"#, "x".repeat(33)),
        format!(r#"{{"sub":"ann","exp":{exp},"nbf":{}}}"#, later(6)),
        format!(r#"{{"sub":"ann","exp":{exp},"nbf":"99999999999"}}"#),
        format!(r#"{{"sub":"ann","exp":{exp},"nbf":-1}}"#),
        format!(r#"{{"sub":"ann","exp":{exp},"nbf":1e400}}"#),
        format!(r#"{{"sub":"ann","exp":{exp},"spaces":[]}}"#),
        format!(r#"{{"sub":"ann","exp":{exp},"spaces":"/shop"}}"#),
        format!(r#"{{"sub":"ann","exp":{exp},"spaces":["shop"]}}"#),
        format!(r#"{{"sub":"ann","exp":{exp},"guest":7}}"#),
        "[]".to_owned(),
        "7".to_owned(),
        String::new(),
    ] {
        let token = signed(r#"{"alg":"HS256"}"#, &payload);
        assert_eq!(check(&token), Err(Rejection::Unauthorized), "{payload}");
    }
}

#[test]
fn a_token_may_not_choose_how_it_is_checked() {
    let payload = json!({"sub": "ann", "exp": later(60)}).to_string();
    for header in [
        r#"{"alg":"none"}"#,
        r#"{"alg":"None"}"#,
        r#"{"alg":"hs256"}"#,
        r#"{"alg":"HS384"}"#,
        r#"{"alg":"HS512"}"#,
        r#"{"alg":"RS256"}"#,
        r#"{"alg":"ES256"}"#,
        r#"{"alg":"EdDSA"}"#,
        r#"{"alg":"HS256","crit":["exp"]}"#,
        r#"{"typ":"JWT"}"#,
        "{}",
        "",
    ] {
        let token = signed(header, &payload);
        assert_eq!(check(&token), Err(Rejection::Unauthorized), "{header}");
        let bare = token.rsplit_once('.').unwrap().0;
        for token in [bare.to_owned(), format!("{bare}.")] {
            assert_eq!(check(&token), Err(Rejection::Unauthorized), "{header}");
        }
    }
}

#[test]
fn a_real_hs512_token_of_the_same_key_is_refused() {
    let payload = json!({"sub": "ann", "exp": later(60)});
    let key = EncodingKey::from_secret(KEY);
    for algorithm in [Algorithm::HS384, Algorithm::HS512] {
        let token = encode(&Header::new(algorithm), &payload, &key).unwrap();
        assert_eq!(check(&token), Err(Rejection::Unauthorized), "{algorithm:?}");
    }
}

#[test]
fn a_token_of_another_key_is_refused() {
    let token = tokens(b"another key of thirty-two bytes and more").issue(&ann()).unwrap();
    assert_eq!(check(&token), Err(Rejection::Unauthorized));
}

#[test]
fn a_token_that_was_cut_or_changed_is_refused() {
    let token = tokens(KEY).issue(&ann()).unwrap();
    assert!(check(&token).is_ok());
    for length in 0..token.len() {
        assert_eq!(check(token.get(..length).unwrap()), Err(Rejection::Unauthorized), "{length}");
    }
    for changed in
        [format!("{token}A"), format!("{token}.x"), format!(" {token}"), token.replace('.', "")]
    {
        assert_eq!(check(&changed), Err(Rejection::Unauthorized), "{changed}");
    }
}

#[test]
fn a_token_that_is_too_long_is_refused_unread() {
    let payload = |size| json!({"sub": "ann", "exp": later(60), "pad": "x".repeat(size)});
    let fitting = hs256(&payload(5900));
    assert!(fitting.len() <= TOKEN_BYTES_MAX);
    assert!(check(&fitting).is_ok());
    let long = hs256(&payload(6200));
    assert!(long.len() > TOKEN_BYTES_MAX);
    assert_eq!(check(&long), Err(Rejection::Unauthorized));
}

#[test]
fn nothing_of_a_key_is_printed() {
    assert_eq!(format!("{:?}", tokens(KEY)), "KeyTokens(***)");
}
