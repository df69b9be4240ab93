//! Opens connections and sets their session parameters.

use std::time::Duration;

use sqlx::{
    ConnectOptions as _, Row as _,
    postgres::{PgConnectOptions, PgConnection},
};

use super::failure::PostgresFailure;

/// How much longer the server waits than the client: a statement that the client has given up ends
/// on the server, too.
const SERVER_TIMEOUT_MARGIN: Duration = Duration::from_secs(1);

// Settings that this version or platform of the server lacks are skipped.
const SET_CONFIG: &str = "SELECT count(set_config(name, value, false)) FROM \
    unnest($1::text[], $2::text[]) AS wanted (name, value) JOIN pg_settings USING (name)";

// "transaction_read_only" is "on" on a standby, too.
const IS_WRITABLE: &str = "SELECT current_setting('transaction_read_only') = 'off' AS answer";

/// Opens a connection to a server that accepts writes.
pub(super) async fn connect(
    options: &PgConnectOptions,
    wait_max: Duration,
) -> Result<PgConnection, PostgresFailure> {
    let mut connection = options.connect().await?;
    set(&mut connection, &settings(wait_max)).await?;
    // Not every platform supports this; there it is an error.
    let checks = [("client_connection_check_interval", millis(wait_max / 4))];
    if let Err(error) = set(&mut connection, &checks).await {
        tracing::debug!(%error, "postgres connection check unsupported");
    }
    check_writable(&mut connection).await?;
    Ok(connection)
}

/// Fails when the server is read-only.
pub(super) async fn check_writable(connection: &mut PgConnection) -> Result<(), PostgresFailure> {
    let row = sqlx::query(IS_WRITABLE).fetch_one(connection).await?;
    if row.try_get("answer")? { Ok(()) } else { Err(PostgresFailure::ReadOnly) }
}

/// Discards the plans of prepared statements, so that they are planned for the current sizes of
/// tables.
pub(super) async fn replan(connection: &mut PgConnection) -> Result<(), PostgresFailure> {
    sqlx::raw_sql("DISCARD PLANS").execute(connection).await?;
    Ok(())
}

/// The session parameters. `synchronous_commit` is left to the operator.
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
        // Reads after a lock see the state as of the lock.
        ("default_transaction_isolation", text("read committed")),
        // Every statement finds its rows by an index, one after the other. By default, a server
        // that assumes a small table keeps a plan that reads all of it, however large it has
        // become: batches took forty times as long.
        ("enable_seqscan", text("off")),
        ("enable_hashjoin", text("off")),
        ("enable_mergejoin", text("off")),
        ("enable_bitmapscan", text("off")),
        ("enable_material", text("off")),
        // Planning anew each time takes nearly as long as all other work for a single message: see
        // `replan`.
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
