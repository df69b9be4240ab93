//! Who is online in which space, with what, and who may be called what.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use time::OffsetDateTime;

use super::{
    members::{Kept, Line, Logged},
    residence::Residence,
    sign_ins::SignIns,
};
use crate::{
    chat::{
        ports::{DEVICES_PER_USER_MAX, GuestName, Outbox},
        relay::{Herald, Subscription},
    },
    domain::{
        Channel, CloseReason, ConnectionId, Conversation, DeviceId, DeviceSet, Log, NameKey, Place,
        Position, Rejection, SignInId, Space, UserName,
    },
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
pub(super) struct Resident {
    /// Tells a resident from one of the same name who came before or after.
    pub(super) number: u64,
    /// The mark of a guest's stay; `None` for a user whom the back end vouches for.
    stay: Option<Box<str>>,
    /// How many [`Residence`]s there are. 0 in the grace.
    pub(super) claims: usize,
    /// When the grace ends that began when the last claim was given back.
    pub(super) free_at: Duration,
    pub(super) lines: HashMap<ConnectionId, Line>,
    /// The devices of connections that are about to come in.
    pub(super) expected: HashMap<ConnectionId, Option<DeviceId>>,
    /// Where they are a member, once that is known: as the store has it.
    pub(super) kept: Option<HashMap<Conversation, Kept>>,
    /// Which of their direct conversations are among these.
    pub(super) directs: Directs,
    /// The revision in the store of which all this is, if it was ever asked for.
    pub(super) revision: Option<u64>,
    /// When devices came or went of late: the store hears of it a little later.
    devices: BTreeMap<DeviceId, OffsetDateTime>,
    /// Where the other nodes speak of them.
    _subscription: Subscription,
}

/// Which of a user's direct conversations are known of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Directs {
    /// All that there are.
    All,
    /// Perhaps only those in which something was said last.
    Last,
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
    /// What was drawn for it, where a user may be on one device only.
    pub(crate) ticket: u64,
}

impl Residents {
    /// Takes a name. Answers the number of the resident, and the guests who lose it.
    ///
    /// Guests go without a name that looks like anybody's. A user of the back end goes before guests.
    pub(super) fn claim(
        &mut self,
        space: &Space,
        user: &UserName,
        proof: Proof,
        herald: &Arc<Herald>,
    ) -> Result<(u64, Vec<(UserName, Resident)>), Rejection> {
        if let Some(resident) = self.get_mut(space, user)
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
        let evicted = alike.into_iter().filter_map(|name| self.evict(space, name)).collect();
        self.count += 1;
        let subscription = herald.subscribe(Channel::of_user(space, &user.key()));
        let resident = Resident::new(self.count, stay, subscription);
        self.users.insert((space.clone(), user.clone()), resident);
        self.names.entry((space.clone(), user.key())).or_default().push(user.clone());
        Ok((self.count, evicted))
    }

    /// Who is here by a name that looks like this one.
    fn alike(&self, space: &Space, user: &UserName) -> Vec<UserName> {
        let names = self.names.get(&(space.clone(), user.key()));
        names.into_iter().flatten().cloned().collect()
    }

    /// Takes a name that is a user's from now on, on whatever node, from the guests who look alike.
    pub(super) fn vouch(&mut self, space: &Space, user: &UserName) -> Vec<(UserName, Resident)> {
        let alike = self.alike(space, user);
        alike.into_iter().filter_map(|name| self.evict(space, name)).collect()
    }

    /// Takes the name from a guest. A user keeps theirs.
    fn evict(&mut self, space: &Space, user: UserName) -> Option<(UserName, Resident)> {
        self.get_mut(space, &user)?.stay.as_ref()?;
        let resident = self.remove(space, &user)?;
        Some((user, resident))
    }

    pub(super) fn remove(&mut self, space: &Space, user: &UserName) -> Option<Resident> {
        let key = (space.clone(), user.key());
        if let Some(names) = self.names.get_mut(&key) {
            names.retain(|name| name != user);
            if names.is_empty() {
                self.names.remove(&key);
            }
        }
        self.users.remove(&(space.clone(), user.clone()))
    }

    pub(super) fn get(&self, space: &Space, user: &UserName) -> Option<&Resident> {
        self.users.get(&(space.clone(), user.clone()))
    }

    pub(super) fn get_mut(&mut self, space: &Space, user: &UserName) -> Option<&mut Resident> {
        self.users.get_mut(&(space.clone(), user.clone()))
    }

    /// The revisions of which it is known where users are members, of those who are meant and have come
    /// in.
    pub(super) fn revisions(
        &self,
        meant: impl Fn(&Space, &UserName) -> bool,
    ) -> Vec<((Space, UserName), Option<u64>)> {
        let users =
            self.users.iter().filter(|((space, user), it)| it.kept.is_some() && meant(space, user));
        users.map(|(user, it)| (user.clone(), it.revision)).collect()
    }

    /// Who holds a residence, unless they lost the name.
    pub(super) fn of(&self, residence: &Residence) -> Option<&Resident> {
        let resident = self.get(residence.space(), residence.user());
        resident.filter(|it| it.number == residence.number())
    }

    pub(super) fn of_mut(&mut self, residence: &Residence) -> Option<&mut Resident> {
        let resident = self.get_mut(residence.space(), residence.user());
        resident.filter(|it| it.number == residence.number())
    }

    /// The connections of a user.
    pub(super) fn outboxes(
        &self,
        space: &Space,
        user: &UserName,
    ) -> Vec<(ConnectionId, Arc<dyn Outbox>)> {
        let lines = self.get(space, user).into_iter().flat_map(|it| &it.lines);
        lines.map(|(id, line)| (*id, Arc::clone(&line.outbox))).collect()
    }

    /// Forgets what is not kept any more of what users have here beside rooms.
    pub(super) fn trimmed(&mut self, place: &Place, floor: Position) {
        self.each_log(place, |log| log.floor = log.floor.max(floor));
    }

    /// Goes on after `to` in what users have here beside rooms.
    pub(super) fn skip(&mut self, place: &Place, to: Position) {
        self.each_log(place, |log| log.head = log.head.max(to));
    }

    /// Does something with how a conversation that is no room stands for each of its users here.
    fn each_log(&mut self, place: &Place, act: impl Fn(&mut Log)) {
        let users = match &place.conversation {
            Conversation::Room(_) => Vec::new(),
            Conversation::Direct(one, other) => vec![one, other],
            Conversation::Inbox(user) => vec![user],
        };
        for user in users {
            let resident = self.get_mut(&place.space, user);
            let kept = resident.and_then(|it| it.kept.as_mut()?.get_mut(&place.conversation));
            if let Some(Kept { logged: Logged::Here(log), .. }) = kept {
                act(log);
            }
        }
    }

    /// Whether a user may be here on one more connection; or why not, when the name was taken from a
    /// guest since they claimed it, or the sign-in was ended.
    pub(super) fn admit(
        &self,
        residence: &Residence,
        presence: &Presence,
    ) -> Result<(), CloseReason> {
        if presence.sign_in.as_ref().is_some_and(|it| self.sign_ins.has_ended(it)) {
            return Err(CloseReason::SignedOut);
        }
        self.of(residence).map(drop).ok_or(CloseReason::NameTaken)
    }

    /// Frees a name whose grace is over at `now`, if nobody came back. Answers who had it.
    pub(super) fn expire(
        &mut self,
        space: &Space,
        user: &UserName,
        now: Duration,
    ) -> Option<Resident> {
        let resident = self.get(space, user)?;
        let over = resident.claims == 0 && resident.free_at <= now;
        if over { self.remove(space, user) } else { None }
    }
}

impl Resident {
    fn new(number: u64, stay: Option<Box<str>>, subscription: Subscription) -> Self {
        Self {
            number,
            stay,
            claims: 1,
            free_at: Duration::ZERO,
            lines: HashMap::new(),
            expected: HashMap::new(),
            kept: None,
            directs: Directs::Last,
            revision: None,
            devices: BTreeMap::new(),
            _subscription: subscription,
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

    /// Whether they are the guest whose stay has this mark.
    pub(super) fn is_guest(&self, stay: &str) -> bool {
        self.stay.as_deref() == Some(stay)
    }

    /// Notes when they came or went with a device.
    pub(super) fn saw(&mut self, device: &DeviceId, at: OffsetDateTime) {
        self.devices.insert(device.clone(), at);
        if self.devices.len() > DEVICES_PER_USER_MAX {
            let first = self.devices.iter().min_by_key(|(_, at)| **at);
            let first = first.map(|(device, _)| device.clone());
            first.map(|device| self.devices.remove(&device));
        }
    }

    /// What is to be written down when they will not come back: nothing of a user, who always may.
    pub(super) fn gone(&self, space: &Space, user: &UserName) -> Option<GuestName> {
        let stay = self.stay.clone()?;
        Some(GuestName { space: space.clone(), user: user.clone(), stay })
    }

    /// The connections of other devices than `device`.
    pub(super) fn others(&self, device: Option<&DeviceId>) -> Vec<Arc<dyn Outbox>> {
        let is_other = |it: &&Line| it.device.is_none() || it.device.as_ref() != device;
        self.lines.values().filter(is_other).map(|line| Arc::clone(&line.outbox)).collect()
    }

    /// The devices that are connected, or about to be.
    pub(super) fn devices(&self) -> DeviceSet {
        let lines = self.lines.values().map(|line| line.device.as_ref());
        lines.chain(self.expected.values().map(Option::as_ref)).collect()
    }

    /// How many messages of a conversation they have not read, if they are a member.
    pub(super) fn unread(&self, place: &Place) -> Option<u64> {
        let kept = self.kept.as_ref()?.get(&place.conversation)?;
        Some(kept.log().unread(kept.member.read))
    }

    /// When they were last seen with a device, as far as they were of late.
    pub(super) fn device_seen(&self, device: &DeviceId) -> Option<OffsetDateTime> {
        self.devices.get(device).copied()
    }
}
