//! What nodes say to each other, as JSON: the only thing that is serialised between them.
//!
//! ```json
//! {"v":1,"from":"<node>","n":7,"kind":"read","data":{"place":{"space":"/","room":"lobby"},"user":"ann","seq":3}}
//! ```
//!
//! Two versions of Roomcast live side by side while one takes the other's place. So that they can:
//!
//! - `v`, `from` and `n` stay what they are in every version.
//! - Fields that are not known are ignored. A field may be added to a kind only if readers that do
//!   not know it may ignore it; what they may not ignore is another kind.
//! - A `kind` that is not known, one of something within a kind, or a `v` above ours, is
//!   [`News::Unknown`] with its `from` and `n`: whoever listens knows that it missed something.
//! - A field that old writers leave out has a meaning when it is missing.
//! - `v` is counted up only when these rules do not suffice.
//!
//! Bodies are carried as the text that they are, attachments as Base64 in the order of their numbers,
//! times as milliseconds since 1970. What breaks a rule of the domain is malformed and nobody's news.

mod data;
mod entry;
#[cfg(test)]
mod tests;
mod values;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    chat::{
        event::Event,
        ports::{Announcement, News},
    },
    domain::{NodeId, Typing},
};

use self::{
    data::{Act, Again, Ask, Beat, Changed, Cut, Missed, Read, Roster, Types, Visit},
    entry::{Entry, Place},
};

/// The version that is written.
const VERSION: u64 = 1;
/// The largest envelope. Larger ones are not sent, and not read.
pub(super) const ENVELOPE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The longest id that a node or another server made.
const MADE_BYTES_MAX: usize = 128;

/// Why something cannot be read, or not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    /// It is too large.
    #[error("it is larger than {ENVELOPE_BYTES_MAX} bytes")]
    TooLarge,
    /// It is not JSON, or not of the right types.
    #[error("it has the wrong form")]
    Form,
    /// A name, id or number in it is none.
    #[error("its {0} is invalid")]
    Value(&'static str),
    /// There is no way to say it.
    #[error("it cannot be said")]
    Unsayable,
}

/// Why there is no news in some data.
enum Unread {
    /// Another version may know what it is.
    Unknown,
    /// It is broken.
    Malformed(Malformed),
}

#[derive(Serialize)]
struct Written<'a, D> {
    v: u64,
    from: &'a str,
    n: u64,
    kind: &'static str,
    data: D,
}

/// An envelope of which only the outside was read.
#[derive(Deserialize)]
pub(super) struct Found<'a> {
    v: u64,
    #[serde(borrow)]
    from: Cow<'a, str>,
    n: u64,
    #[serde(borrow)]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

/// Writes an announcement.
pub(super) fn encode(announcement: &Announcement) -> Result<Vec<u8>, Malformed> {
    let Announcement { from, number, news } = announcement;
    let pen = Pen { from, number: *number };
    let written = match news {
        News::Entry(delivery) => match delivery.event() {
            Event::Entry(entry) => pen.write("entry", Entry::of(entry)?),
            _ => Err(Malformed::Unsayable),
        },
        News::Cut(place, position) => pen.write("cut", Cut::of(place, *position)),
        News::Changed { place, user, by } => {
            pen.write("changed", Changed::of(place, user, by.as_ref()))
        }
        News::Read { place, user, seq } => pen.write("read", Read::of(place, user, *seq)),
        News::Typing { place, user, typing } => {
            let typing = *typing == Typing::Yes;
            pen.write("typing", Types { place: Place::of(place), user: values::name(user), typing })
        }
        News::Here(place, user) => pen.write("here", Visit::of(place, user)),
        News::Gone(place, user) => pen.write("gone", Visit::of(place, user)),
        News::Roster(place, users) => pen.write("roster", Roster::of(place, users)),
        News::Ask(places) => pen.write("ask", Ask::of(places)),
        News::Missed { of, from, to } => pen.write("missed", Missed::of(of, *from, *to)),
        News::Act(act) => pen.write("act", Act::of(act)),
        News::Again(number, act) => {
            pen.write("again", Again { number: *number, act: Act::of(act) })
        }
        News::Beat(channels) => pen.write("beat", Beat::of(channels)),
        News::Unknown => Err(Malformed::Unsayable),
    }?;
    if written.len() > ENVELOPE_BYTES_MAX { Err(Malformed::TooLarge) } else { Ok(written) }
}

/// Who writes, and how many it is.
struct Pen<'a> {
    from: &'a NodeId,
    number: u64,
}

impl Pen<'_> {
    fn write(&self, kind: &'static str, data: impl Serialize) -> Result<Vec<u8>, Malformed> {
        let written = Written { v: VERSION, from: self.from.as_raw(), n: self.number, kind, data };
        serde_json::to_vec(&written).ok().ok_or(Malformed::Unsayable)
    }
}

/// Reads the outside of an envelope.
pub(super) fn open(payload: &[u8]) -> Result<Found<'_>, Malformed> {
    if payload.len() > ENVELOPE_BYTES_MAX {
        return Err(Malformed::TooLarge);
    }
    serde_json::from_slice(payload).ok().ok_or(Malformed::Form)
}

impl Found<'_> {
    /// Whether this node wrote it.
    pub(super) fn is_from(&self, node: &NodeId) -> bool {
        self.from == node.as_raw()
    }

    /// Reads the rest.
    pub(super) fn read(self) -> Result<Announcement, Malformed> {
        let Self { v, from, n: number, kind, data } = self;
        let from = values::node(&from)?;
        if v > VERSION {
            return Ok(Announcement { from, number, news: News::Unknown });
        }
        if v < VERSION {
            return Err(Malformed::Value("version"));
        }
        let (kind, data) = (kind.ok_or(Malformed::Form)?, data.ok_or(Malformed::Form)?);
        let kind: Cow<'_, str> = read(kind)?;
        match news(&kind, data) {
            Ok(news) => Ok(Announcement { from, number, news }),
            Err(Unread::Unknown) => Ok(Announcement { from, number, news: News::Unknown }),
            Err(Unread::Malformed(malformed)) => Err(malformed),
        }
    }
}

fn news(kind: &str, data: &RawValue) -> Result<News, Unread> {
    match kind {
        "entry" => read::<Entry<'_>>(data)?.parse(),
        "cut" => read::<Cut<'_>>(data)?.parse(),
        "changed" => read::<Changed<'_>>(data)?.parse(),
        "read" => read::<Read<'_>>(data)?.parse(),
        "typing" => read::<Types<'_>>(data)?.parse(),
        "here" => read::<Visit<'_>>(data)?.parse().map(|(place, user)| News::Here(place, user)),
        "gone" => read::<Visit<'_>>(data)?.parse().map(|(place, user)| News::Gone(place, user)),
        "roster" => read::<Roster<'_>>(data)?.parse(),
        "ask" => read::<Ask<'_>>(data)?.parse(),
        "missed" => read::<Missed<'_>>(data)?.parse(),
        "act" => read::<Act<'_>>(data)?.parse().map(News::Act),
        "again" => {
            let Again { number, act } = read(data)?;
            Ok(News::Again(number, act.parse()?))
        }
        "beat" => Ok(read::<Beat>(data)?.parse()),
        _ => Err(Unread::Unknown),
    }
}

fn read<'a, D: Deserialize<'a>>(data: &'a RawValue) -> Result<D, Malformed> {
    serde_json::from_str(data.get()).ok().ok_or(Malformed::Form)
}

impl From<Malformed> for Unread {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}
