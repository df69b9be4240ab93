//! Events for connections, and their deliveries.

use std::{
    any::Any,
    sync::{Arc, OnceLock},
};

use time::OffsetDateTime;

use super::delivery_time::DeliveryTimer;
use crate::domain::{
    AskId, ConnectionId, CustomEvent, DisplayName, DisplayNames, Entry, Epoch, Log, Member, Muted,
    NamedUser, NodeId, Role, RoomName, RoomTopic, Seq, Token, Typing, UserName, View,
};

/// An event for a connection. "You" is the user of the connection.
#[derive(Clone, Debug)]
pub enum Event {
    /// You are identified.
    Welcome(Box<Welcome>),
    /// The users of your default room.
    Users(Vec<UserName>),
    /// The number of a room's users, where a list would be too long.
    Presence {
        /// The room.
        room: RoomName,
        /// Its users.
        count: usize,
    },
    /// A message, an edit, a deletion or a topic in a room or a direct conversation.
    Entry(Entry),
    /// A notification in your inbox.
    Notified {
        /// The entry in your inbox.
        entry: Entry,
        /// The number of unread notifications.
        unread: u64,
    },
    /// A user's first connection joined.
    Joined {
        /// The room.
        room: RoomName,
        /// The user.
        who: NamedUser,
    },
    /// A user's last connection left.
    Left {
        /// The room.
        room: RoomName,
        /// The user.
        who: NamedUser,
    },
    /// Your membership in a room has changed.
    Membership {
        /// The room.
        room: RoomName,
        /// The room as it is for you now. `None` when you are no longer a member.
        state: Option<RoomState>,
        /// The user who changed it, if not you.
        by: Option<NamedUser>,
    },
    /// A user has read a conversation up to a seq.
    Read {
        /// The conversation.
        view: View,
        /// The reader.
        who: NamedUser,
        /// The last read entry.
        seq: Seq,
        /// The number of unread messages, for the reader's own connections.
        unread: Option<u64>,
    },
    /// A user started or stopped typing.
    Typing {
        /// The conversation.
        view: View,
        /// The user.
        who: NamedUser,
        /// Whether the user is typing now.
        typing: Typing,
    },
    /// The time, at an interval.
    Clock {
        /// The time.
        at: OffsetDateTime,
    },
    /// An event of the application that is not stored.
    Custom(CustomEvent),
    /// The same, and a back end waits for your answer.
    Ask {
        /// The event.
        event: CustomEvent,
        /// The number that the answer repeats.
        ask: AskId,
    },
    /// Entries that you missed while you were disconnected.
    Missed(MissedEntries),
    /// Your token expires soon.
    AuthExpiring {
        /// The expiry.
        expires_at: OffsetDateTime,
    },
}

/// The first event of an identified connection.
#[derive(Clone, Debug)]
pub struct Welcome {
    /// Your name.
    pub user: UserName,
    /// Your display name, if the token has one.
    pub name: Option<DisplayName>,
    /// Whether you are an administrator.
    pub admin: bool,
    /// A guest's token for reconnecting.
    pub token: Option<Token>,
    /// The expiry of your token.
    pub expires_at: OffsetDateTime,
    /// Whether your device was seen before, if you named one.
    pub visit: Option<DeviceVisit>,
    /// The id of this connection.
    pub connection: ConnectionId,
    /// The node of this connection.
    pub node: NodeId,
    /// The epoch of the database.
    pub epoch: Epoch,
    /// The rooms that you are in.
    pub rooms: Vec<RoomState>,
    /// The partners of your most recent direct conversations.
    pub directs: Vec<(UserName, Tally)>,
    /// The display names of these partners.
    pub names: DisplayNames,
    /// The state of your inbox.
    pub inbox: Tally,
}

/// Whether a user was seen before with the named device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceVisit {
    /// Not seen before.
    First,
    /// Seen before.
    Returning {
        /// The time of the last connect or disconnect.
        last_seen: OffsetDateTime,
    },
}

/// A room as a member sees it.
#[derive(Clone, Debug)]
pub struct RoomState {
    /// The room.
    pub room: RoomName,
    /// The member's role.
    pub role: Role,
    /// The topic.
    pub topic: Option<RoomTopic>,
    /// The state of the log.
    pub tally: Tally,
}

/// The state of a conversation's log for one user.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// The last entry.
    pub head: Seq,
    /// The number of messages that the user has not read.
    pub unread: u64,
    /// The last entry that the user has read.
    pub read: Seq,
    /// Whether the user has muted the conversation.
    pub muted: Muted,
}

impl Tally {
    /// The tally of a member of this log, to whom `deleted` deleted messages are unread.
    pub fn of(member: &Member, log: &Log, deleted: u64) -> Self {
        let Member { role: _, joined: _, read, muted } = *member;
        Self { head: log.head.seq, unread: log.unread(read, deleted), read: read.seq, muted }
    }
}

/// Part of what was missed in a room, or the notice that it cannot be sent.
#[derive(Clone, Debug)]
pub struct MissedEntries {
    /// The room.
    pub room: RoomName,
    /// The missed entries.
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
        /// The display names of the authors.
        names: DisplayNames,
    },
    /// Too many entries, or another log: the client must page history.
    TooFar {
        /// The room's last entry.
        head: Seq,
    },
}

/// The number of cached encodings per event.
const ENCODINGS: usize = 8;

/// An encoding, of a type that only its encoder knows.
type Encoding = Box<dyn Any + Send + Sync>;

/// An event with a cache of its encodings: each is made once, not once per connection.
#[derive(Debug)]
pub struct Delivery {
    content: DeliveryContent,
    /// See [`Delivery::passing_id`].
    passing_id: Option<Box<str>>,
    /// See [`Delivery::traceparent`].
    traceparent: Option<Box<str>>,
    encodings: [OnceLock<Encoding>; ENCODINGS],
}

/// What a delivery sends.
#[derive(Debug)]
enum DeliveryContent {
    /// An event.
    Event(Box<Event>),
    /// The event of another delivery, on its way to connections that receive it now.
    Timed(Arc<Delivery>, DeliveryTimer),
}

impl Delivery {
    /// Wraps an event for any number of connections.
    pub fn new(event: Event) -> Arc<Self> {
        Self::with_id(event, None)
    }

    /// The same with an id by which all nodes recognise it.
    pub fn with_id(event: Event, passing_id: Option<Box<str>>) -> Arc<Self> {
        Self::of(DeliveryContent::Event(Box::new(event)), passing_id, None)
    }

    /// The same with the step of a trace in which the event is published.
    pub fn traced(event: Event, traceparent: Option<Box<str>>) -> Arc<Self> {
        Self::of(DeliveryContent::Event(Box::new(event)), None, traceparent)
    }

    /// The same event with encodings of its own, which are timed. What keeps it for later keeps
    /// [`Delivery::untimed`]: the time ends with the last encoding.
    pub(crate) fn timed(self: &Arc<Self>, timer: DeliveryTimer) -> Arc<Self> {
        let untimed = Arc::clone(self.untimed());
        Self::of(DeliveryContent::Timed(untimed, timer), None, None)
    }

    /// The delivery of the same event without a timer.
    pub fn untimed(self: &Arc<Self>) -> &Arc<Self> {
        match &self.content {
            DeliveryContent::Event(_) => self,
            DeliveryContent::Timed(untimed, _) => untimed,
        }
    }

    /// What times the encodings.
    pub fn timer(&self) -> Option<&DeliveryTimer> {
        match &self.content {
            DeliveryContent::Event(_) => None,
            DeliveryContent::Timed(_, timer) => Some(timer),
        }
    }

    fn of(
        content: DeliveryContent,
        passing_id: Option<Box<str>>,
        traceparent: Option<Box<str>>,
    ) -> Arc<Self> {
        let encodings = [const { OnceLock::new() }; ENCODINGS];
        Arc::new(Self { content, passing_id, traceparent, encodings })
    }

    /// The step in which the node of its sender published it, as a header `traceparent`, if the request
    /// is sampled.
    pub fn traceparent(&self) -> Option<&str> {
        match &self.content {
            DeliveryContent::Event(_) => self.traceparent.as_deref(),
            DeliveryContent::Timed(untimed, _) => untimed.traceparent(),
        }
    }

    /// The id of an event that is not stored, the same on all nodes. `None` where none is needed.
    pub fn passing_id(&self) -> Option<&str> {
        match &self.content {
            DeliveryContent::Event(_) => self.passing_id.as_deref(),
            DeliveryContent::Timed(untimed, _) => untimed.passing_id(),
        }
    }

    /// The event.
    pub fn event(&self) -> &Event {
        match &self.content {
            DeliveryContent::Event(event) => event,
            DeliveryContent::Timed(untimed, _) => untimed.event(),
        }
    }

    /// The entry, if the event has one.
    pub fn entry(&self) -> Option<&Entry> {
        match self.event() {
            Event::Entry(entry) | Event::Notified { entry, .. } => Some(entry),
            _ => None,
        }
    }

    /// The encoding in `slot`, made by `encode` on the first call.
    ///
    /// The callers agree on the encoding of each slot (0 to 7): one type per slot.
    ///
    /// # Panics
    ///
    /// If the slot does not exist or holds another type.
    pub fn encoded<T: Any + Send + Sync>(&self, slot: usize, encode: impl FnOnce() -> T) -> &T {
        let encoding = self.encodings.get(slot).expect("there are eight slots");
        let encoding = encoding.get_or_init(|| Box::new(encode()));
        encoding.downcast_ref().expect("a slot holds one type")
    }
}

/// A stored entry on its way to connections.
#[derive(Clone, Debug)]
pub(crate) struct Post {
    /// A delivery of [`Event::Entry`], timed if it was just stored.
    pub(crate) delivery: Arc<Delivery>,
    /// The connection of this node that sent it.
    pub(crate) origin: Option<ConnectionId>,
    /// The connection that it is not delivered to.
    pub(crate) except: Option<ConnectionId>,
}
