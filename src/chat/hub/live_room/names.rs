//! How a room learns display names, and tells them.

use super::{LiveRoom, state::LiveRoomState};
use crate::{
    chat::ports::ClusterEvent,
    domain::{DisplayName, DisplayNames, Entry, Limits, UserName},
};

impl LiveRoomState {
    /// Sets the display name of a user who is or was in the room. Returns whether it was another one.
    pub(super) fn set_name(&mut self, user: &UserName, name: Option<&DisplayName>) -> bool {
        let is_new = self.names.set(user, name);
        if is_new {
            self.ring.forget_replays_of(user);
        }
        if self.names.is_due() {
            let authors = self.ring.authors();
            let roster = &self.roster;
            let is_present = |it: &UserName| roster.contains(it) || authors.contains(it);
            self.names.retain(|it| it == user || is_present(it));
        }
        is_new
    }

    /// Takes over the display names of users on another node. Those of users who are here, too, are
    /// known: the other node may have missed a change.
    pub(super) fn learn_names(&mut self, users: &[UserName], names: &DisplayNames) {
        for user in users {
            if !self.roster.is_local(user) {
                self.set_name(user, names.get(user));
            }
        }
    }

    /// Takes over the display name that an entry has, unless its author is in the room: then the room
    /// knows it, and an entry may be older.
    pub(super) fn learn_author(&mut self, entry: &Entry) {
        if !self.roster.contains(&entry.author) {
            self.set_name(&entry.author, entry.author_name.as_ref());
        }
    }
}

impl LiveRoom {
    /// Sets the display name of a user, and publishes it if the user is here.
    pub(in crate::chat::hub) fn rename(&self, user: &UserName, name: Option<&DisplayName>) {
        let mut state = self.lock();
        if state.roster.is_local(user) && state.set_name(user, name) {
            let who = state.names.named(user);
            self.subscription.publish(ClusterEvent::Joined(self.place.clone(), who));
        }
    }

    /// The present users, their display names, and their number. The lists are empty if they would be
    /// too long.
    pub(crate) fn users(&self, limits: &Limits) -> (Vec<UserName>, DisplayNames, usize) {
        let state = self.lock();
        let count = state.roster.count();
        let listed = count <= limits.presence_list_max;
        let users = if listed { state.roster.users() } else { Vec::new() };
        let names = state.names.of(&users);
        (users, names, count)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        chat::{
            event::{Delivery, Event, MissedRun, Post},
            hub::{
                live_room::{
                    AttachedConnection, RemotePresence, ReplayCursor, ReplayMode, RoomKind,
                },
                presence_log::PresenceLog,
            },
            ports::{NoMetrics, Outbox},
            test_support::{RecordingOutbox, entry, publisher},
        },
        domain::{ConnectionId, Log, NodeId, Place, RoomName, Seq, Space},
    };

    fn user(name: &str) -> UserName {
        UserName::from_raw(name)
    }

    fn name(text: &str) -> DisplayName {
        DisplayName::from_raw(text)
    }

    fn lobby() -> Arc<LiveRoom> {
        let place = Place::room(&Space::root(), &RoomName::lobby());
        LiveRoom::new(
            (place, Log::default()),
            &publisher(),
            PresenceLog::new(None),
            Arc::new(NoMetrics),
        )
    }

    /// Attaches a connection of the user, with the entries that it has missed, all of them.
    fn enter(live_room: &LiveRoom, number: u64, user: &UserName, name: Option<&DisplayName>) {
        let attached = AttachedConnection {
            connection: ConnectionId::from_raw(number),
            user: user.clone(),
            outbox: RecordingOutbox::with_capacity(9) as Arc<dyn Outbox>,
            room_kind: RoomKind::Default,
        };
        let cursor = ReplayCursor { after: Seq::ZERO, mode: ReplayMode::Missed };
        drop(live_room.enter((attached, name), cursor, &Limits::default()));
    }

    fn listed(live_room: &LiveRoom) -> Vec<(String, String)> {
        let (_, names, _) = live_room.users(&Limits::default());
        names.iter().map(|(user, name)| (user.to_string(), name.to_string())).collect()
    }

    /// The display name of ann beside the message that a client has missed.
    fn missed(live_room: &LiveRoom) -> Option<DisplayName> {
        let mut state = live_room.lock();
        let LiveRoomState { ring, names, .. } = &mut *state;
        let (room, cursor) = (RoomName::lobby(), (Seq::ZERO, Seq::from_raw(1)));
        let client = ConnectionId::from_raw(99);
        let events = ring.missed((&room, names), client, cursor, &Limits::default()).unwrap();
        let Event::Missed(missed) = events[0].event() else { panic!("{events:?}") };
        let MissedRun::Recovered { entries, names, .. } = &missed.run else { panic!("{missed:?}") };
        assert_eq!(entries.len(), 1);
        names.get(&user("ann")).cloned()
    }

    fn message(author_name: Option<DisplayName>) -> Post {
        let entry = Entry { author_name, ..entry("lobby", 1) };
        Post { delivery: Delivery::new(Event::Entry(entry)), origin: None, except: None }
    }

    #[test]
    fn missed_messages_have_the_present_name_of_their_author() {
        let live_room = lobby();
        enter(&live_room, 1, &user("ann"), Some(&name("Ann")));
        drop(live_room.deliver(&[message(Some(name("Older")))], &Limits::default()));
        assert_eq!(missed(&live_room), Some(name("Ann")), "the room knows who is in it");
        live_room.rename(&user("ann"), Some(&name("Ann Lee")));
        assert_eq!(missed(&live_room), Some(name("Ann Lee")), "no replay is kept");
        live_room.rename(&user("ann"), None);
        assert_eq!(missed(&live_room), None);
        let (connection, limits) = (ConnectionId::from_raw(1), Limits::default());
        drop(live_room.leave(connection, &user("ann"), &limits));
        enter(&live_room, 2, &user("ann"), Some(&name("Ann again")));
        assert_eq!(missed(&live_room), Some(name("Ann again")));
    }

    #[test]
    fn the_name_of_an_absent_author_is_that_of_the_message() {
        let live_room = lobby();
        drop(live_room.deliver(&[message(Some(name("Ann")))], &Limits::default()));
        assert_eq!(missed(&live_room), Some(name("Ann")));
        assert_eq!(listed(&live_room), [], "ann is not here");
        live_room.rename(&user("ann"), None);
        assert_eq!(missed(&live_room), Some(name("Ann")), "only who is here is renamed");
    }

    #[test]
    fn other_nodes_say_who_has_which_name() {
        let live_room = lobby();
        let (limits, node) = (Limits::default(), NodeId::from_raw("other"));
        let apply = |presence: RemotePresence<'_>| {
            drop(live_room.apply_remote_presence(&node, presence, &limits));
        };
        let ann = |name| crate::domain::NamedUser { user: user("ann"), name };
        apply(RemotePresence::Joined(&ann(Some(name("Ann")))));
        assert_eq!(listed(&live_room), [("ann".to_owned(), "Ann".to_owned())]);
        apply(RemotePresence::Joined(&ann(None)));
        assert_eq!(listed(&live_room), []);
        let names = [(user("bob"), name("Bob"))].into();
        apply(RemotePresence::Snapshot(&[user("ann"), user("bob")], &names));
        assert_eq!(listed(&live_room), [("bob".to_owned(), "Bob".to_owned())]);
        enter(&live_room, 1, &user("ann"), Some(&name("Here")));
        apply(RemotePresence::Snapshot(&[user("ann"), user("bob")], &DisplayNames::new()));
        assert_eq!(listed(&live_room), [("ann".to_owned(), "Here".to_owned())]);
    }
}
