//! Anything that happened, on its way to connections.

use std::{
    any::Any,
    sync::{Arc, OnceLock},
};

use time::OffsetDateTime;

use crate::domain::{
    ConnectionId, Entry, Epoch, Log, Member, Muted, NodeId, Role, RoomName, Seq, Token, Typing,
    UserName, View,
};

/// What a connection is told.
#[derive(Clone, Debug)]
pub enum Event {
    /// You are identified.
    Welcome(Box<Welcome>),
    /// The users of your default room.
    Users(Vec<UserName>),
    /// How many there are, where a list would be too long.
    Presence {
        /// The room.
        room: RoomName,
        /// Its users.
        count: usize,
    },
    /// Somebody said something in a room or a direct conversation, or changed what they had said.
    Entry(Entry),
    /// You have mail.
    Notified {
        /// What stands in your inbox.
        entry: Entry,
        /// How much of it you have not read.
        unread: u64,
    },
    /// A user's first connection joined.
    Joined {
        /// The room.
        room: RoomName,
        /// The user.
        user: UserName,
    },
    /// A user's last connection left.
    Left {
        /// The room.
        room: RoomName,
        /// The user.
        user: UserName,
    },
    /// What you are in a room is not what it was.
    Membership {
        /// The room, where you are in it now.
        room: RoomName,
        /// What you are there; nothing, when you are a member no more.
        state: Option<RoomState>,
        /// Who did it, if it was not you.
        by: Option<UserName>,
    },
    /// Somebody has read something.
    Read {
        /// Where.
        view: View,
        /// Who.
        user: UserName,
        /// Up to here.
        seq: Seq,
        /// What they have not read, for their own connections.
        unread: Option<u64>,
    },
    /// Somebody began to type, or stopped.
    Typing {
        /// Where.
        view: View,
        /// Who.
        user: UserName,
        /// Whether they type now.
        typing: Typing,
    },
    /// What happened while you were away.
    Missed(MissedEntries),
    /// The time of your token is nearly over.
    AuthExpiring {
        /// When it is.
        expires_at: OffsetDateTime,
    },
}

/// The first thing that an identified connection hears.
#[derive(Clone, Debug)]
pub struct Welcome {
    /// Who you are.
    pub user: UserName,
    /// How you are to be shown, if the token says so.
    pub name: Option<Box<str>>,
    /// Whether you may do what administrators may.
    pub admin: bool,
    /// For a guest: come back with this.
    pub token: Option<Token>,
    /// Until when you may stay.
    pub expires_at: OffsetDateTime,
    /// Whether your device was here before, if you named one.
    pub visit: Option<DeviceVisit>,
    /// Which connection this is.
    pub connection: ConnectionId,
    /// On which node.
    pub node: NodeId,
    /// Which database this is.
    pub epoch: Epoch,
    /// The rooms you are in.
    pub rooms: Vec<RoomState>,
    /// The users with whom you talked last.
    pub directs: Vec<(UserName, Tally)>,
    /// What you are notified of.
    pub inbox: Tally,
}

/// Whether a user was here before with the device that they named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceVisit {
    /// They were not.
    First,
    /// They were: they last came or went then.
    Returning {
        /// When.
        last_seen: OffsetDateTime,
    },
}

/// A room as somebody finds it.
#[derive(Clone, Debug)]
pub struct RoomState {
    /// The room.
    pub room: RoomName,
    /// What they may do there.
    pub role: Role,
    /// How far it goes.
    pub tally: Tally,
}

/// How far a conversation goes, and how far somebody has read it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Its last entry.
    pub head: Seq,
    /// How many messages they have not read.
    pub unread: u64,
    /// The last entry that they have read.
    pub read: Seq,
    /// Whether they want to be left alone by it.
    pub muted: Muted,
}

impl Tally {
    /// Of a member, and the log as it stands.
    pub fn of(member: &Member, log: &Log) -> Self {
        let Member { role: _, joined: _, read, muted } = *member;
        Self { head: log.head.seq, unread: log.unread(read), read: read.seq, muted }
    }
}

/// Part of what was missed in a room, or the word that it cannot be sent.
#[derive(Clone, Debug)]
pub struct MissedEntries {
    /// The room.
    pub room: RoomName,
    /// What follows.
    pub run: MissedRun,
}

/// See [`MissedEntries`].
#[derive(Clone, Debug)]
pub enum MissedRun {
    /// The next entries in order.
    Recovered {
        /// Deliveries of [`Event::Entry`].
        entries: Vec<Arc<Delivery>>,
        /// Whether another part follows.
        more: bool,
    },
    /// Too much, or another log: page history.
    TooFar {
        /// The room's last entry.
        head: Seq,
    },
}

/// How many encodings of one event are remembered.
const ENCODINGS: usize = 3;

/// An encoding, of a type that only its maker knows.
type Encoding = Box<dyn Any + Send + Sync>;

/// An event with room for its encodings: each is made once, not once per connection.
#[derive(Debug)]
pub struct Delivery {
    event: Event,
    encodings: [OnceLock<Encoding>; ENCODINGS],
}

impl Delivery {
    /// Wraps an event for any number of connections.
    pub fn new(event: Event) -> Arc<Self> {
        Arc::new(Self { event, encodings: [const { OnceLock::new() }; ENCODINGS] })
    }

    /// What happened.
    pub fn event(&self) -> &Event {
        &self.event
    }

    /// The entry of a log, where that is what happened.
    pub fn entry(&self) -> Option<&Entry> {
        match &self.event {
            Event::Entry(entry) | Event::Notified { entry, .. } => Some(entry),
            _ => None,
        }
    }

    /// The encoding in `slot`, made by `encode` when it is asked for the first time.
    ///
    /// Which slot (0, 1 or 2) holds which encoding is for the callers to agree on: one type each.
    ///
    /// # Panics
    ///
    /// When the slot does not exist, or holds another type.
    pub fn encoded<T: Any + Send + Sync>(&self, slot: usize, encode: impl FnOnce() -> T) -> &T {
        let encoding = self.encodings.get(slot).expect("there are three slots");
        let encoding = encoding.get_or_init(|| Box::new(encode()));
        encoding.downcast_ref().expect("a slot holds one type")
    }
}

/// A stored entry on its way out.
#[derive(Clone, Debug)]
pub(crate) struct Post {
    /// A delivery of [`Event::Entry`].
    pub(crate) delivery: Arc<Delivery>,
    /// The connection that does not hear it.
    pub(crate) except: Option<ConnectionId>,
}
