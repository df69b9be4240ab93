//! Test fixtures of this layer and its neighbours.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use time::OffsetDateTime;
use tokio::sync::watch;

use super::{
    ChatRules, Replaceable, RetentionRules,
    delivery_time::DeliveryTimers,
    event::{Delivery, Event, MissedEntries, MissedRun},
    ports::{Carrier, ConnectionEnd, Outbox, Overflow, Peer},
    publisher::Publisher,
};
use crate::bus::LocalBus;
use crate::domain::{
    Act, Body, CloseReason, Content, Conversation, DevicePolicy, EmitterMode, Entry, GuestDevices,
    Guests, MessageId, MessageKind, NamedUser, NodeId, Place, Position, RoomName, RoomRules, Seq,
    Space, Typing, UserName,
};

/// The rules of a node with this id.
pub(crate) fn rules(node: NodeId) -> ChatRules {
    ChatRules {
        requests: Replaceable::default(),
        guests: Guests::On,
        guest_lifetime: Duration::from_mins(10),
        guest_devices: GuestDevices::Accepted,
        devices: DevicePolicy::Many,
        spaces: Vec::new(),
        emitters: EmitterMode::Off,
        clock_interval: None,
        rooms: Replaceable::new(RoomRules::default()),
        retention: RetentionRules::default(),
        node,
        host: "test".into(),
        reserved: Vec::new(),
    }
}

/// The publisher of a node without peers.
pub(crate) fn publisher() -> Arc<Publisher> {
    Publisher::new(NodeId::from_raw("alone"), Arc::new(LocalBus::default()))
}

/// A message in a room of the root space.
pub(crate) fn message_delivery(room: &str, seq: u64) -> Arc<Delivery> {
    delivery_with_attachments(room, seq, 0)
}

/// A message with this number of attachments of one byte.
pub(crate) fn delivery_with_attachments(room: &str, seq: u64, attachments: usize) -> Arc<Delivery> {
    let attachments = vec![bytes::Bytes::from_static(b"x"); attachments];
    let body = Body::from_raw("\"hi\"".into(), attachments);
    let content = Content::Body { body, edited_at: None };
    delivery_of(room, seq, Act::Said { kind: MessageKind::Message, content })
}

/// Times deliveries. The number of those that have ended is sent.
pub(crate) fn counted_timers() -> (DeliveryTimers, watch::Receiver<usize>) {
    let (ended, count) = watch::channel(0);
    (DeliveryTimers::new(move |_| ended.send_modify(|it| *it += 1)), count)
}

/// The entry of a message.
pub(crate) fn entry(room: &str, seq: u64) -> Entry {
    message_delivery(room, seq).entry().unwrap().clone()
}

/// The deletion of a message.
pub(crate) fn deletion_delivery(room: &str, seq: u64, of: u64) -> Arc<Delivery> {
    delivery_of(room, seq, Act::Deleted { of: Seq::from_raw(of) })
}

fn delivery_of(room: &str, seq: u64, act: Act) -> Arc<Delivery> {
    Delivery::new(Event::Entry(Entry {
        place: Place::room(&Space::root(), &RoomName::parse(room).unwrap()),
        position: Position::from_raw(seq, seq),
        id: MessageId::parse(&format!("m{seq}")).unwrap(),
        author: UserName::parse("ann").unwrap(),
        author_name: None,
        at: OffsetDateTime::UNIX_EPOCH,
        act,
    }))
}

/// An outbox that is never read: it records events up to its capacity.
#[derive(Debug)]
pub(crate) struct RecordingOutbox {
    capacity: usize,
    events: Mutex<Vec<String>>,
}

impl RecordingOutbox {
    pub(crate) fn with_capacity(capacity: usize) -> Arc<Self> {
        Arc::new(Self { capacity, events: Mutex::default() })
    }

    /// The pushed events in short form.
    pub(crate) fn events(&self) -> Vec<String> {
        self.events.lock().unwrap().clone()
    }
}

#[async_trait]
impl Outbox for RecordingOutbox {
    fn push(&self, delivery: &Arc<Delivery>) -> Result<(), Overflow> {
        let mut events = self.events.lock().unwrap();
        if events.len() >= self.capacity {
            return Err(Overflow);
        }
        events.push(summary(delivery.event()));
        Ok(())
    }

    fn offer(&self, delivery: &Arc<Delivery>) {
        let has_capacity = self.events().len() < self.capacity / 2;
        if has_capacity {
            self.push(delivery).ok();
        }
    }

    async fn wait_for_capacity(&self) {}

    fn close(&self, reason: CloseReason) {
        self.events.lock().unwrap().push(format!("closed {reason:?}"));
    }

    fn is_revoked(&self) -> bool {
        self.events().iter().any(|event| event.starts_with("closed"))
    }

    fn peer(&self) -> Peer {
        Peer { carrier: Carrier::PlainWebSocket, address: None }
    }

    fn end(&self) -> ConnectionEnd {
        ConnectionEnd::ByClient
    }
}

fn summary(event: &Event) -> String {
    let seq = |delivery: &Arc<Delivery>| delivery.entry().unwrap().seq().as_raw();
    match event {
        Event::Entry(entry) => {
            let what = match &entry.act {
                Act::Said { .. } => "message",
                Act::Edited { .. } => "edit",
                Act::Deleted { .. } => "deletion",
                Act::Topic(_) => "topic",
            };
            match &entry.place.conversation {
                Conversation::Direct(one, other) => {
                    format!("{what} of {one} and {other} {}", entry.seq().as_raw())
                }
                Conversation::Room(_) | Conversation::Inbox(_) => {
                    format!("{what} {}", entry.seq().as_raw())
                }
            }
        }
        Event::Notified { entry, unread } => {
            format!("notification {}, {unread} unread", entry.seq().as_raw())
        }
        Event::Membership { room, state: Some(state), .. } => {
            format!("{:?} of {room}", state.role)
        }
        Event::Membership { room, state: None, .. } => format!("out of {room}"),
        Event::Read { who: NamedUser { user, name: _ }, seq, unread, .. } => {
            let unread = unread.map_or_else(String::new, |it| format!(", {it} unread"));
            format!("{user} read {}{unread}", seq.as_raw())
        }
        Event::Typing { who, typing: Typing::Yes, .. } => format!("{} types", who.user),
        Event::Typing { who, typing: Typing::No, .. } => format!("{} stopped", who.user),
        Event::Joined { who, .. } => format!("{} joined", who.user),
        Event::Left { who, .. } => format!("{} left", who.user),
        Event::Users(users) => format!("{} users", users.len()),
        Event::Presence { count, .. } => format!("{count} here"),
        Event::Welcome(welcome) => format!("welcome {}", welcome.user),
        Event::Clock { at } => format!("clock {}", at.unix_timestamp()),
        Event::AuthExpiring { .. } => "auth expiring".to_owned(),
        Event::Custom(event) => format!("{} {}", event.name.as_raw(), event.args.json()),
        Event::Ask { event, ask } => format!("ask {} {}", ask.as_raw(), event.name.as_raw()),
        Event::Missed(MissedEntries { run: MissedRun::TooFar { head }, .. }) => {
            format!("too far from {}", head.as_raw())
        }
        Event::Missed(MissedEntries {
            run: MissedRun::Recovered { entries, more, .. }, ..
        }) => {
            let seqs: Vec<_> = entries.iter().map(seq).collect();
            format!("missed {seqs:?}{}", if *more { " …" } else { "" })
        }
    }
}
