//! Redis servers for tests, each with its own directory and port, and nodes that use them.

use std::{
    net::TcpListener,
    num::NonZeroUsize,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    bus::{
        contract::TestListener,
        redis::{RedisBus, RedisKind, RedisOptions, server::TlsConfig},
    },
    domain::{NodeId, Secret},
};

/// The time after which a test fails.
const TEST_WAIT_MAX: Duration = Duration::from_secs(20);
/// How often a condition without a notification is polled.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A server. It is killed when this is dropped.
pub(super) struct Server {
    pub(super) port: u16,
    folder: TempDir,
    arguments: Vec<String>,
    child: Child,
}

impl Server {
    /// A standalone server.
    pub(super) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// A server with additional arguments.
    pub(super) async fn start_with(arguments: &[&str]) -> Self {
        let server = Self::launch(free_port(), arguments);
        server.wait_ready().await;
        server
    }

    /// A server that may not be ready yet.
    pub(super) fn launch(port: u16, arguments: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let arguments: Vec<_> = arguments.iter().copied().map(str::to_owned).collect();
        let child = spawn(port, folder.path(), &arguments);
        Self { port, folder, arguments, child }
    }

    /// Its address.
    pub(super) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Kills it.
    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again after it was killed.
    pub(super) async fn restart(&mut self) {
        self.child = spawn(self.port, self.folder.path(), &self.arguments);
        self.wait_ready().await;
    }

    /// Sends a signal to its process.
    pub(super) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    /// Sends a command and returns the reply.
    pub(super) async fn run_command(&self, command: &str) -> String {
        run_command(self.port, command).await.unwrap_or_default()
    }

    /// Sends a command and does not wait for the reply.
    pub(super) async fn start_command(&self, command: &str) -> TcpStream {
        let mut socket = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        socket.write_all(format!("{command}\r\n").as_bytes()).await.unwrap();
        socket
    }

    async fn wait_ready(&self) {
        wait_until(|| async {
            run_command(self.port, "PING")
                .await
                .is_some_and(|it| it.starts_with("+PONG") || it.starts_with("-NOAUTH"))
        })
        .await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn spawn(port: u16, folder: &Path, arguments: &[String]) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
        .args(["--appendonly", "no", "--enable-debug-command", "yes"])
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("there is no redis-server: apt-get install redis-server")
}

/// A free port. It is below the range of ephemeral ports, so that no client takes it before the
/// server binds it; test processes start the search at different ports.
pub(super) fn free_port() -> u16 {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    loop {
        let place = std::process::id().wrapping_mul(97) + TAKEN.fetch_add(1, Ordering::Relaxed);
        let port = 10_000 + u16::try_from(place % 20_000).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// The reply of a server to a command, as RESP text. The arguments must have no spaces.
async fn run_command(port: u16, command: &str) -> Option<String> {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    socket.write_all(format!("{command}\r\nQUIT\r\n").as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    timeout(Duration::from_secs(2), socket.read_to_end(&mut answer)).await.ok()?.ok()?;
    Some(String::from_utf8_lossy(&answer).into_owned())
}

/// Waits until a condition holds.
pub(super) async fn wait_until<F: Future<Output = bool> + Send>(
    is_so: impl Fn() -> F + Send + Sync,
) {
    let wait = async {
        while !is_so().await {
            sleep(POLL_INTERVAL).await;
        }
    };
    timeout(TEST_WAIT_MAX, wait).await.expect("the condition does not hold in time");
}

/// A node: a bus that runs. It ends when this is dropped.
pub(super) struct Node {
    pub(super) name: &'static str,
    pub(super) bus: Arc<RedisBus>,
    tasks: JoinSet<()>,
}

impl Node {
    /// A node with one server.
    pub(super) fn start(name: &'static str, url: &str) -> Self {
        Self::start_with(&options(name, RedisKind::Standalone, &[url]), name)
    }

    pub(super) fn start_with(options: &RedisOptions, name: &'static str) -> Self {
        Self::start_with_tls_config(options, name, TlsConfig::default())
    }

    pub(super) fn start_with_tls_config(
        options: &RedisOptions,
        name: &'static str,
        tls_config: TlsConfig,
    ) -> Self {
        let bus = RedisBus::with_tls_config(options, tls_config).unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(&bus).run());
        Self { name, bus, tasks }
    }

    /// Waits until the run has ended.
    pub(super) async fn wait_ended(&mut self) {
        timeout(TEST_WAIT_MAX, self.tasks.join_next()).await.unwrap();
    }

    pub(super) fn listener(&self) -> TestListener<'_> {
        TestListener::new(self.name, &*self.bus)
    }
}

/// The options of the tests.
pub(super) fn options(node: &str, kind: RedisKind, urls: &[&str]) -> RedisOptions {
    RedisOptions {
        servers: urls.iter().map(|url| Secret::from_raw(url.as_bytes())).collect(),
        kind,
        prefix: "roomcast".to_owned(),
        node: NodeId::from_raw(node),
        queue_max: NonZeroUsize::new(4096).unwrap(),
    }
}

/// Two listeners with subscriptions to these channels.
pub(super) async fn two_listeners<'a>(
    ann: &'a Node,
    bob: &'a Node,
    channels: &[u16],
) -> (TestListener<'a>, TestListener<'a>) {
    let (ann, bob) = (ann.listener(), bob.listener());
    ann.listen(channels.iter().copied()).await;
    bob.listen(channels.iter().copied()).await;
    (ann, bob)
}

/// Waits until both are connected and confirmed for these channels again, and receive each other on
/// them.
pub(super) async fn wait_recovered(
    ann: &TestListener<'_>,
    bob: &TestListener<'_>,
    channels: &[u16],
) {
    for listener in [ann, bob] {
        listener.wait_subscribed_again(channels).await;
        listener.wait_connected().await;
    }
    for (speaker, listener) in [(ann, bob), (bob, ann)] {
        for channel in channels {
            speaker.publish(*channel, 1_000_000);
            while listener.receive().await != (speaker.name().to_owned(), *channel, 1_000_000) {}
        }
    }
}
