//! The closed list of what we say no to.

use std::time::Duration;

/// The caller asked for something it may not have. Nothing was changed.
///
/// `wire` holds the table of codes; the sentence here is what a person reads.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The frame or its data does not have the documented form.
    #[error("{0}")]
    BadRequest(&'static str),
    /// There is no such request.
    #[error("there is no such event")]
    UnknownEvent,
    /// The token is not one of ours, or not well-formed.
    #[error("the token is not valid here")]
    Unauthorized,
    /// The token's time has run out.
    #[error("the token has expired")]
    TokenExpired,
    /// Guests are not allowed.
    #[error("a token is required here")]
    TokenRequired,
    /// A fresh token is for somebody else than the connection's user.
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
    /// For administrators, or for the author.
    #[error("this is not yours to do")]
    Forbidden,
    /// The user may only read in this room.
    #[error("here you may only read")]
    ReadOnly,
    /// A browser page from another site.
    #[error("pages of this origin may not connect")]
    OriginForbidden,
    /// The connection has no name yet.
    #[error("say who you are first")]
    NotIdentified,
    /// The connection has a name already.
    #[error("this connection already has a name")]
    AlreadyIdentified,
    /// Not a user name.
    #[error("a name has 1 to 32 visible characters, a user's up to 64")]
    NameInvalid,
    /// Somebody online has this name or one that looks like it, or a user of the back end has.
    #[error("somebody has this name, or one that looks like it")]
    NameTaken,
    /// Not a room name.
    #[error("a room name has 1 to 64 letters, digits and - _ . : # + / ~")]
    RoomInvalid,
    /// The user is in as many rooms as they may, or the connection in as many spaces.
    #[error("you are in as many rooms as you may")]
    TooManyRooms,
    /// Not in the room.
    #[error("join the room first")]
    NotMember,
    /// A body that says nothing.
    #[error("the message is empty")]
    MessageEmpty,
    /// A body above [`Limits::body_bytes_max`](super::Limits::body_bytes_max).
    #[error("the message is too large")]
    MessageTooLarge,
    /// More attachments than [`Limits::attachments_max`](super::Limits::attachments_max).
    #[error("the message has too many attachments")]
    TooManyAttachments,
    /// Not a message id.
    #[error("an id has 1 to 64 visible ASCII characters")]
    IdInvalid,
    /// The id was used for another body.
    #[error("this id was used for another message")]
    Conflict,
    /// Nobody of that name was ever here, or is a member.
    #[error("there is no such user")]
    NoSuchUser,
    /// There is no such message, or not any more.
    #[error("there is no such message")]
    NoSuchMessage,
    /// Faster than [`Limits::messages_per_second_max`](super::Limits::messages_per_second_max).
    #[error("too many messages")]
    TooFast {
        /// When the next one would be taken.
        retry_after: Duration,
    },
    /// The message could not be stored, or there is no room for another connection. Nothing was
    /// stored or sent.
    #[error("this is not possible right now; try again")]
    Unavailable,
    /// This node is about to leave.
    #[error("this node is about to leave; connect again")]
    Draining,
    /// We broke; the log says how.
    #[error("something broke on our side")]
    Internal,
}
