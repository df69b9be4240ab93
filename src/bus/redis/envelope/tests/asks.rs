//! Asks, what nodes reply to them, and their farewell.

use std::time::Duration;

use super::*;
use crate::{
    chat::ports::{AskReply, SettledAsk},
    domain::{AskAnswer, AskId},
};

/// Asks, replies and the farewell.
pub(super) fn examples() -> Vec<Example> {
    let (ask, to) = (AskId::from_raw(9), NodeId::from_raw("n2"));
    let connection = || ConnectionAddress::parse("n1.c1a").unwrap();
    let asked = ports::AskedEvent {
        space: Space::root(),
        to: CustomTarget::Space(Space::root()),
        except: Some(connection()),
        // The name of a request, which only back ends may emit.
        event: CustomEvent { name: EventName::from_raw("join"), args: with_bytes() },
        wait: Duration::from_millis(1500),
    };
    let reply = |reply| ClusterEvent::AskReply { to: to.clone(), ask, reply };
    let answer = |user| AskAnswer { connection: connection(), user, args: with_bytes() };
    vec![
        (
            ClusterEvent::Ask(ask, Arc::new(asked)),
            "asked",
            r#"{"id":9,"space":"/","wait_ms":1500,"event":{"space":"/","except":"n1.c1a","name":"join","args":{"json":{"a": 1.50, "b":{"_placeholder":true,"num":0}},"attachments":["AP8="]},"volatile":false}}"#,
        ),
        (reply(AskReply::Asked(100)), "reply", r#"{"to":"n2","id":9,"asked":100}"#),
        (
            reply(AskReply::Settled(vec![
                SettledAsk::Answered(answer(Some(user("ann")))),
                SettledAsk::Answered(answer(None)),
                SettledAsk::Gone(connection()),
            ])),
            "reply",
            r#"{"to":"n2","id":9,"settled":[{"connection":"n1.c1a","user":"ann","args":{"json":{"a": 1.50, "b":{"_placeholder":true,"num":0}},"attachments":["AP8="]}},{"connection":"n1.c1a","args":{"json":{"a": 1.50, "b":{"_placeholder":true,"num":0}},"attachments":["AP8="]}},{"connection":"n1.c1a"}]}"#,
        ),
        (ClusterEvent::Leaving, "leaving", "[]"),
    ]
}
