//! What a run is, and what its clients share.

use std::{
    sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    connection::{Connection, Failure, Identity, Place, Session},
    measure::{Counts, Times},
    target::Target,
    wire::Wire,
};

/// How long one connection may take until `welcome`.
const OPEN_WAIT_MAX: Duration = Duration::from_secs(30);

/// What is measured, and how.
pub(super) struct Plan {
    pub(super) target: Target,
    pub(super) wire: Wire,
    pub(super) space: String,
    /// The tokens that clients take in turn; without any they are guests.
    pub(super) tokens: Vec<String>,
    /// A random text in the names of this run.
    pub(super) run: String,
    pub(super) clients: usize,
    pub(super) rooms: usize,
    /// Characters of a message.
    pub(super) size: usize,
    pub(super) duration: Duration,
    /// New connections per second.
    pub(super) ramp: u32,
    pub(super) pace: Pace,
}

/// When clients send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    Never,
    /// So many messages per second of all clients together, each client in its turn.
    PerSecond(u32),
    /// Each client at once after the answer to its last message.
    AfterAnswer,
}

/// The state of a run.
pub(super) struct Load {
    pub(super) plan: Plan,
    /// What the times in messages count from.
    pub(super) origin: Instant,
    pub(super) tally: Tally,
    /// The last seq that was acknowledged, per room.
    heads: Vec<AtomicU64>,
    clients: Vec<ClientState>,
}

/// What clients count.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) sent: AtomicU64,
    pub(super) stored: AtomicU64,
    /// Messages that wait for their answers.
    pub(super) waiting: AtomicU64,
    /// Clients that may send yet: one that is at it notices the end of the phase a little later.
    pub(super) sending: AtomicU64,
    /// Messages that were due while too many waited for their answers.
    pub(super) skipped: AtomicU64,
    pub(super) deliveries: AtomicU64,
    pub(super) missed: AtomicU64,
    pub(super) gaps: AtomicU64,
    pub(super) duplicates: AtomicU64,
    pub(super) pings: AtomicU64,
    /// Microseconds from the origin to the last delivery or answer.
    pub(super) last: AtomicU64,
    /// Refused handshakes and messages.
    pub(super) refusals: Counts,
    /// Handshakes that failed in the end, and connections that ended.
    pub(super) failures: Counts,
    pub(super) times: TimesOfRun,
}

/// The times of a run.
pub(super) struct TimesOfRun {
    /// From the first packet to `welcome`.
    pub(super) connect: Times,
    /// From the sending to the arrival at a member of the room.
    pub(super) delivery: Times,
    /// From the sending to the answer.
    pub(super) answer: Times,
    /// How much later than planned this program sent.
    pub(super) lateness: Times,
    /// How much two deliveries in a row differ.
    pub(super) jitter: Times,
    /// From the call to come back until all that was missed is there.
    pub(super) back: Times,
}

struct ClientState {
    state: AtomicU8,
    last_seq: AtomicU64,
}

/// Where a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum State {
    Connecting = 0,
    Connected = 1,
    /// Cut on purpose.
    Away = 2,
    /// Never opened, or ended otherwise.
    Failed = 3,
    /// It came back, and the server does not send what it missed.
    NotRecovered = 4,
}

impl Default for ClientState {
    fn default() -> Self {
        Self { state: AtomicU8::new(State::Connecting as u8), last_seq: AtomicU64::new(0) }
    }
}

impl Default for TimesOfRun {
    fn default() -> Self {
        Self {
            connect: Times::new(),
            delivery: Times::new(),
            answer: Times::new(),
            lateness: Times::new(),
            jitter: Times::new(),
            back: Times::new(),
        }
    }
}

impl Load {
    /// `clients` may be more than those of the plan: those besides send in the rooms, one for each.
    pub(super) fn new(plan: Plan, clients: usize) -> Self {
        Self {
            heads: (0..plan.rooms).map(|_| AtomicU64::new(0)).collect(),
            clients: (0..clients).map(|_| ClientState::default()).collect(),
            origin: Instant::now(),
            tally: Tally::default(),
            plan,
        }
    }

    /// Opens the connection of a client. Counts the refusal, but not the failure: the caller may try
    /// again.
    pub(super) async fn open(
        &self,
        client: usize,
        back: Option<(&Session, u64)>,
    ) -> Result<(Connection, Session), Failure> {
        let begin = Instant::now();
        let Plan { target, wire, space, .. } = &self.plan;
        let room = self.room_name(self.room_of(client));
        let identity =
            self.identity(client, back.and_then(|(session, _)| session.token.as_deref()));
        let since = back.map(|(session, last_seq)| (last_seq, session.epoch.as_str()));
        let place = Place { space, room: &room };
        let opening = Connection::open(target, *wire, place, &identity, since);
        let opened = match tokio::time::timeout(OPEN_WAIT_MAX, opening).await {
            Ok(opened) => opened,
            Err(_elapsed) => Err(Failure::Ended("no welcome in time".to_owned())),
        };
        match &opened {
            Ok((_, session)) => {
                self.tally.times.connect.record(client, begin.elapsed());
                if back.is_none() {
                    self.head_is(self.room_of(client), session.head);
                    self.client_has(client, session.head);
                }
                self.set_state(client, State::Connected);
            }
            Err(Failure::Refused { code, .. }) => self.tally.refusals.add(code),
            Err(Failure::Ended(_)) => {}
        }
        opened
    }

    fn identity(&self, client: usize, token: Option<&str>) -> Identity {
        let of_file = self.plan.tokens.get(client % self.plan.tokens.len().max(1));
        match token.or(of_file.map(String::as_str)) {
            Some(token) => Identity::Token(token.to_owned()),
            None => Identity::Guest(format!("bench-{}-{client}", self.plan.run)),
        }
    }

    pub(super) fn room_of(&self, client: usize) -> usize {
        client % self.plan.rooms
    }

    fn room_name(&self, room: usize) -> String {
        format!("bench-{}-{room}", self.plan.run)
    }

    /// Notes a seq that was acknowledged.
    pub(super) fn head_is(&self, room: usize, seq: u64) {
        if let Some(head) = self.heads.get(room) {
            head.fetch_max(seq, Relaxed);
        }
    }

    /// Notes the last seq that a client has received.
    pub(super) fn client_has(&self, client: usize, seq: u64) {
        if let Some(state) = self.clients.get(client) {
            state.last_seq.store(seq, Relaxed);
        }
    }

    pub(super) fn set_state(&self, client: usize, state: State) {
        if let Some(client) = self.clients.get(client) {
            client.state.store(state as u8, Relaxed);
        }
    }

    /// How many clients are in this state.
    pub(super) fn count(&self, state: State) -> usize {
        self.clients.iter().filter(|it| it.state.load(Relaxed) == state as u8).count()
    }

    /// How many acknowledged messages this client has not received.
    pub(super) fn behind(&self, client: usize) -> u64 {
        let head = self.heads.get(self.room_of(client)).map_or(0, |it| it.load(Relaxed));
        let has = self.clients.get(client).map_or(0, |it| it.last_seq.load(Relaxed));
        head.saturating_sub(has)
    }

    /// Acknowledged messages that clients have not received, of those whose connections did not end.
    pub(super) fn lost(&self) -> u64 {
        let behind = self.all_behind(State::Connected) + self.all_behind(State::NotRecovered);
        behind + self.tally.gaps.load(Relaxed)
    }

    /// How many acknowledged messages the clients in this state have not received, together.
    pub(super) fn all_behind(&self, state: State) -> u64 {
        let states = self.clients.iter().map(|it| it.state.load(Relaxed));
        let in_state = states.enumerate().filter(|(_, it)| *it == state as u8);
        in_state.map(|(client, _)| self.behind(client)).sum()
    }

    /// Microseconds since the origin.
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

impl Tally {
    /// Notes when something has happened.
    pub(super) fn happened(&self, at: u64) {
        self.last.fetch_max(at, Relaxed);
    }
}
