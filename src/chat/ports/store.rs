//! The port of the engines that keep.

use async_trait::async_trait;
use time::OffsetDateTime;

use super::Fault;
use crate::domain::{
    Body, DeviceId, Kind, Message, MessageId, NameKey, Place, Seq, Space, UserName,
};

/// Devices that are remembered of a user. Those that came last stay.
pub const DEVICES_PER_USER_MAX: usize = 32;

/// Keeps logs: one per [`Place`], each with a dense `seq` from 1.
///
/// # Guarantees
/// - **Durable:** once `commit` has answered, what it stored is found, also after `kill -9`, by
///   everything that is asked later.
/// - **All or nothing:** when `commit` fails, nothing of the batch is found, now or later, unless
///   the same drafts are committed again. (An engine that cannot know whether its commit went
///   through may keep the batch; it is then found whole, and a repeat is a duplicate.)
/// - **Dense and in order:** within a place, `seq` is 1, 2, 3 … in the order of the drafts of a
///   batch and of the batches that were committed.
/// - **Once:** the same place, author and id is stored at most once, for ever, also within a batch.
///   The same kind and body again is [`Outcome::Duplicate`] with the first place and time, another
///   one is [`Outcome::Conflict`]; neither takes a `seq`.
/// - **To the millisecond:** `at` comes back cut down to it.
/// - **Sees itself:** a read that begins after `commit` has answered sees it.
///
/// `commit` is called by one task at a time for one place; reads come at any time.
/// Not guaranteed: an order between places, or that a read waits for a running `commit`.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Stores a batch in one transaction. One outcome per draft, in their order.
    async fn commit(&self, batch: &Batch) -> Result<Vec<Outcome>, Fault>;

    /// The last `seq` of a place, [`Seq::ZERO`] when nothing was ever said there.
    async fn head(&self, place: &Place) -> Result<Seq, Fault>;

    /// Messages of a place, oldest first: as many as the limit allows, counted from the end of the
    /// range that was asked for, and at least one if there is one.
    async fn page(&self, place: &Place, range: Range, limit: PageLimit) -> Result<Page, Fault>;

    /// Whether a user of exactly this name was ever in a batch's `seen`.
    async fn knows(&self, space: &Space, user: &UserName) -> Result<bool, Fault>;

    /// Whether the back end ever vouched for a user whose name looks like this.
    async fn is_vouched(&self, space: &Space, key: &NameKey) -> Result<bool, Fault>;

    /// When a user was last seen with a device: the latest time of all that were in a `seen`. It may
    /// forget devices, but not the last [`DEVICES_PER_USER_MAX`] of a user.
    async fn last_seen(
        &self,
        space: &Space,
        user: &UserName,
        device: &DeviceId,
    ) -> Result<Option<OffsetDateTime>, Fault>;

    /// Flushes what it holds and lets go of files and connections. Nothing is called after it.
    async fn close(&self);
}

/// What is stored in one transaction.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Users who came or went. Known ones are no error.
    pub seen: Vec<Seen>,
    /// Messages, in the order in which they take their places.
    pub drafts: Vec<Draft>,
}

/// A user who came or went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// In which world.
    pub space: Space,
    /// By which name.
    pub user: UserName,
    /// Who says so.
    pub voucher: Voucher,
    /// With what, if they said so.
    pub device: Option<DeviceId>,
    /// When they came or went.
    pub at: OffsetDateTime,
}

/// Who says who somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voucher {
    /// Nobody: a guest.
    Nobody,
    /// The back end, with a token.
    BackEnd,
}

impl Voucher {
    /// Who vouches for somebody whose token has this mark of a guest's stay, or none.
    pub fn of(guest: Option<&str>) -> Self {
        if guest.is_some() { Self::Nobody } else { Self::BackEnd }
    }
}

/// A message without its place in the log.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The conversation that it belongs to.
    pub place: Place,
    /// Its identity within conversation and author.
    pub id: MessageId,
    /// What it goes out as.
    pub kind: Kind,
    /// Who says it.
    pub author: UserName,
    /// What they say.
    pub body: Body,
    /// When the server took it.
    pub at: OffsetDateTime,
}

/// What became of a draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Stored, at this place.
    Stored(Seq),
    /// It was stored before, then and there; nothing was done now.
    Duplicate {
        /// Its place.
        seq: Seq,
        /// When it was taken.
        at: OffsetDateTime,
    },
    /// Its id was stored before with another body; nothing was done now.
    Conflict,
}

/// How much of a log at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageLimit {
    /// How many messages.
    pub messages: u32,
    /// How many bytes in their bodies.
    pub bytes: usize,
    /// How many attachments in their bodies.
    pub attachments: usize,
}

impl PageLimit {
    /// Takes one more message into a page that `used` this much, or says that it does not fit.
    ///
    /// The first message always fits.
    pub fn admits(&self, used: &mut Self, body: &Body) -> bool {
        let first = used.messages == 0;
        used.messages += 1;
        used.bytes += body.bytes();
        used.attachments += body.attachments().len();
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
    pub messages: Vec<Message>,
    /// Whether the range holds further ones.
    pub more: bool,
}

/// Which part of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// The newest ones.
    Newest,
    /// The newest ones before this place.
    Before(Seq),
    /// The oldest ones after this place.
    After(Seq),
}
