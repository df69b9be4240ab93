//! Replies as JSON objects.

use super::{
    body::Form,
    code::{self, CloseRow, Reconnect},
    event::{self, Written},
    json::Object,
    request::Asked,
};
use crate::{
    chat::{Answer, Profile, Receipt, Reply, ports::Voucher},
    domain::{CloseReason, Rejection, Token, UserName},
};

/// A reply's object: `{"ok":true,…}` or `{"ok":false,"code":…}`.
pub(super) fn reply(reply: &Reply, form: Form) -> Written {
    match reply {
        Ok(answer) => answer_object(Object::new().add("ok", &true), answer, form),
        Err(rejection) => {
            let object = Object::new().add("ok", &false);
            text(refusal(object, rejection))
        }
    }
}

/// An answer's object without `ok`: what comes as an event.
pub(super) fn answer(answer: &Answer, form: Form) -> Written {
    answer_object(Object::new(), answer, form)
}

/// `error message`.
pub(super) fn error_message(asked: Asked, rejection: &Rejection) -> String {
    refusal(Object::new().add("event", &asked.name()), rejection).end()
}

/// A refusal at the door or in the two arguments of `new user`: `{code, message}`.
pub(crate) fn refusal_object(rejection: &Rejection) -> String {
    refusal(Object::new(), rejection).end()
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
    let Profile { user, name, voucher, admin, expires_at } = profile;
    Object::new()
        .add("user", user.as_raw())
        .add_some("name", name.as_deref())
        .add("guest", &(*voucher == Voucher::Nobody))
        .add("admin", admin)
        .add_time("expiresAt", *expires_at)
        .end()
}

/// The second argument of `new user`'s acknowledgement.
pub(super) fn identified(user: &UserName, token: &Token) -> String {
    Object::new().add("user", user.as_raw()).add("token", token.expose()).end()
}

fn refusal(object: Object, rejection: &Rejection) -> Object {
    let row = code::rejection(rejection);
    let object = object.add("code", row.code).add("message", &rejection.to_string());
    let Rejection::TooFast { retry_after } = rejection else { return object };
    // Rounded up: who comes back then is not refused again.
    let millis = retry_after.as_micros().div_ceil(1000);
    object.add("retryAfterMs", &u64::try_from(millis).unwrap_or(u64::MAX))
}

fn answer_object(object: Object, answer: &Answer, form: Form) -> Written {
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
        Answer::Room { room, seq, count } => {
            object.add("room", room.as_raw()).add("seq", &seq.as_raw()).add("count", count)
        }
        Answer::Page { messages, more } => {
            let Written { json, attachments } = event::flat(messages.iter(), form);
            let json = object.add_raw("messages", &json).add("more", more).end();
            return Written { json, attachments };
        }
    };
    text(object)
}

fn posted(object: Object, receipt: &Receipt) -> Object {
    let Receipt { id: _, seq, at, duplicate } = receipt;
    let object = object.add("seq", &seq.as_raw()).add_time("at", *at);
    object.add_some("duplicate", duplicate.then_some(true))
}

fn text(object: Object) -> Written {
    Written { json: object.end(), attachments: Vec::new() }
}
