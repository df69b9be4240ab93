//! Users, guests and devices, in a commit.

use futures_util::TryStreamExt as _;
use sqlx::{
    Arguments as _, Connection as _, SqlitePool,
    error::BoxDynError,
    sqlite::{SqliteArguments, SqliteConnection},
};

use super::{
    bind,
    script::{Statement, Transaction},
};
use crate::{
    chat::ports::{GuestExpired, GuestName, IdentityKind, OnlineGuest, UserDeparted, UserSeen},
    domain::{DeviceId, NameKey, Space, UserName},
    store::sql::{
        Columns as _,
        member_plan::SpaceUser,
        row,
        write::{self, DeviceSeen},
    },
};

// CROSS JOIN keeps the join order: one index search per row.
pub(super) const FORGET_PREDECESSORS: Statement = Statement {
    before: "DELETE FROM member WHERE (space, user) IN (SELECT user.space, user.name FROM",
    row: "(?,?,?)",
    after: "CROSS JOIN user \
        ON user.space = column1 AND user.name = column2 AND user.stay IS NOT column3)",
};

pub(super) const FORGET_EXPIRED: Statement = Statement {
    before: "DELETE FROM member WHERE (space, user) IN (SELECT user.space, user.name FROM",
    row: "(?,?,?)",
    after: "CROSS JOIN user \
        ON user.space = column1 AND user.name = column2 AND user.stay = column3)",
};

pub(super) const MARK_EXPIRED: Statement = Statement {
    before: "UPDATE user SET online_since = NULL FROM",
    row: "(?,?,?)",
    after: "WHERE space = column1 AND name = column2 AND stay = column3",
};

pub(super) const FORGET_USERS: Statement = Statement {
    before: "DELETE FROM member WHERE (space, user) IN (SELECT * FROM",
    row: "(?,?)",
    after: ")",
};

pub(super) const UPSERT_USERS: Statement = Statement {
    before: "INSERT INTO user (space, name, stay, key, seen, vouched, online_since) \
        SELECT *, column3 IS NULL, iif(column3 IS NULL, NULL, column5) FROM",
    row: "(?,?,?,?,?)",
    after: "WHERE column1 IS NOT NULL ON CONFLICT DO UPDATE SET \
        stay = excluded.stay, vouched = max(vouched, excluded.vouched), \
        seen = max(coalesce(seen, excluded.seen), excluded.seen), \
        online_since = iif(stay IS excluded.stay, \
            coalesce(online_since, excluded.online_since), excluded.online_since)",
};

pub(super) const UPSERT_DEVICES: Statement = Statement {
    before: "INSERT INTO device (space, user, id, seen) SELECT * FROM",
    row: "(?,?,?,?)",
    after: "WHERE column1 IS NOT NULL \
        ON CONFLICT DO UPDATE SET seen = excluded.seen WHERE excluded.seen > device.seen",
};

pub(super) const UPDATE_USERS_SEEN: Statement = Statement {
    before: "UPDATE user SET seen = max(coalesce(user.seen, column3), column3) FROM",
    row: "(?,?,?)",
    after: "WHERE user.space = column1 AND user.name = column2",
};

// CROSS JOIN as above.
pub(super) const UPSERT_DEVICES_OF_KNOWN_USERS: Statement = Statement {
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

/// The guests that are online. A device that was seen before that is of an earlier guest.
const ONLINE_GUESTS: &str = "SELECT user.space, user.name, user.stay, device.id, device.seen \
    FROM user LEFT JOIN device ON device.space = user.space AND device.user = user.name \
        AND device.seen >= user.online_since \
    WHERE user.online_since IS NOT NULL ORDER BY user.space, user.name";

/// Writes the users and devices that were seen, and ends the memberships of a name's earlier owner.
pub(super) async fn upsert_seen(
    transaction: &mut Transaction<'_>,
    seen: &[UserSeen],
) -> Result<(), sqlx::Error> {
    transaction.execute(FORGET_PREDECESSORS, seen, bind_guest_session).await?;
    let replaced_users: Vec<_> = write::replaced_users(seen).into_iter().collect();
    transaction
        .execute(FORGET_USERS, &replaced_users, |arguments, row| bind::user(arguments, *row))
        .await?;
    let bind = |arguments: &mut SqliteArguments, seen: &UserSeen| {
        bind_guest_session(arguments, seen)?;
        arguments.add(seen.user.key().as_raw())?;
        arguments.add(row::millis(seen.at))
    };
    transaction.execute(UPSERT_USERS, seen, bind).await?;

    let devices = write::devices_arrived(seen);
    transaction.execute(UPSERT_DEVICES, &devices, bind::device).await?;
    forget_devices(transaction, &devices).await
}

/// Writes when users disconnected, and their devices.
pub(super) async fn update_last_seen(
    transaction: &mut Transaction<'_>,
    departed: &[UserDeparted],
) -> Result<(), sqlx::Error> {
    let last: Vec<_> = write::last_departures(departed).into_iter().collect();
    let bind = |arguments: &mut SqliteArguments, (who, at): &(SpaceUser<'_>, _)| {
        bind::user(arguments, *who)?;
        arguments.add(row::millis(*at))
    };
    transaction.execute(UPDATE_USERS_SEEN, &last, bind).await?;
    let devices = write::devices_departed(departed);
    transaction.execute(UPSERT_DEVICES_OF_KNOWN_USERS, &devices, bind::device).await?;
    forget_devices(transaction, &devices).await
}

async fn forget_devices(
    transaction: &mut Transaction<'_>,
    of: &[DeviceSeen<'_>],
) -> Result<(), sqlx::Error> {
    let bind =
        |arguments: &mut SqliteArguments, (user, ..): &DeviceSeen<'_>| bind::user(arguments, *user);
    transaction.execute(FORGET_DEVICES, of, bind).await
}

/// Ends the memberships of expired guests. They are not online any more.
pub(super) async fn forget_guests(
    transaction: &mut Transaction<'_>,
    expired: &[GuestExpired],
) -> Result<(), sqlx::Error> {
    let bind = |arguments: &mut SqliteArguments, expired: &GuestExpired| {
        bind::user(arguments, (&expired.space, &expired.user))?;
        arguments.add(&*expired.guest_session)
    };
    transaction.execute(FORGET_EXPIRED, expired, bind).await?;
    transaction.execute(MARK_EXPIRED, expired, bind).await
}

/// Reads the guests that are online.
pub(super) async fn online_guests(readers: &SqlitePool) -> Result<Vec<OnlineGuest>, sqlx::Error> {
    let mut guests: Vec<OnlineGuest> = Vec::new();
    let mut rows = sqlx::query(ONLINE_GUESTS).fetch(readers);
    while let Some(row) = rows.try_next().await? {
        let (space, user) = (row.text("space")?, row.text("name")?);
        let (space, user) = (Space::from_raw(space), UserName::from_raw(user));
        let name = GuestName { space, user, guest_session: row.text("stay")?.into() };
        if guests.last().is_none_or(|last| last.name != name) {
            guests.push(OnlineGuest { name, devices: Vec::new() });
        }
        if let (Some(guest), Some(id)) = (guests.last_mut(), row.maybe_text("id")?) {
            guest.devices.push((DeviceId::from_raw(id), row::time(row.int("seen")?)?));
        }
    }
    Ok(guests)
}

fn bind_guest_session(arguments: &mut SqliteArguments, seen: &UserSeen) -> Result<(), BoxDynError> {
    bind::user(arguments, (&seen.space, &seen.user))?;
    match &seen.identity_kind {
        IdentityKind::Guest(guest_session) => arguments.add(&**guest_session),
        IdentityKind::Registered => arguments.add(None::<&str>),
    }
}

/// Makes the keys of names anew that were stored under an earlier rule.
pub(super) async fn renew_keys(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    let rule: i64 =
        sqlx::query_scalar("SELECT key_rule FROM meta").fetch_one(&mut *transaction).await?;
    if rule >= i64::from(NameKey::RULE) {
        return Ok(());
    }
    let users: Vec<(String, String, String)> =
        sqlx::query_as("SELECT space, name, key FROM user").fetch_all(&mut *transaction).await?;
    for (space, name, old) in users {
        let key = UserName::from_raw(&name).key();
        if key.as_raw() != old {
            let update = sqlx::query("UPDATE user SET key = ? WHERE space = ? AND name = ?");
            let update = update.bind(key.as_raw()).bind(&space).bind(&name);
            update.execute(&mut *transaction).await?;
        }
    }
    let done = sqlx::query("UPDATE meta SET key_rule = ?").bind(i64::from(NameKey::RULE));
    done.execute(&mut *transaction).await?;
    transaction.commit().await
}
