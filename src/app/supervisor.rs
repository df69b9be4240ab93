//! What the process that started this one learns: the addresses, and the state of the server.

use std::io::Write as _;

use sd_notify::NotifyState;
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
