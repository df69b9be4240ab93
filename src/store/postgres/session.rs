//! How a connection is opened, and what is set for it.

use std::time::Duration;

use sqlx::{
    ConnectOptions as _, Row as _,
    postgres::{PgConnectOptions, PgConnection},
};

use super::failure::PostgresFailure;

/// How much longer the server waits than we do: what we have given up ends there, too.
const SERVER_TIMEOUT_MARGIN: Duration = Duration::from_secs(1);

// Settings that a server of this version or on this system does not have are passed over.
const SET_CONFIG: &str = "SELECT count(set_config(name, value, false)) FROM \
    unnest($1::text[], $2::text[]) AS wanted (name, value) JOIN pg_settings USING (name)";

// "transaction_read_only" is "on" on a standby, too.
const IS_WRITABLE: &str = "SELECT current_setting('transaction_read_only') = 'off' AS answer";

/// Opens a connection to a server that takes writes.
pub(super) async fn connect(
    options: &PgConnectOptions,
    wait_max: Duration,
) -> Result<PgConnection, PostgresFailure> {
    let mut connection = options.connect().await?;
    set(&mut connection, &settings(wait_max)).await?;
    // Not every system can do this, and then it is an error.
    let checks = [("client_connection_check_interval", millis(wait_max / 4))];
    if let Err(error) = set(&mut connection, &checks).await {
        tracing::debug!(%error, "the server cannot see that a connection broke while it works");
    }
    check_writable(&mut connection).await?;
    Ok(connection)
}

/// Fails where nothing can be written.
pub(super) async fn check_writable(connection: &mut PgConnection) -> Result<(), PostgresFailure> {
    let row = sqlx::query(IS_WRITABLE).fetch_one(connection).await?;
    if row.try_get("answer")? { Ok(()) } else { Err(PostgresFailure::ReadOnly) }
}

/// Has statements planned for tables as they are now.
pub(super) async fn replan(connection: &mut PgConnection) -> Result<(), PostgresFailure> {
    sqlx::raw_sql("DISCARD PLANS").execute(connection).await?;
    Ok(())
}

/// What is set for a session. `synchronous_commit` is the operator's.
fn settings(wait_max: Duration) -> Vec<(&'static str, String)> {
    let on_the_server = || millis(wait_max + SERVER_TIMEOUT_MARGIN);
    let text = str::to_owned;
    vec![
        // Notices would be logged.
        ("client_min_messages", text("error")),
        ("statement_timeout", on_the_server()),
        ("lock_timeout", on_the_server()),
        ("idle_in_transaction_session_timeout", on_the_server()),
        ("tcp_user_timeout", on_the_server()),
        ("tcp_keepalives_idle", text("15")),
        ("tcp_keepalives_interval", text("5")),
        ("tcp_keepalives_count", text("3")),
        // What is read after a lock is as new as the lock.
        ("default_transaction_isolation", text("read committed")),
        // Every statement finds its rows by an index, one after the other. Left to itself, a server
        // that thinks a table small keeps a plan that reads all of it, however large it has become:
        // batches took forty times as long.
        ("enable_seqscan", text("off")),
        ("enable_hashjoin", text("off")),
        ("enable_mergejoin", text("off")),
        ("enable_bitmapscan", text("off")),
        ("enable_material", text("off")),
        // Planning anew each time takes a lone message nearly as long as all the rest: see `replan`.
        ("plan_cache_mode", text("force_generic_plan")),
        ("jit", text("off")),
    ]
}

async fn set(
    connection: &mut PgConnection,
    settings: &[(&str, String)],
) -> Result<(), sqlx::Error> {
    let (names, values): (Vec<_>, Vec<_>) =
        settings.iter().map(|(name, value)| (*name, value.as_str())).unzip();
    let query = sqlx::query(SET_CONFIG).bind(names).bind(values);
    query.persistent(false).execute(connection).await.map(drop)
}

fn millis(time: Duration) -> String {
    time.as_millis().min(i32::MAX.unsigned_abs().into()).to_string()
}

/// Runs a statement without parameters and rows, such as `BEGIN`.
pub(super) async fn run_statement(
    connection: &mut PgConnection,
    statement: &'static str,
) -> Result<(), PostgresFailure> {
    sqlx::raw_sql(statement).execute(connection).await?;
    Ok(())
}
