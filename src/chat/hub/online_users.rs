//! Who is online in which space, with what, and who may be called what.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use time::OffsetDateTime;

use super::{
    members::{CachedMembership, DirectsCoverage, LogSource},
    name_claim::NameClaim,
    sign_ins::SignIns,
    user_connection::UserConnection,
};
use crate::{
    chat::{
        ports::{DEVICES_PER_USER_MAX, GuestName, Outbox},
        publisher::{Publisher, Subscription},
    },
    domain::{
        Channel, CloseReason, ConnectionId, Conversation, DeviceId, DeviceSet, Log, NameKey, Place,
        Position, Rejection, SignInId, Space, UserName,
    },
};

/// The users of this node by space and name.
#[derive(Default)]
pub(super) struct OnlineUsers {
    users: HashMap<(Space, UserName), OnlineUser>,
    /// The same names by what a reader takes them for.
    names: HashMap<(Space, NameKey), Vec<UserName>>,
    pub(super) sign_ins: SignIns,
    /// How many there have been.
    last_id: u64,
}

/// A user who is here, or in the grace after they were.
pub(super) struct OnlineUser {
    /// Tells a user from one of the same name who came before or after.
    pub(super) id: u64,
    /// The mark of a guest's stay; `None` for a user whom the back end vouches for.
    guest_session: Option<Box<str>>,
    /// How many [`NameClaim`]s there are. 0 in the grace.
    pub(super) claims: usize,
    /// When the grace ends that began when the last claim was given back.
    pub(super) free_at: Duration,
    pub(super) connections: HashMap<ConnectionId, UserConnection>,
    /// The devices of connections that are about to come in.
    pub(super) pending_connections: HashMap<ConnectionId, Option<DeviceId>>,
    /// Where they are a member, once that is known: as the store has it.
    pub(super) memberships: Option<HashMap<Conversation, CachedMembership>>,
    /// Which of their direct conversations are among these.
    pub(super) directs: DirectsCoverage,
    /// The revision in the store of which all this is, if it was ever asked for.
    pub(super) revision: Option<u64>,
    /// When devices came or went of late: the store hears of it a little later.
    devices: BTreeMap<DeviceId, OffsetDateTime>,
    /// Where the other nodes speak of them.
    _subscription: Subscription,
}

/// With what somebody claims a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// Nothing: a new guest, whose stay is to have this mark.
    NewGuest(Box<str>),
    /// The token of a guest's stay.
    Guest(Box<str>),
    /// A token of the back end.
    User,
}

/// A connection on which a user is here.
#[derive(Clone)]
pub(crate) struct ConnectionInfo {
    pub(crate) connection: ConnectionId,
    pub(crate) outbox: Arc<dyn Outbox>,
    pub(crate) device: Option<DeviceId>,
    pub(crate) sign_in: Option<SignInId>,
    /// What was drawn for it, where a user may be on one device only.
    pub(crate) ticket: u64,
}

impl OnlineUsers {
    /// Takes a name. Answers the number of the user, and the guests who lose it.
    ///
    /// Guests go without a name that looks like anybody's. A user of the back end goes before guests.
    pub(super) fn claim(
        &mut self,
        space: &Space,
        user: &UserName,
        proof: Proof,
        publisher: &Arc<Publisher>,
    ) -> Result<(u64, Vec<(UserName, OnlineUser)>), Rejection> {
        if let Some(online_user) = self.get_mut(space, user)
            && online_user.accepts(&proof)
        {
            online_user.claims += 1;
            return Ok((online_user.id, Vec::new()));
        }
        let similar_names = self.similar_names(space, user);
        let guest_session = match proof {
            Proof::NewGuest(_) | Proof::Guest(_) if !similar_names.is_empty() => {
                return Err(Rejection::NameTaken);
            }
            Proof::NewGuest(guest_session) | Proof::Guest(guest_session) => Some(guest_session),
            Proof::User => None,
        };
        let evicted =
            similar_names.into_iter().filter_map(|name| self.evict(space, name)).collect();
        self.last_id += 1;
        let subscription = publisher.subscribe(Channel::of_user(space, &user.key()));
        let online_user = OnlineUser::new(self.last_id, guest_session, subscription);
        self.users.insert((space.clone(), user.clone()), online_user);
        self.names.entry((space.clone(), user.key())).or_default().push(user.clone());
        Ok((self.last_id, evicted))
    }

    /// Who is here by a name that looks like this one.
    fn similar_names(&self, space: &Space, user: &UserName) -> Vec<UserName> {
        let names = self.names.get(&(space.clone(), user.key()));
        names.into_iter().flatten().cloned().collect()
    }

    /// Takes a name that is a user's from now on, on whatever node, from the guests who look alike.
    pub(super) fn evict_guests(
        &mut self,
        space: &Space,
        user: &UserName,
    ) -> Vec<(UserName, OnlineUser)> {
        let similar_names = self.similar_names(space, user);
        similar_names.into_iter().filter_map(|name| self.evict(space, name)).collect()
    }

    /// Takes the name from a guest. A user keeps theirs.
    fn evict(&mut self, space: &Space, user: UserName) -> Option<(UserName, OnlineUser)> {
        self.get_mut(space, &user)?.guest_session.as_ref()?;
        let online_user = self.remove(space, &user)?;
        Some((user, online_user))
    }

    pub(super) fn remove(&mut self, space: &Space, user: &UserName) -> Option<OnlineUser> {
        let key = (space.clone(), user.key());
        if let Some(names) = self.names.get_mut(&key) {
            names.retain(|name| name != user);
            if names.is_empty() {
                self.names.remove(&key);
            }
        }
        self.users.remove(&(space.clone(), user.clone()))
    }

    pub(super) fn get(&self, space: &Space, user: &UserName) -> Option<&OnlineUser> {
        self.users.get(&(space.clone(), user.clone()))
    }

    pub(super) fn get_mut(&mut self, space: &Space, user: &UserName) -> Option<&mut OnlineUser> {
        self.users.get_mut(&(space.clone(), user.clone()))
    }

    /// The revisions of which it is known where users are members, of those who are meant and have come
    /// in.
    pub(super) fn revisions(
        &self,
        meant: impl Fn(&Space, &UserName) -> bool,
    ) -> Vec<((Space, UserName), Option<u64>)> {
        let users = self
            .users
            .iter()
            .filter(|((space, user), it)| it.memberships.is_some() && meant(space, user));
        users.map(|(user, it)| (user.clone(), it.revision)).collect()
    }

    /// Who holds a name claim, unless they lost the name.
    pub(super) fn of(&self, name_claim: &NameClaim) -> Option<&OnlineUser> {
        let online_user = self.get(name_claim.space(), name_claim.user());
        online_user.filter(|it| it.id == name_claim.online_user_id())
    }

    pub(super) fn of_mut(&mut self, name_claim: &NameClaim) -> Option<&mut OnlineUser> {
        let online_user = self.get_mut(name_claim.space(), name_claim.user());
        online_user.filter(|it| it.id == name_claim.online_user_id())
    }

    /// The connections of a user.
    pub(super) fn outboxes(
        &self,
        space: &Space,
        user: &UserName,
    ) -> Vec<(ConnectionId, Arc<dyn Outbox>)> {
        let connections = self.get(space, user).into_iter().flat_map(|it| &it.connections);
        connections
            .map(|(id, user_connection)| (*id, Arc::clone(&user_connection.outbox)))
            .collect()
    }

    /// Forgets what is not kept any more of what users have here beside rooms.
    pub(super) fn trim(&mut self, place: &Place, floor: Position) {
        self.for_each_log(place, |log| log.floor = log.floor.max(floor));
    }

    /// Goes on after `to` in what users have here beside rooms.
    pub(super) fn skip(&mut self, place: &Place, to: Position) {
        self.for_each_log(place, |log| log.head = log.head.max(to));
    }

    /// Does something with how a conversation that is no room stands for each of its users here.
    fn for_each_log(&mut self, place: &Place, act: impl Fn(&mut Log)) {
        let users = match &place.conversation {
            Conversation::Room(_) => Vec::new(),
            Conversation::Direct(one, other) => vec![one, other],
            Conversation::Inbox(user) => vec![user],
        };
        for user in users {
            let online_user = self.get_mut(&place.space, user);
            let cached =
                online_user.and_then(|it| it.memberships.as_mut()?.get_mut(&place.conversation));
            if let Some(CachedMembership { log_source: LogSource::Local(log), .. }) = cached {
                act(log);
            }
        }
    }

    /// Whether a user may be here on one more connection; or why not, when the name was taken from a
    /// guest since they claimed it, or the sign-in was ended.
    pub(super) fn check_attach(
        &self,
        name_claim: &NameClaim,
        connection_info: &ConnectionInfo,
    ) -> Result<(), CloseReason> {
        if connection_info.sign_in.as_ref().is_some_and(|it| self.sign_ins.has_ended(it)) {
            return Err(CloseReason::SignedOut);
        }
        self.of(name_claim).map(drop).ok_or(CloseReason::NameTaken)
    }

    /// Frees a name whose grace is over at `now`, if nobody came back. Answers who had it.
    pub(super) fn expire(
        &mut self,
        space: &Space,
        user: &UserName,
        now: Duration,
    ) -> Option<OnlineUser> {
        let online_user = self.get(space, user)?;
        let over = online_user.claims == 0 && online_user.free_at <= now;
        if over { self.remove(space, user) } else { None }
    }
}

impl OnlineUser {
    fn new(id: u64, guest_session: Option<Box<str>>, subscription: Subscription) -> Self {
        Self {
            id,
            guest_session,
            claims: 1,
            free_at: Duration::ZERO,
            connections: HashMap::new(),
            pending_connections: HashMap::new(),
            memberships: None,
            directs: DirectsCoverage::Recent,
            revision: None,
            devices: BTreeMap::new(),
            _subscription: subscription,
        }
    }

    /// Whether who holds `proof` is this user.
    fn accepts(&self, proof: &Proof) -> bool {
        match (&self.guest_session, proof) {
            (Some(guest_session), Proof::Guest(other)) => guest_session == other,
            (None, Proof::User) => true,
            (_, Proof::NewGuest(_)) | (Some(_), Proof::User) | (None, Proof::Guest(_)) => false,
        }
    }

    /// Whether they are the guest whose stay has this mark.
    pub(super) fn is_guest(&self, guest_session: &str) -> bool {
        self.guest_session.as_deref() == Some(guest_session)
    }

    /// Notes when they came or went with a device.
    pub(super) fn record_device_seen(&mut self, device: &DeviceId, at: OffsetDateTime) {
        self.devices.insert(device.clone(), at);
        if self.devices.len() > DEVICES_PER_USER_MAX {
            let first = self.devices.iter().min_by_key(|(_, at)| **at);
            let first = first.map(|(device, _)| device.clone());
            first.map(|device| self.devices.remove(&device));
        }
    }

    /// What is to be written down when they will not come back: nothing of a user, who always may.
    pub(super) fn guest_name(&self, space: &Space, user: &UserName) -> Option<GuestName> {
        let guest_session = self.guest_session.clone()?;
        Some(GuestName { space: space.clone(), user: user.clone(), guest_session })
    }

    /// The connections of other devices than `device`.
    pub(super) fn other_devices(&self, device: Option<&DeviceId>) -> Vec<Arc<dyn Outbox>> {
        let is_other = |it: &&UserConnection| it.device.is_none() || it.device.as_ref() != device;
        self.connections
            .values()
            .filter(is_other)
            .map(|user_connection| Arc::clone(&user_connection.outbox))
            .collect()
    }

    /// The devices that are connected, or about to be.
    pub(super) fn devices(&self) -> DeviceSet {
        let connections =
            self.connections.values().map(|user_connection| user_connection.device.as_ref());
        connections.chain(self.pending_connections.values().map(Option::as_ref)).collect()
    }

    /// How many messages of a conversation they have not read, if they are a member.
    pub(super) fn unread(&self, place: &Place) -> Option<u64> {
        let cached = self.memberships.as_ref()?.get(&place.conversation)?;
        Some(cached.log().unread(cached.member.read))
    }

    /// When they were last seen with a device, as far as they were of late.
    pub(super) fn device_seen(&self, device: &DeviceId) -> Option<OffsetDateTime> {
        self.devices.get(device).copied()
    }
}
