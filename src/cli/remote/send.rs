//! `send`: a message or an event to a room.

use std::io::{self, Read as _};

use clap::Args;
use serde_json::{Value, json};

use super::{
    Outcome, RemoteError, ServerArgs, SpaceArg,
    api_client::{ApiClient, only_outcome},
    table::print_line,
};

/// The longest text from standard input; `limits.body_bytes_max` is what the server takes.
const INPUT_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// What to send, and where.
#[derive(Args, Debug)]
pub(in crate::cli) struct SendArgs {
    /// The room
    #[arg(value_name = "ROOM")]
    room: String,
    /// The text [default: standard input]; with --event the arguments, each as JSON
    #[arg(value_name = "TEXT")]
    texts: Vec<String>,
    /// In whose name; a message needs it
    #[arg(long, value_name = "NAME", required_unless_present = "event")]
    user: Option<String>,
    /// Send an event of this name to who is in the room, in place of a message
    #[arg(long, value_name = "EVENT")]
    event: Option<String>,
    /// The id: what has the same one is stored once
    #[arg(long, value_name = "ID", conflicts_with = "event")]
    id: Option<String>,
    #[command(flatten)]
    space: SpaceArg,
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

impl SendArgs {
    /// Prints the outcome of the item as JSON.
    pub(super) async fn run(self, api: &ApiClient) -> Outcome {
        let (route, item) = match &self.event {
            Some(event) => ("emit", self.event_item(event)?),
            None => ("messages", self.message_item()?),
        };
        let body = json!({ "space": self.space.space, "user": self.user, "items": [item] });
        let outcome = only_outcome(api.post(route, &body).await?)?;
        Ok(print_line(&outcome.to_string())?)
    }

    fn event_item(&self, event: &str) -> Result<Value, RemoteError> {
        let argument = |text: &String| {
            serde_json::from_str::<Value>(text).map_err(|error| {
                RemoteError::Argument(format!("{text:?}: an argument of an event is JSON: {error}"))
            })
        };
        let args = self.texts.iter().map(argument).collect::<Result<Vec<_>, _>>()?;
        Ok(json!({ "event": event, "args": args, "to": { "room": self.room } }))
    }

    fn message_item(&self) -> Result<Value, RemoteError> {
        let text = match self.texts.as_slice() {
            [] => read_input()?,
            [text] => text.clone(),
            _ => return Err(RemoteError::Argument("a message is one text: quote it".to_owned())),
        };
        Ok(json!({ "room": self.room, "msg": text, "id": self.id }))
    }
}

/// Standard input without the line end at its end.
fn read_input() -> Result<String, RemoteError> {
    let mut text = String::new();
    let read = io::stdin().take(INPUT_BYTES_MAX).read_to_string(&mut text);
    read.map_err(|error| RemoteError::Argument(format!("standard input: {error}")))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
