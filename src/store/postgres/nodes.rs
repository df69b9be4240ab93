//! The node registry and the guest names, which are unique across nodes: rows that all nodes see,
//! timed by the server's clock.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use parking_lot::Mutex;
use sqlx::postgres::{PgConnection, PgRow};

use super::{
    connect::run_statement,
    failure::PostgresFailure,
    pool::{Pool, with_connection},
    presence::{self, lease},
};
use crate::{
    chat::ports::{
        ClaimOutcome, Fault, GuestExpired, GuestName, HeartbeatReply, Nodes, OnlineDevices,
        RemoteUsers,
    },
    domain::{DeviceId, DeviceSet, NodeId, Space, UserName},
    store::sql::{Columns as _, row},
};

/// Connections of a node for the registry: heartbeats continue while a claim waits for a lock.
pub(super) const CONNECTIONS: u32 = 2;
/// Every so many heartbeats, the rows of dead nodes are removed.
const SWEEP_INTERVAL_HEARTBEATS: u64 = 64;

// One row per user: an INSERT must not affect a row twice.
const HEARTBEAT: &str = "WITH me AS (
        INSERT INTO node (id, beat) VALUES ($1, clock_timestamp())
        ON CONFLICT (id) DO UPDATE SET beat = clock_timestamp(), gone = false
    ), told AS (
        DELETE FROM lost_name WHERE id = ANY ($2)
    ), away AS (
        DELETE FROM online USING unnest($3::text[], $4::text[], $5::bigint[])
            AS given (space, name, devices)
        WHERE given.devices = 0
            AND online.space = given.space AND online.name = given.name AND online.node = $1
    )
    INSERT INTO online (space, name, node, devices, named)
    SELECT space, name, $1, devices, string_to_array(named, E'\\n')
    FROM unnest($3::text[], $4::text[], $5::bigint[], $6::text[])
        AS given (space, name, devices, named)
    WHERE devices > 0
    ON CONFLICT (space, name, node) DO UPDATE
    SET devices = excluded.devices, named = excluded.named";

// The live nodes, the names that this node has lost, and the nodes that left whose claims are over.
const STATUS: &str =
    "SELECT id AS alive, NULL AS lost, NULL AS space, NULL AS name, NULL AS stay, NULL AS gone
        FROM node WHERE id = $1
            OR NOT gone AND beat > clock_timestamp() - $2 * interval '1 millisecond'
    UNION ALL
    SELECT NULL, id, space, name, stay, NULL FROM lost_name WHERE node = $1
    UNION ALL
    SELECT NULL, NULL, NULL, NULL, NULL, id
        FROM node WHERE gone AND beat <= clock_timestamp() - $3 * interval '1 millisecond'
    ORDER BY lost";

// A node that returns after an hour receives the list of its lost names; the list is kept for a
// day. Nodes that left do not return.
const SWEEP: &str = "WITH dead AS (
        DELETE FROM node WHERE id IN (
            SELECT id FROM node WHERE beat < clock_timestamp() - interval '1 hour'
                OR gone AND beat <= clock_timestamp() - $1 * interval '1 millisecond'
            FOR UPDATE SKIP LOCKED
        ) RETURNING id, gone
    ), freed AS (
        DELETE FROM guest_name USING dead WHERE guest_name.node = dead.id
        RETURNING guest_name.node, guest_name.space, guest_name.name, guest_name.stay, dead.gone
    ), lost AS (
        INSERT INTO lost_name (node, space, name, stay)
        SELECT node, space, name, stay FROM freed WHERE NOT gone
    ), stale AS (
        DELETE FROM lost_name WHERE since < clock_timestamp() - interval '1 day'
    ), offline AS (
        DELETE FROM online USING dead WHERE online.node = dead.id
    )
    SELECT node, space, name, stay FROM freed";

// Claims and releases of one name are serialised by this lock.
const LOCK_NAMES: &str = "SELECT pg_advisory_xact_lock(lock) FROM (
        SELECT DISTINCT hashtextextended(space || E'\\n' || key, 0) AS lock
        FROM unnest($1::text[], $2::text[]) AS given (space, key) ORDER BY 1
    ) AS locks";

// Holders on this node are ignored: the caller has already released them.
const HOLDERS: &str = "SELECT node FROM guest_name
    WHERE space = $1 AND key = $2 AND stay <> $3 AND node <> $4";

// Locked, so that a node that is expired here cannot send a heartbeat before the claim commits.
const HOLDS_NAMES: &str = "SELECT beat > clock_timestamp()
        - CASE WHEN gone THEN $3 ELSE greatest($2, $3) END * interval '1 millisecond' AS holds
    FROM node WHERE id = ANY ($1) ORDER BY id FOR UPDATE";

// The limit of devices is `DEVICES_PER_USER_MAX`.
const CLAIM: &str = "WITH freed AS (
        DELETE FROM guest_name WHERE space = $1 AND key = $2 AND stay <> $3
        RETURNING node, space, name, stay
    ), lost AS (
        INSERT INTO lost_name (node, space, name, stay) SELECT * FROM freed WHERE node <> $4
    )
    INSERT INTO guest_name (space, key, stay, node, name, devices)
    VALUES ($1, $2, $3, $4, $5, array_remove(ARRAY[$6::text], NULL))
    ON CONFLICT (space, key, node, stay) DO UPDATE SET name = excluded.name,
        devices = (excluded.devices || array_remove(guest_name.devices, $6))[:32]";

const GUEST_SESSION: &str = "SELECT guest_name.stay FROM guest_name
    JOIN node ON node.id = guest_name.node
    WHERE space = $1 AND key = $2 AND name = $3 AND $4 = ANY (devices)
        AND beat > clock_timestamp()
            - CASE WHEN gone THEN $6 ELSE greatest($5, $6) END * interval '1 millisecond'
    LIMIT 1";

const RELEASE: &str = "DELETE FROM guest_name
    USING unnest($1::text[], $2::text[], $3::text[]) AS given (space, key, stay)
    WHERE guest_name.space = given.space AND guest_name.key = given.key
        AND guest_name.stay = given.stay AND guest_name.node = $4";

const TICKET: &str = "SELECT nextval('ticket') AS ticket";

const LEAVE: &str = "WITH offline AS (DELETE FROM online WHERE node = $1)
    UPDATE node SET gone = true, beat = clock_timestamp() WHERE id = $1";

/// The node registry in the database that the store uses.
#[derive(Debug)]
pub struct PostgresNodes {
    node_id: NodeId,
    /// How long the claims of a node that left or failed last.
    grace: Duration,
    pool: Pool,
    /// The rows of lost names that this node has received: the next heartbeat confirms and deletes
    /// them.
    lost_name_ids: Mutex<Vec<i64>>,
    heartbeats: AtomicU64,
}

impl PostgresNodes {
    pub(super) fn new(node_id: NodeId, grace: Duration, pool: Pool) -> Self {
        let (lost_name_ids, heartbeats) = (Mutex::default(), AtomicU64::new(0));
        Self { node_id, grace, pool, lost_name_ids, heartbeats }
    }

    async fn try_heartbeat(
        &self,
        connection: &mut PgConnection,
        changes: &BTreeMap<(&str, &str), &DeviceSet>,
    ) -> Result<(HeartbeatReply, Vec<i64>), PostgresFailure> {
        let lost_name_ids = self.lost_name_ids.lock().clone();
        let query = sqlx::query(HEARTBEAT).bind(self.node_id.as_raw()).bind(lost_name_ids);
        let query = query
            .bind(changes.keys().map(|(space, _)| *space).collect::<Vec<_>>())
            .bind(changes.keys().map(|(_, user)| *user).collect::<Vec<_>>())
            .bind(changes.values().map(|it| row::number(it.count() as u64)).collect::<Vec<_>>())
            .bind(changes.values().map(|it| device_lines(it)).collect::<Vec<_>>());
        query.execute(&mut *connection).await?;
        let query = sqlx::query(STATUS).bind(self.node_id.as_raw()).bind(lease());
        let query = query.bind(millis(self.grace));
        let count = self.heartbeats.fetch_add(1, Ordering::Relaxed);
        let mut sweeps = count.is_multiple_of(SWEEP_INTERVAL_HEARTBEATS);
        let (mut reply, mut lost_name_ids) = (HeartbeatReply::default(), Vec::new());
        for row in query.fetch_all(&mut *connection).await? {
            if let Some(node) = row.maybe_text("alive")? {
                reply.alive.push(NodeId::from_raw(node));
            } else if row.maybe_text("gone")?.is_some() {
                sweeps = true;
            } else {
                lost_name_ids.push(row.int("lost")?);
                reply.lost.push(guest_name(&row)?);
            }
        }
        if sweeps {
            let query = sqlx::query(SWEEP).bind(millis(self.grace));
            for row in query.fetch_all(connection).await? {
                let GuestName { space, user, guest_session } = guest_name(&row)?;
                let from = NodeId::from_raw(row.text("node")?);
                reply.expired.push(GuestExpired { space, user, guest_session, from });
            }
        }
        reply.alive.sort_unstable();
        Ok((reply, lost_name_ids))
    }

    async fn try_claim(
        &self,
        connection: &mut PgConnection,
        name: &GuestName,
        device: Option<&DeviceId>,
    ) -> Result<ClaimOutcome, PostgresFailure> {
        let GuestName { space, user, guest_session } = name;
        let (space, key) = (space.as_raw(), user.key());
        run_statement(connection, "BEGIN").await?;
        lock_names(connection, std::slice::from_ref(name)).await?;
        let query = sqlx::query(HOLDERS).bind(space).bind(key.as_raw()).bind(&**guest_session);
        let query = query.bind(self.node_id.as_raw());
        let rows = query.fetch_all(&mut *connection).await?;
        let holders = rows.iter().map(|row| row.text("node")).collect::<Result<Vec<_>, _>>()?;
        let mut is_taken = false;
        if !holders.is_empty() {
            let query = sqlx::query(HOLDS_NAMES).bind(holders).bind(lease());
            for row in query.bind(millis(self.grace)).fetch_all(&mut *connection).await? {
                is_taken |= row.flag("holds")?;
            }
        }
        if !is_taken {
            let query = sqlx::query(CLAIM).bind(space).bind(key.as_raw()).bind(&**guest_session);
            let query = query.bind(self.node_id.as_raw()).bind(user.as_raw());
            let query = query.bind(device.map(DeviceId::as_raw));
            query.execute(&mut *connection).await?;
        }
        run_statement(connection, "COMMIT").await?;
        Ok(if is_taken { ClaimOutcome::Taken } else { ClaimOutcome::Granted })
    }

    async fn try_guest_session(
        &self,
        connection: &mut PgConnection,
        (space, user): (&Space, &UserName),
        device: &DeviceId,
    ) -> Result<Option<Box<str>>, PostgresFailure> {
        let key = user.key();
        let query = sqlx::query(GUEST_SESSION).bind(space.as_raw()).bind(key.as_raw());
        let query = query.bind(user.as_raw()).bind(device.as_raw());
        let query = query.bind(lease()).bind(millis(self.grace));
        let row = query.fetch_optional(connection).await?;
        Ok(row.map(|row| row.text("stay").map(Into::into)).transpose()?)
    }

    async fn try_release(
        &self,
        connection: &mut PgConnection,
        names: &[GuestName],
    ) -> Result<(), PostgresFailure> {
        run_statement(connection, "BEGIN").await?;
        lock_names(connection, names).await?;
        let (spaces, keys) = keys(names);
        let query = sqlx::query(RELEASE).bind(&spaces).bind(&keys);
        let query = query.bind(names.iter().map(|name| &*name.guest_session).collect::<Vec<_>>());
        query.bind(self.node_id.as_raw()).execute(&mut *connection).await?;
        run_statement(connection, "COMMIT").await
    }

    async fn try_leave(&self, connection: &mut PgConnection) -> Result<(), PostgresFailure> {
        sqlx::query(LEAVE).bind(self.node_id.as_raw()).execute(connection).await?;
        Ok(())
    }
}

#[async_trait]
impl Nodes for PostgresNodes {
    async fn heartbeat(&self, changes: &[OnlineDevices]) -> Result<HeartbeatReply, Fault> {
        let changes = changes.iter().map(|it| ((it.space.as_raw(), it.user.as_raw()), &it.devices));
        let changes: BTreeMap<_, _> = changes.collect();
        let result =
            with_connection!(self.pool, |connection| self.try_heartbeat(connection, &changes));
        let (reply, lost_name_ids) =
            result.map_err(|failure| Fault::new("postgres heartbeat failed", failure))?;
        *self.lost_name_ids.lock() = lost_name_ids;
        Ok(reply)
    }

    async fn claim(
        &self,
        name: &GuestName,
        device: Option<&DeviceId>,
    ) -> Result<ClaimOutcome, Fault> {
        let claim =
            with_connection!(self.pool, |connection| self.try_claim(connection, name, device));
        claim.map_err(|failure| Fault::new("postgres name claim failed", failure))
    }

    async fn guest_session(
        &self,
        space: &Space,
        user: &UserName,
        device: &DeviceId,
    ) -> Result<Option<Box<str>>, Fault> {
        let found = with_connection!(self.pool, |connection| self.try_guest_session(
            connection,
            (space, user),
            device
        ));
        found.map_err(|failure| Fault::new("postgres guest session query failed", failure))
    }

    async fn release(&self, names: &[GuestName]) -> Result<(), Fault> {
        let released =
            with_connection!(self.pool, |connection| self.try_release(connection, names));
        released.map_err(|failure| Fault::new("postgres name release failed", failure))
    }

    async fn online(&self, space: &Space, users: &[UserName]) -> Result<Vec<DeviceSet>, Fault> {
        let node = &self.node_id;
        let online = with_connection!(self.pool, |connection| presence::of(
            connection,
            (space, node),
            users
        ));
        online.map_err(|failure| Fault::new("postgres presence query failed", failure))
    }

    async fn remote_users(
        &self,
        space: &Space,
        after: Option<&UserName>,
        count_max: usize,
    ) -> Result<RemoteUsers, Fault> {
        let (node, page) = (&self.node_id, (after, count_max));
        let online = with_connection!(self.pool, |connection| presence::remote_users(
            connection,
            (space, node),
            page
        ));
        online.map_err(|failure| Fault::new("postgres presence query failed", failure))
    }

    async fn ticket(&self) -> Result<u64, Fault> {
        let ticket = with_connection!(self.pool, |connection| next_ticket(connection));
        ticket.map_err(|failure| Fault::new("postgres ticket failed", failure))
    }

    async fn leave(&self) -> Result<(), Fault> {
        let left = with_connection!(self.pool, |connection| self.try_leave(connection));
        left.map_err(|failure| Fault::new("postgres node removal failed", failure))
    }
}

async fn next_ticket(connection: &mut PgConnection) -> Result<u64, PostgresFailure> {
    let row = sqlx::query(TICKET).fetch_one(connection).await?;
    Ok(row::count(row.int("ticket")?)?)
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// Reads the columns `space, name, stay`.
fn guest_name(row: &PgRow) -> Result<GuestName, sqlx::Error> {
    Ok(GuestName {
        space: Space::from_raw(row.text("space")?),
        user: UserName::from_raw(row.text("name")?),
        guest_session: row.text("stay")?.into(),
    })
}

/// The ids of devices, one per line: they are visible ASCII.
fn device_lines(devices: &DeviceSet) -> String {
    let ids: Vec<_> = devices.named().map(DeviceId::as_raw).collect();
    ids.join("\n")
}

fn keys(names: &[GuestName]) -> (Vec<&str>, Vec<String>) {
    let key = |name: &GuestName| name.user.key().as_raw().to_owned();
    names.iter().map(|name| (name.space.as_raw(), key(name))).unzip()
}

async fn lock_names(
    connection: &mut PgConnection,
    names: &[GuestName],
) -> Result<(), PostgresFailure> {
    let (spaces, keys) = keys(names);
    sqlx::query(LOCK_NAMES).bind(spaces).bind(keys).execute(connection).await?;
    Ok(())
}
