//! Valid and invalid claims.

use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::json;

use super::*;
use crate::{
    auth::{
        Key,
        test_support::{NOW, signed},
        tokens::test_support::{ann, check, check_at, hs256, later, own, with},
    },
    chat::ports::Tokens as _,
    domain::{DisplayName, Grant, Rejection, RoomName, Secret, Space},
};

#[test]
fn back_end_tokens_are_accepted() {
    for payload in [
        json!({"sub": "ann", "exp": later(1)}),
        json!({"sub": "  ann ", "exp": later(1)}),
        json!({"sub": "ann", "exp": later(1), "nbf": later(0)}),
        json!({"sub": "ann", "exp": later(9), "nbf": later(5)}),
        json!({"sub": "ann", "exp": 1_772_366_400.5 + 1.0}),
        json!({"sub": "ann", "exp": 253_402_300_799_i64}),
        json!({"sub": "ann", "exp": later(1), "aud": "me", "iss": ["you"], "iat": later(5), "role": {}}),
    ] {
        let claims = check(&hs256(&payload)).unwrap_or_else(|error| panic!("{payload}: {error}"));
        assert_eq!((claims.user.as_raw(), claims.spaces.len()), ("ann", 0));
    }
}

#[test]
fn the_spaces_claim_limits_the_spaces_a_token_opens() {
    let token = hs256(&json!({"sub": "ann", "exp": later(1), "spaces": ["/shop", "/team-*"]}));
    let claims = check(&token).unwrap();
    for (space, open) in [("/shop", true), ("/team-red", true), ("/", false), ("/other", false)] {
        assert_eq!(claims.allows_space(&Space::from_raw(space)), open, "{space}");
    }
}

#[test]
fn an_expired_token_is_rejected_as_expired() {
    for seconds in [0, -1, -1_000_000] {
        let token = hs256(&json!({"sub": "ann", "exp": later(seconds)}));
        assert_eq!(check(&token), Err(Rejection::TokenExpired));
    }
}

#[test]
fn an_invalid_claim_makes_the_token_invalid() {
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
        format!(r#"{{"sub":"{}","exp":{exp}}}"#, "x".repeat(65)),
        format!(r#"{{"sub":"ann","exp":{exp},"nbf":{}}}"#, later(6)),
        format!(r#"{{"sub":"ann","exp":{exp},"nbf":"99999999999"}}"#),
        format!(r#"{{"sub":"ann","exp":{exp},"nbf":-1}}"#),
        format!(r#"{{"sub":"ann","exp":{exp},"nbf":1e400}}"#),
        format!(r#"{{"sub":"ann","exp":{exp},"spaces":[]}}"#),
        format!(r#"{{"sub":"ann","exp":{exp},"spaces":"/shop"}}"#),
        format!(r#"{{"sub":"ann","exp":{exp},"spaces":["shop"]}}"#),
        format!(r#"{{"sub":"ann","exp":{exp},"nbf":null}}"#),
        format!(r#"{{"sub":"ann","exp":{exp},"iat":"{exp}"}}"#),
        format!(r#"{{"sub":"ann","exp":{exp},"iat":{}}}"#, later(6)),
        format!(r#"{{"sub":"ann","sub":"bob","exp":{exp}}}"#),
        format!(r#"{{"sub":"ann","exp":{exp},"name":7}}"#),
        format!(r#"{{"sub":"ann","exp":{exp},"rooms":"news"}}"#),
        format!(r#"{{"sub":"ann","exp":{exp},"rooms":null}}"#),
        format!(r#"{{"sub":"ann","exp":{exp},"rooms":["a\nb"]}}"#),
        format!(r#"{{"sub":"ann","exp":{exp},"rooms":[7]}}"#),
        format!(r#"{{"sub":"ann","exp":{exp},"rooms":{{"news":"king"}}}}"#),
        format!(r#"{{"sub":"ann","exp":{exp},"rooms":{{"news":"Reader"}}}}"#),
        format!(r#"{{"sub":"ann","exp":{exp},"rooms":{{"news":null}}}}"#),
        format!(r#"{{"sub":"ann","exp":{exp},"rooms":{{"news":["reader"]}}}}"#),
        format!(r#"{{"sub":"ann","exp":{exp},"rooms":{{"a\nb":"reader"}}}}"#),
        format!(r#"{{"sub":"ann","exp":{exp},"rooms":{{"":"reader"}}}}"#),
        format!(r#"{{"sub":"ann","exp":{exp},"rooms":{{"a":"reader","a":"owner"}}}}"#),
        format!(r#"{{"sub":"ann","exp":{exp},"rooms":[{{"a":"reader"}}]}}"#),
        format!(r#"{{"sub":"ann","exp":{exp},"admin":"true"}}"#),
        format!(r#"{{"sub":"ann","exp":{exp},"admin":1}}"#),
        format!(r#"{{"sub":"ann","exp":{exp},"guest":7}}"#),
        format!(r#"{{"sub":"ann","exp":{exp},"sign_in":7}}"#),
        "[]".to_owned(),
        "7".to_owned(),
        String::new(),
    ] {
        let token = own(r#"{"alg":"HS256"}"#, &payload);
        assert_eq!(check(&token), Err(Rejection::Unauthorized), "{payload}");
    }
}

#[test]
fn issuer_and_audience_are_compared_when_they_are_set() {
    let rules = TokenRules {
        issuer: Some("https://id.example".into()),
        audience: vec!["chat".into(), "spare".into()],
        ..TokenRules::default()
    };
    let tokens = with(Vec::new(), rules);
    let token = tokens.issue(&ann()).unwrap();
    let issued = Claims { issued_at: Some(NOW), ..ann() };
    assert_eq!(check_at(&tokens, token.expose(), NOW), Ok(issued), "own tokens need no issuer");
    let (iss, aud) = (json!("https://id.example"), json!("chat"));
    for (iss, aud, good) in [
        (iss.clone(), aud.clone(), true),
        (iss.clone(), json!(["other", "spare"]), true),
        (iss.clone(), json!(["other"]), false),
        (iss.clone(), json!([]), false),
        (iss.clone(), json!(["chat", 7]), false),
        (iss.clone(), json!("chat "), false),
        (iss.clone(), Value::Null, false),
        (json!("https://id.example/"), aud.clone(), false),
        (json!(["https://id.example"]), aud.clone(), false),
        (Value::Null, aud.clone(), false),
    ] {
        let token = hs256(&json!({"sub": "ann", "exp": later(60), "iss": iss, "aud": aud}));
        assert_eq!(check_at(&tokens, &token, NOW).is_ok(), good, "{iss} {aud}");
    }
    let bare = hs256(&json!({"sub": "ann", "exp": later(-60)}));
    assert_eq!(check_at(&tokens, &bare, NOW), Err(Rejection::Unauthorized), "expiry is last");
}

#[test]
fn leeway_applies_to_nbf_and_iat_and_not_to_exp() {
    let rules = TokenRules { leeway: Duration::seconds(60), ..TokenRules::default() };
    let tokens = with(Vec::new(), rules);
    for (payload, good) in [
        (json!({"sub": "ann", "exp": later(99), "nbf": later(60), "iat": later(60)}), true),
        (json!({"sub": "ann", "exp": later(99), "nbf": later(61)}), false),
        (json!({"sub": "ann", "exp": later(99), "iat": later(61)}), false),
        (json!({"sub": "ann", "exp": later(0)}), false),
    ] {
        assert_eq!(check_at(&tokens, &hs256(&payload), NOW).is_ok(), good, "{payload}");
    }
}

#[test]
fn the_rooms_claim_limits_the_rooms_that_may_be_joined() {
    let token = hs256(&json!({"sub": "ann", "exp": later(1), "rooms": ["news", "team-*"]}));
    let rooms = check(&token).unwrap().rooms;
    for (room, open) in [("news", true), ("team-a", true), ("lobby", false)] {
        assert_eq!(rooms.allows(&RoomName::from_raw(room)), open, "{room}");
    }
    let token = hs256(&json!({"sub": "ann", "exp": later(1), "rooms": []}));
    assert_eq!(check(&token).unwrap().rooms, Rooms::Only(Vec::new()));
}

#[test]
fn the_rooms_claim_may_assign_roles() {
    let rooms = json!({"news": "reader", "team-*": "member", "team-a": "admin", "own": "owner"});
    let token = hs256(&json!({"sub": "ann", "exp": later(1), "rooms": rooms}));
    let rooms = check(&token).unwrap().rooms;
    for (room, grant) in [
        ("news", Grant::As(Role::Reader)),
        ("team-b", Grant::As(Role::Member)),
        ("team-a", Grant::As(Role::Admin)),
        ("own", Grant::As(Role::Owner)),
        ("lobby", Grant::Closed),
    ] {
        assert_eq!(rooms.grant(&RoomName::from_raw(room)), grant, "{room}");
    }
    let token = hs256(&json!({"sub": "ann", "exp": later(1), "rooms": {}}));
    assert_eq!(check(&token).unwrap().rooms, Rooms::Only(Vec::new()));
}

#[test]
fn invisible_and_bidirectional_characters_are_removed_from_names() {
    for (name, shown) in [
        (json!("  Ann Lee "), Some("Ann Lee")),
        (json!("Ann\u{202e}eeL\u{200b}\n"), Some("AnneeL")),
        (json!("\u{202e}\u{0} "), None),
        (json!(""), None),
        (json!(null), None),
        (json!("علی\u{200c}رضا 👩\u{200d}🚀"), Some("علی\u{200c}رضا 👩\u{200d}🚀")),
        (json!("❤\u{fe0f} Zoe\u{308}"), Some("❤\u{fe0f} Zoe\u{308}")),
    ] {
        let token = hs256(&json!({"sub": "ann", "exp": later(1), "name": name}));
        assert_eq!(check(&token).unwrap().name.as_ref().map(DisplayName::as_raw), shown, "{name}");
    }
    let token = hs256(&json!({"sub": "ann", "exp": later(1), "name": "ü".repeat(65)}));
    assert_eq!(check(&token).unwrap().name, DisplayName::parse(&"ü".repeat(64)));
}

#[test]
fn the_id_of_a_token_is_read_strictly() {
    let tokens = with(Vec::new(), TokenRules::default());
    let check = |id: Value| {
        let payload = json!({"sub": "ann", "exp": later(60), "iat": later(-1), "jti": id});
        check_at(&tokens, &hs256(&payload), NOW)
    };
    let claims = check(json!("a1")).unwrap();
    assert_eq!(claims.token, Some(TokenId::from_raw("a1")));
    assert_eq!(claims.issued_at, Some(NOW - Duration::SECOND));
    for bad in [json!(7), json!(null), json!(""), json!("a\n"), json!("x".repeat(257))] {
        assert_eq!(check(bad.clone()), Err(Rejection::Unauthorized), "{bad}");
    }
}

#[test]
fn guest_claims_are_accepted_only_with_the_servers_own_key() {
    let secret = Secret::from_raw(&[b'k'; 32]);
    let key = Key::secret(&secret, Algorithm::HS256, None).unwrap();
    let tokens = with(vec![key], TokenRules::default());
    let payload = json!({"sub": "ann", "exp": later(60), "guest": "stay", "sign_in": "first"});
    let ours = check_at(&tokens, &hs256(&payload), NOW).unwrap();
    assert_eq!(ours.guest.as_deref(), Some("stay"));
    assert_eq!(ours.sign_in, Some(SignInId::from_raw("first")));
    for payload in [payload, json!({"sub": "ann", "exp": later(60), "guest": 7, "sign_in": []})] {
        let key = EncodingKey::from_secret(secret.expose());
        let token = signed(&key, Algorithm::HS256, r#"{"alg":"HS256"}"#, &payload.to_string());
        // Also if that key was the own key before: its guests do not become users.
        assert_eq!(check_at(&tokens, &token, NOW), Err(Rejection::Unauthorized));
    }
}
