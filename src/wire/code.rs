//! The tables of rejection codes and close codes.
//!
//! docs/protocol.md has the same tables for clients; a test compares them.

use std::time::Duration;

use http::StatusCode;

use crate::{
    chat::ports::ConnectionEnd,
    domain::{CloseReason, KeyRejection, Rejection},
};

/// Time that a client should wait before it asks again a node that drains.
pub const RETURN_AFTER: Duration = CloseReason::RETURN_AFTER;

/// How a rejection appears to clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RejectionRow {
    /// The code that clients compare.
    pub code: &'static str,
    /// The HTTP status, where the rejection answers an HTTP request.
    pub status: StatusCode,
    /// Whether the same request may succeed later.
    pub retry: Retry,
}

/// Whether a client should retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The same request may succeed later.
    Yes,
    /// The same request will be rejected again.
    No,
}

/// The row of a rejection.
pub fn rejection(rejection: &Rejection) -> RejectionRow {
    use Retry::{No, Yes};
    let (code, status, retry) = match rejection {
        Rejection::BadRequest(_) | Rejection::Keys(_) => {
            ("bad_request", StatusCode::BAD_REQUEST, No)
        }
        Rejection::EncodingUnsupported => {
            ("unsupported_encoding", StatusCode::UNSUPPORTED_MEDIA_TYPE, No)
        }
        Rejection::UnknownEvent => ("unknown_event", StatusCode::NOT_FOUND, No),
        Rejection::Unauthorized | Rejection::Key(KeyRejection::Unknown) => {
            ("unauthorized", StatusCode::UNAUTHORIZED, No)
        }
        Rejection::TokenExpired => ("token_expired", StatusCode::UNAUTHORIZED, No),
        Rejection::TokenRevoked => ("token_revoked", StatusCode::UNAUTHORIZED, No),
        Rejection::TokenRequired => ("token_required", StatusCode::UNAUTHORIZED, No),
        Rejection::OtherUser => ("other_user", StatusCode::FORBIDDEN, No),
        Rejection::UnknownSpace => ("unknown_space", StatusCode::NOT_FOUND, No),
        Rejection::SpaceForbidden
        | Rejection::Key(KeyRejection::Space | KeyRejection::AllSpaces) => {
            ("space_forbidden", StatusCode::FORBIDDEN, No)
        }
        Rejection::RoomForbidden => ("room_forbidden", StatusCode::FORBIDDEN, No),
        Rejection::Forbidden | Rejection::Key(KeyRejection::Scope(_)) => {
            ("forbidden", StatusCode::FORBIDDEN, No)
        }
        Rejection::ReadOnly => ("read_only", StatusCode::FORBIDDEN, No),
        Rejection::Banned { .. } => ("banned", StatusCode::FORBIDDEN, No),
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
        Rejection::NoSuchRoom => ("no_such_room", StatusCode::NOT_FOUND, No),
        Rejection::NoSuchMessage => ("no_such_message", StatusCode::NOT_FOUND, No),
        Rejection::TooManyDenials => ("too_many_denials", StatusCode::UNPROCESSABLE_ENTITY, No),
        Rejection::Refused(_) => ("refused", StatusCode::FORBIDDEN, No),
        Rejection::TooFast { .. } => ("too_fast", StatusCode::TOO_MANY_REQUESTS, Yes),
        Rejection::Unavailable => ("unavailable", StatusCode::SERVICE_UNAVAILABLE, Yes),
        Rejection::Draining => ("draining", StatusCode::SERVICE_UNAVAILABLE, Yes),
        Rejection::Internal => ("internal", StatusCode::INTERNAL_SERVER_ERROR, Yes),
    };
    RejectionRow { code, status, retry }
}

/// How a close reason appears to clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseRow {
    /// The code that clients compare.
    pub code: &'static str,
    /// The WebSocket close code: clients reconnect up to 4499, and do not from 4500.
    pub websocket: u16,
    /// Whether the client should reconnect.
    pub reconnect: Reconnect,
    /// Time to wait before the client reconnects.
    pub after: Duration,
    /// The reason in the close frame.
    pub reason: &'static str,
}

/// Whether a client should reconnect after its connection was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reconnect {
    /// It should reconnect.
    Yes,
    /// It should not reconnect.
    No,
}

/// How the end of a connection is called in webhooks and metrics: by the words of Socket.IO servers, or
/// by the code of the close reason.
pub fn connection_end(end: ConnectionEnd) -> &'static str {
    match end {
        ConnectionEnd::ByClient => "client_namespace_disconnect",
        ConnectionEnd::TransportClosed => "transport_close",
        ConnectionEnd::ProtocolError => "parse_error",
        ConnectionEnd::NodeLost => "node_lost",
        ConnectionEnd::ByServer(reason) => close(reason).code,
    }
}

/// The row of a close reason.
pub fn close(reason: CloseReason) -> CloseRow {
    let (code, websocket, reconnect) = match reason {
        CloseReason::Draining { .. } => ("draining", 1001, Reconnect::Yes),
        CloseReason::SlowReader => ("slow_reader", 4002, Reconnect::Yes),
        CloseReason::PingTimeout => ("ping_timeout", 4003, Reconnect::Yes),
        CloseReason::Flood => ("flood", 4004, Reconnect::Yes),
        CloseReason::FrameTooLarge { .. } => ("frame_too_large", 1009, Reconnect::Yes),
        CloseReason::Fault => ("fault", 4005, Reconnect::Yes),
        CloseReason::TokenExpired => ("token_expired", 4006, Reconnect::Yes),
        CloseReason::Reconnect => ("reconnect", 4007, Reconnect::Yes),
        CloseReason::InvalidUser => ("invalid_user", 4001, Reconnect::No),
        CloseReason::Replaced => ("replaced", 4500, Reconnect::No),
        CloseReason::SignedOut => ("signed_out", 4501, Reconnect::No),
        CloseReason::NameTaken => ("name_taken", 4502, Reconnect::No),
        CloseReason::Disconnected => ("disconnected", 4503, Reconnect::No),
        CloseReason::Banned { .. } => ("banned", 4504, Reconnect::No),
        CloseReason::TokenRevoked => ("token_revoked", 4505, Reconnect::No),
    };
    let after = if let CloseReason::Draining { after } = reason { after } else { Duration::ZERO };
    // Existing clients compare this text.
    let text = if reason == CloseReason::InvalidUser { "Invalid user" } else { code };
    CloseRow { code, websocket, reconnect, after, reason: text }
}
