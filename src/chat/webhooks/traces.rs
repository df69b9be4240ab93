//! The traces of the requests that stored messages, for the webhooks that are told of them.
//!
//! They are kept in memory: the outbox does not store them. So a delivery continues the trace only on the
//! node that took the request, and begins its own after a restart.

use std::collections::VecDeque;

use parking_lot::Mutex;

use crate::{
    chat::ports::{Draft, DraftAct, NewOutboxEvent, StoredAct, StoredMessage, WebhookEvent},
    domain::{MessageId, Place, UserName},
};

/// The most traces that are kept, of the messages that were stored last. Most are told of at once.
const TRACES_MAX: usize = 1000;

/// See the module.
#[derive(Default)]
pub(in crate::chat) struct MessageTraces(Mutex<VecDeque<KeptTrace>>);

struct KeptTrace {
    place: Place,
    author: UserName,
    id: MessageId,
    act: StoredAct,
    traceparent: String,
}

impl MessageTraces {
    /// Keeps the trace of a request that stores a draft, as a header `traceparent`.
    pub(in crate::chat) fn keep(&self, draft: &Draft, traceparent: String) {
        let act = match draft.act {
            DraftAct::Say { .. } => StoredAct::Stored,
            DraftAct::Edit { of, .. } => StoredAct::Edited(of),
            DraftAct::Delete { of } => StoredAct::Deleted(of),
            DraftAct::Topic(_) => return,
        };
        let (place, author, id) = (draft.place.clone(), draft.author.clone(), draft.id.clone());
        let mut kept = self.0.lock();
        if kept.len() >= TRACES_MAX {
            kept.pop_front();
        }
        kept.push_back(KeptTrace { place, author, id, act, traceparent });
    }

    /// The trace of the request that caused an event, if it is kept.
    pub(super) fn of(&self, event: &NewOutboxEvent) -> Option<String> {
        let WebhookEvent::Message(message) = &event.event else { return None };
        let StoredMessage { act, conversation, id, author, seq: _ } = message;
        let is_of = |it: &&KeptTrace| {
            it.id == *id
                && it.act == *act
                && it.author == *author
                && it.place.space == event.space
                && it.place.conversation == *conversation
        };
        self.0.lock().iter().rev().find(is_of).map(|it| it.traceparent.clone())
    }
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;
    use crate::domain::{Body, Conversation, MessageKind, RoomName, Seq, Space, WebhookName};

    fn conversation() -> Conversation {
        Conversation::Room(RoomName::parse("lobby").unwrap())
    }

    fn draft(id: &str, act: DraftAct) -> Draft {
        let place = Place { space: Space::root(), conversation: conversation() };
        Draft {
            place,
            id: MessageId::from_raw(id),
            author: UserName::from_raw("ann"),
            author_name: None,
            guest_session: None,
            needs: None,
            at: OffsetDateTime::UNIX_EPOCH,
            act,
        }
    }

    fn say(id: &str) -> Draft {
        let body = Body::from_raw("\"hello\"".into(), Vec::new());
        draft(id, DraftAct::Say { kind: MessageKind::Message, body })
    }

    fn event(id: &str, act: StoredAct, author: &str) -> NewOutboxEvent {
        let message = StoredMessage {
            act,
            conversation: conversation(),
            seq: Seq::from_raw(1),
            id: MessageId::from_raw(id),
            author: UserName::from_raw(author),
        };
        NewOutboxEvent {
            webhook: WebhookName::from_raw("audit"),
            space: Space::root(),
            event: WebhookEvent::Message(message),
            at: OffsetDateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn the_trace_of_a_message_is_that_of_the_request_that_did_this_to_it() {
        let traces = MessageTraces::default();
        traces.keep(&say("m1"), "said".into());
        let of = Seq::from_raw(1);
        traces.keep(&draft("m1", DraftAct::Delete { of }), "deleted".into());
        traces.keep(&draft("m2", DraftAct::Topic(None)), "topic".into());
        let found = |id, act, author| traces.of(&event(id, act, author));
        assert_eq!(found("m1", StoredAct::Stored, "ann").as_deref(), Some("said"));
        assert_eq!(found("m1", StoredAct::Deleted(of), "ann").as_deref(), Some("deleted"));
        assert_eq!(found("m1", StoredAct::Edited(of), "ann"), None);
        assert_eq!(found("m1", StoredAct::Stored, "bob"), None, "ids are those of an author");
        assert_eq!(found("m2", StoredAct::Stored, "ann"), None);
        let other_space = NewOutboxEvent {
            space: Space::from_raw("/shop"),
            ..event("m1", StoredAct::Stored, "ann")
        };
        assert_eq!(traces.of(&other_space), None);
    }

    #[test]
    fn the_last_traces_are_kept_within_a_bound() {
        let traces = MessageTraces::default();
        for number in 0..=TRACES_MAX {
            traces.keep(&say(&format!("m{number}")), number.to_string());
        }
        let found = |id| traces.of(&event(id, StoredAct::Stored, "ann"));
        assert_eq!(found("m0"), None);
        assert_eq!(found("m1").as_deref(), Some("1"));
        assert_eq!(traces.0.lock().len(), TRACES_MAX);
    }
}
