//! What a node keeps of a user's memberships, and which rooms a connection's token opens.

use std::sync::Arc;

use crate::{
    chat::{
        event::Tally,
        hub::{
            delivered_log::DeliveredLog,
            live_room::{FullOutboxes, LiveRoom, ReplayCursor, RoomKind},
            live_rooms::LiveRooms,
            vec_map::VecMap,
        },
        ports::Rooms,
    },
    domain::{
        ConnectionId, Conversation, DeletedCount, Entry, GlobalRole, Log, Member, NamedUser, Place,
        Position, Role, RoomName, RoomTopic, Seq,
    },
};

/// The rooms that a connection's token opens, and its default room.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    /// The room of requests that name none.
    pub(crate) default_room: RoomName,
    /// The rooms that the token opens.
    pub(crate) rooms: Rooms,
    /// Whether it is an administrator's.
    pub(crate) global_role: GlobalRole,
}

impl Scope {
    /// What a member of a room may do on the connection, if the token opens the room.
    pub(super) fn role(&self, room: &RoomName, stored: Role) -> Option<Role> {
        self.rooms.grant(room).role(stored, self.global_role)
    }

    pub(super) fn room_kind(&self, room: &RoomName) -> RoomKind {
        if *room == self.default_room { RoomKind::Default } else { RoomKind::Other }
    }
}

/// A user's memberships by conversation, as the store has them.
pub(super) type Memberships = VecMap<Conversation, CachedMembership>;

/// The membership of a user in a conversation.
pub(super) struct CachedMembership {
    pub(super) member: Member,
    /// The deleted messages among those that the member has not read.
    pub(super) deleted: DeletedCount,
    pub(super) log_source: LogSource,
    /// Orders the conversations of a user by their newest messages.
    pub(super) recency: u64,
}

/// Where the state of a conversation's log is kept.
pub(super) enum LogSource {
    /// In the live room.
    LiveRoom(Arc<LiveRoom>),
    /// Here: direct conversations and inboxes.
    Local(DeliveredLog),
}

impl LogSource {
    /// The live room at a place, made if there is none, all whose entries count as delivered; or the log
    /// itself, delivered up to `head`. The store has this log and topic.
    pub(super) fn of(
        rooms: &LiveRooms,
        place: &Place,
        (log, topic): (Log, Option<RoomTopic>),
        head: Position,
    ) -> Self {
        match place.conversation {
            Conversation::Room(_) => {
                let live_room = rooms.get_or_create(place, log);
                live_room.learn_topic(topic, log.head.seq);
                Self::LiveRoom(live_room)
            }
            Conversation::Direct(..) | Conversation::Inbox(_) => {
                Self::Local(DeliveredLog::new(log, head))
            }
        }
    }
}

impl CachedMembership {
    /// The place of a room.
    pub(super) fn room_place(&self) -> Option<Place> {
        match &self.log_source {
            LogSource::LiveRoom(live_room) => Some(live_room.place().clone()),
            LogSource::Local(_) => None,
        }
    }

    /// The topic of a room.
    pub(super) fn topic(&self) -> Option<RoomTopic> {
        match &self.log_source {
            LogSource::LiveRoom(live_room) => live_room.topic(),
            LogSource::Local(_) => None,
        }
    }

    pub(super) fn log(&self) -> Log {
        match &self.log_source {
            LogSource::LiveRoom(live_room) => live_room.log(),
            LogSource::Local(log) => log.log(),
        }
    }

    /// The state of the log, and the number of deleted messages that the member has not read.
    pub(super) fn log_and_deleted(&self) -> (Log, u64) {
        let read = self.member.read.seq;
        match &self.log_source {
            LogSource::LiveRoom(live_room) => live_room.log_and_deleted(read, self.deleted),
            LogSource::Local(log) => (log.log(), log.deleted(read, self.deleted)),
        }
    }

    pub(super) fn tally(&self) -> Tally {
        let (log, deleted) = self.log_and_deleted();
        Tally::of(&self.member, &log, deleted)
    }

    /// What the store has of the member, or the read position that was recorded here since, with its
    /// count. Of two counts for the same position, the later one is kept.
    pub(super) fn reconcile(
        &self,
        stored: Member,
        deleted: DeletedCount,
    ) -> (Member, DeletedCount) {
        let (here, there) = (self.member.read.seq, stored.read.seq);
        if (here, self.deleted.up_to) > (there, deleted.up_to) {
            return (Member { read: self.member.read, ..stored }, self.deleted);
        }
        (stored, deleted)
    }

    /// Records an entry of a direct conversation or inbox.
    pub(super) fn record(&mut self, entry: &Entry) {
        let LogSource::Local(log) = &mut self.log_source else { return };
        log.record(entry);
        if log.has_many_deletions() {
            self.deleted = log.updated(self.deleted, self.member.read.seq);
            log.drop_older_deletions();
        }
    }
}

/// Which of a user's direct conversations are cached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum DirectsCoverage {
    /// All that exist.
    All,
    /// Those with the latest messages.
    Recent(OldestListed),
}

/// Of the direct conversations that were listed when a user's memberships were cached, the one whose
/// last message was the oldest. The last messages of those that were not listed are not newer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OldestListed {
    /// The conversation.
    pub(crate) place: Place,
    /// Its last entry at that time.
    pub(crate) head: Seq,
}

/// Why a membership changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cause {
    /// The user who changed it, if not the member.
    pub(crate) by: Option<NamedUser>,
    /// The connection that requested it: it receives the answer in place of the event.
    pub(crate) origin: Option<ConnectionId>,
    /// What that connection has of the room already.
    pub(crate) since: Option<ReplayCursor>,
}

/// What a change of memberships leaves to be done without the lock.
#[derive(Default)]
pub(in crate::chat::hub) struct ChangeEffects {
    pub(in crate::chat::hub) full_outboxes: FullOutboxes,
    /// The rooms in which the user may not type any more.
    pub(in crate::chat::hub) typing_ended: Vec<TypingEnd>,
}

/// The end of a user's right to type in a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::chat::hub) enum TypingEnd {
    /// On all connections: the user left the room, or became a reader.
    User(Place),
    /// On one connection: its token does not open the room any more.
    Connection(Place, ConnectionId),
}

impl ChangeEffects {
    pub(super) fn merge(&mut self, other: Self) {
        self.full_outboxes.extend(other.full_outboxes);
        self.typing_ended.extend(other.typing_ended);
    }
}
