//! The reference engine: stores in memory, for tests and experiments.
//!
//! It deliberately shares no logic with the other engines: where two engines differ, one of them is
//! wrong, and this one is simple enough to be verified by reading.

mod denials;
mod log;
mod nodes;
mod outbox;
mod users;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::{BuildHasher as _, Hasher as _, RandomState},
    sync::Arc,
};

use async_trait::async_trait;
use parking_lot::{Mutex, MutexGuard};
use time::OffsetDateTime;

pub use self::nodes::MemoryNodes;
use self::{log::MemoryConversation, outbox::MemoryOutbox, users::UserRecord};
use crate::{
    chat::ports::{
        Batch, Change, ChangeResult, Committed, DIRECTS_LISTED_MAX, DenialSnapshot, Draft, Erased,
        Fault, JoinRefusal, MemberChange, MemberRow, Membership, OnlineGuest, Outcome, Page,
        PageLimit, PageRange, PostedMessage, Recording, RoomRow, Store, TrimLimits, Trimmed,
        UserDeparted,
    },
    domain::{
        Conversation as DomainConversation, DeviceId, DisplayNames, Epoch, Log, Member, NameKey,
        Place, Role, RoomName, RoomTopic, Seq, Space, UserName,
    },
};

/// Stores until the last handle is dropped. Clones are handles to the same store.
#[derive(Clone, Debug)]
pub struct MemoryStore {
    epoch: Epoch,
    state: Arc<Mutex<MemoryState>>,
    /// The nodes that share it, if there are several.
    nodes: Option<MemoryNodes>,
}

impl Default for MemoryStore {
    /// The randomness is that of the standard library's hash maps: enough to tell two processes
    /// apart.
    fn default() -> Self {
        let epoch = RandomState::new().build_hasher().finish();
        Self {
            epoch: Epoch::from_raw(&format!("{epoch:016x}")),
            state: Arc::default(),
            nodes: None,
        }
    }
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// A handle to the same store, shared by these nodes.
    #[must_use]
    pub fn shared_by(&self, nodes: &MemoryNodes) -> Self {
        Self { nodes: Some(nodes.clone()), ..self.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, MemoryState> {
        self.state.lock()
    }
}

#[async_trait]
impl Store for MemoryStore {
    fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    async fn commit(&self, batch: Arc<Batch>) -> Result<Committed, Fault> {
        let mut batch = Arc::unwrap_or_clone(batch);
        if let Some(nodes) = &self.nodes {
            batch.expired.retain(|expired| !nodes.is_on_other_node(expired));
        }
        Ok(self.lock().commit(&batch))
    }

    /// There is nothing that could fail.
    async fn probe(&self) -> Result<(), Fault> {
        Ok(())
    }

    async fn log(&self, place: &Place) -> Result<Log, Fault> {
        Ok(self.lock().places.get(place).map(MemoryConversation::log).unwrap_or_default())
    }

    async fn logs(&self, places: &[Place]) -> Result<Vec<Log>, Fault> {
        let state = self.lock();
        let log = |place| state.places.get(place).map(MemoryConversation::log).unwrap_or_default();
        Ok(places.iter().map(log).collect())
    }

    async fn revisions(&self, users: &[(Space, UserName)]) -> Result<Vec<u64>, Fault> {
        let state = self.lock();
        let revision = |(space, user): &(Space, UserName)| {
            state.user(space, user).map_or(0, |user| user.revision)
        };
        Ok(users.iter().map(revision).collect())
    }

    async fn page(&self, place: &Place, range: PageRange, limit: PageLimit) -> Result<Page, Fault> {
        Ok(self.lock().places.get(place).map(|it| it.page(range, limit)).unwrap_or_default())
    }

    async fn message(&self, place: &Place, seq: Seq) -> Result<Option<PostedMessage>, Fault> {
        Ok(self.lock().places.get(place).and_then(|it| it.message(seq)))
    }

    async fn member(&self, place: &Place, user: &UserName) -> Result<Option<Member>, Fault> {
        Ok(self.lock().places.get(place).and_then(|it| it.members.get(user)).copied())
    }

    async fn members(
        &self,
        place: &Place,
        after: Option<&UserName>,
        count_max: usize,
    ) -> Result<Vec<MemberRow>, Fault> {
        let state = self.lock();
        let name = |user: &UserName| state.user(&place.space, user)?.display_name.clone();
        let conversation = state.places.get(place).into_iter();
        Ok(conversation.flat_map(|it| it.member_rows(after, name)).take(count_max).collect())
    }

    async fn rooms(
        &self,
        space: &Space,
        after: Option<&RoomName>,
        count_max: usize,
    ) -> Result<Vec<RoomRow>, Fault> {
        let state = self.lock();
        let rooms = state.places.iter().filter(|(place, _)| place.space == *space);
        let rooms = rooms.filter_map(|(place, it)| Some((place.conversation.room()?, it)));
        let rooms = rooms.filter(|(_, it)| !it.log().is_unused());
        let rooms = rooms.filter(|(room, _)| after.is_none_or(|it| *room > it));
        let rooms: BTreeMap<_, _> = rooms.collect();
        Ok(rooms.into_iter().map(|(room, it)| it.row(room)).take(count_max).collect())
    }

    async fn topic(&self, place: &Place) -> Result<Option<RoomTopic>, Fault> {
        Ok(self.lock().places.get(place).and_then(|it| it.topic.clone()))
    }

    async fn user_exists(&self, space: &Space, user: &UserName) -> Result<bool, Fault> {
        Ok(self.lock().users.contains_key(&(space.clone(), user.clone())))
    }

    async fn is_registered(&self, space: &Space, key: &NameKey) -> Result<bool, Fault> {
        let state = self.lock();
        let mut registered = state.users.iter().filter(|(_, user)| user.registered);
        Ok(registered.any(|((world, name), _)| world == space && name.key() == *key))
    }

    async fn last_seen(
        &self,
        space: &Space,
        users: &[UserName],
    ) -> Result<Vec<Option<OffsetDateTime>>, Fault> {
        let state = self.lock();
        let last_seen = |name: &UserName| Some(state.user(space, name)?.seen);
        Ok(users.iter().map(last_seen).collect())
    }

    async fn display_names(
        &self,
        space: &Space,
        users: &[UserName],
    ) -> Result<DisplayNames, Fault> {
        let state = self.lock();
        let name =
            |user: &UserName| Some((user.clone(), state.user(space, user)?.display_name.clone()?));
        Ok(users.iter().filter_map(name).collect())
    }

    async fn device_seen(
        &self,
        space: &Space,
        user: &UserName,
        device: &DeviceId,
    ) -> Result<Option<OffsetDateTime>, Fault> {
        let state = self.lock();
        Ok(state.user(space, user).and_then(|user| user.devices.get(device)).copied())
    }

    /// Nothing outlives the process.
    async fn online_guests(&self) -> Result<Vec<OnlineGuest>, Fault> {
        Ok(Vec::new())
    }

    async fn trim(
        &self,
        retention: &TrimLimits,
        recording: Option<&Recording>,
    ) -> Result<Trimmed, Fault> {
        Ok(self.lock().trim(retention, recording))
    }

    /// Removes everything at once: in memory that is fast.
    async fn erase(&self, place: &Place, up_to: Seq) -> Result<Erased, Fault> {
        let mut state = self.lock();
        let retained = state.places.get_mut(place).and_then(|it| it.erase(up_to));
        Ok(Erased { retained, more: false })
    }

    async fn close(&self) {}
}

#[derive(Debug, Default)]
struct MemoryState {
    places: HashMap<Place, MemoryConversation>,
    /// The known users.
    users: HashMap<(Space, UserName), UserRecord>,
    denials: DenialSnapshot,
    outbox: MemoryOutbox,
}

impl MemoryState {
    fn commit(&mut self, batch: &Batch) -> Committed {
        let Batch { seen, departed, expired, changes, drafts, membership_queries, .. } = batch;
        for seen in seen {
            let user = (seen.space.clone(), seen.user.clone());
            if self.users.entry(user).or_default().upsert_seen(seen) {
                self.end_memberships(batch.recording.as_ref(), &seen.space, &seen.user);
            }
        }
        for UserDeparted { space, user, device, at } in departed {
            if let Some(user) = self.users.get_mut(&(space.clone(), user.clone())) {
                user.update_last_seen(device.as_ref(), *at);
            }
        }
        for expired in expired {
            if self
                .user(&expired.space, &expired.user)
                .is_some_and(|user| user.has_guest_session(&expired.guest_session))
            {
                self.end_memberships(batch.recording.as_ref(), &expired.space, &expired.user);
            }
        }
        let changed: Vec<_> = changes.iter().map(|it| self.change(it, batch.changed_at)).collect();
        for change in changes {
            self.places.entry(change.place.clone()).or_default().forget_topic_if_unused();
        }
        // A member that a draft creates is not a member for the next draft.
        let roles: Vec<_> = drafts.iter().map(|draft| self.role(draft)).collect();
        let outcomes = drafts.iter().zip(roles).map(|(it, role)| self.apply_draft(it, role));
        let outcomes: Vec<_> = outcomes.collect();
        self.outbox.record(batch.events(&changed, &outcomes));
        Committed {
            changed,
            outcomes,
            memberships: membership_queries
                .iter()
                .map(|(space, user)| self.memberships_of(space, user))
                .collect(),
        }
    }

    fn user(&self, space: &Space, user: &UserName) -> Option<&UserRecord> {
        self.users.get(&(space.clone(), user.clone()))
    }

    /// Increments the revision of a user.
    fn bump_revision(&mut self, space: &Space, user: &UserName) {
        if let Some(user) = self.users.get_mut(&(space.clone(), user.clone())) {
            user.revision += 1;
        }
    }

    /// Ends all memberships of a user, and records that.
    fn end_memberships(&mut self, recording: Option<&Recording>, space: &Space, user: &UserName) {
        let rooms = self.memberships_of(space, user).into_iter();
        let rooms: BTreeSet<_> =
            rooms.filter_map(|it| it.place.conversation.room().cloned()).collect();
        if let Some(recording) = recording {
            let ended = rooms.into_iter().map(|room| (space, user, room));
            self.outbox.record(recording.end_events(ended));
        }
        self.bump_revision(space, user);
        for (place, conversation) in &mut self.places {
            if place.space == *space {
                conversation.remove_member(user);
                conversation.forget_topic_if_unused();
            }
        }
    }

    fn change(&mut self, change: &Change, at: Option<OffsetDateTime>) -> ChangeResult {
        let Change { place, user, what, rooms_max } = change;
        let rooms = self.memberships_of(&place.space, user).into_iter();
        let rooms = rooms.filter(|it| it.place.conversation.room().is_some()).count() as u64;
        let conversation = self.places.entry(place.clone()).or_default();
        let before = conversation.members.get(user).copied();
        let is_at_room_limit = before.is_none()
            && place.conversation.room().is_some()
            && rooms_max.is_some_and(|max| rooms >= max);
        if !is_at_room_limit || !matches!(what, MemberChange::Join(_) | MemberChange::Assign(_)) {
            conversation.change(user, *what, at);
        }
        let after = conversation.members.get(user).copied();
        let (log, topic) = (conversation.log(), after.and(conversation.topic.clone()));
        let deleted = after.map_or(0, |it| conversation.deleted_after(it.read.seq));
        if before != after {
            self.bump_revision(&place.space, user);
        }
        let refused = match what {
            MemberChange::Join(_) | MemberChange::Assign(_) if after.is_none() => {
                Some(if is_at_room_limit { JoinRefusal::TooManyRooms } else { JoinRefusal::NotNew })
            }
            _ => None,
        };
        ChangeResult { before, after, log, topic, deleted, refused }
    }

    /// The role of a draft's author in its conversation.
    fn role(&self, draft: &Draft) -> Option<Role> {
        Some(self.places.get(&draft.place)?.members.get(&draft.author)?.role)
    }

    fn apply_draft(&mut self, draft: &Draft, role: Option<Role>) -> Outcome {
        // `None` is less than `Some` of any role, and equal to no need.
        if role < draft.needs {
            return Outcome::NotPermitted(role);
        }
        let Place { space, conversation } = &draft.place;
        let outcome = self.places.entry(draft.place.clone()).or_default().apply_draft(draft);
        if matches!(outcome, Outcome::Stored(_)) {
            match conversation {
                DomainConversation::Room(_) => (),
                DomainConversation::Direct(one, other) => {
                    self.bump_revision(space, one);
                    self.bump_revision(space, other);
                }
                DomainConversation::Inbox(user) => self.bump_revision(space, user),
            }
        }
        outcome
    }

    /// The memberships of a user.
    fn memberships_of(&self, space: &Space, user: &UserName) -> Vec<Membership> {
        let mut rooms = Vec::new();
        let mut directs = Vec::new();
        for (place, conversation) in &self.places {
            let Some(member) = conversation.members.get(user).copied() else { continue };
            if place.space != *space {
                continue;
            }
            let membership = conversation.membership(place.clone(), member);
            let is_used = membership.log.head.seq > Seq::ZERO;
            match place.conversation {
                DomainConversation::Direct(..) if is_used => {
                    directs.push((conversation.said_at, membership));
                }
                DomainConversation::Inbox(_) if is_used => rooms.push(membership),
                DomainConversation::Room(_) => rooms.push(membership),
                DomainConversation::Direct(..) | DomainConversation::Inbox(_) => (),
            }
        }
        // Newest first; at the same time, by name.
        directs.sort_by(|(one_at, one), (other_at, other)| {
            other_at.cmp(one_at).then_with(|| one.place.cmp(&other.place))
        });
        let directs = directs.into_iter().take(DIRECTS_LISTED_MAX);
        rooms.into_iter().chain(directs.map(|(_, membership)| membership)).collect()
    }

    /// Trims everything at once: in memory that is fast.
    fn trim(&mut self, retention: &TrimLimits, recording: Option<&Recording>) -> Trimmed {
        let mut logs = Vec::new();
        for (place, conversation) in &mut self.places {
            logs.extend(conversation.trim(retention).map(|log| (place.clone(), log)));
        }
        let is_expired = |user: &UserRecord| user.is_guest() && user.seen <= retention.guests_after;
        let expired = self.users.iter().filter(|(_, user)| is_expired(user));
        let expired: Vec<_> = expired.map(|(key, _)| key.clone()).collect();
        for (space, user) in &expired {
            self.end_memberships(recording, space, user);
        }
        // Names that were registered once stay reserved.
        self.users.retain(|_, user| user.registered || !is_expired(user));
        self.places.retain(|_, conversation| !conversation.is_empty());
        Trimmed { logs, more: false }
    }
}

#[cfg(test)]
mod tests;
