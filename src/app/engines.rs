//! The engines that a server runs on, as the settings want them.

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use super::{Failure, setting};
use crate::{
    bus::LocalBus,
    chat::ports::{Bus, Nodes, Store},
    config::{BusKind, Config, StoreKind, Synchronous},
    domain::NodeId,
    store::{self, MemoryNodes, MemoryStore, SqliteOptions, SqliteStore},
};

/// What an engine has to do all the time.
type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The engines of one node.
pub struct Engines {
    /// What keeps.
    pub store: Arc<dyn Store>,
    /// What carries.
    pub bus: Arc<dyn Bus>,
    /// What knows the nodes.
    pub nodes: Arc<dyn Nodes>,
    /// What the bus has to do all the time, if anything.
    pub carrier: Option<Task>,
}

impl fmt::Debug for Engines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Engines")
    }
}

impl Engines {
    /// Opens what the settings name, for this node.
    pub async fn open(config: &Config, node: &NodeId) -> Result<Self, Failure> {
        let (store, nodes) = open_store(config, node).await?;
        let (bus, carrier) = open_bus(config, node, &*store)?;
        Ok(Self { store, bus, nodes, carrier })
    }
}

async fn open_store(
    config: &Config,
    node: &NodeId,
) -> Result<(Arc<dyn Store>, Arc<dyn Nodes>), Failure> {
    let alone = || Arc::new(MemoryNodes::alone(node.clone())) as Arc<dyn Nodes>;
    match &config.store {
        StoreKind::Memory => Ok((Arc::new(MemoryStore::default()), alone())),
        StoreKind::Sqlite => {
            let options = SqliteOptions {
                directory: config.data.clone(),
                synchronous: match config.sqlite.synchronous {
                    Synchronous::Full => store::Synchronous::Full,
                    Synchronous::Normal => store::Synchronous::Normal,
                },
                busy_wait_max: Duration::from_millis(config.sqlite.busy_ms_max),
            };
            let store = SqliteStore::open(&options).await.map_err(setting("data"))?;
            Ok((Arc::new(store), alone()))
        }
        StoreKind::Postgres(_) => todo!(),
    }
}

fn open_bus(
    config: &Config,
    _node: &NodeId,
    _store: &dyn Store,
) -> Result<(Arc<dyn Bus>, Option<Task>), Failure> {
    match &config.bus {
        BusKind::Local => Ok((Arc::new(LocalBus), None)),
        BusKind::Redis(_) | BusKind::RedisCluster(_) => todo!(),
    }
}
