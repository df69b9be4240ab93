//! Memberships in single conversations, read in the order of the journal.
//!
//! A change that moves no read position reads one: a position never moves back. The lists of the
//! store have the direct conversations with the newest messages only.

use std::collections::BTreeSet;

use crate::{
    chat::ports::{Change, ChangeResult, MemberChange, Membership},
    domain::{Place, Seq, UserName},
};

/// The changes that read a user's memberships in these conversations.
pub(super) fn reads(
    user: &UserName,
    places: &BTreeSet<Place>,
) -> impl ExactSizeIterator<Item = Change> {
    places.iter().map(|place| Change {
        place: place.clone(),
        user: user.clone(),
        what: MemberChange::Read(Seq::ZERO),
        rooms_max: None,
    })
}

/// Adds the memberships that were read to a list that may have them.
pub(super) fn add<'a>(
    list: &mut Vec<Membership>,
    read: impl Iterator<Item = (&'a Change, &'a ChangeResult)>,
) {
    for (change, result) in read {
        let ChangeResult { before: _, after, log, topic, deleted, refused: _ } = result.clone();
        let Some(member) = after else { continue };
        if list.iter().all(|it| it.place != change.place) {
            list.push(Membership { place: change.place.clone(), member, log, topic, deleted });
        }
    }
}
