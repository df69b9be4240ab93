//! The port of the engines that keep.

use async_trait::async_trait;
use time::OffsetDateTime;

use super::Fault;
use crate::domain::{
    Body, DeviceId, Entry, Epoch, JoinMode, Log, Member, MessageId, MessageKind, Muted, NameKey,
    NodeId, Place, Position, Role, Seq, Space, UserName,
};

/// Devices that are remembered of a user. Those that came last stay.
pub const DEVICES_PER_USER_MAX: usize = 32;

/// Direct conversations that somebody who comes is told of: those in which something was said last.
pub const DIRECTS_LISTED_MAX: usize = 200;

/// Keeps logs, one per [`Place`], each with a dense `seq` from 1; and who is a member where.
///
/// # Guarantees
/// - **Durable:** once `commit` has answered, what it stored is found, also after `kill -9`, by
///   everything that is asked later.
/// - **All or nothing:** when `commit` fails, nothing of the batch is found, now or later, unless
///   the same drafts are committed again. (An engine that cannot know whether its commit went
///   through may keep the batch; it is then found whole, and a repeat is a duplicate.)
/// - **Dense and in order:** within a place, `seq` is 1, 2, 3 … in the order of the drafts of a
///   batch and of the batches that were committed.
/// - **Entitled:** a draft whose author has no such role as it [needs](Draft::needs), after the batch's
///   changes and before anything is said, is [`Outcome::NotPermitted`], whatever it repeats.
/// - **Once:** the same place, author and id is said at most once, for as long as the message is
///   kept, also within a batch. The same kind and body again is [`Outcome::Duplicate`] with the first
///   place and time, another one is [`Outcome::Conflict`]; neither takes a `seq`. What was edited or
///   deleted since is a duplicate whatever the body: nobody knows any more what it was. Changes carry
///   the id of what they change, and are not meant here.
/// - **One body:** what a message says is kept in one place. After an edit the older body is nowhere,
///   after a deletion none is.
/// - **Members:** who has said something in a direct conversation, or to whom something was said,
///   is a member of it, and so is the user of an inbox in which something was said. Who says something
///   where they are a member has read it.
/// - **To the millisecond:** times come back cut down to it.
/// - **Sees itself:** a read that begins after `commit` has answered sees it.
///
/// - **Shared:** where several processes share what is kept, all this holds for their batches
///   together: one `seq` per place, handed out in the order of the commits.
///
/// `commit` and `trim` are called by one task of a process at a time; reads come at any time.
/// Not guaranteed: an order between places, or that a read waits for a running `commit`.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Which database this is: another one has another epoch.
    fn epoch(&self) -> &Epoch;

    /// Stores a batch in one transaction.
    async fn commit(&self, batch: &Batch) -> Result<Committed, Fault>;

    /// How a place's log stands; all zero when nothing was ever done there.
    async fn log(&self, place: &Place) -> Result<Log, Fault>;

    /// The same of many places, one answer for each.
    async fn logs(&self, places: &[Place]) -> Result<Vec<Log>, Fault>;

    /// One number for each of these users, which is another one after every commit, of whatever
    /// process, that changed what they are a member of, or by which something was said in one of
    /// their direct conversations or their inbox. 0 for users who never came. An engine that one
    /// process has for itself may answer 0 for all: nothing changes behind its back.
    async fn revisions(&self, users: &[(Space, UserName)]) -> Result<Vec<u64>, Fault>;

    /// Entries of a place, oldest first: as many as the limit allows, counted from the end of the
    /// range that was asked for, and at least one if there is one. [`PageRange::After`] a place that is
    /// not kept any more begins with the oldest that is.
    async fn page(&self, place: &Place, range: PageRange, limit: PageLimit) -> Result<Page, Fault>;

    /// What a user is in a place.
    async fn member(&self, place: &Place, user: &UserName) -> Result<Option<Member>, Fault>;

    /// Whether a user of exactly this name was ever in a batch's `seen`.
    async fn user_exists(&self, space: &Space, user: &UserName) -> Result<bool, Fault>;

    /// Whether the back end ever vouched for a user whose name looks like this.
    async fn is_registered(&self, space: &Space, key: &NameKey) -> Result<bool, Fault>;

    /// When each of these users was last seen, with whatever device.
    async fn last_seen(
        &self,
        space: &Space,
        users: &[UserName],
    ) -> Result<Vec<Option<OffsetDateTime>>, Fault>;

    /// When a user last came or went with a device: the latest time of all. It may
    /// forget devices, but not the last [`DEVICES_PER_USER_MAX`] of a user.
    async fn device_seen(
        &self,
        space: &Space,
        user: &UserName,
        device: &DeviceId,
    ) -> Result<Option<OffsetDateTime>, Fault>;

    /// Takes away what is not to be kept any more, a bounded part at a time: entries from the oldest
    /// on, and the memberships of guests who will not come back.
    async fn trim(&self, retention: &TrimLimits) -> Result<Trimmed, Fault>;

    /// Flushes what it holds and lets go of files and connections. Nothing is called after it.
    async fn close(&self);
}

/// What is stored in one transaction. Its parts take effect in the order in which they stand here.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Users who came. Known ones are no error. Who comes with another [`IdentityKind`] than the
    /// one who had the name last is somebody else, and what that one was a member of is forgotten.
    pub seen: Vec<UserSeen>,
    /// Users who went. One who never came is left out.
    pub departed: Vec<UserDeparted>,
    /// Guests who will not come back: what they were members of is forgotten, unless somebody else
    /// has the name by now.
    pub expired: Vec<GuestExpired>,
    /// Changes of who is a member, one after the other.
    pub changes: Vec<Change>,
    /// Entries, in the order in which they take their places.
    pub drafts: Vec<Draft>,
    /// Users whose memberships are asked for, as they are after all this.
    pub membership_queries: Vec<(Space, UserName)>,
}

impl Batch {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        let Self { seen, departed, expired, changes, drafts, membership_queries } = self;
        seen.is_empty()
            && departed.is_empty()
            && expired.is_empty()
            && changes.is_empty()
            && drafts.is_empty()
            && membership_queries.is_empty()
    }
}

/// What came of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// One per change, in their order.
    pub changed: Vec<ChangeResult>,
    /// One per draft, in their order.
    pub outcomes: Vec<Outcome>,
    /// One per arrival, in their order.
    pub memberships: Vec<Vec<Membership>>,
}

/// A user who came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserSeen {
    /// In which world.
    pub space: Space,
    /// By which name.
    pub user: UserName,
    /// Who says so.
    pub identity_kind: IdentityKind,
    /// With what, if they said so.
    pub device: Option<DeviceId>,
    /// When.
    pub at: OffsetDateTime,
}

/// A user who went. Who they were was said when they came; somebody else may have the name by now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserDeparted {
    /// In which world.
    pub space: Space,
    /// By which name.
    pub user: UserName,
    /// With what, if they said so.
    pub device: Option<DeviceId>,
    /// When.
    pub at: OffsetDateTime,
}

/// Who says who somebody is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityKind {
    /// Nobody: a guest, whose stay has this mark.
    Guest(Box<str>),
    /// The back end, with a token.
    Registered,
}

impl IdentityKind {
    /// Who vouches for somebody whose token has this mark of a guest's stay, or none.
    pub fn of(guest: Option<&str>) -> Self {
        guest.map_or(Self::Registered, |guest_session| Self::Guest(guest_session.into()))
    }
}

/// A guest who will not come back, unless they are on another node that lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestExpired {
    /// In which world.
    pub space: Space,
    /// By which name.
    pub user: UserName,
    /// The mark of their stay.
    pub guest_session: Box<str>,
    /// The node that they were on.
    pub from: NodeId,
}

/// A change of what a user is in a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Where.
    pub place: Place,
    /// Who.
    pub user: UserName,
    /// What changes.
    pub what: MemberChange,
    /// Of how many rooms the user may be a member for this to make them a member of one more; of any
    /// number, where it is not said.
    pub rooms_max: Option<u64>,
}

/// See [`Change`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberChange {
    /// They become a member, having read everything, unless they are one already.
    Join(JoinMode),
    /// They have this role from now on, as new members who have read everything if they were none.
    Assign(Role),
    /// They are a member no more.
    Leave,
    /// They have read up to here: the last entry if that is earlier, and what they had read before
    /// if that is later. Nothing if they are no member.
    Read(Seq),
    /// They want to be left alone, or not. Nothing if they are no member.
    Mute(Muted),
}

/// What a user was in a place before a change, and what they are after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangeResult {
    /// Before.
    pub before: Option<Member>,
    /// After.
    pub after: Option<Member>,
    /// How the log stands after the change, and before the drafts of the batch.
    pub log: Log,
    /// Why they did not become a member, if that was to be.
    pub refused: Option<JoinRefusal>,
}

/// Why somebody did not become a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinRefusal {
    /// There is nothing to found: somebody is a member, or something was done.
    NotNew,
    /// They are a member of as many rooms as they may.
    TooManyRooms,
}

/// Where a user is a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// Where: all rooms, the inbox if there ever was something in it, and of the direct conversations
    /// the last [`DIRECTS_LISTED_MAX`] in which something was said, newest first. Else in no order.
    pub place: Place,
    /// As what.
    pub member: Member,
    /// How the log stands.
    pub log: Log,
}

/// An entry without its place in the log.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The conversation that it belongs to.
    pub place: Place,
    /// The identity, within conversation and author, of the message that is said or changed.
    pub id: MessageId,
    /// Who does it.
    pub author: UserName,
    /// The least role that they must have there; none, where they need not be a member.
    pub needs: Option<Role>,
    /// When the server took it.
    pub at: OffsetDateTime,
    /// What they do.
    pub act: DraftAct,
}

/// See [`Draft`].
#[derive(Clone, Debug)]
pub enum DraftAct {
    /// They say something.
    Say {
        /// What it goes out as.
        kind: MessageKind,
        /// What.
        body: Body,
    },
    /// They change what was said at a place.
    Edit {
        /// The place.
        of: Seq,
        /// What it says from now on.
        body: Body,
    },
    /// They take away what was said at a place.
    Delete {
        /// The place.
        of: Seq,
    },
}

/// What became of a draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Stored, at this place.
    Stored(Position),
    /// It was stored before, then and there; nothing was done now. A deletion of what is deleted is
    /// a duplicate of the first one.
    Duplicate {
        /// Its place.
        seq: Seq,
        /// When it was taken.
        at: OffsetDateTime,
    },
    /// Its id was stored before with another body; nothing was done now.
    Conflict,
    /// There is no message to change there, or not any more; nothing was done.
    NoMessage,
    /// Its author is not what it needs, but this, or no member at all; nothing was done.
    NotPermitted(Option<Role>),
}

/// How much of a log at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageLimit {
    /// How many entries.
    pub messages: u32,
    /// How many bytes in their bodies.
    pub bytes: usize,
    /// How many attachments in their bodies.
    pub attachments: usize,
}

impl PageLimit {
    /// Takes one more entry into a page that `used` this much, or says that it does not fit.
    ///
    /// The first entry always fits.
    pub fn admits(&self, used: &mut Self, body: Option<&Body>) -> bool {
        let first = used.messages == 0;
        used.messages += 1;
        used.bytes += body.map_or(0, Body::bytes);
        used.attachments += body.map_or(0, |body| body.attachments().len());
        first
            || (used.messages <= self.messages
                && used.bytes <= self.bytes
                && used.attachments <= self.attachments)
    }

    /// Nothing used yet.
    pub const NOTHING: Self = Self { messages: 0, bytes: 0, attachments: 0 };
}

/// Part of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Oldest first, without holes.
    pub entries: Vec<Entry>,
    /// Whether the range holds further ones that are kept.
    pub more: bool,
}

/// Which part of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageRange {
    /// The newest ones.
    Newest,
    /// The newest ones before this place.
    Before(Seq),
    /// The oldest ones after this place.
    After(Seq),
}

/// What is to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrimLimits {
    /// In each place the newest so many entries.
    pub entries_max: Option<u64>,
    /// Entries that were taken after this.
    pub entries_after: Option<OffsetDateTime>,
    /// Memberships of guests who were seen after this.
    pub guests_after: OffsetDateTime,
}

/// What [`Store::trim`] took away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trimmed {
    /// The floors of the logs that became shorter.
    pub floors: Vec<(Place, Position)>,
    /// Whether there may be more to take away: call again soon.
    pub more: bool,
}
