//! The course of a run: clients connect, work, and end.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::Ordering::{Relaxed, SeqCst},
    },
    time::Duration,
};

use tokio::{
    signal,
    sync::watch,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, timeout},
};

use super::{
    client::{self, Phase},
    load::{Load, Pace, State},
    reconnect,
};
use crate::{
    app::data::Progress as _,
    cli::{progress::CommandProgress, remote::RemoteError},
};

/// How often the state of the run is examined.
const TICK: Duration = Duration::from_millis(20);
/// How long messages that were sent may still arrive.
const SETTLE_WAIT_MAX: Duration = Duration::from_secs(15);
/// How long clients may take to end.
const END_WAIT_MAX: Duration = Duration::from_secs(5);
/// Clients that fail before the first one succeeds: then no more are tried.
const FIRST_FAILURES_MAX: usize = 20;

/// A run.
pub(super) struct Run {
    pub(super) load: Arc<Load>,
    /// Whether the user has ended it.
    pub(super) is_interrupted: bool,
    /// Microseconds from the origin to the begin of the work.
    pub(super) begin: u64,
    /// Clients that were connected at the begin.
    pub(super) connected: usize,
    /// How long it took to connect them.
    pub(super) connecting: Duration,
    phases: watch::Sender<Phase>,
    clients: JoinSet<()>,
    progress: CommandProgress,
    interrupt: Pin<Box<dyn Future<Output = io::Result<()>> + Send>>,
}

impl Run {
    pub(super) fn new(load: Load, progress: CommandProgress) -> Self {
        Self {
            load: Arc::new(load),
            is_interrupted: false,
            begin: 0,
            connected: 0,
            connecting: Duration::ZERO,
            phases: watch::Sender::new(Phase::Connecting),
            clients: JoinSet::new(),
            progress,
            interrupt: Box::pin(signal::ctrl_c()),
        }
    }

    /// Members that send at the pace of the plan, for its duration.
    pub(super) async fn work(&mut self) {
        let clients = self.load.plan.clients;
        self.connect(clients, |run, index| {
            let phases = run.phases.subscribe();
            run.clients.spawn(client::run(Arc::clone(&run.load), index, phases));
        })
        .await;
        if !self.can_go_on() {
            return;
        }
        let duration = self.load.plan.duration;
        let doing = if self.load.plan.pace == Pace::Never { "holding" } else { "measuring" };
        self.progress.step(&format!("{doing} for {duration:?}"));
        self.phases.send_replace(Phase::Sending(Instant::now()));
        self.wait(duration, |load| load.count(State::Connected) == 0).await;
        self.phases.send_replace(Phase::Receiving);
        self.settle().await;
    }

    /// Members that are cut all at once, and come back when messages were sent meanwhile.
    pub(super) async fn reconnect(&mut self, missed: u64) {
        let (members, rooms) = (self.load.plan.clients, self.load.plan.rooms);
        // The senders have consecutive numbers, so each has another room.
        self.connect(members + rooms, |run, index| {
            let (load, phases) = (Arc::clone(&run.load), run.phases.subscribe());
            if index < members {
                run.clients.spawn(reconnect::member(load, index, phases));
            } else {
                run.clients.spawn(reconnect::sender(load, index, phases));
            }
        })
        .await;
        if !self.can_go_on() {
            return;
        }
        let duration = self.load.plan.duration;
        self.progress.step("cutting all connections");
        self.phases.send_replace(Phase::Cut);
        self.wait(duration, |load| load.count(State::Connected) <= rooms).await;
        let expected = missed * rooms as u64;
        self.progress.step(&format!("sending {expected} messages meanwhile"));
        self.phases.send_replace(Phase::Absent(missed));
        self.wait(duration, |load| {
            let stored = load.tally.stored.load(Relaxed) + load.tally.refusals.total();
            stored >= expected || load.count(State::Connected) == 0
        })
        .await;
        self.progress.step("coming back");
        let begin = Instant::now();
        self.phases.send_replace(Phase::Back(begin));
        let is_complete =
            |load: &Load| load.count(State::Away) == 0 && load.all_behind(State::Connected) == 0;
        self.wait(duration, is_complete).await;
    }

    /// Ends all clients.
    pub(super) async fn end(&mut self) {
        self.phases.send_replace(Phase::Ended);
        let ending = async { while self.clients.join_next().await.is_some() {} };
        if timeout(END_WAIT_MAX, ending).await.is_err() {
            self.clients.shutdown().await;
        }
    }

    /// Why there is nothing to report: no client could connect.
    pub(super) fn reason_of_nothing(&self) -> Option<RemoteError> {
        if self.connected > 0 || self.is_interrupted {
            return None;
        }
        let tally = &self.load.tally;
        let codes = format!("no client could connect: {}", tally.failures.to_text());
        Some(if tally.refusals.total() > 0 {
            RemoteError::Refused(codes)
        } else {
            RemoteError::Unreachable(codes)
        })
    }

    /// Starts clients, some per second, until all are connected or have failed.
    async fn connect(&mut self, count: usize, start: impl Fn(&mut Self, usize)) {
        let begin = Instant::now();
        self.progress.step(&format!("opening {count} connections"));
        let period = Duration::from_secs(1) / self.load.plan.ramp;
        let mut turns = interval(period);
        turns.set_missed_tick_behavior(MissedTickBehavior::Burst);
        for index in 0..count {
            if self.is_interrupted || self.is_hopeless() {
                break;
            }
            tokio::select! {
                _ = turns.tick() => start(self, index),
                _ = &mut self.interrupt, if !self.is_interrupted => self.is_interrupted = true,
            }
        }
        let started = self.clients.len();
        let is_done = move |load: &Load| {
            load.count(State::Connected) + load.count(State::Failed) >= started
                || load.count(State::Failed) >= FIRST_FAILURES_MAX
                    && load.count(State::Connected) == 0
        };
        self.wait(Duration::MAX, is_done).await;
        self.connecting = begin.elapsed();
        self.connected = self.load.count(State::Connected);
        self.begin = self.load.now();
    }

    fn is_hopeless(&self) -> bool {
        self.load.count(State::Connected) == 0
            && self.load.count(State::Failed) >= FIRST_FAILURES_MAX
    }

    fn can_go_on(&self) -> bool {
        !self.is_interrupted && self.connected > 0
    }

    /// Waits until what was sent is answered and delivered.
    async fn settle(&mut self) {
        let is_settled = |load: &Load| {
            let (sending, waiting) = (&load.tally.sending, &load.tally.waiting);
            sending.load(SeqCst) == 0 && waiting.load(SeqCst) == 0 && load.lost() == 0
        };
        if !is_settled(&self.load) {
            self.progress.step("waiting for what is under way");
        }
        // A second signal ends this, too.
        self.interrupt = Box::pin(signal::ctrl_c());
        let was_interrupted = std::mem::take(&mut self.is_interrupted);
        self.wait(SETTLE_WAIT_MAX, is_settled).await;
        self.is_interrupted |= was_interrupted;
    }

    /// Waits until this is done, the time is over, or the user ends it; whether it is done.
    async fn wait(&mut self, at_most: Duration, is_done: impl Fn(&Load) -> bool) -> bool {
        let begin = Instant::now();
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if is_done(&self.load) {
                return true;
            }
            if self.is_interrupted || begin.elapsed() >= at_most {
                return false;
            }
            tokio::select! {
                _ = ticks.tick() => self.show(),
                _ = &mut self.interrupt => self.is_interrupted = true,
            }
        }
    }

    fn show(&self) {
        let (load, tally) = (&self.load, &self.load.tally);
        self.progress.show(format!(
            "{} connected, {} failed, {} sent, {} delivered",
            load.count(State::Connected),
            load.count(State::Failed),
            tally.sent.load(Relaxed),
            tally.deliveries.load(Relaxed),
        ));
    }
}
