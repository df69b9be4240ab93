//! Replies as JSON objects.

use super::{
    body::AttachmentEncoding,
    code::{self, CloseRow, Reconnect},
    event::{self, EncodedPayload},
    json::Object,
    request::RequestKind,
};
use crate::{
    chat::{Answer, Profile, Receipt, Reply, UserPresence, ports::IdentityKind},
    domain::{CloseReason, Muted, Rejection, Token, UserName},
};

/// A reply's object: `{"ok":true,…}` or `{"ok":false,"code":…}`.
pub(super) fn reply(reply: &Reply, encoding: AttachmentEncoding) -> EncodedPayload {
    match reply {
        Ok(answer) => answer_object(Object::new().add("ok", &true), answer, encoding),
        Err(rejection) => {
            let object = Object::new().add("ok", &false);
            EncodedPayload::text(add_rejection(object, rejection).end())
        }
    }
}

/// An answer's object without `ok`: what comes as an event.
pub(super) fn answer(answer: &Answer, encoding: AttachmentEncoding) -> EncodedPayload {
    answer_object(Object::new(), answer, encoding)
}

/// `error message`.
pub(super) fn error_message(kind: RequestKind, rejection: &Rejection) -> String {
    add_rejection(Object::new().add("event", &kind.name()), rejection).end()
}

/// A refusal at the door or in the two arguments of `new user`: `{code, message}`.
pub(crate) fn rejection_object(rejection: &Rejection) -> String {
    add_rejection(Object::new(), rejection).end()
}

/// `closing`: why the server ends a connection, and what to do.
pub(super) fn closing(reason: CloseReason) -> String {
    let CloseRow { code, reconnect, after, .. } = code::close(reason);
    Object::new()
        .add("code", code)
        .add("reconnect", &(reconnect == Reconnect::Yes))
        .add("afterMs", &u64::try_from(after.as_millis()).unwrap_or(u64::MAX))
        .end()
}

/// Who signed in, as the cookie API tells it.
pub(crate) fn profile(profile: &Profile) -> String {
    let Profile { user, name, identity_kind, admin, expires_at } = profile;
    Object::new()
        .add("user", user.as_raw())
        .add_some("name", name.as_deref())
        .add("guest", &matches!(identity_kind, IdentityKind::Guest(_)))
        .add("admin", admin)
        .add_time("expiresAt", *expires_at)
        .end()
}

/// The second argument of `new user`'s acknowledgement.
pub(super) fn identified(user: &UserName, token: &Token) -> String {
    Object::new().add("user", user.as_raw()).add("token", token.expose()).end()
}

fn add_rejection(object: Object, rejection: &Rejection) -> Object {
    let row = code::rejection(rejection);
    let object = object.add("code", row.code).add("message", &rejection.to_string());
    let Rejection::TooFast { retry_after } = rejection else { return object };
    // Rounded up: who comes back then is not refused again.
    let millis = retry_after.as_micros().div_ceil(1000);
    object.add("retryAfterMs", &u64::try_from(millis).unwrap_or(u64::MAX))
}

fn answer_object(object: Object, answer: &Answer, encoding: AttachmentEncoding) -> EncodedPayload {
    let object = match answer {
        Answer::Identified { user, token } => object.add_members(&identified(user, token)),
        Answer::Authorized { user, expires_at } => {
            object.add("user", user.as_raw()).add_time("expiresAt", *expires_at)
        }
        Answer::Posted { receipt, room } => {
            let object = object.add("id", receipt.id.as_raw()).add("room", room.as_raw());
            posted(object, receipt)
        }
        Answer::PostedTo { receipt, to, online } => {
            let object = object.add("id", receipt.id.as_raw()).add("to", to.as_raw());
            posted(object, receipt).add("online", online)
        }
        Answer::Users { room, users, count } => object
            .add("room", room.as_raw())
            .add_raw("users", &event::names(users))
            .add("count", count),
        Answer::Joined { state, count } => event::room_state(object, state).add("count", count),
        Answer::Room { room, seq, count } => {
            object.add("room", room.as_raw()).add("seq", &seq.as_raw()).add("count", count)
        }
        Answer::Page { entries, more } => {
            let EncodedPayload { json, attachments } = event::flat(entries.iter(), encoding);
            let json = object.add_raw("messages", &json).add("more", more).end();
            return EncodedPayload { json, attachments };
        }
        Answer::Read { seq, unread } => object.add("seq", &seq.as_raw()).add("unread", unread),
        Answer::Muted(muted) => object.add("muted", &(*muted == Muted::Yes)),
        Answer::Acknowledged => object,
        Answer::Changed { seq, at, duplicate } => object
            .add("seq", &seq.as_raw())
            .add_time("at", *at)
            .add_some("duplicate", duplicate.then_some(true)),
        Answer::Invited { room, user, role } => {
            object.add("room", room.as_raw()).add("user", user.as_raw()).add("role", role.as_raw())
        }
        Answer::Kicked { room, user } => {
            object.add("room", room.as_raw()).add("user", user.as_raw())
        }
        Answer::Presences(users) => {
            let users: Vec<_> = users.iter().map(presence).collect();
            object.add_raw("users", &format!("[{}]", users.join(",")))
        }
    };
    EncodedPayload::text(object.end())
}

fn posted(object: Object, receipt: &Receipt) -> Object {
    let Receipt { id: _, seq, at, duplicate } = receipt;
    let object = object.add("seq", &seq.as_raw()).add_time("at", *at);
    object.add_some("duplicate", duplicate.then_some(true))
}

fn presence(presence: &UserPresence) -> String {
    let UserPresence { user, online, devices, last_seen } = presence;
    let object = Object::new().add("user", user.as_raw()).add("online", online);
    object.add("devices", devices).add_some_time("lastSeen", *last_seen).end()
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;
    use crate::domain::{MessageId, Role, RoomName, Seq};

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
        for (answer, golden) in [
            (
                notified,
                concat!(
                    r#"{"ok":true,"id":"n1","to":"bob","seq":7,"at":"1970-01-01T00:00:00.000Z","#,
                    r#""duplicate":true,"online":false}"#
                ),
            ),
            (Answer::Read { seq, unread: 2 }, r#"{"ok":true,"seq":7,"unread":2}"#),
            (Answer::Muted(Muted::Yes), r#"{"ok":true,"muted":true}"#),
            (Answer::Muted(Muted::No), r#"{"ok":true,"muted":false}"#),
            (Answer::Acknowledged, r#"{"ok":true}"#),
            (changed(false), r#"{"ok":true,"seq":7,"at":"1970-01-01T00:00:00.000Z"}"#),
            (
                changed(true),
                r#"{"ok":true,"seq":7,"at":"1970-01-01T00:00:00.000Z","duplicate":true}"#,
            ),
            (
                Answer::Invited { room: room(), user: user("bob"), role: Role::Reader },
                r#"{"ok":true,"room":"lobby","user":"bob","role":"reader"}"#,
            ),
            (
                Answer::Kicked { room: room(), user: user("bob") },
                r#"{"ok":true,"room":"lobby","user":"bob"}"#,
            ),
            (
                Answer::Page { entries: Vec::new(), more: false },
                r#"{"ok":true,"messages":[],"more":false}"#,
            ),
        ] {
            assert_eq!(reply(&Ok(answer), AttachmentEncoding::Base64).json, golden);
        }
    }

    #[test]
    fn presence_is_an_answer_and_an_event() {
        let here = |name, online, devices, last_seen| UserPresence {
            user: user(name),
            online,
            devices,
            last_seen,
        };
        let presences =
            Answer::Presences(vec![here("ann", true, 2, Some(AT)), here("zoe", false, 0, None)]);
        let users = concat!(
            r#""users":[{"user":"ann","online":true,"devices":2,"#,
            r#""lastSeen":"1970-01-01T00:00:00.000Z"},"#,
            r#"{"user":"zoe","online":false,"devices":0}]}"#
        );
        assert_eq!(answer(&presences, AttachmentEncoding::Base64).json, format!("{{{users}"));
        assert_eq!(
            reply(&Ok(presences), AttachmentEncoding::Base64).json,
            format!("{{\"ok\":true,{users}")
        );
    }

    #[test]
    fn a_profile_says_whether_the_user_is_a_guest() {
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
