//! What webhooks are told of: pure functions, which all engines of the store use.

use time::OffsetDateTime;

use super::{
    Batch, Change, ChangeResult, ConnectionEnd, Draft, DraftAct, NewOutboxEvent, Outcome,
    PresenceKind, PresenceRecord, PresenceSubject, PresentClient, Recording, StoredAct,
    StoredMessage, WebhookEvent,
};
use crate::domain::{Conversation, RoomName, Seq, Space, UserName, WebhookEventKind, WebhookRules};

/// The kinds of events that a commit records.
pub const COMMITTED_KINDS: [WebhookEventKind; 6] = [
    WebhookEventKind::MemberJoined,
    WebhookEventKind::MemberLeft,
    WebhookEventKind::RoomTopic,
    WebhookEventKind::MessageStored,
    WebhookEventKind::MessageEdited,
    WebhookEventKind::MessageDeleted,
];

impl Batch {
    /// The events that the batch records, given its results: the memberships that began or ended, then
    /// the entries that were stored, each in order.
    pub fn events(&self, changed: &[ChangeResult], outcomes: &[Outcome]) -> Vec<NewOutboxEvent> {
        let Some(Recording { rules, at, by }) = &self.recording else { return Vec::new() };
        let mut events = Vec::new();
        let nobody = std::iter::repeat(&None);
        for ((change, result), by) in self.changes.iter().zip(changed).zip(by.iter().chain(nobody))
        {
            if let Some(event) = member_event(change, result, by.as_ref()) {
                record(&mut events, rules, &change.place.space, (event, *at));
            }
        }
        for (draft, outcome) in self.drafts.iter().zip(outcomes) {
            if let Outcome::Stored(position) = outcome
                && let Some(event) = draft_event(draft, position.seq)
            {
                record(&mut events, rules, &draft.place.space, (event, draft.at));
            }
        }
        events
    }

    /// Whether the messages of the batch may record events.
    pub fn records_messages(&self) -> bool {
        let [_, _, _, messages @ ..] = COMMITTED_KINDS;
        self.recording.as_ref().is_some_and(|it| it.rules.want_anywhere(&messages))
    }
}

impl Recording {
    /// The events of memberships that end with their user: a guest expires, or a name has another
    /// owner. They come before all others of a transaction.
    pub fn end_events<'a>(
        &self,
        ended: impl IntoIterator<Item = (&'a Space, &'a UserName, RoomName)>,
    ) -> Vec<NewOutboxEvent> {
        let mut events = Vec::new();
        for (space, user, room) in ended {
            let event = WebhookEvent::MemberLeft { room, user: user.clone(), by: None };
            record(&mut events, &self.rules, space, (event, self.at));
        }
        events
    }

    /// Whether the end of memberships may be recorded.
    pub fn records_ends(&self) -> bool {
        self.rules.want_anywhere(&[WebhookEventKind::MemberLeft])
    }
}

impl PresenceRecord {
    /// The events when a subject is present on the first node.
    pub fn appeared(&self, subject: &PresenceSubject) -> Vec<NewOutboxEvent> {
        let event = match &subject.kind {
            PresenceKind::User(user) => WebhookEvent::UserOnline(user.clone()),
            PresenceKind::Room(room) => WebhookEvent::RoomOccupied(room.clone()),
            PresenceKind::Connection(_) => return Vec::new(),
        };
        self.events(&subject.space, event)
    }

    /// The events when a subject is no longer present on any node.
    pub fn gone(
        &self,
        subject: &PresenceSubject,
        client: PresentClient,
        reason: ConnectionEnd,
    ) -> Vec<NewOutboxEvent> {
        let event = match &subject.kind {
            PresenceKind::User(user) => WebhookEvent::UserOffline(user.clone()),
            PresenceKind::Room(room) => WebhookEvent::RoomVacated(room.clone()),
            PresenceKind::Connection(connection) => {
                let connection = connection.clone();
                WebhookEvent::ConnectionClosed { connection, client, reason }
            }
        };
        self.events(&subject.space, event)
    }

    fn events(&self, space: &Space, event: WebhookEvent) -> Vec<NewOutboxEvent> {
        let mut events = Vec::new();
        record(&mut events, &self.rules, space, (event, self.at));
        events
    }
}

/// The event of a changed membership, if one in a room began or ended.
fn member_event(
    change: &Change,
    result: &ChangeResult,
    by: Option<&UserName>,
) -> Option<WebhookEvent> {
    let Conversation::Room(room) = &change.place.conversation else { return None };
    let (room, user, by) = (room.clone(), change.user.clone(), by.cloned());
    match (&result.before, &result.after) {
        (None, Some(member)) => {
            Some(WebhookEvent::MemberJoined { room, user, role: member.role, by })
        }
        (Some(_), None) => Some(WebhookEvent::MemberLeft { room, user, by }),
        (Some(_), Some(_)) | (None, None) => None,
    }
}

/// The event of a draft that was stored at `seq`. Only rooms have topics.
fn draft_event(draft: &Draft, seq: Seq) -> Option<WebhookEvent> {
    let conversation = &draft.place.conversation;
    let act = match &draft.act {
        DraftAct::Say { .. } => StoredAct::Stored,
        DraftAct::Edit { of, .. } => StoredAct::Edited(*of),
        DraftAct::Delete { of } => StoredAct::Deleted(*of),
        DraftAct::Topic(topic) => {
            let (room, user) = (conversation.room()?.clone(), draft.author.clone());
            return Some(WebhookEvent::RoomTopic { room, user, topic: topic.clone() });
        }
    };
    let (conversation, id) = (conversation.clone(), draft.id.clone());
    let author = draft.author.clone();
    Some(WebhookEvent::Message(StoredMessage { act, conversation, seq, id, author }))
}

/// Adds an event for each webhook that is told of it. Times are stored in milliseconds.
fn record(
    events: &mut Vec<NewOutboxEvent>,
    rules: &WebhookRules,
    space: &Space,
    (event, at): (WebhookEvent, OffsetDateTime),
) {
    let at = at.truncate_to_millisecond();
    events.extend(rules.wanting(event.kind(), space).map(|webhook| NewOutboxEvent {
        webhook: webhook.clone(),
        space: space.clone(),
        event: event.clone(),
        at,
    }));
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        chat::ports::{JoinRefusal, MemberChange},
        domain::{Log, Member, Position, Role, WebhookName, WebhookRule},
        store::contract::{JOIN, at, change, delete, draft, edit, seq, time, user},
    };

    fn recording(kinds: &[WebhookEventKind]) -> Recording {
        let rule = |name| WebhookRule {
            name: WebhookName::from_raw(name),
            kinds: kinds.iter().copied().collect(),
            spaces: Vec::new(),
        };
        let rules = Arc::new(WebhookRules::new(vec![rule("one"), rule("other")]));
        Recording { rules, at: time(9), by: vec![None, Some(user("boss"))] }
    }

    fn told(events: &[NewOutboxEvent]) -> Vec<(&str, &'static str)> {
        events.iter().map(|it| (it.webhook.as_raw(), it.event.kind().as_raw())).collect()
    }

    #[test]
    fn each_webhook_is_told_of_stored_entries_and_of_nothing_else() {
        let drafts = vec![
            draft("lobby", "a", "1"),
            edit("lobby", 1, "2"),
            delete("lobby", 1),
            draft("lobby", "b", "1"),
        ];
        let stored = |n| Outcome::Stored(at(n, 1));
        let again = Outcome::Duplicate { seq: seq(1), at: time(1) };
        let outcomes = [again, stored(2), stored(3), Outcome::NotPermitted(None)];
        let recording = Some(recording(&WebhookEventKind::ALL));
        let batch = Batch { drafts, recording, ..Batch::default() };
        let events = batch.events(&[], &outcomes);
        let expected = [
            ("one", "message.edited"),
            ("other", "message.edited"),
            ("one", "message.deleted"),
            ("other", "message.deleted"),
        ];
        assert_eq!(told(&events), expected);
        let WebhookEvent::Message(message) = &events[0].event else { panic!("{events:?}") };
        assert_eq!((message.seq, message.act), (seq(2), StoredAct::Edited(seq(1))));
        assert_eq!(events[0].at, batch.drafts[1].at);
        assert!(batch.records_messages());
        let none = Batch { recording: None, ..batch };
        assert!(none.events(&[], &outcomes).is_empty() && !none.records_messages());
    }

    #[test]
    fn webhooks_are_told_of_memberships_in_rooms_that_begin_or_end() {
        let member = Some(Member::new(Role::Admin, Position::ZERO));
        let result = |before, after| ChangeResult {
            before,
            after,
            log: Log::default(),
            topic: None,
            deleted: 0,
            refused: None,
        };
        let direct = Change {
            place: crate::store::contract::direct("/", "ann", "bob"),
            ..change("", "ann", JOIN)
        };
        let changes = vec![
            change("lobby", "ann", JOIN),
            change("lobby", "bob", MemberChange::Leave),
            change("lobby", "cleo", JOIN),
            change("lobby", "dan", JOIN),
            direct,
        ];
        let refused = ChangeResult { refused: Some(JoinRefusal::NotNew), ..result(None, None) };
        let results = [
            result(None, member),
            result(member, None),
            result(member, member),
            refused,
            result(None, member),
        ];
        let recording =
            Some(recording(&[WebhookEventKind::MemberJoined, WebhookEventKind::MemberLeft]));
        let batch = Batch { changes, recording, ..Batch::default() };
        let events = batch.events(&results, &[]);
        let one: Vec<_> = events.iter().filter(|it| it.webhook.as_raw() == "one").collect();
        let [joined, left] = one[..] else { panic!("{events:?}") };
        let is_expected = matches!(&joined.event, WebhookEvent::MemberJoined { user, role, by, .. }
            if *user == self::user("ann") && *role == Role::Admin && by.is_none());
        assert!(is_expected, "{joined:?}");
        let is_expected = matches!(&left.event, WebhookEvent::MemberLeft { user, by, .. }
            if *user == self::user("bob") && *by == Some(self::user("boss")));
        assert!(is_expected, "{left:?}");
        assert_eq!(left.at, time(9));
        assert!(!batch.records_messages());
    }
}
