//! The data of replies: answers, rejections, and what the cookie API returns.

use serde::Serialize;

use super::{
    body::AttachmentEncoding,
    code::{self, CloseRow, Reconnect},
    event::{self, ArgumentsData, EntryData, NamesData, RoomStateData, UserNames},
    lists::{MembersData, RoomsData},
    payload::{self, Payload, Timestamp},
    rejection::RejectionData,
};
use crate::{
    chat::{Answer, Profile, Receipt, Reply, UserPresence, ports::IdentityKind},
    domain::{CloseReason, DisplayName, Muted, RoomTopic, Token, UserName},
};

/// A reply: `{"ok":true,…}` or `{"ok":false,"code":…}`, after the number of the request's
/// acknowledgement where the wire has one.
#[derive(Debug, Serialize)]
pub(super) struct ReplyData<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    ack: Option<u64>,
    ok: bool,
    #[serde(flatten)]
    outcome: OutcomeData<'a>,
}

/// See [`ReplyData`].
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum OutcomeData<'a> {
    Answer(AnswerData<'a>),
    Rejection(RejectionData<'a>),
}

/// The answer to a request that succeeded.
#[derive(Debug, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub(super) enum AnswerData<'a> {
    /// `new user`.
    Identified(IdentifiedData<'a>),
    /// `auth`.
    Authorized { user: &'a str, expires_at: Timestamp },
    /// `send message` and `GroupChat`.
    Posted {
        id: &'a str,
        room: &'a str,
        seq: u64,
        at: Timestamp,
        #[serde(skip_serializing_if = "Option::is_none")]
        duplicate: Option<bool>,
    },
    /// `SingleChat` and `notify`.
    PostedTo {
        id: &'a str,
        to: &'a str,
        seq: u64,
        at: Timestamp,
        #[serde(skip_serializing_if = "Option::is_none")]
        duplicate: Option<bool>,
        online: bool,
    },
    /// `GroupList`.
    Users {
        room: &'a str,
        users: UserNames<'a>,
        #[serde(skip_serializing_if = "NamesData::is_empty")]
        names: NamesData<'a>,
        count: usize,
    },
    /// `join`.
    Joined {
        #[serde(flatten)]
        state: RoomStateData<'a>,
        count: usize,
    },
    /// `leave`.
    Room { room: &'a str, seq: u64, count: usize },
    /// `history`.
    Page {
        messages: Vec<EntryData<'a>>,
        #[serde(skip_serializing_if = "NamesData::is_empty")]
        names: NamesData<'a>,
        more: bool,
    },
    /// `read`.
    Read { seq: u64, unread: u64 },
    /// `mute`.
    Muted { muted: bool },
    /// `typing`, and events that pass by.
    Acknowledged {},
    /// The arguments of a back end's acknowledgement.
    Custom { args: ArgumentsData<'a> },
    /// `edit message` and `delete message`.
    Changed {
        seq: u64,
        at: Timestamp,
        #[serde(skip_serializing_if = "Option::is_none")]
        duplicate: Option<bool>,
    },
    /// `invite`.
    Invited { room: &'a str, user: &'a str, role: &'static str },
    /// `kick`.
    Kicked { room: &'a str, user: &'a str },
    /// `topic`.
    Topic { room: &'a str, topic: &'a str },
    /// `presence`.
    Presences {
        users: Vec<PresenceData<'a>>,
        #[serde(skip_serializing_if = "NamesData::is_empty")]
        names: NamesData<'a>,
    },
    /// `members`.
    Members(MembersData<'a>),
    /// `rooms`.
    Rooms(RoomsData<'a>),
}

/// `new user`, and the second argument of its acknowledgement over Socket.IO.
#[derive(Debug, Serialize)]
pub(super) struct IdentifiedData<'a> {
    user: &'a str,
    token: &'a str,
}

/// The presence of one user.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PresenceData<'a> {
    user: &'a str,
    online: bool,
    devices: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seen: Option<Timestamp>,
}

/// `closing`: why the server ends a connection, and what the client should do.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClosingData {
    code: &'static str,
    reconnect: bool,
    after_ms: u64,
    /// For a frame above this limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<usize>,
    /// When a ban ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
}

/// The signed-in user, as the cookie API returns it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "these are the fields on the wire")]
struct ProfileData<'a> {
    user: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    guest: bool,
    admin: bool,
    expires_at: Timestamp,
}

/// A reply, with the number of the request's acknowledgement where the wire has one.
pub(super) fn reply(
    ack: Option<u64>,
    reply: &Reply,
    encoding: AttachmentEncoding,
) -> Payload<ReplyData<'_>> {
    match reply {
        Ok(it) => answer(it, encoding).map(|data| {
            let outcome = OutcomeData::Answer(data);
            ReplyData { ack, ok: true, outcome }
        }),
        Err(rejection) => {
            let outcome = OutcomeData::Rejection(rejection.into());
            Payload::without_attachments(ReplyData { ack, ok: false, outcome })
        }
    }
}

/// An answer without `ok`, as an event carries it.
pub(super) fn answer(answer: &Answer, encoding: AttachmentEncoding) -> Payload<AnswerData<'_>> {
    let data = match answer {
        Answer::Custom { ack } => {
            let args = event::arguments(ack, encoding);
            return args.map(|args| AnswerData::Custom { args });
        }
        Answer::Page { entries, more } => {
            let names = NamesData::of_authors(entries);
            let entries = event::flat(entries.iter(), encoding);
            return entries.map(|messages| AnswerData::Page { messages, names, more: *more });
        }
        Answer::Identified { user, token } => AnswerData::Identified(identified(user, token)),
        Answer::Authorized { user, expires_at } => {
            AnswerData::Authorized { user: user.as_raw(), expires_at: Timestamp(*expires_at) }
        }
        Answer::Posted { receipt, room } => {
            let Receipt { id, seq, at, duplicate } = receipt;
            let (id, room, seq, at) = (id.as_raw(), room.as_raw(), seq.as_raw(), Timestamp(*at));
            AnswerData::Posted { id, room, seq, at, duplicate: duplicate.then_some(true) }
        }
        Answer::PostedTo { receipt, to, online } => {
            let Receipt { id, seq, at, duplicate } = receipt;
            let (id, to, seq, at) = (id.as_raw(), to.as_raw(), seq.as_raw(), Timestamp(*at));
            let duplicate = duplicate.then_some(true);
            AnswerData::PostedTo { id, to, seq, at, duplicate, online: *online }
        }
        Answer::Users { room, users, names, count } => AnswerData::Users {
            room: room.as_raw(),
            users: UserNames(users),
            names: names.into(),
            count: *count,
        },
        Answer::Joined { state, count } => {
            AnswerData::Joined { state: state.into(), count: *count }
        }
        Answer::Left { room, seq, count } => {
            AnswerData::Room { room: room.as_raw(), seq: seq.as_raw(), count: *count }
        }
        Answer::Read { seq, unread } => AnswerData::Read { seq: seq.as_raw(), unread: *unread },
        Answer::Muted(muted) => AnswerData::Muted { muted: *muted == Muted::Yes },
        Answer::Acknowledged => AnswerData::Acknowledged {},
        Answer::Changed { seq, at, duplicate } => AnswerData::Changed {
            seq: seq.as_raw(),
            at: Timestamp(*at),
            duplicate: duplicate.then_some(true),
        },
        Answer::Invited { room, user, role } => {
            AnswerData::Invited { room: room.as_raw(), user: user.as_raw(), role: role.as_raw() }
        }
        Answer::Kicked { room, user } => {
            AnswerData::Kicked { room: room.as_raw(), user: user.as_raw() }
        }
        Answer::Topic { room, topic } => {
            AnswerData::Topic { room: room.as_raw(), topic: RoomTopic::text(topic.as_ref()) }
        }
        Answer::Members(page) => AnswerData::Members(page.into()),
        Answer::Rooms(page) => AnswerData::Rooms(page.into()),
        Answer::Presences(users) => AnswerData::Presences {
            users: users.iter().map(PresenceData::from).collect(),
            names: NamesData::of(users.iter().map(|it| (&it.user, it.name.as_ref()))),
        },
    };
    Payload::without_attachments(data)
}

/// `closing`.
pub(super) fn closing(reason: CloseReason) -> ClosingData {
    let CloseRow { code, reconnect, after, .. } = code::close(reason);
    let after_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
    let (mut limit, mut until) = (None, None);
    if let CloseReason::FrameTooLarge { limit: bytes_max } = reason {
        limit = Some(bytes_max);
    }
    if let CloseReason::Banned { until: Some(end) } = reason {
        until = Some(Timestamp(end));
    }
    ClosingData { code, reconnect: reconnect == Reconnect::Yes, after_ms, limit, until }
}

/// The signed-in user, as JSON text.
pub(crate) fn profile(profile: &Profile) -> String {
    let Profile { user, name, identity_kind, admin, expires_at } = profile;
    payload::json(&ProfileData {
        user: user.as_raw(),
        name: name.as_ref().map(DisplayName::as_raw),
        guest: matches!(identity_kind, IdentityKind::Guest(_)),
        admin: *admin,
        expires_at: Timestamp(*expires_at),
    })
}

/// The second argument of the acknowledgement of `new user`.
pub(super) fn identified<'a>(user: &'a UserName, token: &'a Token) -> IdentifiedData<'a> {
    IdentifiedData { user: user.as_raw(), token: token.expose() }
}

impl<'a> From<&'a UserPresence> for PresenceData<'a> {
    fn from(presence: &'a UserPresence) -> Self {
        let UserPresence { user, name: _, online, devices, last_seen } = presence;
        let last_seen = last_seen.map(Timestamp);
        Self { user: user.as_raw(), online: *online, devices: *devices, last_seen }
    }
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;
    use crate::{
        domain::{MessageId, Role, RoomName, Seq},
        wire::contract,
    };

    const AT: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn user(name: &str) -> UserName {
        UserName::from_raw(name)
    }

    #[test]
    fn answers_are_as_documented() {
        let seq = Seq::from_raw(7);
        let receipt = |duplicate| Receipt { id: MessageId::from_raw("n1"), seq, at: AT, duplicate };
        let changed = |duplicate| Answer::Changed { seq, at: AT, duplicate };
        let room = RoomName::lobby;
        let notified = Answer::PostedTo { receipt: receipt(true), to: user("bob"), online: false };
        for (request, answer, golden) in [
            (
                "notify",
                notified,
                concat!(
                    r#"{"ok":true,"id":"n1","to":"bob","seq":7,"at":"1970-01-01T00:00:00.000Z","#,
                    r#""duplicate":true,"online":false}"#
                ),
            ),
            ("read", Answer::Read { seq, unread: 2 }, r#"{"ok":true,"seq":7,"unread":2}"#),
            ("mute", Answer::Muted(Muted::Yes), r#"{"ok":true,"muted":true}"#),
            ("mute", Answer::Muted(Muted::No), r#"{"ok":true,"muted":false}"#),
            ("typing", Answer::Acknowledged, r#"{"ok":true}"#),
            (
                "edit message",
                changed(false),
                r#"{"ok":true,"seq":7,"at":"1970-01-01T00:00:00.000Z"}"#,
            ),
            (
                "delete message",
                changed(true),
                r#"{"ok":true,"seq":7,"at":"1970-01-01T00:00:00.000Z","duplicate":true}"#,
            ),
            (
                "invite",
                Answer::Invited { room: room(), user: user("bob"), role: Role::Reader },
                r#"{"ok":true,"room":"lobby","user":"bob","role":"reader"}"#,
            ),
            (
                "kick",
                Answer::Kicked { room: room(), user: user("bob") },
                r#"{"ok":true,"room":"lobby","user":"bob"}"#,
            ),
            (
                "topic",
                Answer::Topic { room: room(), topic: None },
                r#"{"ok":true,"room":"lobby","topic":""}"#,
            ),
            (
                "history",
                Answer::Page { entries: Vec::new(), more: false },
                r#"{"ok":true,"messages":[],"more":false}"#,
            ),
        ] {
            assert_eq!(reply(None, &Ok(answer), AttachmentEncoding::Base64).json(), golden);
            contract::test_support::assert_answer(request, golden);
        }
    }

    #[test]
    fn presence_is_an_answer_and_an_event() {
        let presence = |name, online, devices, last_seen| UserPresence {
            user: user(name),
            name: None,
            online,
            devices,
            last_seen,
        };
        let presences = Answer::Presences(vec![
            presence("ann", true, 2, Some(AT)),
            presence("zoe", false, 0, None),
        ]);
        let users = concat!(
            r#""users":[{"user":"ann","online":true,"devices":2,"#,
            r#""lastSeen":"1970-01-01T00:00:00.000Z"},"#,
            r#"{"user":"zoe","online":false,"devices":0}]}"#
        );
        assert_eq!(answer(&presences, AttachmentEncoding::Base64).json(), format!("{{{users}"));
        assert_eq!(
            reply(None, &Ok(presences), AttachmentEncoding::Base64).json(),
            format!("{{\"ok\":true,{users}")
        );
    }

    #[test]
    fn a_profile_has_the_guest_flag() {
        let mut ann = Profile {
            user: user("ann"),
            name: None,
            identity_kind: IdentityKind::Guest("stay".into()),
            admin: false,
            expires_at: AT,
        };
        let rest = r#""admin":false,"expiresAt":"1970-01-01T00:00:00.000Z"}"#;
        assert_eq!(profile(&ann), format!(r#"{{"user":"ann","guest":true,{rest}"#));
        ann.identity_kind = IdentityKind::Registered;
        assert_eq!(profile(&ann), format!(r#"{{"user":"ann","guest":false,{rest}"#));
    }
}
