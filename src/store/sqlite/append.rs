//! The commit: a batch in one transaction.
//!
//! Begin, and how do the conversations stand · which drafts are in the store already · (the plan) ·
//! the messages, the new heads, commit. What is decided rests only on what this transaction has
//! read, never on what an earlier one left in memory: where nobody knows whether an earlier commit
//! went through, its seqs are still not given twice.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    hash::Hash,
};

use sqlx::{
    Arguments, Connection as _, Row,
    error::BoxDynError,
    sqlite::{SqliteArguments, SqliteConnection, SqliteRow},
};

use super::{
    plan::{First, Plan, plan},
    row,
    script::{Statement, Transaction},
};
use crate::{
    chat::ports::{Batch, Draft, Outcome, Seen, Voucher},
    domain::{DeviceId, Place, Seq, UserName},
};

pub(super) const REMEMBER_USERS: Statement = Statement {
    before: "INSERT INTO user (space, name, vouched, key) SELECT * FROM",
    row: "(?,?,?,?)",
    after: "WHERE column1 IS NOT NULL \
        ON CONFLICT DO UPDATE SET vouched = 1 WHERE excluded.vouched > user.vouched",
};

pub(super) const REMEMBER_DEVICES: Statement = Statement {
    before: "INSERT INTO device (space, user, id, seen) SELECT * FROM",
    row: "(?,?,?,?)",
    after: "WHERE column1 IS NOT NULL \
        ON CONFLICT DO UPDATE SET seen = excluded.seen WHERE excluded.seen > device.seen",
};

// The limit is `DEVICES_PER_USER_MAX`; CROSS JOIN as below.
pub(super) const FORGET_DEVICES: Statement = Statement {
    before: "DELETE FROM device WHERE (space, user, id) IN (SELECT space, user, id FROM \
        (SELECT space, user, id, row_number() OVER \
            (PARTITION BY space, user ORDER BY seen DESC, id) AS place FROM",
    row: "(?,?)",
    after: "CROSS JOIN device ON space = column1 AND user = column2) WHERE place > 32)",
};

// CROSS JOIN keeps the order: for each row here, a search there.
pub(super) const FIND_LOGS: Statement = Statement {
    before: "SELECT column1 AS number, id, head FROM",
    row: "(?,?,?,?,?)",
    after: "CROSS JOIN conversation \
        ON space = column2 AND kind = column3 AND one = column4 AND other = column5",
};

pub(super) const OPEN_LOGS: Statement = Statement {
    before: "INSERT INTO conversation (space, kind, one, other) SELECT * FROM",
    row: "(?,?,?,?)",
    after: "WHERE column1 IS NOT NULL",
};

pub(super) const FIND_FIRSTS: Statement = Statement {
    before: "SELECT column1 AS number, seq, at, kind, body, attachments FROM",
    row: "(?,?,?,?)",
    after: "CROSS JOIN message ON conversation = column2 AND author = column3 AND id = column4",
};

pub(super) const WRITE_MESSAGES: Statement = Statement {
    before: "INSERT INTO message (conversation, seq, author, id, kind, body, attachments, at) \
        SELECT * FROM",
    row: "(?,?,?,?,?,?,?,?)",
    after: "WHERE column1 IS NOT NULL",
};

pub(super) const MOVE_HEADS: Statement = Statement {
    before: "UPDATE conversation SET head = column2 FROM",
    row: "(?,?)",
    after: "WHERE id = column1",
};

/// A conversation at the beginning of the transaction.
#[derive(Clone, Copy, Debug)]
struct Log {
    id: i64,
    head: Seq,
}

type Logs<'a> = HashMap<&'a Place, Log>;

/// Stores a batch. On an error the transaction is left open: the connection must be closed.
pub(super) async fn append(
    connection: &mut SqliteConnection,
    batch: &Batch,
) -> Result<Vec<Outcome>, sqlx::Error> {
    let Batch { seen, drafts } = batch;
    let mut transaction = Transaction::begin(connection);
    remember(&mut transaction, seen).await?;

    let places = unique(drafts.iter().map(|draft| &draft.place));
    let mut logs = find_logs(&mut transaction, &places).await?;
    let firsts = find_firsts(&mut transaction, drafts, &logs).await?;
    let heads = logs.iter().map(|(place, log)| (*place, log.head)).collect();
    let Plan { outcomes, stored } = plan(drafts, heads, &firsts);

    let new: Vec<_> = places.into_iter().filter(|place| !logs.contains_key(place)).collect();
    transaction.put(OPEN_LOGS, &new, |arguments, place| bind_place(arguments, place)).await?;
    logs.extend(find_logs(&mut transaction, &new).await?);
    write(&mut transaction, &stored, &logs).await?;
    transaction.commit().await?;
    Ok(outcomes)
}

/// Writes down who came or went, and with what.
async fn remember(transaction: &mut Transaction<'_>, seen: &[Seen]) -> Result<(), sqlx::Error> {
    let bind_user = |arguments: &mut SqliteArguments, seen: &Seen| {
        let Seen { space, user, voucher, device: _, at: _ } = seen;
        arguments.add(space.as_raw())?;
        arguments.add(user.as_raw())?;
        arguments.add(*voucher == Voucher::BackEnd)?;
        arguments.add(user.key().as_raw())
    };
    transaction.put(REMEMBER_USERS, seen, bind_user).await?;
    let with_device: Vec<_> =
        seen.iter().filter_map(|seen| Some((seen, seen.device.as_ref()?))).collect();
    let bind_device = |arguments: &mut SqliteArguments, (seen, device): &(&Seen, &DeviceId)| {
        arguments.add(seen.space.as_raw())?;
        arguments.add(seen.user.as_raw())?;
        arguments.add(device.as_raw())?;
        arguments.add(row::millis(seen.at))
    };
    transaction.put(REMEMBER_DEVICES, &with_device, bind_device).await?;
    let bind_name = |arguments: &mut SqliteArguments, (seen, _): &(&Seen, &DeviceId)| {
        arguments.add(seen.space.as_raw())?;
        arguments.add(seen.user.as_raw())
    };
    transaction.put(FORGET_DEVICES, &with_device, bind_name).await
}

/// Fills in the keys of names that were written down before there were keys.
pub(super) async fn add_keys(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let names: Vec<String> = sqlx::query_scalar("SELECT DISTINCT name FROM user WHERE key = ''")
        .fetch_all(&mut *connection)
        .await?;
    let mut transaction = connection.begin().await?;
    for name in names {
        let key = UserName::from_raw(&name).key();
        let update = sqlx::query("UPDATE user SET key = ? WHERE name = ? AND key = ''");
        update.bind(key.as_raw()).bind(&name).execute(&mut *transaction).await?;
    }
    transaction.commit().await
}

async fn find_logs<'a>(
    transaction: &mut Transaction<'_>,
    places: &[&'a Place],
) -> Result<Logs<'a>, sqlx::Error> {
    let bind = |arguments: &mut SqliteArguments, (number, place): &(i64, &&Place)| {
        arguments.add(*number)?;
        bind_place(arguments, place)
    };
    let mut logs = HashMap::with_capacity(places.len());
    for row in transaction.ask(FIND_LOGS, &numbered(places), bind).await? {
        let log = Log { id: row.try_get("id")?, head: row::seq(row.try_get("head")?)? };
        logs.extend(places.get(number(&row)?).map(|place| (*place, log)));
    }
    Ok(logs)
}

/// What is in the store with the identity of a draft, by the draft's number in the batch.
async fn find_firsts(
    transaction: &mut Transaction<'_>,
    drafts: &[Draft],
    logs: &Logs<'_>,
) -> Result<HashMap<usize, First<'static>>, sqlx::Error> {
    let bind = |arguments: &mut SqliteArguments, row: &(i64, i64, &Draft)| {
        let (number, conversation, draft) = row;
        arguments.add(*number)?;
        arguments.add(*conversation)?;
        arguments.add(draft.author.as_raw())?;
        arguments.add(draft.id.as_raw())
    };
    let in_known_log = |(number, draft): (i64, _)| {
        let draft: &Draft = draft;
        Some((number, logs.get(&draft.place)?.id, draft))
    };
    let drafts: Vec<_> = numbered(drafts).into_iter().filter_map(in_known_log).collect();
    let rows = transaction.ask(FIND_FIRSTS, &drafts, bind).await?;
    rows.iter().map(|row| Ok((number(row)?, row::first(row)?))).collect()
}

async fn write(
    transaction: &mut Transaction<'_>,
    stored: &[(&Draft, Seq)],
    logs: &Logs<'_>,
) -> Result<(), sqlx::Error> {
    let mut messages = Vec::with_capacity(stored.len());
    let mut heads = BTreeMap::new();
    for (draft, seq) in stored {
        let log = logs.get(&draft.place).ok_or(sqlx::Error::RowNotFound)?;
        messages.push((log.id, row::seq_number(*seq), *draft));
        heads.insert(log.id, row::seq_number(*seq));
    }
    transaction.put(WRITE_MESSAGES, &messages, bind_message).await?;
    let heads: Vec<_> = heads.into_iter().collect();
    let bind_head = |arguments: &mut SqliteArguments, (conversation, head): &(i64, i64)| {
        arguments.add(*conversation)?;
        arguments.add(*head)
    };
    transaction.put(MOVE_HEADS, &heads, bind_head).await
}

fn bind_message(
    arguments: &mut SqliteArguments,
    (conversation, seq, draft): &(i64, i64, &Draft),
) -> Result<(), BoxDynError> {
    let Draft { place: _, id, kind, author, body, at } = draft;
    arguments.add(*conversation)?;
    arguments.add(*seq)?;
    arguments.add(author.as_raw())?;
    arguments.add(id.as_raw())?;
    arguments.add(row::kind_number(*kind))?;
    arguments.add(body.json())?;
    arguments.add(row::frame(body.attachments())?)?;
    arguments.add(row::millis(*at))
}

fn bind_place(arguments: &mut SqliteArguments, place: &Place) -> Result<(), BoxDynError> {
    let (space, kind, one, other) = row::key(place);
    arguments.add(space)?;
    arguments.add(kind)?;
    arguments.add(one)?;
    arguments.add(other)
}

/// Each once, in the order in which they came first.
fn unique<'a, T: Eq + Hash>(all: impl Iterator<Item = &'a T>) -> Vec<&'a T> {
    let mut seen = HashSet::new();
    all.filter(|one| seen.insert(*one)).collect()
}

/// Each with its number, which goes into the statement and comes back in its rows.
fn numbered<T>(all: &[T]) -> Vec<(i64, &T)> {
    (0..).zip(all).collect()
}

fn number(row: &SqliteRow) -> Result<usize, sqlx::Error> {
    let number: i64 = row.try_get("number")?;
    usize::try_from(number).map_err(|error| sqlx::Error::Decode(error.into()))
}
