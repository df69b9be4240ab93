//! Valid and invalid answers.

use super::*;
use crate::{
    chat::ports::{Action, DisconnectTarget, EmitTarget},
    domain::{AfterDisconnect, DisplayName, EventStorage, Role, RoomName, UserName},
};

fn read(text: &str) -> Result<BackendAnswer, String> {
    answer(text, &Limits::default()).map_err(|invalid| invalid.to_string())
}

fn actions(text: &str) -> Vec<Action> {
    match read(text) {
        Ok(BackendAnswer::Accepted { ack: None, actions }) => actions,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_empty_answer_accepts() {
    for text in ["", " ", "{}", r#"{"do":[]}"#] {
        let accepted = BackendAnswer::Accepted { ack: None, actions: Vec::new() };
        assert_eq!(read(text), Ok(accepted), "{text}");
    }
}

#[test]
fn an_acknowledgement_has_any_arguments() {
    let Ok(BackendAnswer::Accepted { ack: Some(ack), .. }) =
        read(r#"{"ack":[null,{"base64":"AAE="}]}"#)
    else {
        panic!("an acknowledgement")
    };
    assert_eq!(ack.json(), r#"[null,{"_placeholder":true,"num":0}]"#);
    assert_eq!(ack.attachments().len(), 1);
}

#[test]
fn a_refusal_has_a_code_a_message_and_data() {
    let refused = |code: &str, message: &str, data: Option<&str>| {
        let data = data.map(Into::into);
        BackendAnswer::Refused(Refusal { code: code.into(), message: message.into(), data })
    };
    let text = r#"{"refuse":{"code":"sold_out","message":"It is gone.","data":{"left":0}}}"#;
    assert_eq!(read(text), Ok(refused("sold_out", "It is gone.", Some(r#"{"left":0}"#))));
    let text = r#"{"refuse":{"code":"sold_out"}}"#;
    assert_eq!(read(text), Ok(refused("sold_out", "sold_out", None)));
}

#[test]
fn every_action_is_read() {
    let text = r#"{"do":[
        {"emit":{"event":"sum","args":[3],"to":{"room":"team"},"except":"n1.c1a","volatile":true}},
        {"emit":{"event":"sum","to":{"room":"team"},"kept":true}},
        {"emit":{"event":"sum","to":{"user":"ann"}}},
        {"emit":{"event":"sum","to":{"connection":"n1.c1a"}}},
        {"emit":{"event":"sum","to":{"space":true}}},
        {"message":{"room":"team","user":"bob","msg":"hi","id":"m1"}},
        {"notify":{"to":"ann","data":{"x":1}}},
        {"join":{"room":"team","role":"admin"}},
        {"leave":{"room":"team"}},
        {"kick":{"room":"team","user":"bob"}},
        {"disconnect":{"user":"bob"}},
        {"disconnect":{"connection":"n1.c1a"}}
    ]}"#;
    let actions = actions(text);
    assert_eq!(actions.len(), 12);
    let (bob, team) = (UserName::from_raw("bob"), RoomName::from_raw("team"));
    assert_eq!(
        actions[7],
        Action::Join { user: None, room: team.clone(), role: Some(Role::Admin) }
    );
    assert_eq!(actions[9], Action::Leave { user: Some(bob.clone()), room: team });
    assert_eq!(
        actions[10],
        Action::Disconnect(DisconnectTarget::User(bob), AfterDisconnect::StayAway)
    );
    let Action::Emit { event, to, except, storage, id: None } = &actions[1] else { panic!("emit") };
    assert_eq!((event.args.json(), except), ("[]", &None));
    assert_eq!(*storage, EventStorage::Kept { id_field: None });
    assert!(matches!(to, EmitTarget::Room(_)));
}

#[test]
fn other_answers_are_refused_with_the_reason() {
    let deep = format!(r#"{{"ack":[{}{}]}}"#, "[".repeat(64), "]".repeat(64));
    let to = r#""to":{"room":"a"}"#;
    for (text, why) in [
        ("[]".to_owned(), "not an object with keys of `ack`, `do`, `refuse`"),
        ("<html>".to_owned(), "not an object with keys of"),
        ("{".to_owned(), "EOF"),
        (r#"{"ok":true}"#.to_owned(), "there is no key `ok`"),
        (r#"{"ack":7}"#.to_owned(), "`ack` must be a list"),
        (deep, "nested too deeply"),
        (r#"{"ack":[{"_placeholder":true,"num":0}]}"#.to_owned(), "`ack`: the attachments"),
        (r#"{"refuse":{"code":"a b"}}"#.to_owned(), "a code has 1 to 64"),
        (
            r#"{"do":[{"shout":{}}]}"#.to_owned(),
            "item 1: there is no key `shout`; there are `emit`",
        ),
        (format!(r#"{{"do":[{{"emit":{{"event":"new message",{to}}}}}]}}"#), "is not the name"),
        (r#"{"do":[{"emit":{"event":"a","to":{}}}]}"#.to_owned(), "`to` is one of"),
        (
            r#"{"do":[{"emit":{"event":"a","to":{"room":"a","user":"b"}}}]}"#.to_owned(),
            "`to` is one of",
        ),
        (
            format!(r#"{{"do":[{{"emit":{{"event":"a",{to},"kept":true,"volatile":true}}}}]}}"#),
            "exclude each other",
        ),
        (
            format!(r#"{{"do":[{{"emit":{{"event":"a",{to},"kept":true,"except":"n1.c1"}}}}]}}"#),
            "`kept` and `except` exclude each other",
        ),
        (
            r#"{"do":[{"emit":{"event":"a","to":{"user":"a"},"kept":true}}]}"#.to_owned(),
            "only events to a room",
        ),
        (r#"{"do":[{"message":{"room":"","msg":1}}]}"#.to_owned(), "a room name has"),
        (r#"{"do":[{"message":{"room":"a","msg":null}}]}"#.to_owned(), "`msg`: the message is"),
        (r#"{"do":[{"join":{"room":"a","role":"king"}}]}"#.to_owned(), "\"king\" is not a role"),
        (r#"{"do":[{"kick":{"room":"a"}}]}"#.to_owned(), "item 1: the key `user` is missing"),
        (r#"{"do":[{"disconnect":{}}]}"#.to_owned(), "`disconnect` needs"),
        (r#"{"do":[{"disconnect":{"connection":"x"}}]}"#.to_owned(), "is not a connection"),
    ] {
        let reason = read(&text).expect_err(&text);
        assert!(reason.contains(why), "{text}: {reason}");
    }
}

#[test]
fn a_request_may_be_changed_or_refused() {
    let limits = Limits::default();
    let message = |text| message_answer(text, &limits).map_err(|invalid| invalid.to_string());
    let kept = |text| kept_event_answer(text, &limits).map_err(|invalid| invalid.to_string());
    let membership = |text| membership_answer(text, &limits).map_err(|invalid| invalid.to_string());
    let as_it_is = || Ok(RequestAnswer::Accepted(AcceptedRequest::default()));
    assert_eq!([message(""), kept(""), membership("{}")], [(); 3].map(|()| as_it_is()));
    let Ok(RequestAnswer::Accepted(changed)) = message(r#"{"msg":"hello"}"#) else {
        panic!("accepted")
    };
    assert_eq!(changed.body.unwrap().json(), "\"hello\"");
    let Ok(RequestAnswer::Accepted(changed)) = kept(r#"{"args":[7]}"#) else { panic!("accepted") };
    assert_eq!(changed.body.unwrap().json(), "[7]");
    let Ok(RequestAnswer::Accepted(changed)) = membership(r#"{"role":"reader"}"#) else {
        panic!("accepted")
    };
    assert_eq!(changed.role, Some(Role::Reader));
    let refused = r#"{"refuse":{"code":"no"}}"#;
    assert!(matches!(message(refused), Ok(RequestAnswer::Refused(_))));
    assert!(matches!(kept(refused), Ok(RequestAnswer::Refused(_))));
    assert!(matches!(membership(refused), Ok(RequestAnswer::Refused(_))));
    for (answer, why) in [
        (message(r#"{"role":"reader"}"#), "there is no key `role`"),
        (message(r#"{"msg":""}"#), "`msg`: the message is empty"),
        (kept(r#"{"msg":"x"}"#), "there is no key `msg`"),
        (kept(r#"{"args":{}}"#), "`args`"),
        (membership(r#"{"msg":"x"}"#), "there is no key `msg`"),
        (membership(r#"{"role":"king"}"#), "\"king\" is not a role"),
    ] {
        let reason = answer.unwrap_err();
        assert!(reason.contains(why), "{reason}");
    }
}

fn read_connect(text: &str) -> Result<ConnectAnswer, String> {
    connect_answer(text, &Limits::default()).map_err(|invalid| invalid.to_string())
}

#[test]
fn a_connection_may_be_given_a_user_data_and_things_to_do() {
    let nobody = ConnectAnswer::Accepted(AcceptedConnection::default());
    for text in ["", "{}"] {
        assert_eq!(read_connect(text), Ok(nobody.clone()), "{text}");
    }
    let text = r#"{"identity":{"user":"ann","name":"Ann","admin":true,"spaces":["/","/shop*"],
        "rooms":["team-*","news"],"expiresAt":60},"data":{"plan":[1]},"do":[{"join":{"room":"team-a"}}]}"#;
    let pattern = |raw: &str| RoomPattern::parse(raw).unwrap();
    let spaces = ["/", "/shop*"].map(|raw| SpacePattern::parse(raw).unwrap()).into();
    let identity = ConnectIdentity {
        user: UserName::from_raw("ann"),
        name: Some(DisplayName::from_raw("Ann")),
        admin: true,
        spaces,
        rooms: Rooms::Only(vec![(pattern("team-*"), None), (pattern("news"), None)]),
        expires_at: Some(OffsetDateTime::from_unix_timestamp(60).unwrap()),
    };
    let join = Action::Join { user: None, room: RoomName::from_raw("team-a"), role: None };
    let accepted = AcceptedConnection {
        identity: Some(identity),
        data: Some(r#"{"plan":[1]}"#.into()),
        actions: vec![join],
    };
    assert_eq!(read_connect(text), Ok(ConnectAnswer::Accepted(accepted)));
    let Ok(ConnectAnswer::Accepted(accepted)) =
        read_connect(r#"{"identity":{"user":"ann","rooms":{"news":"reader"}}}"#)
    else {
        panic!("accepted")
    };
    let ConnectIdentity { rooms, expires_at, .. } = accepted.identity.unwrap();
    assert_eq!(rooms, Rooms::Only(vec![(pattern("news"), Some(Role::Reader))]));
    assert_eq!(expires_at, None);
}

#[test]
fn other_answers_about_a_connection_are_refused_with_the_reason() {
    let deep = format!(r#"{{"data":{}{}}}"#, "[".repeat(65), "]".repeat(65));
    for (text, why) in [
        ("7", "not an object with keys of `identity`, `data`"),
        (r#"{"user":"ann"}"#, "there is no key `user`"),
        (r#"{"ack":[]}"#, "there is no key `ack`"),
        (r#"{"identity":{}}"#, "the key `user` is missing"),
        (r#"{"identity":7}"#, "`identity` must be an object"),
        (r#"{"identity":{"user":7}}"#, "`user` must be a text"),
        (r#"{"identity":{"user":"a","rooms":7}}"#, "`rooms` is a list of rooms, or an object with"),
        (r#"{"identity":{"user":""}}"#, "a name has"),
        (r#"{"identity":{"user":"a","guest":true}}"#, "there is no key `guest`"),
        (r#"{"identity":{"user":"a","spaces":[]}}"#, "`spaces` is empty"),
        (r#"{"identity":{"user":"a","spaces":["shop"]}}"#, "is not a space or a pattern"),
        (r#"{"identity":{"user":"a","rooms":["a*b"]}}"#, "is not a room or a pattern"),
        (r#"{"identity":{"user":"a","rooms":{"a":"king"}}}"#, "\"king\" is not a role"),
        (r#"{"identity":{"user":"a","expiresAt":9223372036854775807}}"#, "is not a time"),
        (r#"{"refuse":{"code":""}}"#, "a code has 1 to 64"),
        (&*deep, "nested too deeply"),
    ] {
        let reason = read_connect(text).expect_err(text);
        assert!(reason.contains(why), "{text}: {reason}");
    }
}
