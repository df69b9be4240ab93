//! `rooms`, `users`, `connections` and `bans`: lists, page by page.

use clap::Args;
use serde_json::Value;

use super::{
    FormArg, Outcome, RemoteError, ServerArgs, SpaceArg,
    api_client::{ApiClient, take_list},
    table::{Column, print_line, print_rows},
};
use crate::cli::print_notice;

/// A list of the API.
struct List {
    route: &'static str,
    columns: &'static [Column],
}

const ROOMS: List = List {
    route: "rooms",
    columns: &[
        ("room", "ROOM"),
        ("members", "MEMBERS"),
        ("online", "ONLINE"),
        ("messages", "MESSAGES"),
        ("seq", "SEQ"),
        ("topic", "TOPIC"),
    ],
};
const USERS: List = List {
    route: "users",
    columns: &[("user", "USER"), ("devices", "DEVICES"), ("deviceIds", "DEVICE IDS")],
};
const CONNECTIONS: List = List {
    route: "connections",
    columns: &[
        ("connection", "CONNECTION"),
        ("user", "USER"),
        ("transport", "TRANSPORT"),
        ("address", "ADDRESS"),
        ("since", "SINCE"),
        ("node", "NODE"),
    ],
};
const BANS: List = List {
    route: "bans",
    columns: &[("user", "USER"), ("at", "AT"), ("until", "UNTIL"), ("reason", "REASON")],
};

/// The rooms of a space.
#[derive(Args, Debug)]
pub(in crate::cli) struct RoomsArgs {
    #[command(flatten)]
    pub(super) server: ServerArgs,
    #[command(flatten)]
    list: ListArgs,
}

/// The users of a space who are online.
#[derive(Args, Debug)]
pub(in crate::cli) struct UsersArgs {
    #[command(flatten)]
    pub(super) server: ServerArgs,
    #[command(flatten)]
    list: ListArgs,
}

/// The connections of a space.
#[derive(Args, Debug)]
pub(in crate::cli) struct ConnectionsArgs {
    /// Those of this user alone
    #[arg(value_name = "USER")]
    user: Option<String>,
    #[command(flatten)]
    pub(super) server: ServerArgs,
    #[command(flatten)]
    list: ListArgs,
}

/// The bans from a space.
#[derive(Args, Debug)]
pub(in crate::cli) struct BansArgs {
    #[command(flatten)]
    pub(super) server: ServerArgs,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Args, Debug)]
struct ListArgs {
    #[command(flatten)]
    space: SpaceArg,
    #[command(flatten)]
    form: FormArg,
}

impl RoomsArgs {
    pub(super) async fn run(self, api: &ApiClient) -> Outcome {
        self.list.print(api, &ROOMS, None).await
    }
}

impl UsersArgs {
    pub(super) async fn run(self, api: &ApiClient) -> Outcome {
        self.list.print(api, &USERS, None).await
    }
}

impl ConnectionsArgs {
    pub(super) async fn run(self, api: &ApiClient) -> Outcome {
        self.list.print(api, &CONNECTIONS, self.user.as_deref()).await
    }
}

impl BansArgs {
    pub(super) async fn run(self, api: &ApiClient) -> Outcome {
        self.list.print(api, &BANS, None).await
    }
}

impl ListArgs {
    async fn print(&self, api: &ApiClient, list: &List, user: Option<&str>) -> Outcome {
        let mut query = vec![("space", self.space.space.as_str())];
        query.extend(user.map(|user| ("user", user)));
        let mut all = Vec::new();
        let mut pages = Pages::new(list.route, query);
        while let Some(items) = pages.next(api).await? {
            if self.form.json {
                items.iter().try_for_each(|item| print_line(&item.to_string()))?;
            } else {
                all.extend(items);
            }
        }
        if !self.form.json {
            print_rows(list.columns, &all)?;
        }
        if pages.is_incomplete {
            print_notice("another node did not answer in time: its connections are missing");
        }
        Ok(())
    }
}

/// The pages of a list that are to be read yet.
pub(super) struct Pages<'a> {
    route: &'static str,
    query: Vec<(&'a str, &'a str)>,
    next: Next,
    /// Whether the answer of a node is missing.
    pub(super) is_incomplete: bool,
}

enum Next {
    First,
    After(String),
    End,
}

impl<'a> Pages<'a> {
    /// A list has the name of its route.
    pub(super) fn new(route: &'static str, query: Vec<(&'a str, &'a str)>) -> Self {
        Self { route, query, next: Next::First, is_incomplete: false }
    }

    /// The items of the next page.
    pub(super) async fn next(
        &mut self,
        api: &ApiClient,
    ) -> Result<Option<Vec<Value>>, RemoteError> {
        let mut query = self.query.clone();
        match &self.next {
            Next::First => {}
            Next::After(after) => query.push(("after", after)),
            Next::End => return Ok(None),
        }
        let mut page = api.get(&[self.route], &query).await?;
        let next = page.get("next").and_then(Value::as_str);
        self.next = next.map_or(Next::End, |next| Next::After(next.to_owned()));
        self.is_incomplete |= page.get("complete") == Some(&Value::Bool(false));
        Ok(Some(take_list(&mut page, self.route)))
    }
}
