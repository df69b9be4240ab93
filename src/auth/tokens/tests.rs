//! Valid and forged tokens.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::{test_support::*, *};
use crate::auth::TOKEN_BYTES_MAX;
use crate::{
    auth::test_support::{ED, KeyPair, NOW, P256, P256_NEW, P384, RSA, signed},
    chat::ports::Rooms,
    domain::{DisplayName, Role, RoomPattern, SignInId, SpacePattern, TokenId},
};

#[test]
fn an_issued_token_is_accepted_until_it_expires() {
    let tokens = tokens(KEY);
    let full = Claims {
        name: DisplayName::parse("Ann Lee"),
        spaces: vec![SpacePattern::parse("/shop").unwrap(), SpacePattern::parse("/t-*").unwrap()],
        rooms: Rooms::Only(vec![(RoomPattern::parse("news").unwrap(), None)]),
        admin: true,
        guest: Some("stay".into()),
        token: Some(TokenId::from_raw("t1")),
        sign_in: Some(SignInId::from_raw("first")),
        ..ann()
    };
    let roles = [("news", Role::Reader), ("team-*", Role::Admin)];
    let roles = roles.map(|(room, role)| (RoomPattern::parse(room).unwrap(), Some(role)));
    let roles = Claims { rooms: Rooms::Only(roles.into()), ..ann() };
    let nowhere = Claims { rooms: Rooms::Only(Vec::new()), ..ann() };
    for claims in [full, roles, nowhere, ann()] {
        let claims = Claims { issued_at: Some(NOW - Duration::MINUTE), ..claims };
        let token = tokens.issue(&claims).unwrap();
        let check = |now| check_at(&tokens, token.expose(), now);
        assert_eq!(check(NOW), Ok(claims.clone()));
        assert_eq!(check(claims.expires_at - Duration::NANOSECOND), Ok(claims.clone()));
        assert_eq!(check(claims.expires_at), Err(Rejection::TokenExpired));
    }
}

#[test]
fn expiry_is_rounded_up_to_whole_seconds() {
    let tokens = tokens(KEY);
    let claims = Claims { expires_at: NOW + Duration::milliseconds(1500), ..ann() };
    let token = tokens.issue(&claims).unwrap();
    let check = |now| check_at(&tokens, token.expose(), now);
    assert!(check(NOW + Duration::milliseconds(1499)).is_ok());
    assert_eq!(check(NOW + Duration::seconds(2)), Err(Rejection::TokenExpired));
}

#[test]
fn an_issued_token_has_an_iat_claim() {
    let token = tokens(KEY).issue(&ann()).unwrap();
    let payload = BASE64_URL_SAFE_NO_PAD.decode(token.expose().split('.').nth(1).unwrap()).unwrap();
    let payload: Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(payload, json!({"sub": "ann", "exp": later(3600), "iat": later(0)}));
}

#[test]
fn the_header_cannot_choose_another_algorithm() {
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
        r#"{"alg":"HS256","crit":null}"#,
        r#"{"alg":"HS256","alg":"HS256"}"#,
        r#"{"alg":["HS256"]}"#,
        r#"{"alg":"HS256","kid":7}"#,
        r#"{"alg":"HS256","kid":null}"#,
        r#"{"typ":"JWT"}"#,
        "{}",
        "",
    ] {
        let token = own(header, &payload);
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
fn a_token_signed_with_another_key_is_refused() {
    let token = tokens(b"another key of thirty-two bytes and more").issue(&ann()).unwrap();
    assert_eq!(check(token.expose()), Err(Rejection::Unauthorized));
}

#[test]
fn a_truncated_or_modified_token_is_refused() {
    let token = tokens(KEY).issue(&ann()).unwrap();
    let token = token.expose();
    assert!(check(token).is_ok());
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
fn an_oversized_token_is_refused_before_parsing() {
    let payload = |size| json!({"sub": "ann", "exp": later(60), "pad": "x".repeat(size)});
    let fitting = hs256(&payload(5900));
    assert!(fitting.len() <= TOKEN_BYTES_MAX);
    assert!(check(&fitting).is_ok());
    let long = hs256(&payload(6200));
    assert!(long.len() > TOKEN_BYTES_MAX);
    assert_eq!(check(&long), Err(Rejection::Unauthorized));
}

#[test]
fn debug_output_does_not_contain_key_material() {
    assert_eq!(format!("{:?}", tokens(KEY)), "KeyTokens(***)");
}

#[test]
fn each_algorithm_is_verified_with_its_own_key() {
    let pairs = [
        (RSA, Algorithm::RS256),
        (RSA, Algorithm::RS384),
        (RSA, Algorithm::RS512),
        (RSA, Algorithm::PS256),
        (RSA, Algorithm::PS384),
        (RSA, Algorithm::PS512),
        (P256, Algorithm::ES256),
        (P384, Algorithm::ES384),
        (ED, Algorithm::EdDSA),
    ];
    for (pair, algorithm) in pairs {
        let key = Key::pem(pair.1, algorithm, None).unwrap();
        let tokens = with(vec![key], TokenRules::default());
        for (signer, other) in pairs {
            let token = signer.token(other, None);
            assert_eq!(
                check_at(&tokens, &token, NOW).is_ok(),
                other == algorithm,
                "{algorithm:?} {other:?}"
            );
        }
        let (message, signature) = pair
            .token(algorithm, None)
            .rsplit_once('.')
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .unwrap();
        let changed = format!("{message}.{}", signature.chars().rev().collect::<String>());
        assert_eq!(check_at(&tokens, &changed, NOW), Err(Rejection::Unauthorized), "{algorithm:?}");
    }
    for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
        let secret = [b'k'; 64];
        let key = Key::secret(&Secret::from_raw(&secret), algorithm, None).unwrap();
        let tokens = with(vec![key], TokenRules::default());
        let payload = json!({"sub": "ann", "exp": later(60)});
        let header = Header::new(algorithm);
        let token = encode(&header, &payload, &EncodingKey::from_secret(&secret)).unwrap();
        assert!(check_at(&tokens, &token, NOW).is_ok(), "{algorithm:?}");
        let tokens = tokens.with(Keys::default(), TokenRules::default());
        assert!(check_at(&tokens, &token, NOW).is_err(), "{algorithm:?}");
    }
}

#[test]
fn a_public_key_is_never_used_as_an_hmac_secret() {
    for algorithm in [Algorithm::RS256, Algorithm::PS256] {
        let key = Key::pem(RSA.1, algorithm, None).unwrap();
        let tokens = with(vec![key], TokenRules::default());
        let text = RSA.1.trim_ascii_end();
        for secret in [RSA.1, text] {
            for hash in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
                let payload = json!({"sub": "ann", "exp": later(60)}).to_string();
                let header = json!({ "alg": hash }).to_string();
                let token = signed(&EncodingKey::from_secret(secret), hash, &header, &payload);
                assert_eq!(check_at(&tokens, &token, NOW), Err(Rejection::Unauthorized));
                let header = json!({ "alg": algorithm }).to_string();
                let token = signed(&EncodingKey::from_secret(secret), hash, &header, &payload);
                assert_eq!(check_at(&tokens, &token, NOW), Err(Rejection::Unauthorized));
            }
        }
    }
}

#[test]
fn the_key_id_selects_among_the_keys_that_have_one() {
    let key = |pair: KeyPair, id| Key::pem(pair.1, Algorithm::ES256, id).unwrap();
    let named =
        with(vec![key(P256, Some("old")), key(P256_NEW, Some("new"))], TokenRules::default());
    let nameless = with(vec![key(P256, None), key(P256_NEW, None)], TokenRules::default());
    for (pair, kid, with_names) in [
        (P256, Some("old"), true),
        (P256, Some("new"), false),
        (P256, Some("other"), false),
        (P256, None, true),
        (P256_NEW, Some("new"), true),
        (P256_NEW, None, true),
    ] {
        let token = pair.token(Algorithm::ES256, kid);
        assert_eq!(check_at(&named, &token, NOW).is_ok(), with_names, "{kid:?}");
        assert!(check_at(&nameless, &token, NOW).is_ok(), "{kid:?}");
    }
    let token = P256.token(Algorithm::ES256, Some("other"));
    let (algorithm, key) = (Algorithm::ES256, Some("other".into()));
    assert_eq!(verified(&named, &token, NOW), Err(TokenError::NoKey { algorithm, key }));
}

#[test]
fn keys_inside_a_token_are_ignored() {
    let tokens =
        with(vec![Key::pem(P256.1, Algorithm::ES256, None).unwrap()], TokenRules::default());
    let payload = json!({
        "sub": "ann", "exp": later(60), "iss": "http://127.0.0.1:1/../keys", "aud": "../../keys",
    });
    let header = json!({
        "alg": "ES256",
        "jku": "http://127.0.0.1:1/keys",
        "x5u": "http://127.0.0.1:1/keys",
        "jwk": P256_NEW.jwk(&json!({})),
        "x5c": ["AAAA"],
    });
    let made =
        |pair: KeyPair| pair.signed(Algorithm::ES256, &header.to_string(), &payload.to_string());
    assert_eq!(check_at(&tokens, &made(P256_NEW), NOW), Err(Rejection::Unauthorized));
    assert!(check_at(&tokens, &made(P256), NOW).is_ok());
}

#[test]
fn the_error_text_names_the_reason() {
    let exp = later(60);
    let body = json!({"sub": "ann", "exp": exp}).to_string();
    let long = "x".repeat(TOKEN_BYTES_MAX);
    let five = format!("{}.a.b.c.d", BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"dir"}"#));
    let cut = hs256(&json!({"sub": "ann", "exp": exp})).rsplit_once('.').unwrap().0.to_owned();
    for (token, reason) in [
        (long.as_str().to_owned() + "x", "longer than 8192 bytes"),
        ("hello".to_owned(), "no three parts"),
        (five, "encrypted"),
        ("a.b.c.d".to_owned(), "more than three parts"),
        ("!.b.c".to_owned(), "its header is no JSON object"),
        (own(r#"{"alg":"none"}"#, &body), "it is not signed"),
        (own(r#"{"alg":"HS257"}"#, &body), "none of those that are checked"),
        (own("{}", &body), "its `alg` is not a text"),
        (own(r#"{"alg":"HS256","crit":[]}"#, &body), "`crit`"),
        (own(&json!({"alg": "HS256", "kid": "k".repeat(5000)}).to_string(), &body), "its `kid`"),
        (
            own(r#"{"alg":"HS512","kid":"a"}"#, &body),
            r#"no key for HS512 tokens with the `kid` "a""#,
        ),
        (format!("{cut}."), "its signature is of none of the HS256 keys"),
        (own(r#"{"alg":"HS256"}"#, "7"), "its claims are no JSON object"),
        (hs256(&json!({"exp": exp})), "it has no `sub`"),
        (hs256(&json!({"sub": "ann"})), "it has no `exp`"),
        (hs256(&json!({"sub": "", "exp": exp})), "its `sub` is not a user name"),
        (hs256(&json!({"sub": "ann", "exp": "1"})), "its `exp` is not a number"),
        (hs256(&json!({"sub": "ann", "exp": exp, "rooms": 1})), "its `rooms` is not a list"),
        (
            hs256(&json!({"sub": "ann", "exp": exp, "nbf": later(9)})),
            "not good before 2026-03-01T12:00:09Z (`nbf`)",
        ),
        (hs256(&json!({"sub": "ann", "exp": later(-1)})), "expired at 2026-03-01T11:59:59Z"),
    ] {
        let said = token_error(&token).to_string();
        assert!(said.contains(reason), "{reason} in {said}");
        assert!(!said.contains(&token), "{said}");
    }
}
