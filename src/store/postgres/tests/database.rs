//! A PostgreSQL server for a test, in its own directory; it ends with the test.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use sqlx::postgres::PgConnection;
use tempfile::TempDir;

use super::*;

/// The longest wait for anything in a test.
pub(super) const TEST_WAIT_MAX: Duration = Duration::from_secs(30);
/// The engine's timeout in tests with a healthy server.
const WAIT_MAX: Duration = Duration::from_secs(5);
const PORT: &str = "5432";

/// A server, and the schema in it that was opened last. An engine uses each schema as a database of
/// its own, and a schema is created much faster.
#[derive(Debug)]
pub(super) struct TestDatabase {
    folder: TempDir,
    server: Child,
    schemas: AtomicU32,
}

impl TestDatabase {
    /// Starts a server with an empty database.
    pub(super) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        if is_root() {
            assert!(run(Command::new("chown").arg("postgres").arg(folder.path())).status.success());
        }
        let mut initdb = as_server("initdb");
        initdb.args(["--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8"]);
        // Not byte order, so that the engine cannot rely on it.
        let made = run(initdb.args(["--locale=C.UTF-8", "-D"]).arg(folder.path().join("data")));
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        // One role has a password.
        let rules = "local all stranger scram-sha-256\nlocal all all trust\n";
        fs::write(folder.path().join("data/pg_hba.conf"), rules).unwrap();
        let server = serve(folder.path());
        let database = Self { folder, server, schemas: AtomicU32::new(0) };
        database.wait_until_ready();
        database
    }

    /// Opens an empty schema.
    pub(super) async fn open(&self) -> (PostgresStore, PostgresNodes) {
        self.make_schema().await;
        self.open_as_node("first").await
    }

    /// Creates an empty schema.
    pub(super) async fn make_schema(&self) {
        let schema = self.schemas.fetch_add(1, Ordering::Relaxed) + 1;
        self.run(&format!("CREATE SCHEMA s{schema}")).await;
    }

    /// Runs SQL on another connection.
    pub(super) async fn run(&self, sql: &str) {
        let mut other_connection = self.connect().await;
        run_on(&mut other_connection, sql).await;
        other_connection.close().await.unwrap();
    }

    /// Opens the schema that was opened last, as another node.
    pub(super) async fn open_as_node(&self, node: &str) -> (PostgresStore, PostgresNodes) {
        PostgresStore::open(&self.options(node)).await.unwrap()
    }

    /// The options for the schema that was opened last.
    pub(super) fn options(&self, node: &str) -> PostgresOptions {
        PostgresOptions {
            url: Secret::from_raw(self.url().as_bytes()),
            node: NodeId::from_raw(node),
            readers_max: 3,
            wait_max: WAIT_MAX,
            presence_grace: NAMES_GRACE,
        }
    }

    fn url(&self) -> String {
        let schema = self.schemas.load(Ordering::Relaxed);
        self.address("postgres:secret", &format!("postgres?options=-csearch_path%3Ds{schema}"))
    }

    /// The address of the server, for a user and a database.
    pub(super) fn address(&self, user: &str, database: &str) -> String {
        let folder = self.folder.path().display().to_string().replace('/', "%2F");
        format!("postgres://{user}@{folder}/{database}")
    }

    /// Another connection.
    pub(super) async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url()).await.unwrap()
    }

    /// Waits until a connection waits for a lock.
    pub(super) async fn wait_for_lock(&self) {
        let mut other_connection = self.connect().await;
        let waits = "SELECT count(*) FROM pg_locks WHERE NOT granted";
        let began = tokio::time::Instant::now();
        loop {
            let count: i64 =
                sqlx::query_scalar(waits).fetch_one(&mut other_connection).await.unwrap();
            if count > 0 {
                return;
            }
            assert!(began.elapsed() < TEST_WAIT_MAX, "nothing waits for a lock");
        }
    }

    /// Kills the server as a power cut would.
    pub(super) fn kill(&mut self) {
        let stopped = run(as_server("pg_ctl")
            .args(["stop", "--mode=immediate", "--wait", "-D"])
            .arg(self.folder.path().join("data")));
        assert!(stopped.status.success(), "pg_ctl: {}", String::from_utf8_lossy(&stopped.stderr));
        self.server.wait().unwrap();
    }

    /// Starts it again.
    pub(super) fn restart(&mut self) {
        self.server = serve(self.folder.path());
        self.wait_until_ready();
    }

    /// Sends a signal to all processes of the server.
    pub(super) fn signal(&self, signal: &str) {
        assert!(self.try_signal(signal).unwrap());
    }

    fn try_signal(&self, signal: &str) -> io::Result<bool> {
        let pid = fs::read_to_string(self.folder.path().join("data/postmaster.pid"))?;
        let pid = pid.lines().next().unwrap_or_default();
        let children = Command::new("pgrep").args(["-P", pid]).output()?.stdout;
        let children = String::from_utf8_lossy(&children).into_owned();
        let pids = children.split_whitespace().chain([pid]);
        let sent = Command::new("kill").arg(format!("-{signal}")).args(pids).output()?;
        Ok(sent.status.success())
    }

    fn wait_until_ready(&self) {
        let began = tokio::time::Instant::now();
        let is_ready = || {
            let mut command = as_server("pg_isready");
            command.arg("-q").arg("-h").arg(self.folder.path()).args(["-p", PORT]);
            run(&mut command).status.success()
        };
        while !is_ready() {
            assert!(began.elapsed() < TEST_WAIT_MAX, "the server does not start");
        }
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        // A stopped process cannot end.
        drop(self.try_signal("CONT"));
        let mut stop = as_server("pg_ctl");
        stop.args(["stop", "--mode=immediate", "--wait", "-D"]);
        run(stop.arg(self.folder.path().join("data")));
        drop(self.server.kill());
        drop(self.server.wait());
    }
}

pub(super) async fn run_on(connection: &mut PgConnection, sql: &str) {
    let sql = sqlx::AssertSqlSafe(sql.to_owned());
    sqlx::raw_sql(sql).execute(connection).await.unwrap();
}

/// Starts a server that listens only on a socket in its folder.
fn serve(folder: &Path) -> Child {
    let mut server = as_server("postgres");
    server.arg("-D").arg(folder.join("data")).arg("-k").arg(folder).args(["-p", PORT]);
    for setting in ["listen_addresses=", "fsync=off", "max_connections=60"] {
        server.args(["-c", setting]);
    }
    server.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn run(command: &mut Command) -> Output {
    command.output().unwrap()
}

fn is_root() -> bool {
    run(Command::new("id").arg("-u")).stdout == b"0\n"
}

/// A server program, which refuses to run as root.
fn as_server(program: &str) -> Command {
    let program = find(program);
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("runuser");
    command.args(["-u", "postgres", "--"]).arg(program);
    command
}

/// The path on Debian, or in the system's search path.
fn find(program: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let places = versions.map(|version| version.unwrap().path().join("bin").join(program));
    let found = places.filter(|place| place.exists()).max();
    found.unwrap_or_else(|| {
        let found = run(Command::new("sh").args(["-c", "command -v \"$0\"", program])).stdout;
        assert!(
            !found.is_empty(),
            "PostgreSQL is not installed: `apt-get install postgresql` brings `{program}`"
        );
        String::from_utf8(found).unwrap().trim().into()
    })
}
