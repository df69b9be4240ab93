//! Which user holds which name: claims, names that look the same, grace periods.

use std::{collections::hash_map::Entry, sync::Arc, time::Duration};

use super::{
    ConnectionInfo, OnlineUserId, OnlineUsers, Proof, state::UsersState, user::OnlineUser,
};
use crate::{
    chat::{
        hub::{slow_readers::close_outboxes, timers::GracePeriod},
        ports::{GuestName, OnlineGuest, Outbox},
        publisher::Subscription,
    },
    domain::{Channel, CloseReason, ConnectionId, NameKey, Rejection, Space, UserName},
};

/// Users who were removed, by name.
type RemovedUsers = Vec<(UserName, OnlineUser)>;

/// When a name is free after its last claim was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::chat::hub) enum Release {
    AtOnce,
    AfterGracePeriod,
}

impl OnlineUsers {
    /// Claims a name. Guests with a name that looks the same lose theirs to a user of the back end.
    pub(in crate::chat::hub) fn claim(
        &self,
        space: &Space,
        user: &UserName,
        proof: Proof,
    ) -> Result<OnlineUserId, Rejection> {
        let mut state = self.lock();
        let subscribe = |key: &NameKey| self.publisher.subscribe(Channel::of_user(space, key));
        let (number, evicted) = state.claim(space, user, proof, subscribe)?;
        let outboxes = self.release_all(&mut state, space, evicted);
        drop(state);
        close_outboxes(outboxes, CloseReason::NameTaken);
        Ok(OnlineUserId { space: space.clone(), user: user.clone(), number })
    }

    /// Reserves the names of guests that were online when the last process ended, for a grace period
    /// that begins now.
    pub(crate) fn reserve_names(&self, guests: Vec<OnlineGuest>) {
        let until = self.grace_end();
        for OnlineGuest { name: GuestName { space, user, guest_session }, devices } in guests {
            let key = user.key();
            let subscription = self.publisher.subscribe(Channel::of_user(&space, &key));
            let mut state = self.lock();
            let number = state.next_number();
            let guest = OnlineUser::in_grace(number, guest_session, devices, until, subscription);
            state.insert((&space, &user, key), guest);
            drop(state);
            self.timers.schedule_expiry(GracePeriod::Name(space, user), until);
        }
    }

    /// Takes the name of a registered user from the guests with a name that looks the same.
    pub(in crate::chat::hub) fn revoke_guest_names(&self, space: &Space, user: &UserName) {
        let mut state = self.lock();
        let evicted = state.evict_guests(space, &user.key());
        let outboxes = self.release_all(&mut state, space, evicted);
        drop(state);
        close_outboxes(outboxes, CloseReason::NameTaken);
    }

    /// Takes a name from a guest: the lease of this node had expired, and the name was given away.
    pub(crate) fn revoke_guest_name(&self, space: &Space, user: &UserName, guest_session: &str) {
        let mut state = self.lock();
        let is_guest = state.get(space, user).is_some_and(|it| it.is_guest(guest_session));
        let revoked = if is_guest { state.remove(space, user) } else { None };
        let revoked = revoked.map(|online_user| (user.clone(), online_user));
        let outboxes = self.release_all(&mut state, space, revoked.into_iter().collect());
        drop(state);
        close_outboxes(outboxes, CloseReason::NameTaken);
    }

    /// Drops a claim. `attached` is its connection, `pending` one that was announced only.
    pub(in crate::chat::hub) fn release_claim(
        &self,
        id: &OnlineUserId,
        attached: Option<&ConnectionInfo>,
        pending: Option<ConnectionId>,
        release: Release,
    ) {
        let now = self.timers.now();
        // One grace period for the name and for all rooms.
        let until = match release {
            Release::AtOnce => now,
            Release::AfterGracePeriod => self.grace_end(),
        };
        let mut state = self.lock();
        let outbox = attached.and_then(|it| state.detach(&self.live_rooms, id, it, until));
        if let Some(connection) = pending {
            state.cancel_announcement(id, connection);
        }
        let is_last = state.of_mut(id).is_some_and(|online_user| {
            online_user.claims -= 1;
            online_user.free_at = online_user.free_at.max(until);
            online_user.claims == 0
        });
        if is_last && release == Release::AtOnce {
            self.expire_locked(&mut state, &id.space, &id.user, now);
        }
        drop(state);
        // Dropping the last reference to an outbox may take time.
        drop(outbox);
        if is_last && release == Release::AfterGracePeriod {
            let grace_period = GracePeriod::Name(id.space.clone(), id.user.clone());
            self.timers.schedule_expiry(grace_period, until);
        }
    }

    /// Frees a name whose grace period is over at `now`, if the user did not reconnect.
    pub(in crate::chat::hub) fn expire(&self, space: &Space, user: &UserName, now: Duration) {
        self.expire_locked(&mut self.lock(), space, user, now);
    }

    fn expire_locked(&self, state: &mut UsersState, space: &Space, user: &UserName, now: Duration) {
        let online_user = state.get(space, user);
        if online_user.is_some_and(|it| it.claims == 0 && it.free_at <= now) {
            let online_user = state.remove(space, user).map(|it| (user.clone(), it));
            self.release_all(state, space, online_user.into_iter().collect());
        }
    }

    /// Releases users who were removed. Returns the outboxes of their connections.
    fn release_all(
        &self,
        state: &mut UsersState,
        space: &Space,
        removed: RemovedUsers,
    ) -> Vec<Arc<dyn Outbox>> {
        let until = self.grace_end();
        let mut outboxes = Vec::new();
        for (user, online_user) in removed {
            outboxes.extend(online_user.outboxes());
            state.report_removed(space, &user, &online_user);
            self.presence_log.user_gone(space, &user);
            online_user.release(&self.live_rooms, &user, until);
        }
        outboxes
    }
}

impl UsersState {
    /// Claims a name. Returns the number of the online user, and the guests who lose their names.
    ///
    /// A guest is refused a name that looks like another. A user of the back end replaces guests.
    fn claim(
        &mut self,
        space: &Space,
        user: &UserName,
        proof: Proof,
        subscribe: impl FnOnce(&NameKey) -> Subscription,
    ) -> Result<(u64, RemovedUsers), Rejection> {
        if let Some(online_user) = self.get_mut(space, user)
            && online_user.accepts(&proof)
        {
            online_user.claims += 1;
            return Ok((online_user.number, RemovedUsers::new()));
        }
        let key = user.key();
        let guest_session = match proof {
            Proof::NewGuest(_) | Proof::Guest(_) if !self.similar_names(space, &key).is_empty() => {
                return Err(Rejection::NameTaken);
            }
            Proof::NewGuest(guest_session) | Proof::Guest(guest_session) => Some(guest_session),
            Proof::User => None,
        };
        let evicted = self.evict_guests(space, &key);
        let number = self.next_number();
        let online_user = OnlineUser::new(number, guest_session, subscribe(&key));
        self.insert((space, user, key), online_user);
        Ok((number, evicted))
    }

    /// The number of a new online user.
    fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// Adds an online user whose name is free.
    fn insert(
        &mut self,
        (space, user, key): (&Space, &UserName, NameKey),
        online_user: OnlineUser,
    ) {
        online_user.guest_devices().for_each(|device| self.guest_devices.add(space, device));
        self.users.insert((space.clone(), user.clone()), Box::new(online_user));
        let names = self.names.entry((space.clone(), key)).or_default();
        names.reserve_exact(1);
        names.push(user.clone());
    }

    /// The names of online users with this key.
    pub(super) fn similar_names(&self, space: &Space, key: &NameKey) -> &[UserName] {
        self.names.get(&(space.clone(), key.clone())).map_or(&[], Vec::as_slice)
    }

    /// The online users whose names have this key, in a space or in all.
    pub(super) fn users_like<'a>(
        &'a self,
        space: Option<&Space>,
        key: &'a NameKey,
    ) -> impl Iterator<Item = ((&'a Space, &'a UserName), &'a OnlineUser)> {
        // Bans from all spaces are rare, so there is no index of names without a space.
        let one = space.and_then(|it| self.names.get_key_value(&(it.clone(), key.clone())));
        let all = space.is_none().then(|| self.names.iter().filter(move |((_, it), _)| it == key));
        let found = one.into_iter().chain(all.into_iter().flatten());
        found.flat_map(move |((space, _), names)| {
            names.iter().filter_map(move |name| Some(((space, name), self.get(space, name)?)))
        })
    }

    /// Removes the guests whose names have this key. Users of the back end stay.
    fn evict_guests(&mut self, space: &Space, key: &NameKey) -> RemovedUsers {
        let mut evicted = RemovedUsers::new();
        for name in self.similar_names(space, key).to_vec() {
            let is_guest = self.get(space, &name).is_some_and(OnlineUser::is_any_guest);
            let removed = if is_guest { self.remove(space, &name) } else { None };
            evicted.extend(removed.map(|online_user| (name, online_user)));
        }
        evicted
    }

    fn remove(&mut self, space: &Space, user: &UserName) -> Option<OnlineUser> {
        if let Entry::Occupied(mut names) = self.names.entry((space.clone(), user.key())) {
            names.get_mut().retain(|name| name != user);
            if names.get().is_empty() {
                names.remove();
            }
        }
        let removed = *self.users.remove(&(space.clone(), user.clone()))?;
        removed.guest_devices().for_each(|device| self.guest_devices.remove(space, device));
        Some(removed)
    }
}
