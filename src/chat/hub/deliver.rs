//! How stored entries reach the connections of this node: in the order of their places, without a hole.

use std::sync::Arc;

use super::{
    Hub, State, TooSlow, close,
    members::{Kept, Logged},
    residents::Resident,
    topic::{Sent, next_in_line},
};
use crate::{
    chat::{
        event::{Delivery, Event},
        journal::Post,
    },
    domain::{Conversation, Entry, Log, Member, Place, Position, Role, Seq, Space, UserName},
};

/// How far a conversation was delivered on this node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lag {
    /// The last entry that everybody here has whom it concerns; nothing if it concerns nobody.
    pub(crate) delivered: Option<Seq>,
    /// Users here of whom it is not known how much of it they have.
    pub(crate) unsure: Vec<(Space, UserName)>,
}

impl Hub {
    /// Sends a run of stored entries of one place, in order, to whom they concern here, as far as
    /// they go on from what was sent before.
    pub(crate) fn deliver(&self, place: &Place, run: &[Post]) -> Sent {
        let sent = match &place.conversation {
            Conversation::Room(_) => self.deliver_to_room(place, run),
            Conversation::Direct(one, other) => {
                let lines = [
                    self.deliver_to_user(place, one, run),
                    if one == other { Sent::All } else { self.deliver_to_user(place, other, run) },
                ];
                if lines.contains(&Sent::Part) { Sent::Part } else { Sent::All }
            }
            Conversation::Inbox(user) => self.deliver_to_user(place, user, run),
        };
        for entry in entries(run).filter(|entry| entry.is_message()) {
            self.typing.said(place, &entry.author);
        }
        sent
    }

    fn deliver_to_room(&self, place: &Place, run: &[Post]) -> Sent {
        let mut state = self.lock();
        for entry in entries(run).filter(|entry| entry.is_message()) {
            state.note(place, &entry.author, entry.position, Some(&entry.author));
        }
        let topic = state.topics.get(place).cloned();
        drop(state);
        let Some(topic) = topic else { return Sent::All };
        let (sent, too_slow) = topic.deliver(run, &self.limits);
        close(too_slow);
        sent
    }

    /// Sends a user what concerns nobody else here.
    fn deliver_to_user(&self, place: &Place, user: &UserName, run: &[Post]) -> Sent {
        let mut state = self.lock();
        let Some(resident) = state.residents.get(&place.space, user) else { return Sent::All };
        let first = entries(run).next().map_or(Seq::ZERO, Entry::seq);
        let Some(head) = self.delivered(resident, place, first) else {
            return Sent::Part;
        };
        let (run, sent) = next_in_line(run, head);
        let deliveries: Vec<_> = run.iter().map(|post| state.take(place, user, post)).collect();
        let outboxes = state.residents.outboxes(&place.space, user);
        drop(state);
        let mut too_slow = TooSlow::new();
        for (connection, outbox) in outboxes {
            let wanted = run.iter().zip(&deliveries);
            let mut wanted = wanted.filter(|(post, _)| post.except != Some(connection));
            if wanted.try_for_each(|(_, delivery)| outbox.push(delivery)).is_err() {
                too_slow.push(outbox);
            }
        }
        close(too_slow);
        sent
    }

    /// How far a user was sent a conversation of their own, of which `first` is to be sent now; nothing
    /// where that is not known.
    fn delivered(&self, resident: &Resident, place: &Place, first: Seq) -> Option<Seq> {
        let before = first.previous().unwrap_or_default();
        // If it is not the first entry of all, the store has the word of what came before.
        let is_known = self.herald.is_alone() || (before == Seq::ZERO && resident.kept.is_some());
        resident.delivered(place).or(is_known.then_some(before))
    }

    /// How far a conversation was delivered here.
    pub(crate) fn lag(&self, place: &Place) -> Lag {
        let state = self.lock();
        let users = match &place.conversation {
            Conversation::Room(_) => {
                let delivered = state.topics.get(place).map(|topic| topic.log().head.seq);
                return Lag { delivered, unsure: Vec::new() };
            }
            Conversation::Direct(one, other) => vec![one, other],
            Conversation::Inbox(user) => vec![user],
        };
        let mut lag = Lag::default();
        for user in users {
            let resident = state.residents.get(&place.space, user);
            // Who is still to be told where they are is told of this, too.
            let Some(resident) = resident.filter(|it| it.kept.is_some()) else { continue };
            match resident.delivered(place) {
                Some(seq) => lag.delivered = Some(lag.delivered.map_or(seq, |it| it.min(seq))),
                None => lag.unsure.push((place.space.clone(), user.clone())),
            }
        }
        lag
    }

    /// Goes on after `to` in a conversation of which what lies before is not kept any more.
    pub(crate) fn skip(&self, place: &Place, to: Position) {
        let mut state = self.lock();
        if let Some(topic) = state.topics.get(place).cloned() {
            drop(state);
            return close(topic.skip(to));
        }
        state.residents.skip(place, to);
    }
}

impl State {
    /// Notes what a user is sent, and makes of it what they hear: what stands in an inbox goes out with
    /// what is unread.
    fn take(&mut self, place: &Place, user: &UserName, post: &Post) -> Arc<Delivery> {
        let Some(entry) = post.delivery.entry() else { return Arc::clone(&post.delivery) };
        // An edit moves the head, too, though nobody has to read it.
        let author = entry.is_message().then_some(&entry.author);
        let is_inbox = matches!(place.conversation, Conversation::Inbox(_));
        self.note(place, user, entry.position, author.filter(|_| !is_inbox));
        if !is_inbox {
            return Arc::clone(&post.delivery);
        }
        let unread = self.residents.get(&place.space, user).and_then(|it| it.unread(place));
        let (entry, unread) = (entry.clone(), unread.unwrap_or_default());
        Delivery::new(Event::Notified { entry, unread })
    }

    /// Notes what was said in a conversation: its author has read it, and it goes on.
    pub(super) fn note(
        &mut self,
        place: &Place,
        user: &UserName,
        position: Position,
        author: Option<&UserName>,
    ) {
        let Some(resident) = self.residents.get_mut(&place.space, user) else { return };
        let Some(kept) = &mut resident.kept else { return };
        let before = Position {
            seq: position.seq.previous().unwrap_or_default(),
            messages: position.messages.saturating_sub(1),
        };
        let kept = match place.conversation {
            // Who says something in a room is a member, or was until a moment ago.
            Conversation::Room(_) => kept.get_mut(&place.conversation),
            Conversation::Direct(..) | Conversation::Inbox(_) => {
                Some(kept.entry(place.conversation.clone()).or_insert_with(|| Kept {
                    member: Member::new(Role::Member, before),
                    logged: Logged::Here(Log::default()),
                }))
            }
        };
        let Some(kept) = kept else { return };
        if let Logged::Here(log) = &mut kept.logged {
            log.head = log.head.max(position);
        }
        if author == Some(user) {
            kept.member.read = kept.member.read.max(position);
        }
    }
}

impl Resident {
    /// How far they were sent a conversation of their own, if it is known here.
    fn delivered(&self, place: &Place) -> Option<Seq> {
        match &self.kept.as_ref()?.get(&place.conversation)?.logged {
            Logged::Here(log) => Some(log.head.seq),
            Logged::Topic(_) => None,
        }
    }
}

/// The entries of a run.
fn entries(run: &[Post]) -> impl Iterator<Item = &Entry> {
    run.iter().filter_map(|post| post.delivery.entry())
}
