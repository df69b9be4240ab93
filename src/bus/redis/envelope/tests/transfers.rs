//! Claims of sessions, and what nodes reply to them.

use super::*;
use crate::{
    chat::ports::{
        ClaimStep, Claims, EventSource, FoundSession, KeptEvent, Rooms, SeenAnnouncement,
        SessionClaim, SessionClaimId, SessionReply, SessionState, TakenSession,
    },
    domain::{DeviceId, DisplayName, Role, RoomPattern, SignInId, SpacePattern, TokenId},
};

/// Claims and replies.
pub(super) fn examples() -> Vec<Example> {
    let id = SessionClaimId::from_raw(9);
    let claim = |step, user, offset, required| {
        let (pid, space) = ("secret".into(), Space::from_raw("/shop"));
        let is_taken = step == ClaimStep::Take;
        let (from, channel) = (NodeId::from_raw("n3"), Channel::from_raw(5).unwrap());
        let seen = is_taken.then_some(SeenAnnouncement { from, channel, number: 6 });
        let seen = seen.into_iter().collect();
        let claim = SessionClaim { step, pid, space, user, offset, required, seen };
        ClusterEvent::SessionClaim(id, claim)
    };
    let reply = |reply| ClusterEvent::SessionReply { to: NodeId::from_raw("n2"), claim: id, reply };
    let entry = KeptEvent { args: with_bytes(), source: EventSource::Entry(lobby(), seq(4)) };
    let args = || Body::from_raw(r#"["a"]"#.into(), Vec::new());
    let passing = KeptEvent { args: args(), source: EventSource::Passing("n1.7".into()) };
    let other = KeptEvent { args: args(), source: EventSource::Other };
    let guest = FoundSession {
        sid: "s1".into(),
        state: SessionState::default(),
        emitter_rooms: Vec::new(),
        positions: Vec::new(),
        events: Vec::new(),
        last_offset: 3,
    };
    let found = FoundSession {
        state: SessionState {
            claims: Some(claims()),
            room: Some(RoomName::lobby()),
            device: Some(DeviceId::from_raw("d1")),
            data: Some("{}".into()),
            ticket: 5,
        },
        emitter_rooms: vec![lobby()],
        positions: vec![(direct(), seq(2))],
        events: vec![entry, passing.clone()],
        ..guest.clone()
    };
    let rooms = vec![(lobby(), seq(4))];
    vec![
        (
            claim(ClaimStep::Find, Some(user("ann")), 7, Vec::new()),
            "claim",
            r#"{"id":9,"step":"find","pid":"secret","space":"/shop","user":"ann","offset":7}"#,
        ),
        (
            claim(ClaimStep::Take, None, 8, vec![(direct(), seq(3))]),
            "claim",
            r#"{"id":9,"step":"take","pid":"secret","space":"/shop","offset":8,"required":[[{"space":"/shop","direct":["ann","bob"]},3]],"seen":[["n3",5,6]]}"#,
        ),
        (reply(SessionReply::Unknown), "claim reply", r#"{"to":"n2","id":9,"what":"unknown"}"#),
        (reply(SessionReply::NotYet), "claim reply", r#"{"to":"n2","id":9,"what":"not yet"}"#),
        (
            reply(SessionReply::Found(Box::new(guest))),
            "claim reply",
            r#"{"to":"n2","id":9,"what":"found","session":{"sid":"s1","last_offset":3,"ticket":0}}"#,
        ),
        (
            reply(SessionReply::Found(Box::new(found))),
            "claim reply",
            r#"{"to":"n2","id":9,"what":"found","session":{"sid":"s1","last_offset":3,"claims":{"user":"ann","name":"Ann","expires_ms":1700000000123,"spaces":["/shop"],"rooms":[["a*","admin"],["b",null]],"admin":true,"guest":"g1","token":"t1","issued_ms":1700000000000,"sign_in":"i1"},"room":"lobby","device":"d1","data":"{}","ticket":5,"emitter_rooms":[{"space":"/shop","room":"lobby"}]},"positions":[[{"space":"/shop","direct":["ann","bob"]},2]],"events":[{"args":{"json":{"a": 1.50, "b":{"_placeholder":true,"num":0}},"attachments":["AP8="]},"place":{"space":"/shop","room":"lobby"},"seq":4},{"args":{"json":["a"]},"id":"n1.7"}]}"#,
        ),
        (
            reply(SessionReply::Taken(TakenSession { rooms, events: vec![other] })),
            "claim reply",
            r#"{"to":"n2","id":9,"what":"taken","positions":[[{"space":"/shop","room":"lobby"},4]],"events":[{"args":{"json":["a"]}}]}"#,
        ),
    ]
}

fn seq(raw: u64) -> Seq {
    Seq::from_raw(raw)
}

fn claims() -> Claims {
    let pattern = |raw| RoomPattern::parse(raw).unwrap();
    Claims {
        name: DisplayName::parse("Ann"),
        spaces: vec![SpacePattern::parse("/shop").unwrap()],
        rooms: Rooms::Only(vec![(pattern("a*"), Some(Role::Admin)), (pattern("b"), None)]),
        admin: true,
        guest: Some("g1".into()),
        token: Some(TokenId::from_raw("t1")),
        issued_at: Some(at(1_700_000_000_000)),
        sign_in: Some(SignInId::from_raw("i1")),
        ..Claims::of(user("ann"), at(1_700_000_000_123))
    }
}
