//! Refusals name the keys that are missing and unknown, in every request.

use super::*;
use crate::wire::{contract, rejection::rejection_object};

/// The keys that each request needs.
const REQUIRED: [(&str, &[&str]); 22] = [
    ("new user", &["name"]),
    ("identify", &["name"]),
    ("send message", &["msg"]),
    ("GroupChat", &["data"]),
    ("SingleChat", &["to", "data"]),
    ("GroupList", &[]),
    ("join", &[]),
    ("leave", &[]),
    ("history", &[]),
    ("read", &["seq"]),
    ("mute", &["muted"]),
    ("typing", &["typing"]),
    ("edit message", &["seq", "msg"]),
    ("delete message", &["seq"]),
    ("invite", &["user"]),
    ("kick", &["user"]),
    ("topic", &["topic"]),
    ("notify", &["to", "data"]),
    ("members", &[]),
    ("rooms", &[]),
    ("presence", &["users"]),
    ("auth", &["token"]),
];

/// Every key of the protocol, with a value that it may have.
const KEYS: [(&str, &str); 24] = [
    ("after", "1"),
    ("before", "1"),
    ("data", "1"),
    ("device", "\"d\""),
    ("epoch", "\"e\""),
    ("id", "\"i\""),
    ("inbox", "true"),
    ("limit", "1"),
    ("msg", "1"),
    ("muted", "true"),
    ("name", "\"ann\""),
    ("role", "\"member\""),
    ("room", "\"news\""),
    ("seq", "1"),
    ("since", "1"),
    ("to", "\"bob\""),
    ("token", "\"t\""),
    ("topic", "\"Plans\""),
    ("typing", "true"),
    ("user", "\"bob\""),
    ("users", "[\"bob\"]"),
    ("with", "\"bob\""),
    ("query", "\"b\""),
    ("cursor", "\"bob\""),
];

fn object(keys: &[&str]) -> String {
    let value = |key: &str| KEYS.iter().find(|it| it.0 == key).map_or("1", |it| it.1);
    let members: Vec<_> = keys.iter().map(|key| format!("{key:?}:{}", value(key))).collect();
    format!("{{{}}}", members.join(","))
}

fn known_keys(event: &str) -> Vec<&'static str> {
    let mut known = Vec::new();
    contract::for_each_request_key(event, |key| known.push(key.name)).expect(event);
    known
}

#[test]
fn every_request_names_the_keys_that_are_missing_and_unknown() {
    assert_eq!(REQUIRED.map(|it| it.0), REQUESTS.each_ref().map(|it| it.name));
    for (event, required) in REQUIRED {
        let KeyMismatch { missing, unknown, mistyped: _, known } = keys(event, r#"{"zz\nz":1}"#);
        assert_eq!(missing, *required, "{event}");
        let unknown: Vec<_> = unknown.iter().map(|it| (&*it.key, it.nearest.as_deref())).collect();
        assert_eq!(unknown, [("zz\nz", None)], "{event}");
        assert_eq!(known, known_keys(event));
        for absent in required {
            let others: Vec<_> = required.iter().copied().filter(|it| it != absent).collect();
            let found = keys(event, &object(&others));
            assert_eq!(
                (found.missing, found.unknown.len()),
                (vec![(*absent).into()], 0),
                "{event}"
            );
        }
        if !required.is_empty() {
            assert_eq!(keys(event, "null").missing, *required, "{event} without data");
        }
    }
}

#[test]
fn every_request_takes_its_documented_keys_and_no_others() {
    for (event, required) in REQUIRED {
        let known = known_keys(event);
        for (key, _) in KEYS {
            let with_key: Vec<_> =
                required.iter().copied().filter(|it| *it != key).chain([key]).collect();
            let refused = parse(event, &object(&with_key)).err();
            let names_keys = matches!(refused, Some(Rejection::Keys(_)));
            // Some requests know an inbox only to refuse it with a code of its own.
            if key != "inbox" || known.contains(&key) {
                assert_eq!(names_keys, !known.contains(&key), "{event} {key}: {refused:?}");
            }
        }
    }
}

#[test]
fn a_misspelt_key_of_any_request_has_its_nearest() {
    for (event, _) in REQUIRED {
        for key in known_keys(event) {
            for given in [format!("{key}x"), key.to_uppercase(), format!("{key}Id")] {
                let found = keys(event, &format!("{{{given:?}:1}}"));
                let nearest = found.unknown.first().and_then(|it| it.nearest.as_deref());
                assert_eq!(nearest, Some(key), "{event} {given}");
            }
        }
    }
    for (event, given, wanted) in [
        ("send message", "message", Some("msg")),
        ("send message", "text", None),
        ("join", "name", None),
        ("join", "roomName", Some("room")),
        ("invite", "username", Some("user")),
        ("presence", "user", Some("users")),
        ("SingleChat", "with", Some("to")),
    ] {
        let found = keys(event, &format!("{{{given:?}:1}}"));
        let nearest = found.unknown.first().and_then(|it| it.nearest.as_deref());
        assert_eq!(nearest, wanted, "{event} {given}");
    }
}

#[test]
fn a_refusal_names_few_keys_and_not_all_of_a_long_one() {
    let many: Vec<_> = (0..1000).map(|it| format!("\"x{it}{}\":1", "y".repeat(500))).collect();
    let found = keys("join", &format!("{{{}}}", many.join(",")));
    assert_eq!(found.unknown.len(), 8);
    assert!(found.unknown.iter().all(|it| it.key.chars().count() == 64));
}

#[test]
fn a_refusal_has_the_keys_as_data() {
    let refused = |event, data| rejection_object(&parse(event, data).unwrap_err());
    assert_eq!(
        refused("send message", r#"{"message":"x"}"#),
        concat!(
            r#"{"code":"bad_request","message":"the key `msg` is missing; "#,
            r#"there is no key `message`, the nearest is `msg`","#,
            r#""details":{"missing":["msg"],"unknown":["message"],"nearest":{"message":"msg"}}}"#
        )
    );
    assert_eq!(
        refused("join", r#"{"name":"x"}"#),
        concat!(
            r#"{"code":"bad_request","message":"there is no key `name`; "#,
            r#"there are `room`, `since`, `epoch`","details":{"unknown":["name"]}}"#
        )
    );
    let typed = refused("join", r#"{"room":7}"#);
    assert!(typed.ends_with(r#""details":{"expected":{"room":"text"}}}"#), "{typed}");
    let other = refused("join", r#"{"room":""}"#);
    assert!(!other.contains("details"), "{other}");
}

#[test]
fn a_value_of_another_type_is_named_in_every_request() {
    for (event, required) in REQUIRED {
        for (key, value) in KEYS {
            if !known_keys(event).contains(&key) || matches!(key, "msg" | "data") {
                continue;
            }
            let wrong = if value.starts_with('"') { "7" } else { r#""7""# };
            let others = required.iter().copied().filter(|it| *it != key).collect::<Vec<_>>();
            let text = object(&others);
            let separator = if others.is_empty() { "" } else { "," };
            let text = text.replacen('{', &format!("{{{key:?}:{wrong}{separator}"), 1);
            let mistyped: Vec<_> = keys(event, &text).mistyped;
            assert_eq!(mistyped.len(), 1, "{event} {text}");
            assert_eq!(mistyped[0].0, key, "{event} {text}");
        }
    }
    for (event, data, expected) in [
        ("members", r#"{"limit":"3"}"#, "whole number"),
        ("rooms", r#"{"limit":-1}"#, "whole number"),
        ("presence", r#"{"users":["a",7]}"#, "list of texts"),
        ("read", r#"{"seq":null}"#, "whole number"),
    ] {
        assert_eq!(keys(event, data).mistyped[0].1.as_raw(), expected, "{event} {data}");
    }
}

#[test]
fn data_that_is_no_object_has_the_keys_that_there_are() {
    for data in [r#""news""#, "7", "[]", "true"] {
        for event in ["members", "rooms", "history"] {
            let found = keys(event, data);
            assert_eq!(found, KeyMismatch { known: found.known.clone(), ..KeyMismatch::default() });
            assert_eq!(found.known, known_keys(event));
            let refused = rejection_object(&Rejection::Keys(Box::new(found)));
            assert!(refused.contains(r#""details":{"known":["#), "{refused}");
        }
        assert_eq!(keys("read", data).missing, ["seq"]);
    }
}
