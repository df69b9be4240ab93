//! Who is online in which space, with what, and who may be called what.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use time::OffsetDateTime;

use super::{Hub, end, sign_ins::SignIns};
use crate::{
    chat::ports::{DEVICES_PER_USER_MAX, Outbox, Seen},
    domain::{CloseReason, ConnectionId, DeviceId, NameKey, Rejection, SignInId, Space, UserName},
};

/// The users of this node by space and name.
#[derive(Default)]
pub(super) struct Residents {
    users: HashMap<(Space, UserName), Resident>,
    /// The same names by what a reader takes them for.
    names: HashMap<(Space, NameKey), Vec<UserName>>,
    pub(super) sign_ins: SignIns,
    /// How many there have been.
    count: u64,
}

/// A user who is here, or in the grace after they were.
struct Resident {
    /// Tells a resident from one of the same name who came before or after.
    number: u64,
    /// The mark of a guest's stay; `None` for a user whom the back end vouches for.
    stay: Option<Box<str>>,
    /// How many [`Residence`]s there are. 0 in the grace.
    claims: usize,
    /// When the grace ends that began when the last claim was given back.
    free_at: Duration,
    connections: HashMap<ConnectionId, (Arc<dyn Outbox>, Option<DeviceId>)>,
    /// When devices came or went of late: the store hears of it a little later.
    devices: BTreeMap<DeviceId, OffsetDateTime>,
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
pub(crate) struct Presence {
    pub(crate) connection: ConnectionId,
    pub(crate) outbox: Arc<dyn Outbox>,
    pub(crate) device: Option<DeviceId>,
    pub(crate) sign_in: Option<SignInId>,
}

impl Residents {
    /// Takes a name. Answers the number of the resident, and the connections of guests who lose it.
    ///
    /// Guests go without a name that looks like anybody's. A user of the back end goes before guests.
    fn claim(
        &mut self,
        space: &Space,
        user: &UserName,
        proof: Proof,
    ) -> Result<(u64, Vec<Arc<dyn Outbox>>), Rejection> {
        let key = (space.clone(), user.clone());
        if let Some(resident) = self.users.get_mut(&key)
            && resident.accepts(&proof)
        {
            resident.claims += 1;
            return Ok((resident.number, Vec::new()));
        }
        let alike = self.alike(space, user);
        let stay = match proof {
            Proof::NewGuest(_) | Proof::Guest(_) if !alike.is_empty() => {
                return Err(Rejection::NameTaken);
            }
            Proof::NewGuest(stay) | Proof::Guest(stay) => Some(stay),
            Proof::User => None,
        };
        let evicted = alike.iter().flat_map(|name| self.evict(space, name)).collect();
        self.count += 1;
        self.users.insert(key, Resident::new(self.count, stay));
        self.names.entry((space.clone(), user.key())).or_default().push(user.clone());
        Ok((self.count, evicted))
    }

    /// Who is here by a name that looks like this one.
    fn alike(&self, space: &Space, user: &UserName) -> Vec<UserName> {
        let names = self.names.get(&(space.clone(), user.key()));
        names.into_iter().flatten().cloned().collect()
    }

    /// Takes the name from a guest. A user keeps theirs.
    fn evict(&mut self, space: &Space, user: &UserName) -> Vec<Arc<dyn Outbox>> {
        let resident = self.users.get(&(space.clone(), user.clone()));
        if resident.is_none_or(|it| it.stay.is_none()) {
            return Vec::new();
        }
        let resident = self.remove(space, user);
        let connections = resident.into_iter().flat_map(|it| it.connections.into_values());
        connections.map(|(outbox, _)| outbox).collect()
    }

    fn remove(&mut self, space: &Space, user: &UserName) -> Option<Resident> {
        let key = (space.clone(), user.key());
        if let Some(names) = self.names.get_mut(&key) {
            names.retain(|name| name != user);
            if names.is_empty() {
                self.names.remove(&key);
            }
        }
        self.users.remove(&(space.clone(), user.clone()))
    }

    fn get_mut(&mut self, residence: &Residence) -> Option<&mut Resident> {
        let resident = self.users.get_mut(&(residence.space.clone(), residence.user.clone()));
        resident.filter(|it| it.number == residence.number)
    }

    /// The connections of a user.
    pub(super) fn outboxes(
        &self,
        space: &Space,
        user: &UserName,
    ) -> Vec<(ConnectionId, Arc<dyn Outbox>)> {
        let resident = self.users.get(&(space.clone(), user.clone()));
        let connections = resident.into_iter().flat_map(|it| &it.connections);
        connections.map(|(id, (outbox, _))| (*id, Arc::clone(outbox))).collect()
    }

    /// Whether a user is here or in their grace.
    pub(super) fn has(&self, space: &Space, user: &UserName) -> bool {
        self.users.contains_key(&(space.clone(), user.clone()))
    }

    pub(super) fn is_connected(&self, space: &Space, user: &UserName) -> bool {
        let resident = self.users.get(&(space.clone(), user.clone()));
        resident.is_some_and(|it| !it.connections.is_empty())
    }

    /// When a user who is here was last seen with a device, as far as it was of late.
    pub(super) fn last_seen(
        &self,
        space: &Space,
        user: &UserName,
        device: &DeviceId,
    ) -> Option<OffsetDateTime> {
        let resident = self.users.get(&(space.clone(), user.clone()));
        resident.and_then(|it| it.devices.get(device)).copied()
    }

    /// Notes when a user who is here came or went with a device.
    pub(super) fn saw(&mut self, seen: &Seen) {
        let Seen { space, user, voucher: _, device, at } = seen;
        let resident = self.users.get_mut(&(space.clone(), user.clone()));
        let (Some(resident), Some(device)) = (resident, device) else { return };
        resident.devices.insert(device.clone(), *at);
        if resident.devices.len() > DEVICES_PER_USER_MAX {
            let first = resident.devices.iter().min_by_key(|(_, at)| **at);
            let first = first.map(|(device, _)| device.clone());
            first.map(|device| resident.devices.remove(&device));
        }
    }

    /// Lets a user be here on one more connection. Answers those of other devices; or why not, when
    /// the name was taken from a guest since they claimed it, or the sign-in was ended.
    fn open(
        &mut self,
        residence: &Residence,
        presence: &Presence,
    ) -> Result<Vec<Arc<dyn Outbox>>, CloseReason> {
        let Presence { connection, outbox, device, sign_in } = presence;
        if sign_in.as_ref().is_some_and(|it| self.sign_ins.has_ended(it)) {
            return Err(CloseReason::SignedOut);
        }
        let resident = self.get_mut(residence).ok_or(CloseReason::NameTaken)?;
        let is_other = |it: &Option<DeviceId>| it.is_none() || it != device;
        let others = resident.connections.values().filter(|(_, device)| is_other(device));
        let others = others.map(|(outbox, _)| Arc::clone(outbox)).collect();
        resident.connections.insert(*connection, (Arc::clone(outbox), device.clone()));
        self.sign_ins.add(presence);
        Ok(others)
    }

    fn close(&mut self, residence: &Residence, presence: &Presence) {
        if let Some(resident) = self.get_mut(residence) {
            resident.connections.remove(&presence.connection);
        }
        self.sign_ins.remove(presence);
    }

    /// Frees a name whose grace is over at `now`, if nobody came back.
    pub(super) fn expire(&mut self, space: &Space, user: &UserName, now: Duration) {
        let resident = self.users.get(&(space.clone(), user.clone()));
        if resident.is_some_and(|it| it.claims == 0 && it.free_at <= now) {
            self.remove(space, user);
        }
    }
}

impl Resident {
    fn new(number: u64, stay: Option<Box<str>>) -> Self {
        Self {
            number,
            stay,
            claims: 1,
            free_at: Duration::ZERO,
            connections: HashMap::new(),
            devices: BTreeMap::new(),
        }
    }

    /// Whether who holds `proof` is this user.
    fn accepts(&self, proof: &Proof) -> bool {
        match (&self.stay, proof) {
            (Some(stay), Proof::Guest(other)) => stay == other,
            (None, Proof::User) => true,
            (_, Proof::NewGuest(_)) | (Some(_), Proof::User) | (None, Proof::Guest(_)) => false,
        }
    }
}

/// A name that is taken while this is held, and for the grace after it.
#[must_use = "the name is given back when this is dropped"]
pub(crate) struct Residence {
    hub: Arc<Hub>,
    space: Space,
    user: UserName,
    number: u64,
    presence: Option<Presence>,
    /// Whether somebody may come back for the name.
    has_grace: bool,
}

impl std::fmt::Debug for Residence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Residence").field("user", &self.user).finish_non_exhaustive()
    }
}

impl Residence {
    /// Claims a name, or says that somebody has it.
    pub(crate) fn claim(
        hub: &Arc<Hub>,
        space: &Space,
        user: &UserName,
        proof: Proof,
    ) -> Result<Self, Rejection> {
        let (number, evicted) = hub.lock().residents.claim(space, user, proof)?;
        end(evicted, CloseReason::NameTaken);
        let (hub, space, user) = (Arc::clone(hub), space.clone(), user.clone());
        Ok(Self { hub, space, user, number, presence: None, has_grace: false })
    }

    /// The name.
    pub(crate) fn user(&self) -> &UserName {
        &self.user
    }

    /// Lets direct messages reach the user through this connection. Answers the connections of
    /// other devices that were there before.
    pub(crate) fn open(&mut self, presence: Presence) -> Vec<Arc<dyn Outbox>> {
        let others = self.hub.lock().residents.open(self, &presence);
        let outbox = Arc::clone(&presence.outbox);
        self.presence = Some(presence);
        self.has_grace = true;
        others.unwrap_or_else(|reason| {
            outbox.close(reason);
            Vec::new()
        })
    }

    /// Gives the name back, but keeps it for the grace: whoever has it is about to come.
    pub(crate) fn reserve(mut self) {
        self.has_grace = true;
    }
}

impl Drop for Residence {
    fn drop(&mut self) {
        let mut state = self.hub.lock();
        if let Some(presence) = &self.presence {
            state.residents.close(self, presence);
        }
        let now = self.hub.now();
        let grace = if self.has_grace { self.hub.limits.presence_grace } else { Duration::ZERO };
        let until = now + grace;
        let Some(resident) = state.residents.get_mut(self) else { return };
        resident.claims -= 1;
        resident.free_at = resident.free_at.max(until);
        let last = resident.claims == 0;
        state.residents.expire(&self.space, &self.user, now);
        drop(state);
        if last && self.has_grace {
            self.hub.roll.name_leaving(&self.space, &self.user, until);
        }
    }
}
