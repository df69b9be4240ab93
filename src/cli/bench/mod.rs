//! `bench`: measure a running server with many clients of this one process.
//!
//! Rooms and guests have random names, so that two runs do not meet. Every number of a run has a
//! bound. What is refused or closed is counted by its code.

mod args;
mod client;
mod connection;
mod load;
mod measure;
mod memory;
mod reconnect;
mod report;
mod run;
mod target;
mod wire;

use std::process::ExitCode;

use clap::{Args, Subcommand, value_parser};
use tokio::runtime;

use self::{
    args::{LoadArgs, SizeArg, WorkPlan},
    load::{Load, Pace, Plan},
    memory::{Memory, MemoryArgs},
    report::Report,
    run::Run,
};
use super::{FAULT, print_answer, print_error, progress::CommandProgress, remote::RemoteError};
use crate::config::{Config, Problems};

/// Clients in a room, where they only stay.
const IDLE_ROOM: u32 = 20;

/// What to measure.
#[derive(Debug, Subcommand)]
pub(super) enum BenchCommand {
    /// Members of rooms send at a rate, and all members receive
    FanOut(RateArgs),
    /// Each client sends, and waits for the answer before it sends again
    Echo(EchoArgs),
    /// Clients connect and stay
    Idle(IdleArgs),
    /// All connections are cut at once, and come back
    Reconnect(ReconnectArgs),
    /// As fan-out: how much two deliveries in a row differ
    Jitter(RateArgs),
}

/// Messages at a rate.
#[derive(Args, Debug)]
pub(super) struct RateArgs {
    /// Messages per second of all clients together, at most 100000
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = value_parser!(u32).range(1..=100_000))]
    rate: u32,
    #[command(flatten)]
    size: SizeArg,
    #[command(flatten)]
    load: LoadArgs,
}

/// Round trips.
#[derive(Args, Debug)]
pub(super) struct EchoArgs {
    /// Messages per second of all clients together, at most 100000 [default: as fast as they are
    /// answered]
    #[arg(long, value_name = "COUNT", value_parser = value_parser!(u32).range(1..=100_000))]
    rate: Option<u32>,
    #[command(flatten)]
    size: SizeArg,
    #[command(flatten)]
    load: LoadArgs,
}

/// Connections that stay.
#[derive(Args, Debug)]
pub(super) struct IdleArgs {
    #[command(flatten)]
    memory: MemoryArgs,
    #[command(flatten)]
    load: LoadArgs,
}

/// Connections that come back, within `--duration`.
#[derive(Args, Debug)]
pub(super) struct ReconnectArgs {
    /// Messages that are sent to each room meanwhile, at most 1000
    #[arg(long, value_name = "COUNT", default_value_t = 10, value_parser = value_parser!(u32).range(0..=1000))]
    missed: u32,
    #[command(flatten)]
    size: SizeArg,
    #[command(flatten)]
    load: LoadArgs,
}

/// The works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    FanOut,
    Echo,
    Idle,
    Reconnect,
    Jitter,
}

/// Findings, and the server that they are about.
struct Finding {
    report: Report,
    url: String,
}

impl Work {
    fn name(self) -> &'static str {
        match self {
            Self::FanOut => "fan-out",
            Self::Echo => "echo",
            Self::Idle => "idle",
            Self::Reconnect => "reconnect",
            Self::Jitter => "jitter",
        }
    }
}

impl BenchCommand {
    /// Prints what was measured. The exit code is 1 if a message was lost or a client failed.
    pub(super) fn run(self, settings: impl FnOnce() -> Result<Config, Problems>) -> ExitCode {
        let runtime = match runtime::Builder::new_multi_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return print_error(FAULT, error),
        };
        let (work, load) = self.work();
        let as_json = load.json;
        match runtime.block_on(self.measure(settings)) {
            Ok(Finding { report, url }) => {
                let text =
                    if as_json { report.to_json(work.name(), &url) } else { report.to_table() };
                let printed = print_answer(text);
                if report.is_good { printed } else { ExitCode::from(FAULT) }
            }
            Err(error) => print_error(error.exit_code(), &error),
        }
    }

    fn work(&self) -> (Work, &LoadArgs) {
        match self {
            Self::FanOut(args) => (Work::FanOut, &args.load),
            Self::Echo(args) => (Work::Echo, &args.load),
            Self::Idle(args) => (Work::Idle, &args.load),
            Self::Reconnect(args) => (Work::Reconnect, &args.load),
            Self::Jitter(args) => (Work::Jitter, &args.load),
        }
    }

    fn plan(&self) -> WorkPlan {
        let one = |_| 1;
        let (size, pace, rooms, senders): (_, _, fn(u32) -> u32, _) = match self {
            Self::FanOut(args) | Self::Jitter(args) => {
                (args.size.size, Pace::PerSecond(args.rate), one, 0)
            }
            Self::Echo(args) => {
                (args.size.size, args.rate.map_or(Pace::AfterAnswer, Pace::PerSecond), |it| it, 0)
            }
            Self::Idle(_) => (0, Pace::Never, |clients| clients.div_ceil(IDLE_ROOM), 0),
            Self::Reconnect(args) => (args.size.size, Pace::Never, one, 1),
        };
        WorkPlan { rooms, size, pace, senders }
    }

    async fn measure(
        self,
        settings: impl FnOnce() -> Result<Config, Problems>,
    ) -> Result<Finding, RemoteError> {
        let (work, load) = self.work();
        let url = load.address(settings)?;
        let plan: Plan = load.plan(&url, self.plan()).await?;
        let connections = plan.clients + if work == Work::Reconnect { plan.rooms } else { 0 };
        let mut run = Run::new(Load::new(plan, connections), CommandProgress::of_steps());
        let report = match &self {
            Self::Reconnect(args) => {
                run.reconnect(u64::from(args.missed)).await;
                Report::of(work, &run)
            }
            Self::Idle(args) => {
                let memory = args.memory.of_server(&url)?;
                let before = memory.bytes().await;
                run.work().await;
                let after = memory.bytes().await;
                let mut report = Report::of(work, &run);
                Memory::report(&mut report, &run, before, after);
                report
            }
            Self::FanOut(_) | Self::Echo(_) | Self::Jitter(_) => {
                run.work().await;
                Report::of(work, &run)
            }
        };
        run.end().await;
        match run.reason_of_nothing() {
            Some(error) => Err(error),
            None => Ok(Finding { report, url }),
        }
    }
}
