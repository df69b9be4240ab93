//! `tail`: new messages of some rooms, or of all, as `tail -f` prints lines of files.

use std::{collections::HashMap, time::Duration};

use clap::Args;
use tokio::time::{Instant, sleep};

use super::{
    FormArg, Outcome, RemoteError, ServerArgs, SpaceArg,
    api_client::{ApiClient, ApiError},
    lists::Pages,
    messages::{self, From, RoomName},
    table::printable,
};
use crate::cli::print_notice;

/// The code of the refusal of a room that has neither members nor messages.
const NO_SUCH_ROOM: &str = "no_such_room";
/// The shortest time between two questions.
const INTERVAL: Duration = Duration::from_secs(1);
/// A round may take up to this part of the time, so that many rooms are asked less often.
const IDLE_PER_ROUND: u32 = 4;

/// Which rooms.
#[derive(Args, Debug)]
pub(in crate::cli) struct TailArgs {
    /// The rooms [default: all]
    #[arg(value_name = "ROOM")]
    rooms: Vec<String>,
    /// How many messages of each named room to print first
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 10)]
    lines: u64,
    #[command(flatten)]
    space: SpaceArg,
    #[command(flatten)]
    form: FormArg,
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

/// The last seq of each room that was printed.
type Positions = HashMap<String, u64>;

impl TailArgs {
    /// Runs until the process is ended. Once it has begun, it waits for a server that is away.
    pub(super) async fn run(self, api: &ApiClient) -> Outcome {
        let mut positions = self.begin(api).await?;
        let mut is_lost = false;
        loop {
            let begin = Instant::now();
            match self.round(api, &mut positions).await {
                Ok(()) => is_lost = false,
                Err(RemoteError::Api(ApiError::Failed(why))) => {
                    if !is_lost {
                        print_notice(format_args!("{why}; trying again"));
                    }
                    is_lost = true;
                }
                Err(other) => return Err(other),
            }
            sleep(INTERVAL.max(begin.elapsed() * IDLE_PER_ROUND)).await;
        }
    }

    /// Prints the first lines of named rooms. Of all rooms, only what comes from now on is printed.
    async fn begin(&self, api: &ApiClient) -> Result<Positions, RemoteError> {
        if self.rooms.is_empty() {
            return self.heads(api).await;
        }
        let mut positions = Positions::new();
        for room in &self.rooms {
            let name = RoomName { space: &self.space.space, room };
            // One message is read in any case: it says where the log stands.
            let last = messages::read(api, name, From::Before(None), self.lines.max(1)).await?;
            if last.is_empty() {
                self.notice_unknown(api, name).await?;
            }
            positions.insert(room.clone(), last.last().map_or(0, messages::seq));
            for message in last.iter().take(usize::try_from(self.lines).unwrap_or(usize::MAX)) {
                messages::print_message(message, self.form)?;
            }
        }
        Ok(positions)
    }

    /// Says that a room does not exist: its name may be a mistake.
    async fn notice_unknown(&self, api: &ApiClient, name: RoomName<'_>) -> Outcome {
        match name.must_exist(api).await {
            Err(RemoteError::Api(ApiError::Refused { code, .. })) if code == NO_SUCH_ROOM => {
                let room = printable(name.room);
                print_notice(format_args!("there is no room {room} yet ({code}); waiting for it"));
                Ok(())
            }
            other => other,
        }
    }

    async fn round(&self, api: &ApiClient, positions: &mut Positions) -> Outcome {
        let changed: Vec<String> = if self.rooms.is_empty() {
            let heads = self.heads(api).await?;
            let is_new = |(room, head): &(String, u64)| positions.get(room).unwrap_or(&0) < head;
            heads.into_iter().filter(is_new).map(|(room, _)| room).collect()
        } else {
            self.rooms.clone()
        };
        for room in changed {
            let name = RoomName { space: &self.space.space, room: &room };
            let after = positions.get(&room).copied().unwrap_or(0);
            for message in messages::read(api, name, From::After(after), u64::MAX).await? {
                messages::print_message(&message, self.form)?;
                positions.insert(room.clone(), messages::seq(&message));
            }
        }
        Ok(())
    }

    /// The last seq of all rooms.
    async fn heads(&self, api: &ApiClient) -> Result<Positions, RemoteError> {
        let mut heads = Positions::new();
        let mut pages = Pages::new("rooms", vec![("space", &self.space.space)]);
        while let Some(rooms) = pages.next(api).await? {
            let heads_of_page = rooms.iter().filter_map(|room| {
                Some((room.get("room")?.as_str()?.to_owned(), room.get("seq")?.as_u64()?))
            });
            heads.extend(heads_of_page);
        }
        Ok(heads)
    }
}
