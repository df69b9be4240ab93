//! One client: it sends at its pace, and counts what arrives.

use std::{
    collections::VecDeque,
    pin::pin,
    sync::{
        Arc,
        atomic::Ordering::{Relaxed, SeqCst},
    },
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{
    connection::{Connection, Failure, Incoming},
    load::{Load, Pace, State},
    wire::Answer,
};

/// Messages of one client that may wait for their answers. What is due beyond them is left out.
const WAITING_MAX: usize = 1000;
/// How long a client pauses when the server names no time.
const PAUSE: Duration = Duration::from_millis(100);
/// The end of sleeps that nothing waits for.
const NEVER: Duration = Duration::from_hours(24);

/// What clients do at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// They connect.
    Connecting,
    /// They send, from this moment on.
    Sending(Instant),
    /// They only receive.
    Receiving,
    /// Their connections are cut.
    Cut,
    /// The senders of the rooms send this many messages each.
    Absent(u64),
    /// They come back, since this moment.
    Back(Instant),
    /// The run is over.
    Ended,
}

/// A client with a connection.
pub(super) struct Client {
    load: Arc<Load>,
    index: usize,
    connection: Connection,
    last_seq: u64,
    sent: u64,
    /// The messages without an answer: their numbers and when they were sent.
    waiting: VecDeque<(u64, Instant)>,
    /// How long the last delivery took.
    last_delivery: Option<Duration>,
    /// When the next message is due.
    due: Option<Instant>,
    is_sending: bool,
}

enum Input {
    Incoming(Result<Incoming, Failure>),
    Due,
    Phase(Phase),
}

/// Runs a client until the run is over or its connection ends.
pub(super) async fn run(load: Arc<Load>, index: usize, mut phases: watch::Receiver<Phase>) {
    let opened = load.open(index, None).await;
    match opened {
        Ok((connection, session)) => {
            let mut client = Client::new(&load, index, connection, session.head);
            if let Err(failure) = client.take_part(&mut phases).await {
                client.failed(&failure);
            }
        }
        Err(failure) => {
            load.tally.failures.add(failure.code());
            load.set_state(index, State::Failed);
        }
    }
}

impl Client {
    pub(super) fn new(
        load: &Arc<Load>,
        index: usize,
        connection: Connection,
        last_seq: u64,
    ) -> Self {
        Self {
            load: Arc::clone(load),
            index,
            connection,
            last_seq,
            sent: 0,
            waiting: VecDeque::new(),
            last_delivery: None,
            due: None,
            is_sending: false,
        }
    }

    /// Sends and receives until the run is over. A failure is the end of the connection.
    async fn take_part(&mut self, phases: &mut watch::Receiver<Phase>) -> Result<(), Failure> {
        let mut timer = pin!(sleep_until(Instant::now()));
        // A phase that began while the client connected counts, too.
        let begun = *phases.borrow_and_update();
        self.enter(begun);
        loop {
            let due = self.due.filter(|_| self.is_sending);
            if let Some(due) = due.filter(|due| *due != timer.deadline()) {
                timer.as_mut().reset(due);
            }
            // All three may be dropped while they wait.
            let input = tokio::select! {
                incoming = self.connection.next() => Input::Incoming(incoming),
                () = timer.as_mut(), if due.is_some() => Input::Due,
                changed = phases.changed() => {
                    Input::Phase(changed.map_or(Phase::Ended, |()| *phases.borrow_and_update()))
                }
            };
            match input {
                Input::Incoming(incoming) => self.receive(&incoming?),
                Input::Due => self.send_what_is_due().await?,
                Input::Phase(Phase::Ended) => return Ok(()),
                Input::Phase(phase) => self.enter(phase),
            }
        }
    }

    fn enter(&mut self, phase: Phase) {
        self.note_phase(phase);
        if let Phase::Sending(begin) = phase {
            self.due = match self.load.plan.pace {
                Pace::Never => None,
                Pace::AfterAnswer => Some(begin),
                Pace::PerSecond(rate) => Some(begin + self.turn(rate)),
            };
        }
    }

    /// Counts the clients that may send.
    fn note_phase(&mut self, phase: Phase) {
        let is_sending = matches!(phase, Phase::Sending(_));
        let sending = &self.load.tally.sending;
        match (self.is_sending, is_sending) {
            (false, true) => {
                sending.fetch_add(1, Relaxed);
            }
            (true, false) => {
                sending.fetch_sub(1, SeqCst);
            }
            (false, false) | (true, true) => {}
        }
        self.is_sending = is_sending;
    }

    /// When the next message of this client is due, from the begin on: each client in its turn.
    fn turn(&self, rate: u32) -> Duration {
        let clients = self.load.plan.clients as u64;
        let number = (self.index as u64).saturating_add(self.sent.saturating_mul(clients));
        let nanos = u128::from(number) * 1_000_000_000 / u128::from(rate);
        u64::try_from(nanos).map_or(NEVER, Duration::from_nanos)
    }

    async fn send_what_is_due(&mut self) -> Result<(), Failure> {
        let Some(due) = self.due.take() else { return Ok(()) };
        let before = self.sent;
        if self.waiting.len() < WAITING_MAX {
            self.load.tally.times.lateness.record(self.index, due.elapsed());
            self.send().await?;
        } else {
            self.sent += 1;
            self.load.tally.skipped.fetch_add(1, Relaxed);
        }
        if let Pace::PerSecond(rate) = self.load.plan.pace {
            let clients = self.load.plan.clients as u64;
            let step = |number: u64| u128::from(number) * 1_000_000_000 / u128::from(rate);
            let period = step((before + 1) * clients) - step(before * clients);
            self.due = Some(due + u64::try_from(period).map_or(NEVER, Duration::from_nanos));
        }
        Ok(())
    }

    /// Sends one message. Its text begins with the time.
    pub(super) async fn send(&mut self) -> Result<(), Failure> {
        self.sent += 1;
        let head = format!("{}.{}.{}.", self.load.now(), self.index, self.sent);
        let text = format!("{head:x<width$}", width = self.load.plan.size);
        self.waiting.push_back((self.sent, Instant::now()));
        self.load.tally.waiting.fetch_add(1, Relaxed);
        self.load.tally.sent.fetch_add(1, Relaxed);
        self.connection.send(self.sent, &text).await
    }

    /// Waits for what arrives, and counts it.
    pub(super) async fn receive_next(&mut self) -> Result<(), Failure> {
        let incoming = self.connection.next().await?;
        self.receive(&incoming);
        Ok(())
    }

    /// Messages that wait for their answers.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    fn receive(&mut self, incoming: &Incoming) {
        let tally = &self.load.tally;
        match incoming {
            Incoming::Message { seq, text } => {
                tally.deliveries.fetch_add(1, Relaxed);
                if let Some(sent) = text.split('.').next().and_then(|it| it.parse::<u64>().ok()) {
                    self.delivered(sent);
                }
                self.advance(*seq);
            }
            Incoming::Missed { seqs, is_recovered } => {
                tally.missed.fetch_add(seqs.len() as u64, Relaxed);
                for seq in seqs {
                    self.advance(*seq);
                }
                if !is_recovered {
                    self.load.tally.refusals.add("not_recovered");
                    self.load.set_state(self.index, State::NotRecovered);
                }
            }
            Incoming::Answer(number, answer) => self.answered(*number, answer),
            Incoming::Ping => {
                tally.pings.fetch_add(1, Relaxed);
            }
            Incoming::Other => {}
        }
    }

    fn delivered(&mut self, sent: u64) {
        let (tally, now) = (&self.load.tally, self.load.now());
        let took = Duration::from_micros(now.saturating_sub(sent));
        tally.happened(now);
        tally.times.delivery.record(self.index, took);
        if let Some(last) = self.last_delivery.replace(took) {
            tally.times.jitter.record(self.index, took.abs_diff(last));
        }
    }

    /// A seq has arrived: the next one, or messages are missing or come twice.
    fn advance(&mut self, seq: u64) {
        let tally = &self.load.tally;
        if seq <= self.last_seq {
            tally.duplicates.fetch_add(1, Relaxed);
            return;
        }
        tally.gaps.fetch_add(seq - self.last_seq - 1, Relaxed);
        self.last_seq = seq;
        self.load.client_has(self.index, seq);
    }

    fn answered(&mut self, number: u64, answer: &Answer) {
        let Some(at) = self.waiting.iter().position(|(waiting, _)| *waiting == number) else {
            return;
        };
        let Some((_, sent)) = self.waiting.remove(at) else { return };
        let tally = &self.load.tally;
        tally.happened(self.load.now());
        let mut pause = Duration::ZERO;
        if answer.ok {
            tally.times.answer.record(self.index, sent.elapsed());
            tally.stored.fetch_add(1, Relaxed);
            self.load.head_is(self.load.room_of(self.index), answer.seq.unwrap_or(0));
        } else {
            tally.refusals.add(answer.code.as_deref().unwrap_or("refused without a code"));
            pause = answer.retry_after_ms.map_or(PAUSE, Duration::from_millis);
        }
        // Last: who sees no message waiting sees what has come of it.
        tally.waiting.fetch_sub(1, SeqCst);
        if self.load.plan.pace == Pace::AfterAnswer {
            self.due = Some(Instant::now() + pause);
        }
    }

    /// The connection has ended: what waited for an answer will get none.
    pub(super) fn failed(&mut self, failure: &Failure) {
        self.note_phase(Phase::Ended);
        let tally = &self.load.tally;
        tally.waiting.fetch_sub(self.waiting.len() as u64, Relaxed);
        self.waiting.clear();
        tally.failures.add(failure.code());
        self.load.set_state(self.index, State::Failed);
    }

    /// The last seq that has arrived.
    pub(super) fn last_seq(&self) -> u64 {
        self.last_seq
    }
}
