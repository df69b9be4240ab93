//! What becomes of a batch, decided without a database.

use std::{
    borrow::Cow,
    collections::{HashMap, hash_map::Entry},
};

use time::OffsetDateTime;

use crate::{
    chat::ports::{Draft, Outcome},
    domain::{Body, Kind, Place, Seq},
};

/// What is to be done.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    /// One per draft.
    pub(super) outcomes: Vec<Outcome>,
    /// The drafts that are stored, each with its place in the log.
    pub(super) stored: Vec<(&'a Draft, Seq)>,
}

/// The message that was the first with its identity, as far as a repeat is compared with it.
#[derive(Debug)]
pub(super) struct First<'a> {
    pub(super) seq: Seq,
    pub(super) at: OffsetDateTime,
    pub(super) kind: Kind,
    pub(super) body: Cow<'a, Body>,
}

impl First<'_> {
    fn again(&self, draft: &Draft) -> Outcome {
        if self.kind == draft.kind && *self.body == draft.body {
            Outcome::Duplicate { seq: self.seq, at: self.at }
        } else {
            Outcome::Conflict
        }
    }
}

/// Decides over drafts, given the heads of their logs, of which missing ones are empty, and what is
/// in the store with the identity of a draft, by the draft's number in the batch.
pub(super) fn plan<'a>(
    drafts: &'a [Draft],
    mut heads: HashMap<&'a Place, Seq>,
    firsts: &HashMap<usize, First<'_>>,
) -> Plan<'a> {
    let mut stored = Vec::with_capacity(drafts.len());
    let mut fresh = HashMap::with_capacity(drafts.len());
    let decide = |(number, draft): (usize, &'a Draft)| {
        if let Some(first) = firsts.get(&number) {
            return first.again(draft);
        }
        match fresh.entry((&draft.place, &draft.author, &draft.id)) {
            Entry::Occupied(first) => First::again(first.get(), draft),
            Entry::Vacant(entry) => {
                let head = heads.entry(&draft.place).or_default();
                *head = head.next();
                stored.push((draft, *head));
                entry.insert(First {
                    seq: *head,
                    at: draft.at.truncate_to_millisecond(),
                    kind: draft.kind,
                    body: Cow::Borrowed(&draft.body),
                });
                Outcome::Stored(*head)
            }
        }
    };
    let outcomes = drafts.iter().enumerate().map(decide).collect();
    Plan { outcomes, stored }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::contract::{draft, room, seq, time};

    #[test]
    fn a_log_goes_on_after_its_head_and_a_new_one_begins_at_1() {
        let drafts = [draft("old", "a", "1"), draft("new", "a", "1"), draft("old", "b", "1")];
        let (old, new) = (room("old"), room("new"));
        let plan = plan(&drafts, HashMap::from([(&old, seq(7))]), &HashMap::new());
        let stored: Vec<_> = plan.stored.iter().map(|(draft, at)| (&draft.place, *at)).collect();
        assert_eq!(stored, [(&old, seq(8)), (&new, seq(1)), (&old, seq(9))]);
    }

    #[test]
    fn what_was_stored_before_or_earlier_in_the_batch_takes_no_place() {
        let drafts =
            ["known", "fresh", "known", "fresh", "next"].map(|id| draft("lobby", id, "\"x\""));
        let first = |body: &str| First {
            seq: seq(3),
            at: time(5),
            kind: Kind::Message,
            body: Cow::Owned(Body::from_raw(body.into(), Vec::new())),
        };
        let firsts = HashMap::from([(0, first("\"x\"")), (2, first("\"y\""))]);
        let lobby = room("lobby");
        let plan = plan(&drafts, HashMap::from([(&lobby, seq(9))]), &firsts);
        let known = Outcome::Duplicate { seq: seq(3), at: time(5) };
        let repeated = Outcome::Duplicate { seq: seq(10), at: drafts[1].at };
        let (fresh, next) = (Outcome::Stored(seq(10)), Outcome::Stored(seq(11)));
        assert_eq!(plan.outcomes, [known, fresh, Outcome::Conflict, repeated, next]);
        assert_eq!(plan.stored.len(), 2);
    }
}
