//! `kick`, `disconnect`, `ban` and `unban`: who may be where.

use clap::Args;
use serde_json::{Value, json};

use super::{
    Outcome, RemoteError, ServerArgs, SpaceArg,
    api_client::{ApiClient, only_outcome},
    lists::Pages,
    table::printable,
};

/// All spaces, in the API.
const ALL_SPACES: &str = "*";

/// Whose membership ends.
#[derive(Args, Debug)]
pub(in crate::cli) struct KickArgs {
    /// The room
    #[arg(value_name = "ROOM")]
    room: String,
    /// The user
    #[arg(value_name = "USER")]
    user: String,
    #[command(flatten)]
    space: SpaceArg,
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

/// Which connections are closed.
#[derive(Args, Debug)]
pub(in crate::cli) struct DisconnectArgs {
    /// The user
    #[arg(value_name = "USER", required_unless_present = "connection")]
    user: Option<String>,
    /// One device of the user
    #[arg(long, value_name = "ID", requires = "user")]
    device: Option<String>,
    /// One connection, as `roomcast connections` prints it
    #[arg(long, value_name = "CONNECTION", conflicts_with = "user")]
    connection: Option<String>,
    /// Clients come back by themselves
    #[arg(long)]
    reconnect: bool,
    #[command(flatten)]
    space: SpaceArg,
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

/// Who is kept out.
#[derive(Args, Debug)]
pub(in crate::cli) struct BanArgs {
    /// The user
    #[arg(value_name = "USER")]
    user: String,
    /// Until when, such as 2030-12-31T23:59:59Z [default: for good]
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Why, for the list of bans
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    place: BanPlace,
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

/// Whose ban ends.
#[derive(Args, Debug)]
pub(in crate::cli) struct UnbanArgs {
    /// The user
    #[arg(value_name = "USER")]
    user: String,
    #[command(flatten)]
    place: BanPlace,
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

#[derive(Args, Debug)]
struct BanPlace {
    #[command(flatten)]
    space: SpaceArg,
    /// All spaces: a ban of its own
    #[arg(long, conflicts_with = "space")]
    all_spaces: bool,
}

impl KickArgs {
    pub(super) async fn run(self, api: &ApiClient) -> Outcome {
        let kick = json!({ "kick": { "room": self.room, "user": self.user } });
        act(api, &self.space, &kick).await
    }
}

impl DisconnectArgs {
    pub(super) async fn run(self, api: &ApiClient) -> Outcome {
        let Self { user, device, connection, reconnect, .. } = self;
        let is_known =
            has_connection(api, &self.space, user.as_deref(), connection.as_deref()).await?;
        let whom = json!({ "user": user, "device": device, "connection": connection, "reconnect": reconnect });
        act(api, &self.space, &json!({ "disconnect": whom })).await?;
        if is_known {
            return Ok(());
        }
        let what = match (&user, &connection) {
            (Some(user), _) => format!("{} has no connection", printable(user)),
            (None, it) => {
                format!("there is no connection {}", printable(it.as_deref().unwrap_or_default()))
            }
        };
        Err(RemoteError::Refused(format!("{what} in {}", self.space.space)))
    }
}

impl BanArgs {
    pub(super) async fn run(self, api: &ApiClient) -> Outcome {
        let Self { user, until, reason, place, .. } = self;
        let ban = json!({ "space": place.name(), "user": user, "until": until, "reason": reason });
        api.post("bans", &ban).await?;
        Ok(())
    }
}

impl UnbanArgs {
    pub(super) async fn run(self, api: &ApiClient) -> Outcome {
        api.delete("bans", &[("space", self.place.name()), ("user", &self.user)]).await?;
        Ok(())
    }
}

impl BanPlace {
    fn name(&self) -> &str {
        if self.all_spaces { ALL_SPACES } else { &self.space.space }
    }
}

/// Whether there is such a connection. Without the answer of another node there may be one.
async fn has_connection(
    api: &ApiClient,
    SpaceArg { space }: &SpaceArg,
    user: Option<&str>,
    connection: Option<&str>,
) -> Result<bool, RemoteError> {
    let mut query = vec![("space", space.as_str())];
    query.extend(user.map(|user| ("user", user)));
    let mut pages = Pages::new("connections", query);
    while let Some(page) = pages.next(api).await? {
        let is_it = |it: &Value| match connection {
            Some(id) => it.get("connection").and_then(Value::as_str) == Some(id),
            None => true,
        };
        if page.iter().any(is_it) {
            return Ok(true);
        }
    }
    Ok(pages.is_incomplete)
}

/// Does one thing.
async fn act(api: &ApiClient, SpaceArg { space }: &SpaceArg, action: &Value) -> Outcome {
    let answer = api.post("actions", &json!({ "space": space, "do": [action] })).await?;
    only_outcome(answer)?;
    Ok(())
}
