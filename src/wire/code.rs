//! The two closed tables: why we say no, and why we end a connection.
//!
//! docs/protocol.md shows them to clients; a test holds the two together.

use std::time::Duration;

use http::StatusCode;

use crate::domain::{CloseReason, Rejection};

/// When a client should come back to a node that leaves: its successor may need a moment.
const RETURN_AFTER: Duration = Duration::from_secs(1);

/// What a rejection is called outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RejectionRow {
    /// The code that clients compare.
    pub code: &'static str,
    /// The HTTP status, where there is one.
    pub status: StatusCode,
    /// Whether the same request may succeed later.
    pub retry: Retry,
}

/// Whether to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The same request may succeed later.
    Yes,
    /// It will be refused again.
    No,
}

/// The row of a rejection.
pub fn rejection(rejection: &Rejection) -> RejectionRow {
    use Retry::{No, Yes};
    let (code, status, retry) = match rejection {
        Rejection::BadRequest(_) => ("bad_request", StatusCode::BAD_REQUEST, No),
        Rejection::UnknownEvent => ("unknown_event", StatusCode::NOT_FOUND, No),
        Rejection::Unauthorized => ("unauthorized", StatusCode::UNAUTHORIZED, No),
        Rejection::TokenExpired => ("token_expired", StatusCode::UNAUTHORIZED, No),
        Rejection::TokenRequired => ("token_required", StatusCode::UNAUTHORIZED, No),
        Rejection::OtherUser => ("other_user", StatusCode::FORBIDDEN, No),
        Rejection::UnknownSpace => ("unknown_space", StatusCode::NOT_FOUND, No),
        Rejection::SpaceForbidden => ("space_forbidden", StatusCode::FORBIDDEN, No),
        Rejection::RoomForbidden => ("room_forbidden", StatusCode::FORBIDDEN, No),
        Rejection::Forbidden => ("forbidden", StatusCode::FORBIDDEN, No),
        Rejection::ReadOnly => ("read_only", StatusCode::FORBIDDEN, No),
        Rejection::OriginForbidden => ("origin_forbidden", StatusCode::FORBIDDEN, No),
        Rejection::NotIdentified => ("not_identified", StatusCode::UNAUTHORIZED, No),
        Rejection::AlreadyIdentified => ("already_identified", StatusCode::CONFLICT, No),
        Rejection::NameInvalid => ("name_invalid", StatusCode::UNPROCESSABLE_ENTITY, No),
        Rejection::NameTaken => ("name_taken", StatusCode::CONFLICT, No),
        Rejection::RoomInvalid => ("room_invalid", StatusCode::UNPROCESSABLE_ENTITY, No),
        Rejection::TooManyRooms => ("too_many_rooms", StatusCode::UNPROCESSABLE_ENTITY, No),
        Rejection::NotMember => ("not_member", StatusCode::FORBIDDEN, No),
        Rejection::MessageEmpty => ("message_empty", StatusCode::UNPROCESSABLE_ENTITY, No),
        Rejection::MessageTooLarge => ("message_too_large", StatusCode::PAYLOAD_TOO_LARGE, No),
        Rejection::TooManyAttachments => {
            ("too_many_attachments", StatusCode::UNPROCESSABLE_ENTITY, No)
        }
        Rejection::IdInvalid => ("id_invalid", StatusCode::UNPROCESSABLE_ENTITY, No),
        Rejection::Conflict => ("conflict", StatusCode::CONFLICT, No),
        Rejection::NoSuchUser => ("no_such_user", StatusCode::NOT_FOUND, No),
        Rejection::NoSuchMessage => ("no_such_message", StatusCode::NOT_FOUND, No),
        Rejection::TooFast { .. } => ("too_fast", StatusCode::TOO_MANY_REQUESTS, Yes),
        Rejection::Unavailable => ("unavailable", StatusCode::SERVICE_UNAVAILABLE, Yes),
        Rejection::Draining => ("draining", StatusCode::SERVICE_UNAVAILABLE, Yes),
        Rejection::Internal => ("internal", StatusCode::INTERNAL_SERVER_ERROR, Yes),
    };
    RejectionRow { code, status, retry }
}

/// What a reason to end a connection is called outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseRow {
    /// The code that clients compare.
    pub code: &'static str,
    /// The WebSocket close code: up to 4499 "come back", from 4500 "stay away".
    pub websocket: u16,
    /// What the client should do.
    pub reconnect: Reconnect,
    /// How long it should wait before it does.
    pub after: Duration,
    /// What the close frame says.
    pub reason: &'static str,
}

/// What a client should do whose connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reconnect {
    /// Come back.
    Yes,
    /// Stay away.
    No,
}

/// The row of a reason.
pub fn close(reason: CloseReason) -> CloseRow {
    let (code, websocket, reconnect) = match reason {
        CloseReason::Draining => ("draining", 1001, Reconnect::Yes),
        CloseReason::SlowReader => ("slow_reader", 4002, Reconnect::Yes),
        CloseReason::PingTimeout => ("ping_timeout", 4003, Reconnect::Yes),
        CloseReason::Flood => ("flood", 4004, Reconnect::Yes),
        CloseReason::Fault => ("fault", 4005, Reconnect::Yes),
        CloseReason::TokenExpired => ("token_expired", 4006, Reconnect::Yes),
        CloseReason::InvalidUser => ("invalid_user", 4001, Reconnect::No),
        CloseReason::Replaced => ("replaced", 4500, Reconnect::No),
        CloseReason::SignedOut => ("signed_out", 4501, Reconnect::No),
        CloseReason::NameTaken => ("name_taken", 4502, Reconnect::No),
    };
    let after = if reason == CloseReason::Draining { RETURN_AFTER } else { Duration::ZERO };
    // Existing clients compare this text.
    let text = if reason == CloseReason::InvalidUser { "Invalid user" } else { code };
    CloseRow { code, websocket, reconnect, after, reason: text }
}
