//! What the process that started this one learns: the addresses, and the state of the server.

use std::{convert::Infallible, io::Write as _, time::Duration};

use sd_notify::NotifyState;
use tokio::time::interval;
use tracing::warn;

use crate::{chat::ports::Fault, transport::listener::BoundAddress};

/// Prints the only line on standard output: the parent process may connect from now on.
pub(super) fn print_addresses(
    addresses: &[BoundAddress],
    admin: Option<&BoundAddress>,
) -> Result<(), Fault> {
    let mut out = std::io::stdout();
    let admin = admin.map_or_else(String::new, |it| format!(", API on {it}"));
    writeln!(out, "listening on {}{admin}", list(addresses))
        .and_then(|()| out.flush())
        .map_err(|error| Fault::new("standard output write failed", error))
}

/// The addresses in one line.
pub(super) fn list(addresses: &[BoundAddress]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Tells systemd the state of the server, if it waits for that (`Type=notify`).
pub(super) fn notify(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        warn!(%error, "systemd cannot be notified");
    }
}

/// How long systemd waits for a sign of life before it restarts the server (`WatchdogSec`), if it does.
pub(super) fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero())
}

/// Gives systemd the signs of life, as a task among others: a runtime that does not run its tasks gives
/// none. A store or a bus that hangs is told by the readiness, because a restart does not repair it.
pub(super) async fn give_signs_of_life(limit: Duration) -> Infallible {
    let mut ticks = interval(limit / 3);
    loop {
        ticks.tick().await;
        notify(NotifyState::Watchdog);
    }
}
