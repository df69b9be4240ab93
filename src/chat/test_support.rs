//! What the tests of this layer and its neighbours share.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use time::OffsetDateTime;

use super::{
    event::{Delivery, Event, Missed, Run},
    ports::{Outbox, Overflow},
};
use crate::domain::{
    Body, CloseReason, Kind, Message, MessageId, Place, RoomName, Seq, Space, UserName,
};

/// A message in a room of the root space.
pub(crate) fn said(room: &str, seq: u64) -> Arc<Delivery> {
    said_with(room, seq, 0)
}

/// A message with so many attachments of one byte.
pub(crate) fn said_with(room: &str, seq: u64, attachments: usize) -> Arc<Delivery> {
    let attachments = vec![bytes::Bytes::from_static(b"x"); attachments];
    Delivery::new(Event::Message(Message {
        place: Place::room(&Space::root(), &RoomName::parse(room).unwrap()),
        seq: Seq::from_raw(seq),
        id: MessageId::parse(&format!("m{seq}")).unwrap(),
        kind: Kind::Message,
        author: UserName::parse("ann").unwrap(),
        body: Body::from_raw("\"hi\"".into(), attachments),
        at: OffsetDateTime::UNIX_EPOCH,
    }))
}

/// An outbox whose reader never comes: it takes as much as it has room for.
#[derive(Debug)]
pub(crate) struct Shelf {
    room: usize,
    events: Mutex<Vec<String>>,
}

impl Shelf {
    pub(crate) fn with_room_for(room: usize) -> Arc<Self> {
        Arc::new(Self { room, events: Mutex::default() })
    }

    /// What was pushed, each event in a word.
    pub(crate) fn events(&self) -> Vec<String> {
        self.events.lock().unwrap().clone()
    }
}

#[async_trait]
impl Outbox for Shelf {
    fn push(&self, delivery: &Arc<Delivery>) -> Result<(), Overflow> {
        let mut events = self.events.lock().unwrap();
        if events.len() >= self.room {
            return Err(Overflow);
        }
        events.push(in_a_word(delivery.event()));
        Ok(())
    }

    async fn relieved(&self) {}

    fn close(&self, reason: CloseReason) {
        self.events.lock().unwrap().push(format!("closed {reason:?}"));
    }

    fn is_revoked(&self) -> bool {
        self.events().iter().any(|event| event.starts_with("closed"))
    }
}

fn in_a_word(event: &Event) -> String {
    let seq = |delivery: &Arc<Delivery>| delivery.message().unwrap().seq.as_raw();
    match event {
        Event::Message(message) => format!("message {}", message.seq.as_raw()),
        Event::Joined { user, .. } => format!("{user} joined"),
        Event::Left { user, .. } => format!("{user} left"),
        Event::Users(users) => format!("{} users", users.len()),
        Event::Presence { count, .. } => format!("{count} here"),
        Event::Welcome(welcome) => format!("welcome {}", welcome.user),
        Event::AuthExpiring { .. } => "auth expiring".to_owned(),
        Event::Missed(Missed { run: Run::TooFar { head }, .. }) => {
            format!("too far from {}", head.as_raw())
        }
        Event::Missed(Missed { run: Run::Recovered { messages, more }, .. }) => {
            let seqs: Vec<_> = messages.iter().map(seq).collect();
            format!("missed {seqs:?}{}", if *more { " …" } else { "" })
        }
    }
}
