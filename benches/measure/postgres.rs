//! A PostgreSQL server with default settings: commits wait for the disk.
//!
//! Its data is in the build directory. It listens on the loopback interface, and ends with the
//! benchmark.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use roomcast::{
    domain::{NodeId, Secret},
    store::PostgresOptions,
};
use tempfile::TempDir;
use tokio::time::Instant;

/// Far longer than a server takes to start.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// See the module.
#[derive(Debug)]
pub(crate) struct Postgres {
    folder: TempDir,
    port: u16,
    server: Child,
}

impl Postgres {
    /// Starts a server.
    ///
    /// # Panics
    ///
    /// If PostgreSQL is not installed.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"));
        let folder = folder.expect("the build directory can be written");
        if is_root() {
            succeed(Command::new("chown").arg("postgres").arg(folder.path()));
        }
        let data = folder.path().join("data");
        let mut initdb = as_server("initdb");
        initdb.args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-locale"]);
        succeed(initdb.arg("-D").arg(&data));
        let port = free_port();
        let mut server = as_server("postgres");
        server.arg("-D").arg(&data).args(["-k", "", "-h", "127.0.0.1", "-p", &port.to_string()]);
        let server = server.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let started = Self { folder, port, server: server.expect("the server can be started") };
        started.wait_until_ready();
        started
    }

    /// Creates an empty database, and returns the options to open it, with the default settings of
    /// Roomcast.
    pub(crate) fn make_database(&self, name: &str) -> PostgresOptions {
        succeed(self.as_client("createdb").args(["--username=postgres", name]));
        let url = format!("postgres://postgres@127.0.0.1:{}/{name}", self.port);
        PostgresOptions {
            url: Secret::from_raw(url.as_bytes()),
            node: NodeId::from_raw("bench"),
            readers_max: 4,
            wait_max: Duration::from_secs(5),
            presence_grace: Duration::from_secs(5),
        }
    }

    fn wait_until_ready(&self) {
        let began = Instant::now();
        while !run(self.as_client("pg_isready").arg("--quiet")).status.success() {
            assert!(began.elapsed() < WAIT_MAX, "PostgreSQL does not start");
        }
    }

    /// A client program of PostgreSQL.
    fn as_client(&self, program: &str) -> Command {
        let mut command = as_server(program);
        command.args(["--host=127.0.0.1", &format!("--port={}", self.port)]);
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let mut stop = as_server("pg_ctl");
        stop.args(["stop", "--mode=immediate", "--wait", "-D"]);
        run(stop.arg(self.folder.path().join("data")));
        drop(self.server.kill());
        drop(self.server.wait());
    }
}

/// A free port.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    listener.local_addr().expect("a listener has an address").port()
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

/// The path on Debian, newest version first, or in the system's search path.
fn find(program: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let places = versions.map(|version| version.path().join("bin").join(program));
    let found = places.filter(|place| place.exists()).max();
    found.unwrap_or_else(|| {
        let found = run(Command::new("sh").args(["-c", "command -v \"$0\"", program])).stdout;
        assert!(
            !found.is_empty(),
            "PostgreSQL is not installed: `apt-get install postgresql` brings `{program}`"
        );
        String::from_utf8_lossy(&found).trim().into()
    })
}

fn succeed(command: &mut Command) {
    let done = run(command);
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
}

fn run(command: &mut Command) -> Output {
    command.output().expect("the program can be started")
}
