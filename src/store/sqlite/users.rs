//! Users who came and went, in a commit.

use std::collections::{BTreeMap, HashMap, HashSet};

use sqlx::{
    Arguments, Connection as _,
    error::BoxDynError,
    sqlite::{SqliteArguments, SqliteConnection},
};
use time::OffsetDateTime;

use super::{
    row,
    script::{Statement, Transaction},
};
use crate::{
    chat::ports::{Gone, Seen, Voucher, Went},
    domain::{DeviceId, Space, UserName},
};

// CROSS JOIN keeps the order: for each row here, a search there.
pub(super) const FORGET_PREDECESSORS: Statement = Statement {
    before: "DELETE FROM member WHERE (space, user) IN (SELECT user.space, user.name FROM",
    row: "(?,?,?)",
    after: "CROSS JOIN user \
        ON user.space = column1 AND user.name = column2 AND user.stay IS NOT column3)",
};

pub(super) const FORGET_GONE: Statement = Statement {
    before: "DELETE FROM member WHERE (space, user) IN (SELECT user.space, user.name FROM",
    row: "(?,?,?)",
    after: "CROSS JOIN user \
        ON user.space = column1 AND user.name = column2 AND user.stay = column3)",
};

pub(super) const FORGET: Statement = Statement {
    before: "DELETE FROM member WHERE (space, user) IN (SELECT * FROM",
    row: "(?,?)",
    after: ")",
};

pub(super) const REMEMBER_USERS: Statement = Statement {
    before: "INSERT INTO user (space, name, stay, key, seen, vouched) \
        SELECT *, column3 IS NULL FROM",
    row: "(?,?,?,?,?)",
    after: "WHERE column1 IS NOT NULL ON CONFLICT DO UPDATE SET \
        stay = excluded.stay, vouched = max(vouched, excluded.vouched), \
        seen = max(coalesce(seen, excluded.seen), excluded.seen)",
};

pub(super) const REMEMBER_DEVICES: Statement = Statement {
    before: "INSERT INTO device (space, user, id, seen) SELECT * FROM",
    row: "(?,?,?,?)",
    after: "WHERE column1 IS NOT NULL \
        ON CONFLICT DO UPDATE SET seen = excluded.seen WHERE excluded.seen > device.seen",
};

pub(super) const NOTE_USERS: Statement = Statement {
    before: "UPDATE user SET seen = max(coalesce(user.seen, column3), column3) FROM",
    row: "(?,?,?)",
    after: "WHERE user.space = column1 AND user.name = column2",
};

// CROSS JOIN as above.
pub(super) const NOTE_DEVICES: Statement = Statement {
    before: "INSERT INTO device (space, user, id, seen) \
        SELECT column1, column2, column3, column4 FROM",
    row: "(?,?,?,?)",
    after: "CROSS JOIN user ON user.space = column1 AND user.name = column2 \
        WHERE true ON CONFLICT DO UPDATE SET seen = excluded.seen WHERE excluded.seen > device.seen",
};

// The limit is `DEVICES_PER_USER_MAX`.
pub(super) const FORGET_DEVICES: Statement = Statement {
    before: "DELETE FROM device WHERE (space, user, id) IN (SELECT space, user, id FROM \
        (SELECT space, user, id, row_number() OVER \
            (PARTITION BY space, user ORDER BY seen DESC, id) AS place FROM",
    row: "(?,?)",
    after: "CROSS JOIN device ON space = column1 AND user = column2) WHERE place > 32)",
};

/// Writes down who came, and with what, and ends what somebody else was under the same
/// name.
pub(super) async fn see(
    transaction: &mut Transaction<'_>,
    seen: &[Seen],
) -> Result<(), sqlx::Error> {
    transaction.put(FORGET_PREDECESSORS, seen, bind_stay).await?;
    transaction.put(FORGET, &succeeded(seen), |arguments, row| bind_user(arguments, *row)).await?;
    let bind = |arguments: &mut SqliteArguments, seen: &Seen| {
        bind_stay(arguments, seen)?;
        arguments.add(seen.user.key().as_raw())?;
        arguments.add(row::millis(seen.at))
    };
    transaction.put(REMEMBER_USERS, seen, bind).await?;

    let with_device: Vec<_> =
        seen.iter().filter_map(|seen| Some((seen, seen.device.as_ref()?))).collect();
    let bind = |arguments: &mut SqliteArguments, (seen, device): &(&Seen, &DeviceId)| {
        bind_user(arguments, (&seen.space, &seen.user))?;
        arguments.add(device.as_raw())?;
        arguments.add(row::millis(seen.at))
    };
    transaction.put(REMEMBER_DEVICES, &with_device, bind).await?;
    let bind = |arguments: &mut SqliteArguments, (seen, _): &(&Seen, &DeviceId)| {
        bind_user(arguments, (&seen.space, &seen.user))
    };
    transaction.put(FORGET_DEVICES, &with_device, bind).await
}

/// Writes down when users went, and with what.
pub(super) async fn note(
    transaction: &mut Transaction<'_>,
    went: &[Went],
) -> Result<(), sqlx::Error> {
    // One row of each user: an UPDATE takes any of several.
    let mut last: BTreeMap<(&Space, &UserName), OffsetDateTime> = BTreeMap::new();
    for Went { space, user, at, .. } in went {
        let latest = last.entry((space, user)).or_insert(*at);
        *latest = (*latest).max(*at);
    }
    let last: Vec<_> = last.into_iter().collect();
    let bind = |arguments: &mut SqliteArguments, (who, at): &((&Space, &UserName), _)| {
        bind_user(arguments, *who)?;
        arguments.add(row::millis(*at))
    };
    transaction.put(NOTE_USERS, &last, bind).await?;
    let with_device: Vec<_> =
        went.iter().filter_map(|went| Some((went, went.device.as_ref()?))).collect();
    let bind = |arguments: &mut SqliteArguments, (went, device): &(&Went, &DeviceId)| {
        bind_user(arguments, (&went.space, &went.user))?;
        arguments.add(device.as_raw())?;
        arguments.add(row::millis(went.at))
    };
    transaction.put(NOTE_DEVICES, &with_device, bind).await?;
    let bind = |arguments: &mut SqliteArguments, (went, _): &(&Went, &DeviceId)| {
        bind_user(arguments, (&went.space, &went.user))
    };
    transaction.put(FORGET_DEVICES, &with_device, bind).await
}

/// Ends what guests were who will not come back.
pub(super) async fn part(
    transaction: &mut Transaction<'_>,
    gone: &[Gone],
) -> Result<(), sqlx::Error> {
    let bind = |arguments: &mut SqliteArguments, gone: &Gone| {
        bind_user(arguments, (&gone.space, &gone.user))?;
        arguments.add(&*gone.stay)
    };
    transaction.put(FORGET_GONE, gone, bind).await
}

/// Those who came and then somebody else under the same name, in one batch.
fn succeeded(seen: &[Seen]) -> Vec<(&Space, &UserName)> {
    let mut first = HashMap::with_capacity(seen.len());
    let mut succeeded = HashSet::new();
    for Seen { space, user, voucher, .. } in seen {
        if *first.entry((space, user)).or_insert(voucher) != voucher {
            succeeded.insert((space, user));
        }
    }
    succeeded.into_iter().collect()
}

pub(super) fn bind_user(
    arguments: &mut SqliteArguments,
    (space, user): (&Space, &UserName),
) -> Result<(), BoxDynError> {
    arguments.add(space.as_raw())?;
    arguments.add(user.as_raw())
}

fn bind_stay(arguments: &mut SqliteArguments, seen: &Seen) -> Result<(), BoxDynError> {
    bind_user(arguments, (&seen.space, &seen.user))?;
    match &seen.voucher {
        Voucher::Guest(stay) => arguments.add(&**stay),
        Voucher::BackEnd => arguments.add(None::<&str>),
    }
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
