//! Users, guests and devices, in a commit.
//!
//! The rows of all users that a batch concerns are locked first, in the same order in all
//! processes. The memberships of a user change only while the user's row is locked, if there is
//! one.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use sqlx::{Connection as _, postgres::PgConnection};
use time::OffsetDateTime;

use super::{
    arrays::{bind_users, number},
    presence,
};
use crate::{
    chat::ports::{Batch, GuestExpired, IdentityKind, UserSeen},
    domain::{DeviceId, DisplayName, NameKey, UserName},
    store::sql::{
        Columns as _,
        member_plan::SpaceUser,
        row,
        write::{self, DeviceSeen, participants},
    },
};

const INSERT_NEW_USERS: &str = r#"INSERT INTO "user" (space, name, vouched, key, stay, seen)
    SELECT * FROM unnest($1::text[], $2::text[], $3::bool[], $4::text[], $5::text[], $6::bigint[])
    ON CONFLICT DO NOTHING"#;

// The arrays are sorted.
const LOCK: &str = r#"SELECT given.number - 1 AS number, "user".stay
    FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS given (space, name, number)
    JOIN "user" ON "user".space = given.space AND "user".name = given.name
    ORDER BY given.number FOR NO KEY UPDATE OF "user""#;

// The limit is `DEVICES_PER_USER_MAX`. Devices are counted before new ones are inserted, so a few
// more may stay until the user's next connection.
const SAVE_USERS: &str = r#"WITH noted AS (
        SELECT * FROM unnest($7::text[], $8::text[], $9::text[], $10::bigint[])
            AS noted (space, "user", id, seen)
    ), forgotten AS (
        DELETE FROM device USING (
            SELECT device.space, device."user", device.id, row_number() OVER (
                PARTITION BY device.space, device."user" ORDER BY device.seen DESC, device.id
            ) AS place
            FROM (SELECT DISTINCT space, "user" FROM noted) AS owner
            JOIN device ON device.space = owner.space AND device."user" = owner."user"
        ) AS old
        WHERE place > 32 AND device.space = old.space AND device."user" = old."user"
            AND device.id = old.id AND NOT EXISTS (SELECT 1 FROM noted WHERE
                noted.space = old.space AND noted."user" = old."user" AND noted.id = old.id)
    ), remembered AS (
        INSERT INTO device (space, "user", id, seen) SELECT * FROM noted
        ON CONFLICT (space, "user", id) DO UPDATE SET seen = excluded.seen
            WHERE excluded.seen > device.seen
    )
    UPDATE "user" SET
        stay = CASE WHEN given.came THEN given.stay ELSE "user".stay END,
        vouched = "user".vouched OR given.vouched,
        seen = greatest("user".seen, given.seen),
        display_name = CASE WHEN given.came THEN given.display_name ELSE "user".display_name END
    FROM unnest($1::text[], $2::text[], $3::bool[], $4::text[], $5::bool[], $6::bigint[],
        $11::text[]) AS given (space, name, came, stay, vouched, seen, display_name)
    WHERE "user".space = given.space AND "user".name = given.name"#;

/// The names that have keys, and the statement that sets the keys.
const RENEW_KEYS: [(&str, &str); 2] = [
    (
        r#"SELECT DISTINCT name FROM "user""#,
        r#"UPDATE "user" SET key = new.key FROM unnest($1::text[], $2::text[]) AS new (name, key)
            WHERE "user".name = new.name AND "user".key <> new.key"#,
    ),
    (
        "SELECT DISTINCT name FROM guest_name",
        "UPDATE guest_name SET key = new.key FROM unnest($1::text[], $2::text[]) AS new (name, key)
            WHERE guest_name.name = new.name AND guest_name.key <> new.key",
    ),
];

// Guests that are on another live node.
const GUESTS_ON_OTHER_NODES: &str = "SELECT DISTINCT given.number - 1 AS number
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) WITH ORDINALITY
        AS given (space, key, stay, node, number)
    JOIN guest_name ON guest_name.space = given.space AND guest_name.key = given.key
        AND guest_name.stay = given.stay AND guest_name.node <> given.node
    JOIN node ON node.id = guest_name.node
    WHERE NOT node.gone AND node.beat > clock_timestamp() - $5 * interval '1 millisecond'";

/// The known users of a batch, with the guest session that holds the name before it; none for a
/// registered user. Their rows are locked.
pub(super) type LockedUsers<'a> = HashMap<SpaceUser<'a>, Option<Box<str>>>;

/// Locks the rows of all users that a batch concerns, including new ones.
pub(super) async fn lock<'a>(
    connection: &mut PgConnection,
    batch: &'a Batch,
) -> Result<LockedUsers<'a>, sqlx::Error> {
    let Batch { seen, departed, expired, changes, drafts, membership_queries: _, .. } = batch;
    insert_new_users(connection, seen).await?;
    let mut users: BTreeSet<SpaceUser<'a>> = seen.iter().map(|it| (&it.space, &it.user)).collect();
    users.extend(departed.iter().map(|it| (&it.space, &it.user)));
    users.extend(expired.iter().map(|it| (&it.space, &it.user)));
    users.extend(changes.iter().map(|it| (&it.place.space, &it.user)));
    let space_users = |place| participants(place).map(|user| (&place.space, user));
    users.extend(drafts.iter().flat_map(|draft| space_users(&draft.place)));
    if users.is_empty() {
        return Ok(LockedUsers::new());
    }
    let users: Vec<_> = users.into_iter().collect();
    let mut locked = LockedUsers::with_capacity(users.len());
    for row in bind_users(sqlx::query(LOCK), users.iter().copied()).fetch_all(connection).await? {
        let guest_session = row.maybe_text("stay")?.map(Into::into);
        locked.extend(users.get(number(&row)?).map(|user| (*user, guest_session)));
    }
    Ok(locked)
}

/// Whether the rows of all of these users are locked.
pub(super) fn are_locked(seen: &[UserSeen], locked: &LockedUsers<'_>) -> bool {
    seen.iter().all(|it| locked.contains_key(&(&it.space, &it.user)))
}

/// A user of the batch, merged from all of its appearances.
struct SeenUser<'a> {
    first: &'a IdentityKind,
    last: &'a IdentityKind,
    registered: bool,
    display_name: Option<&'a DisplayName>,
    at: OffsetDateTime,
}

/// The users that were seen, each once.
fn seen_users(seen: &[UserSeen]) -> BTreeMap<SpaceUser<'_>, SeenUser<'_>> {
    let mut seen_users = BTreeMap::new();
    for UserSeen { space, user, identity_kind, display_name, device: _, at } in seen {
        let user = seen_users.entry((space, user)).or_insert(SeenUser {
            first: identity_kind,
            last: identity_kind,
            registered: false,
            display_name: None,
            at: *at,
        });
        user.last = identity_kind;
        user.display_name = display_name.as_ref();
        user.registered |= *identity_kind == IdentityKind::Registered;
        user.at = user.at.max(*at);
    }
    seen_users
}

/// The id of a guest's session.
fn guest_session(identity_kind: &IdentityKind) -> Option<&str> {
    match identity_kind {
        IdentityKind::Guest(guest_session) => Some(guest_session),
        IdentityKind::Registered => None,
    }
}

/// Inserts the rows of new users.
async fn insert_new_users(
    connection: &mut PgConnection,
    seen: &[UserSeen],
) -> Result<(), sqlx::Error> {
    if seen.is_empty() {
        return Ok(());
    }
    let seen_users = seen_users(seen);
    let keys: Vec<_> = seen_users.keys().map(|(_, user)| user.key()).collect();
    let query = bind_users(sqlx::query(INSERT_NEW_USERS), seen_users.keys().copied())
        .bind(
            seen_users.values().map(|it| *it.first == IdentityKind::Registered).collect::<Vec<_>>(),
        )
        .bind(keys.iter().map(NameKey::as_raw).collect::<Vec<_>>())
        .bind(seen_users.values().map(|it| guest_session(it.first)).collect::<Vec<_>>())
        .bind(seen_users.values().map(|it| row::millis(it.at)).collect::<Vec<_>>());
    query.execute(connection).await.map(drop)
}

/// Makes the keys of names anew that were stored under an earlier rule. Other nodes that open the
/// database wait.
pub(super) async fn renew_keys(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    let rule: i64 = sqlx::query_scalar("SELECT key_rule FROM meta FOR UPDATE")
        .fetch_one(&mut *transaction)
        .await?;
    if rule >= i64::from(NameKey::RULE) {
        return Ok(());
    }
    for (names, update) in RENEW_KEYS {
        let names: Vec<String> = sqlx::query_scalar(names).fetch_all(&mut *transaction).await?;
        let keys: Vec<_> = names.iter().map(|name| UserName::from_raw(name).key()).collect();
        let keys: Vec<_> = keys.iter().map(NameKey::as_raw).collect();
        sqlx::query(update).bind(&names).bind(keys).execute(&mut *transaction).await?;
    }
    let done = sqlx::query("UPDATE meta SET key_rule = $1").bind(i64::from(NameKey::RULE));
    done.execute(&mut *transaction).await?;
    transaction.commit().await
}

/// Which of the expired guests are on another node.
pub(super) async fn guests_on_other_nodes(
    connection: &mut PgConnection,
    expired: &[GuestExpired],
) -> Result<HashSet<usize>, sqlx::Error> {
    if expired.is_empty() {
        return Ok(HashSet::new());
    }
    let keys: Vec<_> = expired.iter().map(|it| it.user.key()).collect();
    let query = sqlx::query(GUESTS_ON_OTHER_NODES)
        .bind(expired.iter().map(|it| it.space.as_raw()).collect::<Vec<_>>())
        .bind(keys.iter().map(NameKey::as_raw).collect::<Vec<_>>())
        .bind(expired.iter().map(|it| &*it.guest_session).collect::<Vec<_>>())
        .bind(expired.iter().map(|it| it.from.as_raw()).collect::<Vec<_>>())
        .bind(presence::lease());
    let rows = query.fetch_all(connection).await?;
    Ok(rows.iter().map(number).collect::<Result<_, _>>()?)
}

/// The users that lose their memberships: the name has another owner now, or the guest has expired.
pub(super) fn users_to_forget<'a>(
    batch: &'a Batch,
    locked: &LockedUsers<'a>,
    guests_on_other_nodes: &HashSet<usize>,
) -> BTreeSet<SpaceUser<'a>> {
    let seen_users = seen_users(&batch.seen);
    let replaced_users = write::replaced_users(&batch.seen);
    let is_replaced = |user: &SpaceUser<'a>, it: &SeenUser<'_>| {
        replaced_users.contains(user)
            || locked.get(user).is_some_and(|before| before.as_deref() != guest_session(it.first))
    };
    let mut users_to_forget: BTreeSet<_> = seen_users
        .iter()
        .filter(|(user, it)| is_replaced(user, it))
        .map(|(user, _)| *user)
        .collect();
    let expired = batch
        .expired
        .iter()
        .enumerate()
        .filter(|(number, _)| !guests_on_other_nodes.contains(number));
    for (_, expired) in expired {
        let user = (&expired.space, &expired.user);
        let current_session = match seen_users.get(&user) {
            Some(it) => guest_session(it.last),
            None => locked.get(&user).and_then(Option::as_deref),
        };
        if current_session == Some(&expired.guest_session) {
            users_to_forget.insert(user);
        }
    }
    users_to_forget
}

/// Writes the users and devices that were seen.
pub(super) async fn save_users(
    connection: &mut PgConnection,
    batch: &Batch,
    locked: &LockedUsers<'_>,
) -> Result<(), sqlx::Error> {
    if batch.seen.is_empty() && batch.departed.is_empty() {
        return Ok(());
    }
    let seen = seen_users(&batch.seen);
    // The users who were seen, if they were, and the time.
    let mut rows: BTreeMap<SpaceUser<'_>, (Option<&SeenUser<'_>>, OffsetDateTime)> =
        seen.iter().map(|(user, it)| (*user, (Some(it), it.at))).collect();
    for (user, at) in write::last_departures(&batch.departed) {
        let (_, last) = rows.entry(user).or_insert((None, at));
        *last = at.max(*last);
    }
    let users = || rows.values().map(|(seen, _)| *seen);
    let shown = |it: Option<&SeenUser<'_>>| it?.display_name.map(|it| it.as_raw().to_owned());
    let devices = last_devices(batch, locked);
    let query = bind_users(sqlx::query(SAVE_USERS), rows.keys().copied())
        .bind(users().map(|it| it.is_some()).collect::<Vec<_>>())
        .bind(users().map(|it| guest_session(it?.last)).collect::<Vec<_>>())
        .bind(users().map(|it| it.is_some_and(|it| it.registered)).collect::<Vec<_>>())
        .bind(rows.values().map(|(_, at)| row::millis(*at)).collect::<Vec<_>>());
    let query = bind_users(query, devices.keys().map(|(user, _)| *user))
        .bind(devices.keys().map(|(_, device)| device.as_raw()).collect::<Vec<_>>())
        .bind(devices.values().map(|at| row::millis(*at)).collect::<Vec<_>>())
        .bind(users().map(shown).collect::<Vec<_>>());
    query.execute(connection).await.map(drop)
}

/// The devices of known users, each once.
fn last_devices<'a>(
    batch: &'a Batch,
    locked: &LockedUsers<'_>,
) -> BTreeMap<(SpaceUser<'a>, &'a DeviceId), OffsetDateTime> {
    let devices = write::devices_arrived(&batch.seen).into_iter();
    let devices: Vec<DeviceSeen<'_>> =
        devices.chain(write::devices_departed(&batch.departed)).collect();
    let mut last = BTreeMap::new();
    for (user, device, at) in devices {
        if locked.contains_key(&user) {
            let latest = last.entry((user, device)).or_insert(at);
            *latest = at.max(*latest);
        }
    }
    last
}
