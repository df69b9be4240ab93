//! Who is online in which space, and who may be called what.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use super::Hub;
use crate::{
    chat::ports::Outbox,
    domain::{ConnectionId, Rejection, Space, UserName},
};

/// The users of this node by space and name.
#[derive(Default)]
pub(super) struct Residents {
    users: HashMap<(Space, UserName), Resident>,
}

/// A user who is here, or in the grace after they were.
struct Resident {
    /// The mark of a guest's stay; `None` for a user whom the back end vouches for.
    stay: Option<String>,
    /// How many [`Residence`]s there are. 0 in the grace.
    claims: usize,
    /// When the grace ends that began when the last claim was given back.
    free_at: Duration,
    outboxes: BTreeMap<ConnectionId, Arc<dyn Outbox>>,
}

/// With what somebody claims a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// Nothing: a new guest, whose stay is to have this mark.
    NewGuest(String),
    /// The token of a guest's stay.
    Guest(String),
    /// A token of the back end.
    User,
}

impl Residents {
    fn claim(&mut self, space: &Space, user: &UserName, proof: Proof) -> Result<(), Rejection> {
        let key = (space.clone(), user.clone());
        match self.users.get_mut(&key) {
            Some(resident) if resident.accepts(&proof) => resident.claims += 1,
            Some(_) => return Err(Rejection::NameTaken),
            None => {
                let stay = match proof {
                    Proof::NewGuest(stay) | Proof::Guest(stay) => Some(stay),
                    Proof::User => None,
                };
                self.users.insert(key, Resident::new(stay));
            }
        }
        Ok(())
    }

    /// The connections of a user.
    pub(super) fn outboxes(
        &self,
        space: &Space,
        user: &UserName,
    ) -> Vec<(ConnectionId, Arc<dyn Outbox>)> {
        let resident = self.users.get(&(space.clone(), user.clone()));
        let outboxes = resident.into_iter().flat_map(|it| &it.outboxes);
        outboxes.map(|(connection, outbox)| (*connection, Arc::clone(outbox))).collect()
    }

    /// Whether a user is here or in their grace.
    pub(super) fn has(&self, space: &Space, user: &UserName) -> bool {
        self.users.contains_key(&(space.clone(), user.clone()))
    }

    pub(super) fn is_connected(&self, space: &Space, user: &UserName) -> bool {
        let resident = self.users.get(&(space.clone(), user.clone()));
        resident.is_some_and(|it| !it.outboxes.is_empty())
    }

    /// Frees a name whose grace is over at `now`, if nobody came back.
    pub(super) fn expire(&mut self, space: &Space, user: &UserName, now: Duration) {
        let key = (space.clone(), user.clone());
        if self.users.get(&key).is_some_and(|it| it.claims == 0 && it.free_at <= now) {
            self.users.remove(&key);
        }
    }
}

impl Resident {
    fn new(stay: Option<String>) -> Self {
        Self { stay, claims: 1, free_at: Duration::ZERO, outboxes: BTreeMap::new() }
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
#[derive(Debug)]
pub(crate) struct Residence {
    hub: Arc<Hub>,
    space: Space,
    user: UserName,
    connection: Option<ConnectionId>,
}

impl Residence {
    /// Claims a name, or says that somebody has it.
    pub(crate) fn claim(
        hub: &Arc<Hub>,
        space: &Space,
        user: &UserName,
        proof: Proof,
    ) -> Result<Self, Rejection> {
        hub.lock().residents.claim(space, user, proof)?;
        let (hub, space, user) = (Arc::clone(hub), space.clone(), user.clone());
        Ok(Self { hub, space, user, connection: None })
    }

    /// The name.
    pub(crate) fn user(&self) -> &UserName {
        &self.user
    }

    /// Lets direct messages reach the user through this connection.
    pub(crate) fn open(&mut self, connection: ConnectionId, outbox: Arc<dyn Outbox>) {
        self.connection = Some(connection);
        let key = (self.space.clone(), self.user.clone());
        if let Some(resident) = self.hub.lock().residents.users.get_mut(&key) {
            resident.outboxes.insert(connection, outbox);
        }
    }
}

impl Drop for Residence {
    fn drop(&mut self) {
        let key = (self.space.clone(), self.user.clone());
        let mut state = self.hub.lock();
        let Some(resident) = state.residents.users.get_mut(&key) else { return };
        resident.claims -= 1;
        if let Some(connection) = self.connection {
            resident.outboxes.remove(&connection);
        }
        let now = self.hub.now();
        if self.connection.is_none() {
            // Nobody ever came in with this claim, so nobody needs a grace for it.
            state.residents.expire(&self.space, &self.user, now);
            return;
        }
        let until = now + self.hub.limits.presence_grace;
        resident.free_at = until;
        let last = resident.claims == 0;
        drop(state);
        if last {
            self.hub.roll.name_leaving(&self.space, &self.user, until);
        }
    }
}
