//! Keys as operators and sites supply them.

use std::{fs, time::Duration};

use serde_json::{Value, json};

use super::*;
use crate::auth::{
    KeyLocation, KeyOptions, Keys,
    test_support::{ED, KeyPair, P256, P256_NEW, P384, RSA, set, test_key},
};

const RSA_ALL: [Algorithm; 6] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
];

fn refused(text: &[u8], algorithm: Algorithm) -> InvalidKey {
    Key::pem(text, algorithm, None).unwrap_err()
}

/// Whether the set with this one key has a key for `algorithm`.
fn holds(jwk: Value, algorithm: Algorithm) -> bool {
    parse_key_set(&set(&[jwk])).unwrap().iter().any(|key| key.algorithm == algorithm)
}

#[test]
fn a_public_key_is_accepted_for_its_own_algorithms_only() {
    let pairs = [
        (RSA.1, RSA_ALL.as_slice()),
        (test_key!("rsa.pkcs1.pub.pem"), &RSA_ALL),
        (P256.1, &[Algorithm::ES256]),
        (P384.1, &[Algorithm::ES384]),
        (test_key!("p521.pub.pem"), &[]),
        (ED.1, &[Algorithm::EdDSA]),
    ];
    let others = [Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA, Algorithm::HS256];
    for (text, fitting) in pairs {
        for algorithm in RSA_ALL.into_iter().chain(others) {
            let key = Key::pem(text, algorithm, None);
            assert_eq!(key.is_ok(), fitting.contains(&algorithm), "{algorithm:?}");
        }
    }
}

#[test]
fn the_error_names_why_a_pem_is_no_public_key() {
    for private in [RSA.0, P256.0, ED.0, test_key!("rsa.pkcs1.pem")] {
        assert_eq!(refused(private, Algorithm::RS256), InvalidKey::Private);
    }
    let both = [P256.1, P256.0].concat();
    assert_eq!(refused(&both, Algorithm::ES256), InvalidKey::Private);
    let certificate = test_key!("p256.crt.pem");
    assert_eq!(refused(certificate, Algorithm::ES256), InvalidKey::Certificate);
    let two = [P256.1, P256.1].concat();
    for text in [b"".as_slice(), b"a secret", b"\xff\xfe", &two] {
        assert_eq!(refused(text, Algorithm::ES256), InvalidKey::NotPem);
    }
    let compressed = test_key!("p256-compressed.pub.pem");
    assert_eq!(refused(compressed, Algorithm::ES256), InvalidKey::Compressed);
    let empty = b"-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n";
    assert_eq!(refused(empty, Algorithm::ES256), InvalidKey::WrongAlgorithm(Algorithm::ES256));
    assert_eq!(refused(test_key!("rsa-weak.pub.pem"), Algorithm::RS256), InvalidKey::Size(1024));
}

#[test]
fn a_secret_must_be_as_long_as_its_hash() {
    let sizes = [(Algorithm::HS256, 32), (Algorithm::HS384, 48), (Algorithm::HS512, 64)];
    for (algorithm, least) in sizes {
        let key = |size| Key::secret(&Secret::from_raw(&vec![b'k'; size]), algorithm, None);
        assert!(key(least).is_ok());
        assert_eq!(key(least - 1).unwrap_err(), InvalidKey::TooShort { algorithm, least });
    }
    let public = Key::secret(&Secret::from_raw(RSA.1), Algorithm::RS256, None);
    assert_eq!(public.unwrap_err(), InvalidKey::WrongAlgorithm(Algorithm::RS256));
}

#[test]
fn the_algorithm_of_a_key_is_read_from_its_set() {
    for (pair, others, algorithm) in [
        (RSA, json!({}), Algorithm::RS256),
        (RSA, json!({ "alg": "PS512", "use": "sig" }), Algorithm::PS512),
        (P256, json!({ "key_ops": ["verify"] }), Algorithm::ES256),
        (P384, json!({ "alg": "ES384" }), Algorithm::ES384),
        (ED, json!({}), Algorithm::EdDSA),
        (ED, json!({ "alg": "EdDSA", "x5c": ["ignored"], "kid": "k" }), Algorithm::EdDSA),
    ] {
        assert!(holds(pair.jwk(&others), algorithm), "{others}");
    }
}

#[test]
fn keys_for_other_purposes_are_left_out_of_a_set() {
    let secret =
        json!({ "kty": "oct", "alg": "HS256", "k": "a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5" });
    let wrong: [(KeyPair, Value); 17] = [
        (RSA, json!({ "use": "enc" })),
        (RSA, json!({ "use": 1 })),
        (RSA, json!({ "key_ops": ["encrypt"] })),
        (RSA, json!({ "alg": "ES256" })),
        (RSA, json!({ "alg": "HS256" })),
        (RSA, json!({ "alg": "none" })),
        (RSA, json!({ "alg": "RSA-OAEP" })),
        (RSA, json!({ "d": "AAAA" })),
        // Even, of 33 bits, and one.
        (RSA, json!({ "e": "AQAA" })),
        (RSA, json!({ "e": "AQAAAAE" })),
        (RSA, json!({ "e": "AQ" })),
        (RSA, json!({ "n": "AQAB" })),
        (P256, json!({ "crv": "P-384" })),
        (P256, json!({ "x": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" })),
        (ED, json!({ "x": "AAAA" })),
        // y = 2, which no point of the curve has.
        (ED, json!({ "x": "AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" })),
        (ED, json!({ "crv": "X25519" })),
    ];
    let wrong = wrong.into_iter().map(|(pair, others)| pair.jwk(&others));
    let unknown = [json!({ "kty": "AKP" }), json!({}), json!("key"), json!(null), secret];
    for key in wrong.chain(unknown) {
        let text = set(&[key.clone(), P256.jwk(&json!({}))]);
        assert_eq!(parse_key_set(&text).unwrap().len(), 1, "{key}");
    }
}

#[test]
fn an_invalid_key_set_is_refused() {
    for text in ["", "<html>", "[]", "7", "{}", r#"{"keys":{}}"#, r#"{"keys":["#] {
        assert_eq!(parse_key_set(text.as_bytes()).unwrap_err(), InvalidKeySet::Malformed, "{text}");
    }
    assert_eq!(parse_key_set(&set(&vec![Value::Null; 101])).unwrap_err(), InvalidKeySet::TooMany);
    assert!(parse_key_set(&set(&vec![Value::Null; 100])).unwrap().is_empty());
}

#[test]
fn key_files_are_read_and_errors_name_the_key_and_the_file() {
    let home = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = home.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let long = "k".repeat(40);
    let good = [
        KeyLocation::Secret(Secret::from_raw(long.as_bytes()), Algorithm::HS256),
        KeyLocation::SecretFile(file("secret", format!("{long}\n").as_bytes()), Algorithm::HS256),
        KeyLocation::PemFile(file("a.pem", P256.1), Algorithm::ES256),
        KeyLocation::JwksFile(file("a.json", &set(&[RSA.jwk(&json!({})), ED.jwk(&json!({}))]))),
        KeyLocation::JwksUrl("http://localhost".parse().unwrap()),
    ];
    let options = |location: KeyLocation| KeyOptions { location, id: None };
    let keys = Keys::open(&good.map(options), Duration::from_mins(1)).unwrap();
    assert_eq!((keys.fixed.len(), keys.sources.len()), (5, 1));
    for (bad, reason) in [
        (KeyLocation::SecretFile(file("short", b"hunter2"), Algorithm::HS256), "too short"),
        (
            KeyLocation::SecretFile(file("forty", long.as_bytes()), Algorithm::HS384),
            "at least 48 bytes",
        ),
        (KeyLocation::PemFile(file("b.pem", P256.0), Algorithm::ES256), "private key"),
        (KeyLocation::PemFile(file("c.pem", P256.1), Algorithm::ES384), "no key for ES384"),
        (KeyLocation::PemFile(home.path().join("none.pem"), Algorithm::ES384), "none.pem"),
        (KeyLocation::JwksFile(file("b.json", b"{}")), "not a set"),
        (KeyLocation::JwksFile(file("c.json", &set(&[]))), "without a public key"),
    ] {
        let good = KeyLocation::PemFile(home.path().join("a.pem"), Algorithm::ES256);
        let error = Keys::open(&[good, bad].map(options), Duration::from_mins(1)).unwrap_err();
        let (mut text, mut cause) = (error.to_string(), std::error::Error::source(&error));
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        assert!(text.contains("key 2") && text.contains(reason), "{reason} in {text}");
        assert!(!text.contains("hunter2") && !text.contains(&long), "{text}");
    }
}

#[test]
fn debug_output_does_not_contain_key_material() {
    let key = Key::secret(&Secret::from_raw(&[b'k'; 32]), Algorithm::HS256, Some("id")).unwrap();
    assert_eq!(format!("{key:?}"), "Key(HS256, Some(\"id\"), ***)");
}

#[test]
fn a_signature_is_verified_once_and_its_changes_never() {
    let token = P256.token(Algorithm::ES256, None);
    let (message, signature) = token.rsplit_once('.').unwrap();
    let key = Key::pem(P256.1, Algorithm::ES256, None).unwrap();
    for _ in 0..2 {
        assert!(key.has_signed(message, signature));
        assert!(key.clone().has_signed(message, signature), "clones share what was verified");
        assert!(!key.has_signed(&format!("{message}A"), signature));
        assert!(!key.has_signed(message, signature.get(1..).unwrap()));
    }
    let replaced = Key::pem(P256_NEW.1, Algorithm::ES256, None).unwrap();
    assert!(!replaced.has_signed(message, signature), "another key of the same site");
}
