//! Commands that ask a running server, through its HTTP API (docs/api.md).
//!
//! A list is printed in columns, or with `--json` as one JSON object per line. What users wrote is
//! printed without control characters, so that no message can change the terminal.

mod api_client;
mod health;
mod lists;
mod messages;
mod rights;
mod send;
mod table;
mod tail;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Subcommand};
use tokio::runtime;

pub(super) use self::api_client::ApiClient;
use self::{
    api_client::ApiError,
    health::HealthArgs,
    lists::{BansArgs, ConnectionsArgs, RoomsArgs, UsersArgs},
    messages::HistoryArgs,
    rights::{BanArgs, DisconnectArgs, KickArgs, UnbanArgs},
    send::SendArgs,
    tail::TailArgs,
};
use super::{BAD_SETTING, FAULT, REFUSED, print_error};
use crate::config::{Config, Problems, command_key};

/// What to ask.
#[derive(Debug, Subcommand)]
pub(super) enum RemoteCommand {
    /// Send a message to a room, or an event to who is there
    Send(SendArgs),
    /// Print messages as they are stored, until interrupted
    Tail(TailArgs),
    /// Print messages of a room, the newest ones unless told otherwise
    History(HistoryArgs),
    /// List the rooms
    Rooms(RoomsArgs),
    /// List who is online
    Users(UsersArgs),
    /// List the connections of all nodes
    Connections(ConnectionsArgs),
    /// End a user's membership of a room
    Kick(KickArgs),
    /// Close connections
    Disconnect(DisconnectArgs),
    /// Keep a user out
    Ban(BanArgs),
    /// End a ban
    Unban(UnbanArgs),
    /// List the bans
    Bans(BansArgs),
    /// Print whether the server is ready (exit code 1 if it is not)
    Health(HealthArgs),
}

/// The server, and what opens it.
#[derive(Args, Debug)]
struct ServerArgs {
    /// The server: `http://host:port`, `https://host:port` or `unix:/path` [default: as the settings
    /// say]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// A file with an API key on its first line, as `roomcast key new` prints it [default: the
    /// environment variable `ROOMCAST_API_KEY`]
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

/// Which space.
#[derive(Args, Debug)]
struct SpaceArg {
    /// The space
    #[arg(long, value_name = "SPACE", default_value = "/")]
    space: String,
}

/// In which form values are printed.
#[derive(Args, Clone, Copy, Debug)]
struct FormArg {
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
}

/// How a command ends if it does not succeed.
#[derive(Debug, thiserror::Error)]
pub(super) enum RemoteError {
    #[error(transparent)]
    Settings(#[from] Problems),
    #[error("{0}")]
    Argument(String),
    #[error(transparent)]
    Api(#[from] ApiError),
    #[error("standard output: {0}")]
    Output(#[from] std::io::Error),
    #[error("not ready: {0}")]
    NotReady(String),
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    Unreachable(String),
}

type Outcome = Result<(), RemoteError>;

impl RemoteCommand {
    /// Runs the command. `load` reads the settings, where no flag says which server is meant.
    pub(super) fn run(self, load: impl FnOnce() -> Result<Config, Problems>) -> ExitCode {
        let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return print_error(FAULT, error),
        };
        match runtime.block_on(self.ask(load)) {
            Ok(()) => ExitCode::SUCCESS,
            // A closed reader (`| head`) is not an error.
            Err(RemoteError::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
                ExitCode::SUCCESS
            }
            Err(error) => print_error(error.exit_code(), &error),
        }
    }

    async fn ask(self, load: impl FnOnce() -> Result<Config, Problems>) -> Outcome {
        let api = self.server().client(load)?;
        match self {
            Self::Send(send) => send.run(&api).await,
            Self::Tail(tail) => tail.run(&api).await,
            Self::History(history) => history.run(&api).await,
            Self::Rooms(rooms) => rooms.run(&api).await,
            Self::Users(users) => users.run(&api).await,
            Self::Connections(connections) => connections.run(&api).await,
            Self::Kick(kick) => kick.run(&api).await,
            Self::Disconnect(disconnect) => disconnect.run(&api).await,
            Self::Ban(ban) => ban.run(&api).await,
            Self::Unban(unban) => unban.run(&api).await,
            Self::Bans(bans) => bans.run(&api).await,
            Self::Health(health) => health.run(&api).await,
        }
    }

    fn server(&self) -> &ServerArgs {
        match self {
            Self::Send(SendArgs { server, .. })
            | Self::Tail(TailArgs { server, .. })
            | Self::History(HistoryArgs { server, .. })
            | Self::Rooms(RoomsArgs { server, .. })
            | Self::Users(UsersArgs { server, .. })
            | Self::Connections(ConnectionsArgs { server, .. })
            | Self::Kick(KickArgs { server, .. })
            | Self::Disconnect(DisconnectArgs { server, .. })
            | Self::Ban(BanArgs { server, .. })
            | Self::Unban(UnbanArgs { server, .. })
            | Self::Bans(BansArgs { server, .. })
            | Self::Health(HealthArgs { server }) => server,
        }
    }
}

impl ServerArgs {
    fn client(
        &self,
        load: impl FnOnce() -> Result<Config, Problems>,
    ) -> Result<ApiClient, RemoteError> {
        let url = match &self.url {
            Some(url) => url.clone(),
            None => load()?.local_api_url().ok_or_else(|| {
                RemoteError::Argument(
                    "the sockets of the API are those of systemd: give --url".to_owned(),
                )
            })?,
        };
        let key = read_key(self.key_file.as_deref())?;
        ApiClient::new(&url, key.as_deref()).map_err(RemoteError::Argument)
    }
}

/// The API key in a file, or that of the environment.
pub(super) fn read_key(file: Option<&Path>) -> Result<Option<String>, RemoteError> {
    let Some(path) = file else {
        return Ok(command_key());
    };
    let text = fs::read_to_string(path).map_err(|error| {
        RemoteError::Argument(format!("--key-file {}: {error}", path.display()))
    })?;
    Ok(Some(text.lines().next().unwrap_or_default().trim().to_owned()))
}

impl RemoteError {
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Settings(_) | Self::Argument(_) => BAD_SETTING,
            Self::Api(ApiError::Refused { .. }) | Self::Refused(_) => REFUSED,
            Self::Api(ApiError::Failed(_))
            | Self::Output(_)
            | Self::NotReady(_)
            | Self::Unreachable(_) => FAULT,
        }
    }
}
