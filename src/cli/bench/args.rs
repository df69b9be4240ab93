//! The options of `bench`, all within bounds.

use std::{fs, path::PathBuf, time::Duration};

use clap::{Args, builder::RangedU64ValueParser, value_parser};

use super::{
    load::{Pace, Plan},
    target::Target,
    wire::Wire,
};
use crate::{
    chat::ports::IdSource as _,
    cli::remote::RemoteError,
    clock::RandomIds,
    config::{Config, Problems},
};

/// The longest run: an hour.
const SECONDS_MAX: u64 = 60 * 60;
/// Files that are open besides the connections.
const FILES_BESIDES: u64 = 50;
/// Characters of the random text in names.
const RUN_CHARACTERS: usize = 8;

/// What all works have.
#[derive(Args, Debug)]
pub(super) struct LoadArgs {
    /// The server: `ws://host:port`, `wss://host:port` or `unix:/path` [default: as the settings say]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// How clients connect
    #[arg(long, value_enum, default_value_t = Wire::Websocket)]
    wire: Wire,
    /// Connections, at most 25000: each takes an open file (`ulimit -n`)
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = value_parser!(u32).range(1..=25_000))]
    clients: u32,
    /// New connections per second, at most 10000
    #[arg(long, value_name = "COUNT", default_value_t = 500, value_parser = value_parser!(u32).range(1..=10_000))]
    ramp: u32,
    /// How long to measure: a number and s, m or h, at most 1h
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    duration: Duration,
    /// Rooms, between which the clients are divided, so at most as many [default: as the work needs]
    #[arg(long, value_name = "COUNT", value_parser = value_parser!(u32).range(1..=25_000))]
    rooms: Option<u32>,
    /// The space
    #[arg(long, value_name = "SPACE", default_value = "/")]
    space: String,
    /// A file with tokens, one a line, which the clients take in turn [default: they are guests]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Print one JSON object in place of the table
    #[arg(long)]
    pub(super) json: bool,
}

/// What a work with messages has.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct SizeArg {
    /// Characters of a message, 40 to 500000
    #[arg(long, value_name = "COUNT", default_value_t = 64, value_parser = RangedU64ValueParser::<usize>::new().range(40..=500_000))]
    pub(super) size: usize,
}

/// What a work fixes of its plan.
pub(super) struct WorkPlan {
    /// The rooms for so many clients, where no option says how many.
    pub(super) rooms: fn(u32) -> u32,
    pub(super) size: usize,
    pub(super) pace: Pace,
    /// Connections besides those of the clients: so many for each room.
    pub(super) senders: u32,
}

impl LoadArgs {
    /// The address of the server.
    pub(super) fn address(
        &self,
        load: impl FnOnce() -> Result<Config, Problems>,
    ) -> Result<String, RemoteError> {
        match &self.url {
            Some(url) => Ok(url.clone()),
            None => load()?.local_client_url().ok_or_else(|| {
                RemoteError::Argument(
                    "`listen` has no address to connect to: give --url".to_owned(),
                )
            }),
        }
    }

    /// The plan, if this process can do it.
    pub(super) async fn plan(&self, url: &str, work: WorkPlan) -> Result<Plan, RemoteError> {
        let WorkPlan { rooms, size, pace, senders } = work;
        check_rooms(self.rooms, self.clients).map_err(RemoteError::Argument)?;
        let rooms = self.rooms.unwrap_or_else(|| rooms(self.clients));
        let connections = u64::from(self.clients) + u64::from(rooms) * u64::from(senders);
        check_files(connections).map_err(RemoteError::Argument)?;
        Ok(Plan {
            target: Target::resolve(url).await.map_err(RemoteError::Argument)?,
            wire: self.wire,
            space: self.space.clone(),
            tokens: self.tokens().map_err(RemoteError::Argument)?,
            run: random_text(),
            clients: self.clients as usize,
            rooms: rooms as usize,
            size,
            duration: self.duration,
            ramp: self.ramp,
            pace,
        })
    }

    fn tokens(&self) -> Result<Vec<String>, String> {
        let Some(path) = &self.token_file else { return Ok(Vec::new()) };
        let named = |why: &dyn std::fmt::Display| format!("--token-file {}: {why}", path.display());
        let text = fs::read_to_string(path).map_err(|error| named(&error))?;
        let tokens: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        // A token is put into a header as it is.
        if tokens.is_empty()
            || tokens.iter().any(|token| !token.bytes().all(|it| it.is_ascii_graphic()))
        {
            return Err(named(&"this is no list of tokens"));
        }
        Ok(tokens)
    }
}

/// Refuses rooms that would have no client.
fn check_rooms(rooms: Option<u32>, clients: u32) -> Result<(), String> {
    match rooms {
        Some(rooms) if rooms > clients => Err(format!(
            "--rooms {rooms} are more than --clients {clients}: each room needs a client"
        )),
        _ => Ok(()),
    }
}

/// Refuses more connections than this process may open.
fn check_files(connections: u64) -> Result<(), String> {
    let needed = connections + FILES_BESIDES;
    match rustix::process::getrlimit(rustix::process::Resource::Nofile).current {
        Some(limit) if limit < needed => Err(format!(
            "{connections} connections need {needed} open files, and this process may have {limit}: \
             lower --clients, or raise `ulimit -n`"
        )),
        _ => Ok(()),
    }
}

/// Letters and digits that no other run has.
fn random_text() -> String {
    let secret = RandomIds.secret().to_ascii_lowercase();
    secret.chars().filter(char::is_ascii_alphanumeric).take(RUN_CHARACTERS).collect()
}

/// Parses a number of seconds, minutes or hours.
fn duration(text: &str) -> Result<Duration, &'static str> {
    const FORM: &str = "this must be a number and s, m or h, such as 30s, and at most 1h";
    let units = [("s", 1), ("m", 60), ("h", 60 * 60)];
    let parsed = units.into_iter().find_map(|(unit, seconds)| {
        text.strip_suffix(unit)?.parse::<u64>().ok()?.checked_mul(seconds)
    });
    let seconds = parsed.filter(|seconds| (1..=SECONDS_MAX).contains(seconds)).ok_or(FORM)?;
    Ok(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_bounded() {
        for (text, seconds) in [("1s", 1), ("5m", 300), ("1h", 3600)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)));
        }
        for bad in ["", "5", "s", "0s", "-1s", "1.5s", "61m", "2h", "99999999999999999999s"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn more_connections_than_open_files_are_refused() {
        assert!(check_files(u64::from(u32::MAX)).unwrap_err().contains("`ulimit -n`"));
        assert_eq!(check_files(1), Ok(()));
    }

    #[test]
    fn rooms_without_clients_are_refused() {
        assert!(check_rooms(Some(5), 2).unwrap_err().contains("--rooms 5"));
        assert_eq!(check_rooms(Some(2), 2), Ok(()));
        assert_eq!(check_rooms(None, 1), Ok(()));
    }

    #[test]
    fn the_random_text_is_a_part_of_names() {
        let (first, second) = (random_text(), random_text());
        assert_ne!(first, second);
        assert!(
            first.len() <= RUN_CHARACTERS && first.bytes().all(|it| it.is_ascii_alphanumeric())
        );
    }
}
