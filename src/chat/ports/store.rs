//! The port of the engines that store logs, memberships and users.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use time::OffsetDateTime;

use super::{
    DenialStore, Draft, Fault, GuestExpired, OnlineGuest, Outcome, Page, PageLimit, PageRange,
    PostedMessage, Recording, UserDeparted, UserSeen,
};
use crate::domain::{
    DeviceId, DisplayName, DisplayNames, Epoch, JoinMode, Log, Member, Muted, NameKey, Place,
    Retained, Role, RoomName, RoomTopic, Seq, Space, UserName,
};

/// Devices remembered per user. The most recently seen ones are kept.
pub const DEVICES_PER_USER_MAX: usize = 32;

/// Direct conversations listed for a connecting user: those with the newest messages.
pub const DIRECTS_LISTED_MAX: usize = 200;

/// Stores one log per [`Place`], with a dense `seq` from 1, and the memberships; and, as
/// [`DenialStore`], who is refused.
///
/// # Guarantees
/// - **Durable:** after `commit` returns, all later reads find the batch, also after `kill -9`.
/// - **Atomic:** after `commit` fails, no read finds any of the batch, unless the same drafts are
///   committed again. (An engine that cannot know whether its commit succeeded may keep the batch;
///   it is then kept whole, and a repetition is a duplicate.)
/// - **Dense and in order:** within a place, `seq` is 1, 2, 3 … in the order of the commits and of
///   the drafts in a batch.
/// - **Authorized:** a draft whose author does not have the role that it [needs](Draft::needs),
///   after the batch's changes and before its drafts, is [`Outcome::NotPermitted`], also as a
///   repetition.
/// - **Idempotent:** a message with the same place, author, guest session and id is stored at most
///   once while it is kept, also within a batch. A repetition with the same kind and body is
///   [`Outcome::Duplicate`] with the first seq and time, any other one is [`Outcome::Conflict`];
///   neither takes a `seq`. If the message was edited or deleted, any body is a duplicate, because
///   the first body is gone. This does not apply to edits and deletions: they carry the id of their
///   message.
/// - **One body:** a message's body is stored once. An edit overwrites it, a deletion erases it.
/// - **Members:** a message makes author and addressee members of their direct conversation, and a
///   notification makes the user a member of the inbox. A member's own message counts as read, but
///   a notification is unread, also in its author's own inbox.
/// - **Topics:** a room has the topic of its last entry with one, also when retention has removed that
///   entry. A room without members and kept entries has none.
/// - **Milliseconds:** stored times are truncated to them.
/// - **Read your writes:** a read that begins after `commit` returned sees the batch.
/// - **Recorded:** with a [`Recording`], the [events](Batch::events) of the batch are in the outbox
///   of webhooks if the batch is stored, and only then.
/// - **Shared:** where processes share a database, all this holds for their batches together: one
///   `seq` per place, assigned in the order of the commits.
///
/// One task per process calls `commit`, `probe`, `trim` and `erase`; reads run at any time. Not guaranteed: an order
/// between places, or that a read waits for a running `commit`.
#[async_trait]
pub trait Store: DenialStore {
    /// The identity of the database: another database has another epoch.
    fn epoch(&self) -> &Epoch;

    /// Stores a batch in one transaction. An engine may work on it in another thread, and keeps no
    /// part of it afterwards.
    async fn commit(&self, batch: Arc<Batch>) -> Result<Committed, Fault>;

    /// Commits a transaction that writes as `commit` does and stores nothing: it succeeds when messages
    /// can be stored. The database does not grow, however often it is called.
    async fn probe(&self) -> Result<(), Fault>;

    /// The state of a place's log; all zero if nothing was ever stored there.
    async fn log(&self, place: &Place) -> Result<Log, Fault>;

    /// The logs of many places, one result for each.
    async fn logs(&self, places: &[Place]) -> Result<Vec<Log>, Fault>;

    /// One number per user. It changes with each commit, of any process, that changes the user's
    /// memberships or adds an entry to the user's direct conversations or inbox. 0 for unknown
    /// users. An engine of a single process may return 0 for all: no other process changes its
    /// data.
    async fn revisions(&self, users: &[(Space, UserName)]) -> Result<Vec<u64>, Fault>;

    /// Entries of a place, oldest first: as many as the limit allows, counted from the end of the
    /// range, and at least one if there is one. [`PageRange::After`] a seq that is no longer kept
    /// begins with the oldest kept entry.
    async fn page(&self, place: &Place, range: PageRange, limit: PageLimit) -> Result<Page, Fault>;

    /// The message at a seq, also a deleted one. `None` if there is none, or the entry is a change.
    async fn message(&self, place: &Place, seq: Seq) -> Result<Option<PostedMessage>, Fault>;

    /// A user's membership in a place.
    async fn member(&self, place: &Place, user: &UserName) -> Result<Option<Member>, Fault>;

    /// The first `count_max` members of a place after a user, with their display names, in the order of
    /// their names byte by byte.
    async fn members(
        &self,
        place: &Place,
        after: Option<&UserName>,
        count_max: usize,
    ) -> Result<Vec<MemberRow>, Fault>;

    /// The first `count_max` rooms of a space after a room that have members or kept entries, in the
    /// order of their names byte by byte.
    async fn rooms(
        &self,
        space: &Space,
        after: Option<&RoomName>,
        count_max: usize,
    ) -> Result<Vec<RoomRow>, Fault>;

    /// The topic of a room.
    async fn topic(&self, place: &Place) -> Result<Option<RoomTopic>, Fault>;

    /// Whether a user of exactly this name was in a batch's `seen`, and was not removed since.
    async fn user_exists(&self, space: &Space, user: &UserName) -> Result<bool, Fault>;

    /// Whether a user whose name looks like this was ever seen as registered
    /// ([`IdentityKind`](super::IdentityKind)).
    async fn is_registered(&self, space: &Space, key: &NameKey) -> Result<bool, Fault>;

    /// The time at which each of these users was last seen, with any device.
    async fn last_seen(
        &self,
        space: &Space,
        users: &[UserName],
    ) -> Result<Vec<Option<OffsetDateTime>>, Fault>;

    /// The display names of those of these users who have one: that of the last [`UserSeen`] counts.
    async fn display_names(&self, space: &Space, users: &[UserName])
    -> Result<DisplayNames, Fault>;

    /// A [page](Self::page) whose entries have the present display names of their authors.
    async fn named_page(
        &self,
        place: &Place,
        range: PageRange,
        limit: PageLimit,
    ) -> Result<Page, Fault> {
        let mut page = self.page(place, range, limit).await?;
        let authors: BTreeSet<_> = page.entries.iter().map(|it| it.author.clone()).collect();
        let authors: Vec<_> = authors.into_iter().collect();
        if !authors.is_empty() {
            let names = self.display_names(&place.space, &authors).await?;
            for entry in &mut page.entries {
                entry.author_name = names.get(&entry.author).cloned();
            }
        }
        Ok(page)
    }

    /// The time of a user's last connect or disconnect with a device. The engine may forget
    /// devices, but not the last [`DEVICES_PER_USER_MAX`] of a user.
    async fn device_seen(
        &self,
        space: &Space,
        user: &UserName,
        device: &DeviceId,
    ) -> Result<Option<OffsetDateTime>, Fault>;

    /// The guests that are online by the records of the last process: they were seen, and have
    /// neither expired nor lost the name since. Called before the first `commit`. Empty where
    /// nothing outlives a process, and where processes share a database: there the claims of names
    /// outlive their node, see [`Nodes`](super::Nodes).
    async fn online_guests(&self) -> Result<Vec<OnlineGuest>, Fault>;

    /// Removes a bounded part of what is no longer kept: the oldest entries, and guests that were
    /// not seen for long, with their devices and memberships. Names that were ever registered stay
    /// so. Conversations with entries, removed or not, stay, so that no seq is assigned twice;
    /// others are stored only while they have members. With a `recording`, webhooks are told of the
    /// memberships that end, in the same transaction.
    async fn trim(
        &self,
        retention: &TrimLimits,
        recording: Option<&Recording>,
    ) -> Result<Trimmed, Fault>;

    /// Removes the oldest entries of a place up to `up_to`, a bounded number of them, as
    /// [`trim`](Self::trim) does: members stay, and no seq is assigned twice.
    async fn erase(&self, place: &Place, up_to: Seq) -> Result<Erased, Fault>;

    /// Flushes and closes files and connections. No other method is called after it.
    async fn close(&self);
}

/// The content of one transaction. Its parts take effect in the order of the fields.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Users that connected, known or new. A user with another
    /// [`IdentityKind`](super::IdentityKind) than the name's last one is another user: the
    /// memberships of the last one are removed.
    pub seen: Vec<UserSeen>,
    /// Users that disconnected. Unknown users are ignored.
    pub departed: Vec<UserDeparted>,
    /// Expired guests. Their memberships are removed, unless another user has the name by now.
    pub expired: Vec<GuestExpired>,
    /// Membership changes, applied in order.
    pub changes: Vec<Change>,
    /// When they are made, which is stored with new members. `None`: it is not known.
    pub changed_at: Option<OffsetDateTime>,
    /// New entries, in the order of their positions.
    pub drafts: Vec<Draft>,
    /// Users whose memberships are returned as they are after the rest of the batch.
    pub membership_queries: Vec<(Space, UserName)>,
    /// That webhooks are told of what the batch changes. `None`: nothing is recorded.
    pub recording: Option<Recording>,
}

impl Batch {
    /// Whether the batch has no content.
    pub fn is_empty(&self) -> bool {
        let Self { seen, departed, expired, changes, drafts, membership_queries, .. } = self;
        seen.is_empty()
            && departed.is_empty()
            && expired.is_empty()
            && changes.is_empty()
            && drafts.is_empty()
            && membership_queries.is_empty()
    }
}

/// The results of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// One per change, in their order.
    pub changed: Vec<ChangeResult>,
    /// One per draft, in their order.
    pub outcomes: Vec<Outcome>,
    /// One per membership query, in their order.
    pub memberships: Vec<Vec<Membership>>,
}

/// A change of a user's membership in a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The conversation.
    pub place: Place,
    /// The user.
    pub user: UserName,
    /// The change.
    pub what: MemberChange,
    /// The most rooms of a user: a join or assignment past it is refused. `None` is no limit.
    pub rooms_max: Option<u64>,
}

/// A member in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberRow {
    /// The user.
    pub user: UserName,
    /// The role.
    pub role: Role,
    /// When the user became a member. `None` for members of databases that did not store it.
    pub joined_at: Option<OffsetDateTime>,
    /// The display name, as [`Store::display_names`] has it.
    pub name: Option<DisplayName>,
}

/// A room in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomRow {
    /// The room.
    pub room: RoomName,
    /// The state of its log.
    pub log: Log,
    /// The topic.
    pub topic: Option<RoomTopic>,
}

/// See [`Change`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberChange {
    /// The user becomes a member that has read all entries, unless already a member.
    Join(JoinMode),
    /// The user gets this role, and becomes a member as by `Join` if not one yet.
    Assign(Role),
    /// The user is no longer a member.
    Leave,
    /// The member has read up to this seq, limited to the last entry. A read position never moves
    /// back. No effect without a membership.
    Read(Seq),
    /// The member mutes or unmutes the conversation. No effect without a membership.
    Mute(Muted),
}

/// A user's membership before and after a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeResult {
    /// The membership before.
    pub before: Option<Member>,
    /// The membership after.
    pub after: Option<Member>,
    /// The log after the change and before the drafts of the batch.
    pub log: Log,
    /// The topic of the room then, for those who are members after the change.
    pub topic: Option<RoomTopic>,
    /// Number of deleted messages that the member has not read; 0 without a membership.
    pub deleted: u64,
    /// The reason why a join had no effect.
    pub refused: Option<JoinRefusal>,
}

impl ChangeResult {
    /// Number of unread messages after the change.
    pub fn unread(&self) -> u64 {
        self.after.map_or(0, |member| self.log.unread(member.read, self.deleted))
    }
}

/// The reason why a user did not become a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinRefusal {
    /// The room exists already: it has members or entries.
    NotNew,
    /// The user is a member of as many rooms as the limit allows.
    TooManyRooms,
}

/// A membership of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The conversation: all rooms, the inbox if it ever had an entry, and the
    /// [`DIRECTS_LISTED_MAX`] direct conversations with the newest messages, newest first.
    /// Otherwise unordered.
    pub place: Place,
    /// The role and read position.
    pub member: Member,
    /// The state of the log.
    pub log: Log,
    /// The topic of the room.
    pub topic: Option<RoomTopic>,
    /// Number of deleted messages that the member has not read.
    pub deleted: u64,
}

/// What [`Store::trim`] keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrimLimits {
    /// The number of newest entries kept per conversation.
    pub entries_max: Option<u64>,
    /// Entries received after this time are kept.
    pub entries_after: Option<OffsetDateTime>,
    /// Guests seen after this time are kept.
    pub guests_after: OffsetDateTime,
}

/// The result of [`Store::trim`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trimmed {
    /// The logs that became shorter.
    pub logs: Vec<(Place, Retained)>,
    /// Whether there may be more to remove: the caller should continue soon.
    pub more: bool,
}

/// The result of [`Store::erase`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// What is left of the log, if it became shorter.
    pub retained: Option<Retained>,
    /// Whether there is more to remove: the caller should continue.
    pub more: bool,
}
