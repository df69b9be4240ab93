//! Commands to all nodes.

use super::*;
use crate::{
    chat::ports::DenialChange,
    domain::{AfterDisconnect, BanReason, Denial, DenialSubject, SignInId, TokenId},
};

/// All of them, and what nodes say about commands.
pub(super) fn examples() -> Vec<Example> {
    [others(), disconnects(), denials()].concat()
}

fn others() -> Vec<Example> {
    let came = |device: Option<&str>| ports::ClusterCommand::ReplaceDevices {
        space: Space::root(),
        user: user("ann"),
        device: device.map(DeviceId::from_raw),
        ticket: 7,
    };
    let vouched =
        ports::ClusterCommand::RevokeGuestNames { space: Space::root(), user: user("ann") };
    vec![
        (
            ClusterEvent::ResendRequest { of: NodeId::from_raw("n2"), from: 3, to: u64::MAX },
            "missed",
            r#"{"of":"n2","from":3,"to":18446744073709551615}"#,
        ),
        (
            ClusterEvent::Command(came(Some("phone"))),
            "act",
            r#"{"what":"came","space":"/","user":"ann","device":"phone","ticket":7}"#,
        ),
        (
            ClusterEvent::Command(came(None)),
            "act",
            r#"{"what":"came","space":"/","user":"ann","ticket":7}"#,
        ),
        (ClusterEvent::Command(vouched), "act", r#"{"what":"vouched","space":"/","user":"ann"}"#),
        (
            ClusterEvent::Heartbeat(vec![
                (Channel::from_raw(7).unwrap(), 3),
                (Channel::BROADCAST, 0),
            ]),
            "beat",
            r#"{"channels":[[7,3],[1024,0]]}"#,
        ),
    ]
}

fn disconnects() -> Vec<Example> {
    vec![
        (
            ClusterEvent::Command(ports::ClusterCommand::DisconnectUser {
                space: Space::root(),
                user: user("ann"),
                device: None,
                after: AfterDisconnect::StayAway,
            }),
            "act",
            r#"{"what":"disconnected","space":"/","user":"ann"}"#,
        ),
        (
            ClusterEvent::Command(ports::ClusterCommand::DisconnectUser {
                space: Space::root(),
                user: user("ann"),
                device: Some(DeviceId::from_raw("phone")),
                after: AfterDisconnect::StayAway,
            }),
            "act",
            r#"{"what":"closed","space":"/","user":"ann","device":"phone"}"#,
        ),
        (
            ClusterEvent::Command(ports::ClusterCommand::DisconnectUser {
                space: Space::root(),
                user: user("ann"),
                device: None,
                after: AfterDisconnect::Reconnect,
            }),
            "act",
            r#"{"what":"closed","space":"/","user":"ann","reconnect":true}"#,
        ),
        (
            ClusterEvent::Command(ports::ClusterCommand::DisconnectConnection {
                space: Space::root(),
                address: ConnectionAddress::parse("n1.c1a").unwrap(),
                after: AfterDisconnect::StayAway,
            }),
            "act",
            r#"{"what":"disconnected","space":"/","connection":"n1.c1a"}"#,
        ),
        (
            ClusterEvent::Command(ports::ClusterCommand::DisconnectConnection {
                space: Space::root(),
                address: ConnectionAddress::parse("n1.c1a").unwrap(),
                after: AfterDisconnect::Reconnect,
            }),
            "act",
            r#"{"what":"closed","space":"/","connection":"n1.c1a","reconnect":true}"#,
        ),
        (
            placed(ports::Placing::In),
            "act",
            r#"{"what":"placed","space":"/","connection":"n1.c1a","room":"news"}"#,
        ),
        (
            placed(ports::Placing::Out),
            "act",
            r#"{"what":"removed","space":"/","connection":"n1.c1a","room":"news"}"#,
        ),
    ]
}

fn placed(placing: ports::Placing) -> ClusterEvent {
    let address = ConnectionAddress::parse("n1.c1a").unwrap();
    let room = RoomName::parse("news").unwrap();
    let space = Space::root();
    ClusterEvent::Command(ports::ClusterCommand::PlaceConnection { space, address, room, placing })
}

fn denials() -> Vec<Example> {
    vec![
        (
            ClusterEvent::ResentCommand(
                12,
                denied(5, DenialSubject::SignIn(SignInId::from_raw("s1")), Some(9)),
            ),
            "again",
            r#"{"number":12,"act":{"what":"signed out","sign_in":"s1","denial":{"number":5,"sign_in":"s1","at":7,"until":9}}}"#,
        ),
        (
            ClusterEvent::Command(denied(
                1,
                DenialSubject::User(Some(Space::root()), user("ann")),
                None,
            )),
            "act",
            r#"{"what":"denied","denial":{"number":1,"space":"/","user":"ann","at":7,"reason":"why"}}"#,
        ),
        (
            ClusterEvent::Command(denied(6, DenialSubject::User(None, user("ann")), None)),
            "act",
            r#"{"what":"denied","denial":{"number":6,"space":"","user":"ann","at":7,"reason":"why"}}"#,
        ),
        (
            ClusterEvent::Command(denied(2, DenialSubject::Token(TokenId::from_raw("t1")), None)),
            "act",
            r#"{"what":"denied","denial":{"number":2,"token":"t1","at":7}}"#,
        ),
        (
            ClusterEvent::Command(denied(3, DenialSubject::TokensOf(user("ann")), None)),
            "act",
            r#"{"what":"denied","denial":{"number":3,"user":"ann","at":7}}"#,
        ),
        (
            ClusterEvent::Command(ports::ClusterCommand::ChangeDenials {
                number: 4,
                change: DenialChange::Allow(DenialSubject::User(Some(Space::root()), user("ann"))),
            }),
            "act",
            r#"{"what":"denied","denial":{"number":4,"space":"/","user":"ann"}}"#,
        ),
    ]
}

/// The command of a denial. A ban has a reason.
fn denied(number: u64, subject: DenialSubject, until: Option<i64>) -> ports::ClusterCommand {
    let is_ban = matches!(subject, DenialSubject::User(..));
    let reason = is_ban.then(|| BanReason::from_raw("why"));
    let denial = Denial { subject, at: at(7), until: until.map(at), reason };
    ports::ClusterCommand::ChangeDenials { number, change: DenialChange::Deny(denial) }
}

#[test]
fn the_end_of_a_sign_in_by_an_earlier_version_is_unknown() {
    let text =
        r#"{"v":1,"from":"n1","n":7,"kind":"act","data":{"what":"signed out","sign_in":"s1"}}"#;
    let event = decode(text.as_bytes()).unwrap().event;
    assert!(matches!(event, ClusterEvent::Unknown), "{event:?}");
}
