//! The users on other nodes, as these report them.

use sqlx::postgres::{PgConnection, PgRow};

use super::{arrays::number, failure::PostgresFailure};
use crate::{
    chat::ports::{LEASE, RemoteUsers},
    domain::{DeviceId, DeviceSet, NodeId, Space, UserName},
    store::sql::{Columns as _, row},
};

const ONLINE: &str = "SELECT given.number - 1 AS number, online.devices,
        array_to_string(online.named, E'\\n') AS named
    FROM unnest($2::text[]) WITH ORDINALITY AS given (name, number)
    JOIN online ON online.space = $1 AND online.name = given.name
    JOIN node ON node.id = online.node
    WHERE online.node <> $3 AND node.beat > clock_timestamp() - $4 * interval '1 millisecond'";

// A user may be on several nodes: one row for each.
const PAGE: &str = "WITH page AS (
        SELECT DISTINCT online.name FROM online JOIN node ON node.id = online.node
        WHERE online.space = $1 AND online.node <> $2 AND online.name > $4
            AND node.beat > clock_timestamp() - $3 * interval '1 millisecond'
        ORDER BY online.name LIMIT $5
    )
    SELECT online.name, online.devices, array_to_string(online.named, E'\\n') AS named
    FROM page JOIN online ON online.space = $1 AND online.name = page.name
    JOIN node ON node.id = online.node
    WHERE online.node <> $2 AND node.beat > clock_timestamp() - $3 * interval '1 millisecond'
    ORDER BY online.name";

const NOT_HERE: &str = "SELECT count(DISTINCT online.name) AS users
    FROM online JOIN node ON node.id = online.node
    WHERE online.space = $1 AND online.node <> $2
        AND node.beat > clock_timestamp() - $3 * interval '1 millisecond'
        AND NOT EXISTS (SELECT FROM online AS here
            WHERE here.space = $1 AND here.name = online.name AND here.node = $2)";

/// The devices of these users on live nodes but `node`.
pub(super) async fn of(
    connection: &mut PgConnection,
    (space, node): (&Space, &NodeId),
    users: &[UserName],
) -> Result<Vec<DeviceSet>, PostgresFailure> {
    let names: Vec<_> = users.iter().map(UserName::as_raw).collect();
    let query = sqlx::query(ONLINE).bind(space.as_raw()).bind(names);
    let query = query.bind(node.as_raw()).bind(lease());
    let mut online = vec![DeviceSet::default(); users.len()];
    for row in query.fetch_all(connection).await? {
        if let Some(it) = online.get_mut(number(&row)?) {
            it.merge(devices(&row)?);
        }
    }
    Ok(online)
}

/// A page of the users on live nodes but `node`: the first `count_max` after a name.
pub(super) async fn remote_users(
    connection: &mut PgConnection,
    (space, node): (&Space, &NodeId),
    (after, count_max): (Option<&UserName>, usize),
) -> Result<RemoteUsers, PostgresFailure> {
    // No name is empty.
    let after = after.map_or("", UserName::as_raw);
    let query = sqlx::query(PAGE).bind(space.as_raw()).bind(node.as_raw()).bind(lease());
    let query = query.bind(after).bind(row::number(count_max as u64));
    let mut users: Vec<(UserName, DeviceSet)> = Vec::new();
    for row in query.fetch_all(&mut *connection).await? {
        let user = UserName::from_raw(row.text("name")?);
        match users.last_mut() {
            Some((last, there)) if *last == user => there.merge(devices(&row)?),
            _ => users.push((user, devices(&row)?)),
        }
    }
    let query = sqlx::query(NOT_HERE).bind(space.as_raw()).bind(node.as_raw()).bind(lease());
    let not_here = query.fetch_one(connection).await?.int("users")?;
    Ok(RemoteUsers { users, not_here: usize::try_from(not_here).unwrap_or_default() })
}

/// The devices of a row.
fn devices(row: &PgRow) -> Result<DeviceSet, sqlx::Error> {
    let ids: Vec<_> = row.text("named")?.lines().map(DeviceId::from_raw).collect();
    let count = usize::try_from(row.int("devices")?).unwrap_or_default();
    let unnamed = count.saturating_sub(ids.len());
    Ok(DeviceSet::new(ids, unnamed))
}

/// How long a node without heartbeats counts as alive, in milliseconds.
pub(super) fn lease() -> i64 {
    i64::try_from(LEASE.as_millis()).unwrap_or(i64::MAX)
}
