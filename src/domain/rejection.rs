//! The closed list of reasons to reject a request.

use std::{fmt, time::Duration};

use time::OffsetDateTime;

use super::{ApiScope, KeyMismatch};

/// A refusal of a back end, in its own words. Only the code is printed: the rest is for the client.
#[derive(Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The code that clients compare.
    pub code: Box<str>,
    /// The message for people.
    pub message: Box<str>,
    /// More about it, as JSON text.
    pub data: Option<Box<str>>,
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refusal").field("code", &self.code).finish_non_exhaustive()
    }
}

/// Why an API key is not enough. The codes are those of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyRejection {
    /// There is no key, or the settings do not have it.
    #[error("the settings have no such API key")]
    Unknown,
    /// It is for other spaces.
    #[error("the API key is not for this space")]
    Space,
    /// It is for some spaces, and the request is about all.
    #[error("this needs an API key for all spaces")]
    AllSpaces,
    /// It has not this scope.
    #[error("the API key has not the scope \"{0}\", which this needs")]
    Scope(ApiScope),
}

/// A rejected request. Nothing was changed.
///
/// `wire` holds the table of codes. The sentences here are the messages that clients receive.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The frame or its data does not have the documented form.
    #[error("{0}")]
    BadRequest(&'static str),
    /// The data lacks a key, or has one that means nothing.
    #[error("{0}")]
    Keys(Box<KeyMismatch>),
    /// The body is compressed, or has another encoding.
    #[error("a body is sent without Content-Encoding")]
    EncodingUnsupported,
    /// There is no such request, and no rule for the event.
    #[error("there is no such event; the setting `events` adds some")]
    UnknownEvent,
    /// The token is malformed, or no configured key signed it.
    #[error("the token is not valid here")]
    Unauthorized,
    /// The token has expired.
    #[error("the token has expired")]
    TokenExpired,
    /// The token was revoked.
    #[error("the token was revoked")]
    TokenRevoked,
    /// Guests are not allowed.
    #[error("a token is required here")]
    TokenRequired,
    /// The new token is for another user than the connection's.
    #[error("the token is for another user")]
    OtherUser,
    /// There is no such space.
    #[error("Invalid namespace")]
    UnknownSpace,
    /// The token does not open this space.
    #[error("the token does not open this space")]
    SpaceForbidden,
    /// The token does not open this room, it is private, or there is no such room.
    #[error("this room is not open to you")]
    RoomForbidden,
    /// Only administrators or the author may do this.
    #[error("this is not yours to do")]
    Forbidden,
    /// The user may only read in this room.
    #[error("here you may only read")]
    ReadOnly,
    /// The user is banned from the space.
    #[error("you are banned here")]
    Banned {
        /// When the ban ends. `None`: never.
        until: Option<OffsetDateTime>,
    },
    /// The origin of the browser page is not allowed.
    #[error("pages of this origin may not connect")]
    OriginForbidden,
    /// The connection has not identified its user yet.
    #[error("say who you are first")]
    NotIdentified,
    /// The connection has identified its user already.
    #[error("this connection already has a name")]
    AlreadyIdentified,
    /// The name is not a valid user name.
    #[error("a name has 1 to 32 visible characters, a user's up to 64")]
    NameInvalid,
    /// An online user or a user of the back end has this name, or one that looks like it.
    #[error("somebody has this name, or one that looks like it")]
    NameTaken,
    /// The name is not a valid room name.
    #[error("a room name has 1 to 64 characters, all of which can be seen")]
    RoomInvalid,
    /// The user is in the largest allowed number of rooms, or the connection in that of spaces.
    #[error("you are in as many rooms as you may")]
    TooManyRooms,
    /// The user is not in the room.
    #[error("join the room first")]
    NotMember,
    /// The body is empty.
    #[error("the message is empty")]
    MessageEmpty,
    /// The body is larger than [`Limits::body_bytes_max`](super::Limits::body_bytes_max).
    #[error("the message is too large")]
    MessageTooLarge,
    /// The body has more attachments than
    /// [`Limits::attachments_max`](super::Limits::attachments_max).
    #[error("the message has too many attachments")]
    TooManyAttachments,
    /// The id is not a valid message id.
    #[error("an id has 1 to 64 visible ASCII characters")]
    IdInvalid,
    /// The id was used for a message with another body.
    #[error("this id was used for another message")]
    Conflict,
    /// No user of this name has ever connected, or the user is not a member.
    #[error("there is no such user")]
    NoSuchUser,
    /// The room has no members and no messages.
    #[error("there is no such room")]
    NoSuchRoom,
    /// The message does not exist, or no longer.
    #[error("there is no such message")]
    NoSuchMessage,
    /// There are as many bans and revocations as the server keeps.
    #[error("there are 100,000 bans and revocations, no more are kept")]
    TooManyDenials,
    /// The API key does not permit it.
    #[error("{0}")]
    Key(KeyRejection),
    /// A back end refused it.
    #[error("{}", .0.message)]
    Refused(Box<Refusal>),
    /// The connection sends faster than
    /// [`Limits::messages_per_second_max`](super::Limits::messages_per_second_max).
    #[error("too many messages")]
    TooFast {
        /// Time until the next message is accepted.
        retry_after: Duration,
    },
    /// The message could not be stored, or the node is full. Nothing was stored or sent.
    #[error("this is not possible right now; try again")]
    Unavailable,
    /// This node is draining.
    #[error("this node is about to leave; connect again")]
    Draining,
    /// A fault of the server, which is logged.
    #[error("something broke on our side")]
    Internal,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_back_end_are_not_printed() {
        let [code, message] = ["no_session", "for the client alone"].map(Into::into);
        let data = Some("{\"for\":\"the client alone\"}".into());
        let printed =
            format!("{:?}", Rejection::Refused(Box::new(Refusal { code, message, data })));
        assert!(printed.contains("no_session") && !printed.contains("alone"), "{printed}");
    }
}
