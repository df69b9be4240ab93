//! The tables are complete, and the formats say the same.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    events::EVENT_ROWS, requests::REQUEST_ROWS, test_support::errors, test_support::frame_errors, *,
};
use crate::{
    domain::{BUILT_IN_EVENTS, CloseReason, REQUEST_ONLY_EVENTS, Role},
    wire::{REQUESTS, ReplyForm, code},
};

fn parsed(format: ContractFormat) -> Value {
    serde_json::from_str(&contract(format)).unwrap()
}

#[test]
fn every_request_has_a_row_and_no_other() {
    let rows: Vec<_> = REQUEST_ROWS.iter().map(|row| row.name).collect();
    assert_eq!(rows, REQUESTS.each_ref().map(|it| it.name));
}

#[test]
fn every_event_has_a_row_and_no_other() {
    let requests = REQUEST_ROWS.iter().map(|row| row.name);
    let rows: BTreeSet<_> = EVENT_ROWS.iter().map(|row| row.name).collect();
    assert_eq!(rows.len(), EVENT_ROWS.len(), "a row twice");
    let all: BTreeSet<_> = requests.chain(rows.iter().copied()).collect();
    assert_eq!(all, BTreeSet::from(BUILT_IN_EVENTS));
    assert_eq!(&all - &rows, BTreeSet::from(REQUEST_ONLY_EVENTS));
    for row in REQUESTS.iter().filter(|it| it.reply == ReplyForm::AcknowledgementOrEvent) {
        assert!(rows.contains(row.name), "{} is also an event", row.name);
    }
}

#[test]
fn roles_and_close_codes_are_those_of_the_domain() {
    let Value::Array(roles) = &parsed(ContractFormat::JsonSchema)["$defs"]["Role"]["enum"] else {
        panic!("roles are an enumeration")
    };
    assert_eq!(roles.len(), 4);
    assert!(roles.iter().all(|it| Role::from_raw(it.as_str().unwrap()).is_some()));
    assert_eq!(CLOSE_CODES, CloseReason::ALL.map(code::close).map(|row| row.code));
}

#[test]
fn a_payload_of_another_form_is_not_valid() {
    for (table, name, json) in [
        ("Events", "typing", r#"{"room":"a","user":"b"}"#),
        ("Events", "typing", r#"{"room":"a","user":"b","typing":1}"#),
        ("Events", "typing", r#"{"user":"b","typing":true}"#),
        ("Events", "typing", r#"{"room":"a","with":"c","user":"b","typing":true}"#),
        ("Events", "typing", r#"{"room":"a","user":"b","typing":true,"more":1}"#),
        ("Events", "auth expiring", r#"{"expiresAt":"tomorrow"}"#),
        ("Requests", "send message", r#"{"room":"a"}"#),
        ("Requests", "send message", r#"{"msg":null}"#),
        ("Requests", "history", r#"{"room":"a","inbox":true}"#),
        ("Requests", "read", r#"{"seq":-1}"#),
        ("Requests", "invite", r#"{"user":"a","role":"god"}"#),
        ("Answers", "mute", r#"{"ok":false,"muted":true}"#),
    ] {
        assert!(!errors(table, name, json).is_empty(), "{name} {json}");
    }
    for (name, json) in [
        ("send message", r#""hi""#),
        ("send message", r#"{"base64":"AAE="}"#),
        ("send message", r#"{"msg":{"text":"hi"},"id":"m1"}"#),
        ("history", "{}"),
        ("history", r#"{"with":"bob","after":0,"limit":5}"#),
        ("join", r#"{"room":"a","since":3}"#),
    ] {
        assert_eq!(errors("Requests", name, json), [""; 0], "{name} {json}");
    }
}

#[test]
fn every_request_of_the_documented_dialogues_is_valid() {
    let dialogues = include_str!("../../../docs/protocol.md");
    let frames = dialogues.lines().filter_map(|line| {
        let (client, frame) = line.split_once("> {")?;
        (client != "backend" && !client.contains(' ')).then(|| format!("{{{frame}"))
    });
    let mut seen = 0;
    for frame in frames {
        let frame: Value = serde_json::from_str(&frame).unwrap();
        assert_eq!(frame_errors("ClientFrame", &frame), [""; 0], "{frame}");
        let Some(name) = frame["event"].as_str() else { continue };
        if REQUEST_ROWS.iter().any(|row| row.name == name) {
            let data = frame.get("data").unwrap_or(&Value::Null);
            assert_eq!(errors("Requests", name, &data.to_string()), [""; 0], "{frame}");
            seen += 1;
        }
    }
    assert!(40 < seen, "only {seen} requests: did the form of the dialogues change?");
}

#[test]
fn an_ask_and_its_answer_are_frames() {
    for (table, frame, is_valid) in [
        ("ServerFrame", json!({ "event": "confirm", "args": [1], "ask": 7 }), true),
        ("ServerFrame", json!({ "event": "confirm", "args": [1], "ask": "7" }), false),
        (
            "ServerFrame",
            json!({ "event": "clock", "data": { "at": "2026-11-29T12:00:00Z" } }),
            true,
        ),
        ("ServerFrame", json!({ "event": "clock", "args": [], "ask": 7 }), false),
        ("ClientFrame", json!({ "answer": 7, "args": [true, null] }), true),
        ("ClientFrame", json!({ "answer": 7, "data": { "yes": true } }), true),
        ("ClientFrame", json!({ "answer": 7 }), true),
        ("ClientFrame", json!({ "answer": -7 }), false),
        ("ClientFrame", json!({ "answer": 7, "args": {} }), false),
    ] {
        assert_eq!(frame_errors(table, &frame).is_empty(), is_valid, "{frame}");
    }
}

#[test]
fn all_formats_name_every_event() {
    let declarations = contract(ContractFormat::TypeScript);
    let (asyncapi, schema) = (parsed(ContractFormat::AsyncApi), parsed(ContractFormat::JsonSchema));
    let messages = asyncapi["components"]["messages"].as_object().unwrap();
    for row in &REQUEST_ROWS {
        assert!(declarations.contains(&format!("Requests[{:?}], ack: ", row.name)), "{}", row.name);
        assert!(schema["$defs"]["Requests"]["properties"][row.name].is_object());
        assert!(schema["$defs"]["Answers"]["properties"][row.name].is_object());
        let named = messages.values().filter(|it| it["name"] == row.name).count();
        assert!(2 <= named, "{}: a request and its answer", row.name);
    }
    for row in &EVENT_ROWS {
        assert!(declarations.contains(&format!("(data: Events[{:?}]) => void;", row.name)));
        assert!(schema["$defs"]["Events"]["properties"][row.name].is_object());
        assert!(messages.iter().any(|(id, it)| id.ends_with("Event") && it["name"] == row.name));
    }
    let operations = asyncapi["operations"].as_object().unwrap();
    assert_eq!(operations.len(), REQUEST_ROWS.len() + EVENT_ROWS.len() + 1, "and `ask`");
    let replies = operations.values().filter(|it| it["reply"].is_object()).count();
    assert_eq!(replies, REQUEST_ROWS.len() + 1);
}
