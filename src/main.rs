//! The binary.

use std::process::ExitCode;

/// What `--version` says. A package is built with `ROOMCAST_VERSION`, which also has the commit and its
/// date; only this crate is compiled for it.
const VERSION: &str = match option_env!("ROOMCAST_VERSION") {
    Some(version) => version,
    None => env!("CARGO_PKG_VERSION"),
};

fn main() -> ExitCode {
    roomcast::cli::run(std::env::args_os(), VERSION)
}
