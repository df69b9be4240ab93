//! Users, guests and devices, in a commit.

use rusqlite::{Connection, TransactionBehavior};

use super::{
    failure::SqliteFailure,
    recorded_events,
    statement::{all, execute_each},
};
use crate::{
    chat::ports::{
        Batch, GuestExpired, GuestName, IdentityKind, OnlineGuest, Recording, UserDeparted,
        UserSeen,
    },
    domain::{DeviceId, DisplayName, NameKey, RoomName, Space, UserName},
    store::sql::{
        Columns as _,
        member_plan::SpaceUser,
        row,
        write::{self, DeviceSeen},
    },
};

/// Whether a name has an earlier owner: a search for it costs half of a deletion that finds nothing.
pub(super) const FIND_PREDECESSOR: &str =
    "SELECT 1 FROM user WHERE space = ?1 AND name = ?2 AND stay IS NOT ?3";

pub(super) const FORGET_EXPIRED: &str = "DELETE FROM member \
    WHERE space = ?1 AND user = ?2 AND EXISTS (SELECT 1 FROM user \
        WHERE user.space = ?1 AND user.name = ?2 AND user.stay = ?3)";

pub(super) const IS_GUEST: &str = "SELECT 1 FROM user WHERE space = ?1 AND name = ?2 AND stay = ?3";

pub(super) const FIND_ROOMS: &str = "SELECT one FROM member \
    CROSS JOIN conversation ON conversation.id = member.conversation \
    WHERE member.space = ?1 AND member.user = ?2 AND kind = 0 ORDER BY one";

pub(super) const MARK_EXPIRED: &str =
    "UPDATE user SET online_since = NULL WHERE space = ?1 AND name = ?2 AND stay = ?3";

pub(super) const FORGET_USER: &str = "DELETE FROM member WHERE space = ?1 AND user = ?2";

pub(super) const UPSERT_USER: &str = "INSERT INTO user \
        (space, name, stay, key, seen, vouched, online_since, display_name) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?3 IS NULL, iif(?3 IS NULL, NULL, ?5), ?6) \
    ON CONFLICT DO UPDATE SET \
        stay = excluded.stay, display_name = excluded.display_name, \
        vouched = max(vouched, excluded.vouched), \
        seen = max(coalesce(seen, excluded.seen), excluded.seen), \
        online_since = iif(stay IS excluded.stay, \
            coalesce(online_since, excluded.online_since), excluded.online_since)";

pub(super) const UPSERT_DEVICE: &str = "INSERT INTO device (space, user, id, seen) \
    VALUES (?1, ?2, ?3, ?4) \
    ON CONFLICT DO UPDATE SET seen = excluded.seen WHERE excluded.seen > device.seen";

pub(super) const UPDATE_USER_SEEN: &str = "UPDATE user SET seen = ?3 \
    WHERE space = ?1 AND name = ?2 AND (seen IS NULL OR seen < ?3)";

pub(super) const UPSERT_DEVICE_OF_KNOWN_USER: &str = "INSERT INTO device (space, user, id, seen) \
    SELECT ?1, ?2, ?3, ?4 WHERE EXISTS (SELECT 1 FROM user WHERE space = ?1 AND name = ?2) \
    ON CONFLICT DO UPDATE SET seen = excluded.seen WHERE excluded.seen > device.seen";

// The offset is `DEVICES_PER_USER_MAX`.
pub(super) const FORGET_DEVICES: &str = "DELETE FROM device \
    WHERE space = ?1 AND user = ?2 AND id IN (SELECT id FROM device \
        WHERE space = ?1 AND user = ?2 ORDER BY seen DESC, id LIMIT -1 OFFSET 32)";

/// The guests that are online. A device that was seen before that is of an earlier guest.
const ONLINE_GUESTS: &str = "SELECT user.space, user.name, user.stay, device.id, device.seen \
    FROM user LEFT JOIN device ON device.space = user.space AND device.user = user.name \
        AND device.seen >= user.online_since \
    WHERE user.online_since IS NOT NULL ORDER BY user.space, user.name";

/// Writes the users and devices that were seen, and ends the memberships of a name's earlier owner.
pub(super) fn upsert_seen(connection: &Connection, batch: &Batch) -> Result<(), SqliteFailure> {
    let seen = &batch.seen;
    let mut replaced_users = write::replaced_users(seen);
    let mut statement = connection.prepare_cached(FIND_PREDECESSOR)?;
    for it in seen {
        if statement.exists((it.space.as_raw(), it.user.as_raw(), guest_session(it)))? {
            replaced_users.insert((&it.space, &it.user));
        }
    }
    for user in &replaced_users {
        record_end(connection, batch.recording.as_ref(), *user)?;
    }
    execute_each(connection, FORGET_USER, replaced_users.into_iter().map(user_columns))?;
    let users = seen.iter().map(|it| {
        let (space, name) = (it.space.as_raw(), it.user.as_raw());
        let (key, shown) = (it.user.key(), it.display_name.as_ref().map(DisplayName::as_raw));
        (space, name, guest_session(it), key.as_raw().to_owned(), row::millis(it.at), shown)
    });
    execute_each(connection, UPSERT_USER, users)?;
    let devices = write::devices_arrived(seen);
    execute_each(connection, UPSERT_DEVICE, devices.iter().map(device_columns))?;
    forget_devices(connection, &devices)
}

/// Writes when users disconnected, and their devices.
pub(super) fn update_last_seen(
    connection: &Connection,
    departed: &[UserDeparted],
) -> Result<(), SqliteFailure> {
    let last = write::last_departures(departed).into_iter();
    let last = last.map(|((space, user), at)| (space.as_raw(), user.as_raw(), row::millis(at)));
    execute_each(connection, UPDATE_USER_SEEN, last)?;
    let devices = write::devices_departed(departed);
    execute_each(connection, UPSERT_DEVICE_OF_KNOWN_USER, devices.iter().map(device_columns))?;
    forget_devices(connection, &devices)
}

fn forget_devices(connection: &Connection, of: &[DeviceSeen<'_>]) -> Result<(), SqliteFailure> {
    execute_each(connection, FORGET_DEVICES, of.iter().map(|(user, ..)| user_columns(*user)))
}

/// Ends the memberships of expired guests. They are not online any more.
pub(super) fn forget_guests(connection: &Connection, batch: &Batch) -> Result<(), SqliteFailure> {
    let expired = &batch.expired;
    for GuestExpired { space, user, guest_session, from: _ } in expired {
        let mut statement = connection.prepare_cached(IS_GUEST)?;
        if statement.exists((space.as_raw(), user.as_raw(), &**guest_session))? {
            record_end(connection, batch.recording.as_ref(), (space, user))?;
        }
    }
    for sql in [FORGET_EXPIRED, MARK_EXPIRED] {
        let guests = expired.iter().map(|it| {
            let GuestExpired { space, user, guest_session, from: _ } = it;
            (space.as_raw(), user.as_raw(), &**guest_session)
        });
        execute_each(connection, sql, guests)?;
    }
    Ok(())
}

/// Records for webhooks that all memberships of a user end.
pub(super) fn record_end(
    connection: &Connection,
    recording: Option<&Recording>,
    (space, user): SpaceUser<'_>,
) -> Result<(), SqliteFailure> {
    let Some(recording) = recording.filter(|it| it.records_ends()) else { return Ok(()) };
    let mut statement = connection.prepare_cached(FIND_ROOMS)?;
    let rooms = all(&mut statement, user_columns((space, user)), |row| {
        row.text("one").map(RoomName::from_raw)
    })?;
    let ended = rooms.into_iter().map(|room| (space, user, room));
    recorded_events::insert(connection, &recording.end_events(ended))
}

/// Reads the guests that are online.
pub(super) fn online_guests(connection: &Connection) -> Result<Vec<OnlineGuest>, SqliteFailure> {
    let mut guests: Vec<OnlineGuest> = Vec::new();
    let mut statement = connection.prepare_cached(ONLINE_GUESTS)?;
    let mut rows = statement.query(())?;
    while let Some(row) = rows.next()? {
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

/// Makes the keys of names anew that were stored under an earlier rule.
pub(super) fn renew_keys(connection: &mut Connection) -> Result<(), rusqlite::Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let rule: i64 = transaction.query_row("SELECT key_rule FROM meta", (), |row| row.get(0))?;
    if rule >= i64::from(NameKey::RULE) {
        return Ok(());
    }
    let users: Vec<(String, String, String)> = transaction
        .prepare("SELECT space, name, key FROM user")?
        .query_map((), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    let mut update = transaction.prepare("UPDATE user SET key = ? WHERE space = ? AND name = ?")?;
    for (space, name, old) in users {
        let key = UserName::from_raw(&name).key();
        if key.as_raw() != old {
            update.execute((key.as_raw(), space, name))?;
        }
    }
    drop(update);
    transaction.execute("UPDATE meta SET key_rule = ?", [i64::from(NameKey::RULE)])?;
    transaction.commit()
}

/// The session of a guest; `None` for a registered user.
fn guest_session(seen: &UserSeen) -> Option<&str> {
    match &seen.identity_kind {
        IdentityKind::Guest(guest_session) => Some(guest_session),
        IdentityKind::Registered => None,
    }
}

/// A user as `space, name`.
pub(super) fn user_columns((space, user): SpaceUser<'_>) -> (&str, &str) {
    (space.as_raw(), user.as_raw())
}

/// A device as `space, user, id, seen`.
fn device_columns<'a>(
    ((space, user), device, at): &DeviceSeen<'a>,
) -> (&'a str, &'a str, &'a str, i64) {
    (space.as_raw(), user.as_raw(), device.as_raw(), row::millis(*at))
}
