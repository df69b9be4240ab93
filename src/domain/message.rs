//! What a user said, once it has its place.

use time::OffsetDateTime;

use super::{Body, MessageId, Place, Seq, UserName};

/// The request that a message came with, and so the event that it goes out as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `send message`, heard as `new message` by everyone in the room.
    Message,
    /// `GroupChat`, heard by everyone in the room but the connection that said it.
    GroupChat,
    /// `SingleChat`, heard by both users' other connections.
    SingleChat,
}

/// A message with its place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The conversation that it belongs to.
    pub place: Place,
    /// Its place there.
    pub seq: Seq,
    /// Its identity within conversation and author.
    pub id: MessageId,
    /// What it goes out as.
    pub kind: Kind,
    /// Who said it.
    pub author: UserName,
    /// What they said.
    pub body: Body,
    /// When the server took it.
    pub at: OffsetDateTime,
}
