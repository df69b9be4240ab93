//! A replay, split into `missed` events that clients accept.

use std::sync::Arc;

use crate::{
    chat::event::{Delivery, Event, MissedEntries, MissedRun},
    domain::{DisplayName, Entry, RoomName},
};

/// Whether these parts are the end of the replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LastPart {
    Yes,
    No,
}

/// Official Socket.IO clients reject a packet with more attachments.
pub(crate) const ATTACHMENTS_PER_EVENT_MAX: usize = 10;
/// Entries in one `missed`.
const MISSED_ENTRIES_MAX: usize = 200;
/// Size of the bodies in one `missed`, unless one alone is larger.
pub(crate) const MISSED_BYTES_MAX: usize = 256 << 10;

/// Splits a run by count, size and attachments. Returns at least one event. `name` is the display name
/// of an entry's author.
pub(crate) fn missed(
    room: &RoomName,
    run: Vec<Arc<Delivery>>,
    name: impl Fn(&Entry) -> Option<DisplayName>,
    last: LastPart,
) -> Vec<Arc<Delivery>> {
    let mut parts: Vec<Vec<Arc<Delivery>>> = vec![Vec::new()];
    let (mut attachments, mut bytes) = (0, 0);
    for delivery in run {
        let body = delivery.entry().and_then(Entry::body);
        let (more_attachments, more_bytes) =
            body.map_or((0, 0), |body| (body.attachments().len(), body.bytes()));
        let part = parts.last().map_or(0, Vec::len);
        let full = part >= MISSED_ENTRIES_MAX
            || attachments + more_attachments > ATTACHMENTS_PER_EVENT_MAX
            || bytes + more_bytes > MISSED_BYTES_MAX;
        if full && part > 0 {
            parts.push(Vec::new());
            (attachments, bytes) = (0, 0);
        }
        attachments += more_attachments;
        bytes += more_bytes;
        if let Some(part) = parts.last_mut() {
            part.push(delivery);
        }
    }
    let count = parts.len();
    let whole = |(index, entries): (_, Vec<Arc<Delivery>>)| {
        let more = last == LastPart::No || index + 1 < count;
        let authors = entries.iter().filter_map(|it| it.entry());
        let authors = authors.filter_map(|it| Some((it.author.clone(), name(it)?)));
        let names = authors.collect();
        let run = MissedRun::Recovered { entries, more, names };
        Delivery::new(Event::Missed(MissedEntries { room: room.clone(), run }))
    };
    parts.into_iter().enumerate().map(whole).collect()
}
