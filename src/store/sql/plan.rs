//! What becomes of drafts, decided without a database.

use std::{borrow::Cow, collections::HashMap};

use time::OffsetDateTime;

use super::changes::Who;
use crate::{
    chat::ports::{Draft, DraftAct, Outcome},
    domain::{Body, Kind, MessageId, Place, Position, Role, Seq, UserName},
};

/// What is to be done.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    /// One per draft.
    pub(crate) outcomes: Vec<Outcome>,
    /// The drafts that are stored, each with its place in the log.
    pub(crate) stored: Vec<(&'a Draft, Position)>,
    /// The messages that say something else afterwards, those of this batch among them.
    pub(crate) rewritten: HashMap<(&'a Place, Seq), Rewritten<'a>>,
}

/// What a message says after the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rewritten<'a> {
    /// This, since then, by the entry at this place.
    Edited(&'a Body, OffsetDateTime, Seq),
    /// Nothing, by the entry at this place.
    Deleted(Seq),
}

/// A message, as far as later drafts depend on it.
#[derive(Debug)]
pub(crate) struct Message<'a> {
    pub(crate) at: OffsetDateTime,
    pub(crate) kind: Kind,
    pub(crate) says: Says<'a>,
}

/// What a message says.
#[derive(Debug)]
pub(crate) enum Says<'a> {
    /// What it said at first.
    First(Cow<'a, Body>),
    /// Something else: nobody knows any more what it said at first.
    Other,
    /// Nothing, since this deletion.
    Nothing { seq: Seq, at: OffsetDateTime },
}

/// What the store has that a draft depends on.
#[derive(Debug, Default)]
pub(crate) struct Known<'a> {
    /// What its author is in the conversation.
    pub(crate) role: Option<Role>,
    /// The message that it repeats or changes.
    pub(crate) message: Option<(Seq, Message<'a>)>,
}

/// Decides over drafts, given the heads of their logs, of which missing ones are empty, what those
/// are of whom the batch has made something else, and what the store has that drafts depend on, by
/// the draft's number in the batch.
pub(crate) fn plan<'a>(
    drafts: &'a [Draft],
    heads: HashMap<&'a Place, Position>,
    roles: &HashMap<Who<'a>, Option<Role>>,
    mut known: HashMap<usize, Known<'a>>,
) -> Plan<'a> {
    let mut planner = Planner {
        heads,
        firsts: HashMap::with_capacity(drafts.len()),
        messages: HashMap::with_capacity(drafts.len()),
        plan: Plan {
            outcomes: Vec::with_capacity(drafts.len()),
            stored: Vec::with_capacity(drafts.len()),
            rewritten: HashMap::new(),
        },
    };
    let mut before = Vec::with_capacity(drafts.len());
    for (number, draft) in drafts.iter().enumerate() {
        let Known { role, message } = known.remove(&number).unwrap_or_default();
        before.push(role);
        let Some((seq, message)) = message else { continue };
        if matches!(draft.act, DraftAct::Say { .. }) {
            planner.firsts.insert(identity(draft), seq);
        }
        planner.messages.insert((&draft.place, seq), message);
    }
    for (draft, before) in drafts.iter().zip(before) {
        let role = roles.get(&(&draft.place, &draft.author)).copied().unwrap_or(before);
        let outcome = planner.take(draft, role);
        planner.plan.outcomes.push(outcome);
    }
    planner.plan
}

type Identity<'a> = (&'a Place, &'a UserName, &'a MessageId);

fn identity(draft: &Draft) -> Identity<'_> {
    (&draft.place, &draft.author, &draft.id)
}

struct Planner<'a> {
    heads: HashMap<&'a Place, Position>,
    /// Where messages stand that were the first with their identity.
    firsts: HashMap<Identity<'a>, Seq>,
    messages: HashMap<(&'a Place, Seq), Message<'a>>,
    plan: Plan<'a>,
}

impl<'a> Planner<'a> {
    /// `role` is what the author is.
    fn take(&mut self, draft: &'a Draft, role: Option<Role>) -> Outcome {
        // Nothing is less than no need.
        if role < draft.needs {
            return Outcome::Unfit(role);
        }
        match &draft.act {
            DraftAct::Say { kind, body } => self.say(draft, *kind, body),
            DraftAct::Edit { of, body } => self.edit(draft, *of, body),
            DraftAct::Delete { of } => self.delete(draft, *of),
        }
    }

    fn say(&mut self, draft: &'a Draft, kind: Kind, body: &'a Body) -> Outcome {
        let first = self.firsts.get(&identity(draft)).map(|seq| (&draft.place, *seq));
        if let Some((place, seq)) = first
            && let Some(message) = self.messages.get(&(place, seq))
        {
            return message.again(seq, kind, body);
        }
        let position = self.store(draft, Position::next_message);
        let (at, says) = (draft.at.truncate_to_millisecond(), Says::First(Cow::Borrowed(body)));
        self.firsts.insert(identity(draft), position.seq);
        self.messages.insert((&draft.place, position.seq), Message { at, kind, says });
        Outcome::Stored(position)
    }

    fn edit(&mut self, draft: &'a Draft, of: Seq, body: &'a Body) -> Outcome {
        let Some(message) = self.messages.get_mut(&(&draft.place, of)) else {
            return Outcome::NoMessage;
        };
        let is_gone = matches!(message.says, Says::Nothing { .. });
        if is_gone || message.kind == Kind::Notification {
            return Outcome::NoMessage;
        }
        message.says = Says::Other;
        let position = self.store(draft, Position::next_change);
        let edited = Rewritten::Edited(body, draft.at, position.seq);
        self.plan.rewritten.insert((&draft.place, of), edited);
        Outcome::Stored(position)
    }

    fn delete(&mut self, draft: &'a Draft, of: Seq) -> Outcome {
        let Some(says) = self.messages.get(&(&draft.place, of)).map(|message| &message.says) else {
            return Outcome::NoMessage;
        };
        if let Says::Nothing { seq, at } = *says {
            return Outcome::Duplicate { seq, at };
        }
        let position = self.store(draft, Position::next_change);
        let (seq, at) = (position.seq, draft.at.truncate_to_millisecond());
        if let Some(message) = self.messages.get_mut(&(&draft.place, of)) {
            message.says = Says::Nothing { seq, at };
        }
        self.plan.rewritten.insert((&draft.place, of), Rewritten::Deleted(seq));
        Outcome::Stored(position)
    }

    fn store(&mut self, draft: &'a Draft, next: fn(Position) -> Position) -> Position {
        let head = self.heads.entry(&draft.place).or_default();
        *head = next(*head);
        self.plan.stored.push((draft, *head));
        *head
    }
}

impl Message<'_> {
    /// What becomes of a message with the identity of this one.
    fn again(&self, seq: Seq, kind: Kind, body: &Body) -> Outcome {
        let says_the_same = match &self.says {
            Says::First(first) => **first == *body,
            Says::Other | Says::Nothing { .. } => true,
        };
        if self.kind == kind && says_the_same {
            Outcome::Duplicate { seq, at: self.at }
        } else {
            Outcome::Conflict
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::contract::{at, body, delete, draft, edit, room, seq, time, user};

    fn known(n: u64, says: Says<'_>) -> Known<'_> {
        let message = Message { at: time(5), kind: Kind::Message, says };
        Known { role: None, message: Some((seq(n), message)) }
    }

    fn first(text: &str) -> Says<'static> {
        Says::First(Cow::Owned(body(text)))
    }

    #[test]
    fn a_log_goes_on_after_its_head_and_a_new_one_begins_at_1() {
        let drafts = [draft("old", "a", "1"), draft("new", "a", "1"), draft("old", "b", "1")];
        let (old, new) = (room("old"), room("new"));
        let plan =
            plan(&drafts, HashMap::from([(&old, at(7, 5))]), &HashMap::new(), HashMap::new());
        let stored: Vec<_> = plan.stored.iter().map(|(draft, at)| (&draft.place, *at)).collect();
        assert_eq!(stored, [(&old, at(8, 6)), (&new, at(1, 1)), (&old, at(9, 7))]);
    }

    #[test]
    fn what_was_stored_before_or_earlier_in_the_batch_takes_no_place() {
        let drafts =
            ["known", "fresh", "other", "fresh", "next"].map(|id| draft("lobby", id, "\"x\""));
        let found = HashMap::from([(0, known(3, first("\"x\""))), (2, known(4, first("\"y\"")))]);
        let lobby = room("lobby");
        let plan = plan(&drafts, HashMap::from([(&lobby, at(9, 9))]), &HashMap::new(), found);
        let known = Outcome::Duplicate { seq: seq(3), at: time(5) };
        let repeated = Outcome::Duplicate { seq: seq(10), at: drafts[1].at };
        let (fresh, next) = (Outcome::Stored(at(10, 10)), Outcome::Stored(at(11, 11)));
        assert_eq!(plan.outcomes, [known, fresh, Outcome::Conflict, repeated, next]);
        assert_eq!(plan.stored.len(), 2);
    }

    #[test]
    fn a_message_says_what_the_last_change_of_the_batch_says() {
        let drafts = [
            draft("lobby", "a", "1"),
            edit("lobby", 1, "2"),
            edit("lobby", 1, "3"),
            draft("lobby", "a", "whatever"),
            draft("lobby", "b", "1"),
            edit("lobby", 4, "2"),
            delete("lobby", 4),
            edit("lobby", 4, "3"),
            delete("lobby", 4),
        ];
        let plan = plan(&drafts, HashMap::new(), &HashMap::new(), HashMap::new());
        let stored = |n, messages| Outcome::Stored(at(n, messages));
        let again = |n| Outcome::Duplicate { seq: seq(n), at: time(1) };
        let first = [stored(1, 1), stored(2, 1), stored(3, 1), again(1)];
        let second = [stored(4, 2), stored(5, 2), stored(6, 2), Outcome::NoMessage, again(6)];
        assert_eq!(plan.outcomes, [&first[..], &second[..]].concat());
        let (lobby, three) = (room("lobby"), body("3"));
        let edited = Rewritten::Edited(&three, time(1), seq(3));
        let deleted = Rewritten::Deleted(seq(6));
        let expected = [((&lobby, seq(1)), edited), ((&lobby, seq(4)), deleted)];
        assert_eq!(plan.rewritten, HashMap::from(expected));
    }

    #[test]
    fn who_is_not_what_it_needs_is_refused_before_anything_else_is_looked_at() {
        let needing = |id, needs| Draft { needs: Some(needs), ..draft("lobby", id, "1") };
        let drafts = [
            needing("known", Role::Member),
            draft("lobby", "known", "2"),
            needing("new", Role::Reader),
            Draft { needs: Some(Role::Reader), ..delete("lobby", 3) },
            Draft { author: user("nobody"), ..needing("new", Role::Reader) },
        ];
        let lobby = room("lobby");
        let reader = || Known { role: Some(Role::Reader), ..known(3, first("\"1\"")) };
        let fresh = Known { message: None, ..reader() };
        let known = HashMap::from([(0, reader()), (1, reader()), (2, fresh), (3, reader())]);
        let heads = HashMap::from([(&lobby, at(3, 3))]);
        let plan = plan(&drafts, heads, &HashMap::new(), known);
        let (reader, nobody) = (Outcome::Unfit(Some(Role::Reader)), Outcome::Unfit(None));
        let [new, deleted] = [at(4, 4), at(5, 4)].map(Outcome::Stored);
        assert_eq!(plan.outcomes, [reader, Outcome::Conflict, new, deleted, nobody]);
        assert_eq!(plan.stored.len(), 2);
    }

    #[test]
    fn an_author_is_what_the_batch_makes_of_them() {
        let by = |author| Draft {
            author: user(author),
            needs: Some(Role::Member),
            ..draft("lobby", author, "1")
        };
        let drafts = ["kicked", "invited", "promoted", "left alone"].map(by);
        let (lobby, head) = (room("lobby"), HashMap::new());
        let now = [None, Some(Role::Member), Some(Role::Admin)];
        let roles = drafts.iter().zip(now).map(|(draft, role)| ((&lobby, &draft.author), role));
        let before = [Some(Role::Member), None, Some(Role::Reader), Some(Role::Reader)];
        let known = before.map(|role| Known { role, message: None });
        let known = (0..).zip(known).collect();
        let plan = plan(&drafts, head, &roles.collect(), known);
        let stored = |n| Outcome::Stored(at(n, n));
        let reader = Outcome::Unfit(Some(Role::Reader));
        assert_eq!(plan.outcomes, [Outcome::Unfit(None), stored(1), stored(2), reader]);
    }

    #[test]
    fn what_was_changed_before_is_a_duplicate_whatever_its_body() {
        let drafts = [draft("lobby", "a", "1"), draft("lobby", "b", "1"), delete("lobby", 4)];
        let nothing = || known(4, Says::Nothing { seq: seq(5), at: time(6) });
        let found = HashMap::from([(0, known(3, Says::Other)), (1, nothing()), (2, nothing())]);
        let plan = plan(&drafts, HashMap::new(), &HashMap::new(), found);
        let again = |n| Outcome::Duplicate { seq: seq(n), at: time(5) };
        let deleted = Outcome::Duplicate { seq: seq(5), at: time(6) };
        assert_eq!(plan.outcomes, [again(3), again(4), deleted]);
    }
}
