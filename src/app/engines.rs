//! Opens the engines that the settings name.

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use tokio::{
    runtime,
    time::{Instant, sleep},
};
use tracing::{info, warn};

use super::{AppError, backends, setting_error, webhooks};
use crate::{
    bus::{LocalBus, RedisBus, RedisKind, RedisOptions},
    chat::ports::{Bus, DenialSnapshot, Fault, Nodes, OnlineGuest, Store, WebhookOutbox},
    config::{Address, BusKind, Config, StoreKind},
    domain::{NodeId, Secret},
    emitter::RedisEmitters,
    store::{
        MemoryNodes, MemoryStore, PostgresError, PostgresOptions, PostgresStore, SqliteError,
        SqliteOptions, SqliteStore,
    },
};

/// The time between two attempts to lock the data directory.
const LOCK_RETRY_INTERVAL: Duration = Duration::from_millis(20);
/// How much longer than `drain_ms_max` a process may take to stop.
const STOP_MARGIN: Duration = Duration::from_secs(2);

/// A background task of an engine.
pub(super) type BoxedTask = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The engines of one node.
pub struct Engines {
    /// The store.
    pub store: Arc<dyn Store>,
    /// The outbox of webhooks, in the store.
    pub outbox: Arc<dyn WebhookOutbox>,
    /// The bus.
    pub bus: Arc<dyn Bus>,
    /// The node registry.
    pub nodes: Arc<dyn Nodes>,
    /// The task of the bus, if it has one.
    pub bus_task: Option<BoxedTask>,
    /// The guests that were online when the last process ended.
    pub online_guests: Vec<OnlineGuest>,
    /// Who is refused.
    pub denials: DenialSnapshot,
}

impl fmt::Debug for Engines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Engines")
    }
}

impl Engines {
    /// Opens the configured engines for this node.
    pub async fn open(config: &Config, node: &NodeId) -> Result<Self, AppError> {
        let OpenStore { store, outbox, nodes } = open_store(config, node).await?;
        let (bus, bus_task) = open_bus(config, node, &*store)?;
        let online_guests = store.online_guests().await?;
        let denials = store.denials().await?;
        Ok(Self { store, outbox, bus, nodes, bus_task, online_guests, denials })
    }
}

/// A store as its ports, and the node registry.
struct OpenStore {
    store: Arc<dyn Store>,
    outbox: Arc<dyn WebhookOutbox>,
    nodes: Arc<dyn Nodes>,
}

impl OpenStore {
    fn new(store: Arc<impl Store + WebhookOutbox>, nodes: Arc<dyn Nodes>) -> Self {
        Self { outbox: Arc::clone(&store) as Arc<dyn WebhookOutbox>, store, nodes }
    }
}

async fn open_store(config: &Config, node: &NodeId) -> Result<OpenStore, AppError> {
    let single_node = || Arc::new(MemoryNodes::single(node.clone())) as Arc<dyn Nodes>;
    match &config.store {
        StoreKind::Memory => Ok(OpenStore::new(Arc::new(MemoryStore::default()), single_node())),
        StoreKind::Sqlite => {
            let options = SqliteOptions {
                directory: config.data.clone(),
                synchronous: config.sqlite.synchronous,
                busy_wait_max: Duration::from_millis(config.sqlite.busy_ms_max),
            };
            let store = open_sqlite(&options, lock_wait_max(config)).await;
            let store = store.map_err(setting_error("data"))?;
            Ok(OpenStore::new(Arc::new(store), single_node()))
        }
        StoreKind::Postgres(address) => {
            let options = postgres(config, address, node);
            let (store, nodes) = PostgresStore::open(&options).await.map_err(open_error)?;
            for warning in PostgresStore::check(&options).await.map_err(open_error)? {
                warn!("store: {warning}");
            }
            Ok(OpenStore::new(Arc::new(store), Arc::new(nodes)))
        }
    }
}

/// How long another process may keep the data directory: where that one accepts on the same sockets,
/// it may be draining. Nobody else has to wait for it.
fn lock_wait_max(config: &Config) -> Duration {
    if config.inherits_sockets() {
        Duration::from_millis(config.drain_ms_max) + STOP_MARGIN
    } else {
        Duration::ZERO
    }
}

/// Opens the database, once another process has left its directory.
async fn open_sqlite(
    options: &SqliteOptions,
    wait_max: Duration,
) -> Result<SqliteStore, SqliteError> {
    let deadline = Instant::now() + wait_max;
    let mut opened = SqliteStore::open(options).await;
    if let Err(error @ SqliteError::InUse { .. }) = &opened
        && !wait_max.is_zero()
    {
        info!(%error, "waiting for the data directory");
    }
    while let Err(SqliteError::InUse { .. }) = &opened
        && Instant::now() < deadline
    {
        sleep(LOCK_RETRY_INTERVAL).await;
        opened = SqliteStore::open(options).await;
    }
    opened
}

/// A transient error is a fault and not an error of the setting: the server may not run yet.
fn open_error(error: PostgresError) -> AppError {
    if error.is_transient() {
        Fault::new("database open failed", error).into()
    } else {
        setting_error("store")(error)
    }
}

/// The bus of the nodes that share a database: other installations on the same Redis have other
/// channels.
fn open_bus(
    config: &Config,
    node: &NodeId,
    store: &dyn Store,
) -> Result<(Arc<dyn Bus>, Option<BoxedTask>), AppError> {
    let Some(options) = redis(config, node, store.epoch().as_raw()) else {
        return Ok((Arc::new(LocalBus::default()), None));
    };
    let bus = RedisBus::new(&options).map_err(setting_error("bus"))?;
    let bus_task = Box::pin(Arc::clone(&bus).run());
    Ok((bus, Some(bus_task)))
}

/// What receives the packets of emitters, if the settings want any.
pub(super) fn emitters(config: &Config, node: &NodeId) -> Result<Option<RedisEmitters>, AppError> {
    // Emitters do not know the database, so it is in none of their channels.
    match redis(config, node, "emitters") {
        Some(options) if !config.emitter.is_empty() => {
            RedisEmitters::new(&config.emitter, &options).map(Some).map_err(setting_error("bus"))
        }
        _ => Ok(None),
    }
}

/// Connects to the configured servers without changing anything. Returns warnings.
pub fn check_engines(config: &Config) -> Result<Vec<String>, AppError> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Fault::new("runtime start failed", error))?;
    let warnings = runtime.block_on(warnings(config));
    // A pending DNS lookup is not awaited.
    runtime.shutdown_background();
    warnings
}

async fn warnings(config: &Config) -> Result<Vec<String>, AppError> {
    let node = NodeId::from_raw("check-config");
    let (mut warnings, mut failures) = (Vec::new(), Vec::new());
    failures.extend(backends::open(config, Vec::new()).err());
    failures.extend(webhooks::targets(config).err());
    if let StoreKind::Postgres(address) = &config.store {
        let options = postgres(config, address, &node);
        match PostgresStore::check(&options).await {
            Ok(found) => warnings.extend(found.iter().map(|it| format!("store: {it}"))),
            Err(error) => failures.push(setting_error("store")(error)),
        }
    }
    if let Some(options) = redis(config, &node, "check-config") {
        for problem in RedisBus::check(&options).await {
            failures.push(AppError::Setting { key: "bus", reason: problem.to_string() });
        }
    }
    if failures.is_empty() { Ok(warnings) } else { Err(AppError::Settings(failures)) }
}

pub(super) fn postgres(config: &Config, address: &Address, node: &NodeId) -> PostgresOptions {
    PostgresOptions {
        url: Secret::from_raw(address.expose().as_bytes()),
        node: node.clone(),
        readers_max: config.postgres.readers_max.get(),
        wait_max: Duration::from_millis(config.postgres.wait_ms_max),
        presence_grace: config.limits().presence_grace,
    }
}

pub(super) fn redis(config: &Config, node: &NodeId, database: &str) -> Option<RedisOptions> {
    let (addresses, kind) = match &config.bus {
        BusKind::Local => return None,
        BusKind::Redis(address) => (std::slice::from_ref(address), RedisKind::Standalone),
        BusKind::RedisCluster(addresses) => (&addresses[..], RedisKind::Cluster),
    };
    Some(RedisOptions {
        servers: addresses.iter().map(|it| Secret::from_raw(it.expose().as_bytes())).collect(),
        kind,
        prefix: format!("roomcast:{database}"),
        node: node.clone(),
        queue_max: config.limits.bus_announcements_max,
    })
}
