//! A server per test: a free port, a temporary directory, and a checked stop.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use roomcast::{
    app::{AppError, Engines, Server},
    auth::{self, KeyTokens},
    bus::{BusFault, BusPath, MemoryBus},
    chat::ports::{
        Backend, Claims, Clock as _, DenialSnapshot, Store as _, Tokens as _, WebhookOutbox,
    },
    clock::SystemClock,
    config::{Changes, Config, StoreKind},
    domain::{DisplayName, NodeId, Place, RoomName, Secret, Space, SpacePattern, UserName},
    store::{MemoryNodes, MemoryStore},
};
use tempfile::TempDir;
use tokio::{task::yield_now, time::timeout};

use crate::sockets::ClientSockets;

/// The timeout of an expected event. Only a failure takes that long.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(20);

/// The key that nodes share.
const SHARED: &[u8] = b"a key that all nodes of a cluster have";

/// The tolerated time of a stop beyond the configured drain time.
const STOP_MORE: Duration = Duration::from_secs(2);

/// Waits for an event that must happen.
pub(crate) async fn wait_for<T>(what: &str, event: impl Future<Output = T>) -> T {
    timeout(WAIT_MAX, event).await.unwrap_or_else(|_| panic!("timed out: {what}"))
}

/// Nodes of one process that share a store, with a bus that a test may disturb.
pub(crate) struct TestCluster {
    store: MemoryStore,
    nodes: MemoryNodes,
    bus: Arc<MemoryBus>,
}

impl TestCluster {
    /// A cluster without nodes.
    pub(crate) fn new() -> Self {
        let no_node = NodeId::from_raw("nobody");
        let nodes = MemoryNodes::single(no_node.clone());
        Self { store: MemoryStore::new(), nodes, bus: MemoryBus::new(no_node) }
    }

    /// Starts a node with this name.
    pub(crate) fn start(&self, name: &str) -> TestServer {
        self.start_with(name, |_| ())
    }

    /// The same with changed settings.
    pub(crate) fn start_with(&self, name: &str, edit: impl FnOnce(&mut Config)) -> TestServer {
        let (config, data) = TestServer::settings(|config| {
            config.token.secret = Secret::from_raw(SHARED);
            edit(config);
        });
        let node = NodeId::from_raw(name);
        let nodes = self.nodes.add_node(node.clone()).with_grace(config.limits().presence_grace);
        let store = Arc::new(self.store.shared_by(&nodes));
        let engines = Engines {
            outbox: Arc::clone(&store) as Arc<dyn WebhookOutbox>,
            store,
            bus: self.bus.add_node(node.clone()),
            nodes: Arc::new(nodes),
            bus_task: None,
            online_guests: Vec::new(),
            denials: DenialSnapshot::default(),
        };
        let server = Server::with_engines(&config, node, engines).unwrap();
        TestServer::of(server, (config, data))
    }

    /// Two nodes.
    pub(crate) fn pair(edit: impl Fn(&mut Config)) -> (Self, TestServer, TestServer) {
        let cluster = Self::new();
        let one = cluster.start_with("one", &edit);
        let other = cluster.start_with("other", &edit);
        (cluster, one, other)
    }

    /// Whether the store has a user as a member of a room.
    pub(crate) async fn is_member(&self, room: &str, user: &str) -> bool {
        let place = Place::room(&Space::root(), &RoomName::parse(room).unwrap());
        self.store.member(&place, &UserName::parse(user).unwrap()).await.unwrap().is_some()
    }

    /// Cuts all nodes, or the node of this name, from the bus until it is healed.
    pub(crate) fn cut(&self, from: Option<&str>) {
        self.bus.inject_fault(path(from), BusFault::Cut);
    }

    /// Ends the faults of a node, or of all.
    pub(crate) fn heal(&self, from: Option<&str>) {
        self.bus.clear_faults(&path(from));
    }
}

fn path(from: Option<&str>) -> BusPath {
    BusPath { from: from.map(NodeId::from_raw), to: None }
}

/// A running server. It stores messages in memory by default.
pub(crate) struct TestServer {
    server: Server,
    config: Config,
    data: TempDir,
    clients: ClientSockets,
}

impl TestServer {
    pub(crate) async fn start() -> Self {
        Self::with(|_| ()).await
    }

    /// With changed settings.
    pub(crate) async fn with(edit: impl FnOnce(&mut Config)) -> Self {
        let (config, data) = Self::settings(edit);
        let server = Server::start(&config).await.unwrap();
        Self::of(server, (config, data))
    }

    /// With changed settings and a back end in this process.
    pub(crate) async fn with_backend(
        edit: impl FnOnce(&mut Config),
        backend: impl Backend,
    ) -> Self {
        let (config, data) = Self::settings(edit);
        let server = Server::builder(config.clone()).backend(backend).start().await.unwrap();
        Self::of(server, (config, data))
    }

    fn of(server: Server, (config, data): (Config, TempDir)) -> Self {
        Self { server, config, data, clients: ClientSockets::default() }
    }

    /// The settings and the directory of one server.
    fn settings(edit: impl FnOnce(&mut Config)) -> (Config, TempDir) {
        let data = TempDir::new().unwrap();
        let mut config = Config {
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 0)).into()],
            data: data.path().to_owned(),
            store: StoreKind::Memory,
            ..Config::default()
        };
        edit(&mut config);
        (config, data)
    }

    /// With messages on disk.
    pub(crate) async fn on_disk() -> Self {
        Self::with(|config| config.store = StoreKind::Sqlite).await
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.addresses()[0].address.tcp().unwrap()
    }

    /// The connections of its clients.
    pub(crate) fn clients(&self) -> &ClientSockets {
        &self.clients
    }

    /// The settings of the server.
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// A token of the back end for `user`, valid for an hour, in these spaces or in all.
    pub(crate) fn token(&self, user: &str, spaces: &[&str]) -> String {
        self.token_for(user, spaces, time::Duration::HOUR)
    }

    /// The same with another lifetime, which may have ended.
    pub(crate) fn token_for(&self, user: &str, spaces: &[&str], good: time::Duration) -> String {
        let spaces = spaces.iter().map(|it| SpacePattern::parse(it).unwrap()).collect();
        let (user, expires_at) = (UserName::parse(user).unwrap(), SystemClock.now() + good);
        self.token_of(&Claims { spaces, ..Claims::of(user, expires_at) })
    }

    /// The same with a display name.
    pub(crate) fn token_named(&self, user: &str, name: &str) -> String {
        let until = SystemClock.now() + time::Duration::HOUR;
        let claims = Claims::of(UserName::parse(user).unwrap(), until);
        self.token_of(&Claims { name: DisplayName::parse(name), ..claims })
    }

    /// A token of the back end with these claims.
    pub(crate) fn token_of(&self, claims: &Claims) -> String {
        let own = &self.config.token.secret;
        let in_data = || auth::load_or_create_key(self.data.path()).unwrap();
        let secret = if own.is_empty() { in_data() } else { own.clone() };
        let token = KeyTokens::new(&secret, Arc::new(SystemClock)).issue(claims).unwrap();
        token.expose().to_owned()
    }

    /// Reloads the settings of the start with changes.
    pub(crate) fn reload(&self, edit: impl FnOnce(&mut Config)) -> Result<Changes, AppError> {
        let mut config = self.config.clone();
        edit(&mut config);
        self.server.reload(&config)
    }

    /// The number of connections.
    pub(crate) fn connections(&self) -> usize {
        self.server.connections()
    }

    /// The value, a whole number, of a series of the server's metrics, by its name with its labels; 0
    /// while it does not exist.
    pub(crate) fn metric(&self, series: &str) -> u64 {
        let text = self.server.metrics();
        let mut lines = text.lines().filter_map(|line| line.rsplit_once(' '));
        let value = lines.find(|(name, _)| *name == series).map(|(_, value)| value);
        value.map_or(0, |value| value.trim_end_matches(".0").parse().unwrap())
    }

    /// Waits for this number of connections.
    pub(crate) async fn has_connections(&self, count: usize) {
        wait_for("the number of connections", async {
            while self.server.connections() != count {
                yield_now().await;
            }
        })
        .await;
    }

    /// Ends what clients have left open, stops the server, and checks that no task, and so no
    /// connection, is left.
    pub(crate) async fn stop(self) {
        self.clients.end(self.address()).await;
        self.drain().await;
    }

    /// Stops the server under its clients.
    pub(crate) async fn drain(self) {
        drop(self.end().await);
    }

    /// Drains, and starts again with the same directory.
    pub(crate) async fn restart(self) -> Self {
        self.restart_with(|_| ()).await
    }

    /// The same with changed settings.
    pub(crate) async fn restart_with(self, edit: impl FnOnce(&mut Config)) -> Self {
        let (mut config, data) = self.end().await;
        edit(&mut config);
        let server = Server::start(&config).await.unwrap();
        Self::of(server, (config, data))
    }

    async fn end(self) -> (Config, TempDir) {
        let Self { server, config, data, clients: _ } = self;
        let limit = Duration::from_millis(config.drain_ms_max) + STOP_MORE;
        let stopped = timeout(limit, server.stop()).await;
        stopped.expect("drained in time").expect("no task is left");
        (config, data)
    }
}
