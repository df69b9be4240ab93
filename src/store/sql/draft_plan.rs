//! Plans the outcome of drafts, without a database.

use std::{borrow::Cow, collections::HashMap};

use time::OffsetDateTime;

use super::member_plan::PlaceUser;
use crate::{
    chat::ports::{Draft, DraftAct, Outcome},
    domain::{Body, MessageId, MessageKind, Place, Position, Role, RoomTopic, Seq, UserName},
    store::sql::Topics,
};

/// The result of planning.
#[derive(Debug)]
pub(crate) struct DraftPlan<'a> {
    /// One per draft.
    pub(crate) outcomes: Vec<Outcome>,
    /// The drafts to store, each with its position in the log.
    pub(crate) stored: Vec<(&'a Draft, Position)>,
    /// The messages with changed content, including messages of this batch.
    pub(crate) rewritten: HashMap<(&'a Place, Seq), Rewritten<'a>>,
}

/// The content of a message after the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rewritten<'a> {
    /// Replaced by this body at this time, by the entry with this seq.
    Edited(&'a Body, OffsetDateTime, Seq),
    /// Deleted by the entry with this seq.
    Deleted(Seq),
}

/// An existing message, as far as later drafts depend on it.
#[derive(Debug)]
pub(crate) struct PriorMessage<'a> {
    pub(crate) at: OffsetDateTime,
    pub(crate) kind: Cow<'a, MessageKind>,
    pub(crate) content: ContentState<'a>,
}

/// The content of a message.
#[derive(Debug)]
pub(crate) enum ContentState<'a> {
    /// The original body.
    Original(Cow<'a, Body>),
    /// An edited body: the original is not stored any more.
    Edited,
    /// No body, since this deletion.
    Deleted { seq: Seq, at: OffsetDateTime },
}

/// What the store knows that a draft depends on.
#[derive(Debug, Default)]
pub(crate) struct DraftContext<'a> {
    /// The author's role in the conversation.
    pub(crate) role: Option<Role>,
    /// The message that the draft repeats or changes.
    pub(crate) message: Option<(Seq, PriorMessage<'a>)>,
}

/// Plans the outcome of drafts. `heads` are the heads of their logs; a missing log is empty. `topics`
/// are the topics of the rooms.
/// `roles` are the roles that the batch has changed. `known` is what the store has, by the draft's
/// number in the batch.
pub(crate) fn plan_drafts<'a>(
    drafts: &'a [Draft],
    heads: HashMap<&'a Place, Position>,
    topics: Topics<'a>,
    roles: &HashMap<PlaceUser<'a>, Option<Role>>,
    mut known: HashMap<usize, DraftContext<'a>>,
) -> DraftPlan<'a> {
    let mut planner = Planner {
        heads,
        topics,
        first_seqs: HashMap::with_capacity(drafts.len()),
        messages: HashMap::with_capacity(drafts.len()),
        plan: DraftPlan {
            outcomes: Vec::with_capacity(drafts.len()),
            stored: Vec::with_capacity(drafts.len()),
            rewritten: HashMap::new(),
        },
    };
    let mut before = Vec::with_capacity(drafts.len());
    for (number, draft) in drafts.iter().enumerate() {
        let DraftContext { role, message } = known.remove(&number).unwrap_or_default();
        before.push(role);
        let Some((seq, message)) = message else { continue };
        if matches!(draft.act, DraftAct::Say { .. }) {
            planner.first_seqs.insert(message_key(draft), seq);
        }
        planner.messages.insert((&draft.place, seq), message);
    }
    for (draft, before) in drafts.iter().zip(before) {
        let role = roles.get(&(&draft.place, &draft.author)).copied().unwrap_or(before);
        let outcome = planner.plan_draft(draft, role);
        planner.plan.outcomes.push(outcome);
    }
    planner.plan
}

/// The identity of a message: the third part is the guest session of the author.
type MessageKey<'a> = (&'a Place, &'a UserName, Option<&'a str>, &'a MessageId);

fn message_key(draft: &Draft) -> MessageKey<'_> {
    (&draft.place, &draft.author, draft.guest_session.as_deref(), &draft.id)
}

struct Planner<'a> {
    heads: HashMap<&'a Place, Position>,
    topics: Topics<'a>,
    /// The seq of the first message with each identity.
    first_seqs: HashMap<MessageKey<'a>, Seq>,
    messages: HashMap<(&'a Place, Seq), PriorMessage<'a>>,
    plan: DraftPlan<'a>,
}

impl<'a> Planner<'a> {
    /// `role` is the author's role.
    fn plan_draft(&mut self, draft: &'a Draft, role: Option<Role>) -> Outcome {
        // `None` is less than `Some` of any role, and equal to no need.
        if role < draft.needs {
            return Outcome::NotPermitted(role);
        }
        match &draft.act {
            DraftAct::Say { kind, body } => self.add_message(draft, kind, body),
            DraftAct::Edit { of, body } => self.edit(draft, *of, body),
            DraftAct::Delete { of } => self.delete(draft, *of),
            DraftAct::Topic(topic) => self.set_topic(draft, topic.as_ref()),
        }
    }

    fn add_message(&mut self, draft: &'a Draft, kind: &'a MessageKind, body: &'a Body) -> Outcome {
        let first = self.first_seqs.get(&message_key(draft)).map(|seq| (&draft.place, *seq));
        if let Some((place, seq)) = first
            && let Some(message) = self.messages.get(&(place, seq))
        {
            return message.repeat_outcome(seq, kind, body);
        }
        let position = self.append(draft, Position::next_message);
        let (at, content) =
            (draft.at.truncate_to_millisecond(), ContentState::Original(Cow::Borrowed(body)));
        self.first_seqs.insert(message_key(draft), position.seq);
        self.messages.insert(
            (&draft.place, position.seq),
            PriorMessage { at, kind: Cow::Borrowed(kind), content },
        );
        Outcome::Stored(position)
    }

    fn edit(&mut self, draft: &'a Draft, of: Seq, body: &'a Body) -> Outcome {
        let Some(message) = self.messages.get_mut(&(&draft.place, of)) else {
            return Outcome::NoMessage;
        };
        let is_gone = matches!(message.content, ContentState::Deleted { .. });
        if is_gone || !message.kind.is_editable() {
            return Outcome::NoMessage;
        }
        message.content = ContentState::Edited;
        let position = self.append(draft, Position::next_change);
        let edited = Rewritten::Edited(body, draft.at, position.seq);
        self.plan.rewritten.insert((&draft.place, of), edited);
        Outcome::Stored(position)
    }

    fn delete(&mut self, draft: &'a Draft, of: Seq) -> Outcome {
        let Some(content) = self.messages.get(&(&draft.place, of)).map(|message| &message.content)
        else {
            return Outcome::NoMessage;
        };
        if let ContentState::Deleted { seq, at } = *content {
            return Outcome::Duplicate { seq, at };
        }
        let position = self.append(draft, Position::next_change);
        let (seq, at) = (position.seq, draft.at.truncate_to_millisecond());
        if let Some(message) = self.messages.get_mut(&(&draft.place, of)) {
            message.content = ContentState::Deleted { seq, at };
        }
        self.plan.rewritten.insert((&draft.place, of), Rewritten::Deleted(seq));
        Outcome::Stored(position)
    }

    fn set_topic(&mut self, draft: &'a Draft, topic: Option<&RoomTopic>) -> Outcome {
        let place = &draft.place;
        if self.topics.get(place) == topic {
            let seq = self.heads.get(place).map_or(Seq::ZERO, |head| head.seq);
            return Outcome::Duplicate { seq, at: draft.at.truncate_to_millisecond() };
        }
        self.topics.remove(place);
        self.topics.extend(topic.map(|topic| (place, topic.clone())));
        Outcome::Stored(self.append(draft, Position::next_change))
    }

    fn append(&mut self, draft: &'a Draft, next: fn(Position) -> Position) -> Position {
        let head = self.heads.entry(&draft.place).or_default();
        *head = next(*head);
        self.plan.stored.push((draft, *head));
        *head
    }
}

impl PriorMessage<'_> {
    /// The outcome of a draft with the identity of this message.
    fn repeat_outcome(&self, seq: Seq, kind: &MessageKind, body: &Body) -> Outcome {
        let is_same_content = match &self.content {
            ContentState::Original(first) => **first == *body,
            ContentState::Edited | ContentState::Deleted { .. } => true,
        };
        if *self.kind == *kind && is_same_content {
            Outcome::Duplicate { seq, at: self.at }
        } else {
            Outcome::Conflict
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::contract::{at, body, delete, draft, edit, room, seq, time, topic, user};

    /// As the function of this name, in rooms without topics.
    fn plan_drafts<'a>(
        drafts: &'a [Draft],
        heads: HashMap<&'a Place, Position>,
        roles: &HashMap<PlaceUser<'a>, Option<Role>>,
        known: HashMap<usize, DraftContext<'a>>,
    ) -> DraftPlan<'a> {
        super::plan_drafts(drafts, heads, Topics::new(), roles, known)
    }

    fn known(n: u64, content: ContentState<'_>) -> DraftContext<'_> {
        let message = PriorMessage { at: time(5), kind: Cow::Owned(MessageKind::Message), content };
        DraftContext { role: None, message: Some((seq(n), message)) }
    }

    fn first(text: &str) -> ContentState<'static> {
        ContentState::Original(Cow::Owned(body(text)))
    }

    #[test]
    fn seq_continues_after_head_and_starts_at_1_in_new_log() {
        let drafts = [draft("old", "a", "1"), draft("new", "a", "1"), draft("old", "b", "1")];
        let (old, new) = (room("old"), room("new"));
        let plan = plan_drafts(
            &drafts,
            HashMap::from([(&old, at(7, 5))]),
            &HashMap::new(),
            HashMap::new(),
        );
        let stored: Vec<_> = plan.stored.iter().map(|(draft, at)| (&draft.place, *at)).collect();
        assert_eq!(stored, [(&old, at(8, 6)), (&new, at(1, 1)), (&old, at(9, 7))]);
    }

    #[test]
    fn duplicate_draft_takes_no_seq() {
        let drafts =
            ["known", "fresh", "other", "fresh", "next"].map(|id| draft("lobby", id, "\"x\""));
        let found = HashMap::from([(0, known(3, first("\"x\""))), (2, known(4, first("\"y\"")))]);
        let lobby = room("lobby");
        let plan =
            plan_drafts(&drafts, HashMap::from([(&lobby, at(9, 9))]), &HashMap::new(), found);
        let known = Outcome::Duplicate { seq: seq(3), at: time(5) };
        let repeated = Outcome::Duplicate { seq: seq(10), at: drafts[1].at };
        let (fresh, next) = (Outcome::Stored(at(10, 10)), Outcome::Stored(at(11, 11)));
        assert_eq!(plan.outcomes, [known, fresh, Outcome::Conflict, repeated, next]);
        assert_eq!(plan.stored.len(), 2);
    }

    #[test]
    fn a_topic_is_stored_unless_the_room_has_it() {
        let drafts = ["old", "old", "new", "new", "", "", "new"].map(|it| topic("lobby", it));
        let lobby = room("lobby");
        let heads = HashMap::from([(&lobby, at(7, 5))]);
        let topics = Topics::from_iter([(&lobby, RoomTopic::from_raw("old").unwrap())]);
        let roles = HashMap::new();
        let plan = super::plan_drafts(&drafts, heads, topics, &roles, HashMap::new());
        let again = |n| Outcome::Duplicate { seq: seq(n), at: time(1) };
        let stored = |n| Outcome::Stored(at(n, 5));
        let expected = [again(7), again(7), stored(8), again(8), stored(9), again(9), stored(10)];
        assert_eq!(plan.outcomes, expected);
    }

    #[test]
    fn last_change_in_batch_determines_content() {
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
        let plan = plan_drafts(&drafts, HashMap::new(), &HashMap::new(), HashMap::new());
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
    fn missing_role_is_rejected_before_other_checks() {
        let needing = |id, needs| Draft { needs: Some(needs), ..draft("lobby", id, "1") };
        let drafts = [
            needing("known", Role::Member),
            draft("lobby", "known", "2"),
            needing("new", Role::Reader),
            Draft { needs: Some(Role::Reader), ..delete("lobby", 3) },
            Draft { author: user("stranger"), ..needing("new", Role::Reader) },
        ];
        let lobby = room("lobby");
        let reader = || DraftContext { role: Some(Role::Reader), ..known(3, first("\"1\"")) };
        let fresh = DraftContext { message: None, ..reader() };
        let known = HashMap::from([(0, reader()), (1, reader()), (2, fresh), (3, reader())]);
        let heads = HashMap::from([(&lobby, at(3, 3))]);
        let plan = plan_drafts(&drafts, heads, &HashMap::new(), known);
        let (reader, stranger) =
            (Outcome::NotPermitted(Some(Role::Reader)), Outcome::NotPermitted(None));
        let [new, deleted] = [at(4, 4), at(5, 4)].map(Outcome::Stored);
        assert_eq!(plan.outcomes, [reader, Outcome::Conflict, new, deleted, stranger]);
        assert_eq!(plan.stored.len(), 2);
    }

    #[test]
    fn role_changes_in_batch_apply_to_its_drafts() {
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
        let known = before.map(|role| DraftContext { role, message: None });
        let known = (0..).zip(known).collect();
        let plan = plan_drafts(&drafts, head, &roles.collect(), known);
        let stored = |n| Outcome::Stored(at(n, n));
        let reader = Outcome::NotPermitted(Some(Role::Reader));
        assert_eq!(plan.outcomes, [Outcome::NotPermitted(None), stored(1), stored(2), reader]);
    }

    #[test]
    fn repeat_of_changed_message_is_duplicate_with_any_body() {
        let drafts = [draft("lobby", "a", "1"), draft("lobby", "b", "1"), delete("lobby", 4)];
        let nothing = || known(4, ContentState::Deleted { seq: seq(5), at: time(6) });
        let found =
            HashMap::from([(0, known(3, ContentState::Edited)), (1, nothing()), (2, nothing())]);
        let plan = plan_drafts(&drafts, HashMap::new(), &HashMap::new(), found);
        let again = |n| Outcome::Duplicate { seq: seq(n), at: time(5) };
        let deleted = Outcome::Duplicate { seq: seq(5), at: time(6) };
        assert_eq!(plan.outcomes, [again(3), again(4), deleted]);
    }
}
