//! `history`: messages of a log, and how a message is printed.

use clap::Args;
use serde_json::Value;

use super::{
    FormArg, Outcome, RemoteError, ServerArgs, SpaceArg,
    api_client::{ApiClient, take_list},
    table::{cell, missing, print_line, printable},
};

/// How many messages one request may read (`limits.history_messages_max` may be lower).
const PAGE: u64 = 100;

/// Which messages.
#[derive(Args, Debug)]
pub(in crate::cli) struct HistoryArgs {
    /// The room
    #[arg(value_name = "ROOM")]
    room: String,
    /// How many messages at most
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 50)]
    limit: u64,
    /// Those before this seq
    #[arg(long, value_name = "SEQ", conflicts_with = "after")]
    before: Option<u64>,
    /// Those after this seq, the oldest first
    #[arg(long, value_name = "SEQ")]
    after: Option<u64>,
    #[command(flatten)]
    space: SpaceArg,
    #[command(flatten)]
    form: FormArg,
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

/// From where messages are read.
#[derive(Clone, Copy, Debug)]
pub(super) enum From {
    /// The newest ones before a seq, or of all.
    Before(Option<u64>),
    /// The oldest ones after a seq.
    After(u64),
}

/// A room of a space.
#[derive(Clone, Copy, Debug)]
pub(super) struct RoomName<'a> {
    pub(super) space: &'a str,
    pub(super) room: &'a str,
}

impl HistoryArgs {
    pub(super) async fn run(self, api: &ApiClient) -> Outcome {
        let room = RoomName { space: &self.space.space, room: &self.room };
        let from = self.after.map_or(From::Before(self.before), From::After);
        let messages = read(api, room, from, self.limit).await?;
        for message in &messages {
            print_message(message, self.form)?;
        }
        if messages.is_empty() { room.must_exist(api).await } else { Ok(()) }
    }
}

impl RoomName<'_> {
    /// Is refused if the room has neither members nor messages: its name may be a mistake.
    pub(super) async fn must_exist(self, api: &ApiClient) -> Outcome {
        api.get(&["rooms", self.room], &[("space", self.space)]).await?;
        Ok(())
    }
}

/// Up to `limit` messages, the oldest first.
pub(super) async fn read(
    api: &ApiClient,
    room: RoomName<'_>,
    mut from: From,
    limit: u64,
) -> Result<Vec<Value>, RemoteError> {
    let mut all = Vec::new();
    loop {
        let left = limit.saturating_sub(all.len() as u64).min(PAGE);
        if left == 0 {
            return Ok(all);
        }
        let (messages, more) = page(api, room, from, left).await?;
        let (first, last) = (messages.first().map(seq), messages.last().map(seq));
        match from {
            From::Before(_) => {
                from = From::Before(first);
                all.splice(0..0, messages);
            }
            From::After(seq) => {
                from = From::After(last.unwrap_or(seq));
                all.extend(messages);
            }
        }
        if !more || first.is_none() {
            return Ok(all);
        }
    }
}

/// One page, and whether there are more.
async fn page(
    api: &ApiClient,
    RoomName { space, room }: RoomName<'_>,
    from: From,
    limit: u64,
) -> Result<(Vec<Value>, bool), RemoteError> {
    let limit = limit.to_string();
    let mut query = vec![("space", space), ("room", room), ("limit", &limit)];
    let seq = match from {
        From::Before(seq) => seq.map(|seq| ("before", seq.to_string())),
        From::After(seq) => Some(("after", seq.to_string())),
    };
    query.extend(seq.as_ref().map(|(key, seq)| (*key, seq.as_str())));
    let mut answer = api.get(&["history"], &query).await?;
    let more = answer.get("more") == Some(&Value::Bool(true));
    Ok((take_list(&mut answer, "messages"), more))
}

/// The place of a message in its log.
pub(super) fn seq(message: &Value) -> u64 {
    message.get("seq").and_then(Value::as_u64).unwrap_or(0)
}

/// Prints a message: when, where, by whom, what.
pub(super) fn print_message(message: &Value, FormArg { json }: FormArg) -> Result<(), RemoteError> {
    let line = if json { message.to_string() } else { line(message) };
    Ok(print_line(&line)?)
}

fn line(message: &Value) -> String {
    let key = |key| message.get(key).map_or_else(missing, cell);
    let is_deleted = message.get("deleted") == Some(&Value::Bool(true));
    let body = match (message.get("msg"), message.get("args")) {
        _ if is_deleted => "(deleted)".to_owned(),
        (Some(msg), _) => cell(msg),
        (None, Some(args)) => format!("{} {}", key("event"), printable(&args.to_string())),
        (None, None) => key("data"),
    };
    let author = if message.get("username").is_some() { "username" } else { "user" };
    format!("{} {} {}: {body}", key("at"), key("room"), key(author))
}
