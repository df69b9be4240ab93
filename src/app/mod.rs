//! Composition: the one place that names engines.
//!
//! Starting and stopping are apart from running, so that two servers can live in one process.

mod engines;
mod tokens;

use std::{io::Write as _, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    runtime,
    signal::unix::{Signal, SignalKind, signal},
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::{
    auth::KeyTokens,
    chat::{
        Chat, Devices, Guests, Parts, RetentionRules, Rules,
        ports::{Bus, Fault, IdSource, Store, with_causes},
    },
    clock::{RandomIds, SystemClock},
    config::{self, Config, Origin, Switch},
    domain::NodeId,
    tasks::Tasks,
    transport::{
        api::SessionApi, credentials::QueryTokens, http, listener::Listener, origin::Origins,
        socketio::SocketIoTransport, websocket::WebSocketTransport,
    },
};

pub use self::engines::{Engines, try_engines};
pub use self::tokens::{Refusal, check as check_keys, examine, missing_key, open as open_tokens};

/// Why the server ended in a way that nobody asked for.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A setting that only turned out to be wrong when it was used.
    #[error("`{key}`: {reason}")]
    Setting {
        /// Which.
        key: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// Several of these.
    #[error("{}", lines(.0))]
    Settings(Vec<Failure>),
    /// We broke.
    #[error("{}", .0.chain())]
    Broken(#[from] Fault),
}

fn lines(failures: &[Failure]) -> String {
    failures.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Runs a server until it is told to stop.
pub fn run(config: &Config) -> Result<(), Failure> {
    let runtime = runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Fault::new("starting the runtime", error))?;
    let result = runtime.block_on(async {
        let server = Server::start(config).await?;
        // Before the announcement: whoever hears that we are ready may tell us to stop.
        let signals = Signals::listen()?;
        announce(server.address())?;
        server.until_told_to_stop(signals).await;
        server.stop().await
    });
    // What had to end has ended. A name that is still being looked up is not waited for.
    runtime.shutdown_background();
    result
}

/// The one line on standard output: whoever started us may connect now.
fn announce(address: SocketAddr) -> Result<(), Fault> {
    let mut out = std::io::stdout();
    writeln!(out, "listening on http://{address}")
        .and_then(|()| out.flush())
        .map_err(|error| Fault::new("saying that the server is ready", error))
}

/// The signals with which a server is told to stop.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From now on they do not end the process.
    fn listen() -> Result<Self, Fault> {
        let listen = |kind| signal(kind).map_err(|error| Fault::new("listening to signals", error));
        let terminate = listen(SignalKind::terminate())?;
        Ok(Self { terminate, interrupt: listen(SignalKind::interrupt())? })
    }
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    patience: Duration,
    chat: Arc<Chat>,
    /// What serves clients, and ends first.
    front: Tasks,
    /// What serves the front, and ends after it.
    back: Tasks,
    /// Tells the journal that nothing more will come.
    finish: CancellationToken,
    shared: Shared,
}

/// What is let go of last, and does not print.
struct Shared {
    store: Arc<dyn Store>,
    bus: Arc<dyn Bus>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shared")
    }
}

impl Server {
    /// Opens the engines and begins to listen.
    pub async fn start(config: &Config) -> Result<Self, Failure> {
        let node = node();
        let engines = Engines::open(config, &node).await?;
        Self::on(config, node, engines)
    }

    /// Begins to listen, on engines that are open.
    pub fn on(config: &Config, node: NodeId, engines: Engines) -> Result<Self, Failure> {
        let Engines { store, bus, nodes, carrier } = engines;
        let tokens = Arc::new(tokens::open(config)?);
        let name = node.clone();
        let (chat, writer) = Chat::new(Parts {
            store: Arc::clone(&store),
            bus: Arc::clone(&bus),
            nodes,
            tokens: Arc::<KeyTokens>::clone(&tokens),
            clock: Arc::new(SystemClock),
            ids: Arc::new(RandomIds),
            rules: rules(config, node),
        });
        let (front, back, finish) = (Tasks::new(), Tasks::new(), CancellationToken::new());
        back.spawn_vital("journal", writer.run(finish.clone()));
        back.spawn_vital("sweep", until(back.clone(), Arc::clone(&chat).sweep()));
        back.spawn_vital("roll", until(back.clone(), Arc::clone(&chat).call_roll()));
        back.spawn_vital("relay", until(back.clone(), Arc::clone(&chat).hear()));
        back.spawn_vital("mend", until(back.clone(), Arc::clone(&chat).mend()));
        back.spawn_vital("beat", until(back.clone(), Arc::clone(&chat).beat()));
        back.spawn_vital("census", until(back.clone(), Arc::clone(&chat).count_nodes()));
        if let Some(carrier) = carrier {
            back.spawn_vital("bus", until(back.clone(), carrier));
        }
        for source in tokens.sources() {
            let source = Arc::clone(source);
            back.spawn_vital("keys", until(back.clone(), async move { source.run().await }));
        }
        let listener = Listener::bind(config.listen, chat.limits())
            .map_err(|error| cannot_listen(config.listen, &error))?;
        let address = listener.local_addr();
        let router = router(config, &chat, &front);
        front.spawn_vital("listener", listener.run(router, front.clone()));
        info!(%address, node.id = name.as_raw(), "listening");
        let patience = Duration::from_millis(config.drain_ms_max);
        let shared = Shared { store, bus };
        Ok(Self { address, patience, chat, front, back, finish, shared })
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections there are.
    pub fn connections(&self) -> usize {
        self.chat.connections()
    }

    /// Waits for SIGTERM or SIGINT, or for the end of a task that the server cannot do without.
    async fn until_told_to_stop(&self, mut signals: Signals) {
        // All of them are cancel-safe.
        tokio::select! {
            _ = signals.terminate.recv() => info!("told to stop"),
            _ = signals.interrupt.recv() => info!("told to stop"),
            () = self.front.draining() => info!("a task ended early"),
            () = self.back.draining() => info!("a task ended early"),
        }
    }

    /// Stops accepting, tells everyone, stores what was taken, and lets go of everything, within
    /// the time that the setting `drain_ms_max` gives.
    pub async fn stop(self) -> Result<(), Failure> {
        let broke = self.back.is_draining();
        let part = self.patience / 4;
        self.chat.drain();
        // Whoever polls has to ask once more to hear of it, so the door stays open a little longer.
        // New clients are refused from now on. Whether everybody has gone is seen below.
        timeout(part * 2, self.chat.drained()).await.ok();
        let front = self.front.finish(part).await;
        self.finish.cancel();
        // What the bus still has to say goes out while its task runs.
        self.shared.bus.close().await;
        let back = self.back.finish(part).await;
        self.chat.leave().await;
        self.shared.store.close().await;
        info!("stopped");
        front.and(back).map_err(|left| Fault::new("stopping", left))?;
        if broke {
            return Err(Fault::new("serving", "a task ended that should not have").into());
        }
        Ok(())
    }
}

/// Runs `task` until the tasks that it belongs to are asked to finish.
async fn until(tasks: Tasks, task: impl Future<Output = ()>) {
    tokio::select! {
        () = task => (),
        () = tasks.draining() => (),
    }
}

fn router(config: &Config, chat: &Arc<Chat>, front: &Tasks) -> axum::Router {
    let origins = config.origins.iter().map(Origin::as_raw).map(str::to_owned).collect();
    let origins = Arc::new(Origins::new(origins));
    let in_query = match config.token.in_query {
        Switch::On => QueryTokens::Taken,
        Switch::Off => QueryTokens::Refused,
    };
    let (shared, open_to) = (|| Arc::clone(chat), || Arc::clone(&origins));
    let socketio =
        SocketIoTransport::new(shared(), &config.spaces, open_to(), in_query, front.clone());
    let websocket = WebSocketTransport::new(shared(), open_to(), in_query, front.clone());
    let sessions = SessionApi::new(shared(), open_to());
    http::router(shared(), socketio, websocket, sessions)
}

fn rules(config: &Config, node: NodeId) -> Rules {
    Rules {
        limits: config.limits(),
        guests: match config.guests {
            Switch::On => Guests::On,
            Switch::Off => Guests::Off,
        },
        guest_lifetime: Duration::from_secs(config.token.guest_ttl_secs),
        devices: match config.devices {
            config::Devices::Many => Devices::Many,
            config::Devices::Newest => Devices::Newest,
        },
        spaces: config.spaces.clone(),
        rooms: config.rooms(),
        retention: RetentionRules {
            entries_max: config.retention.entries(),
            age_max: config.retention.age(),
            sweep_interval: config.retention.sweep(),
        },
        node,
    }
}

/// What this process calls itself among the nodes.
fn node() -> NodeId {
    NodeId::from_raw(RandomIds.secret().get(..8).unwrap_or_default())
}

/// The address is taken, or is not ours.
fn cannot_listen(address: SocketAddr, error: &std::io::Error) -> Failure {
    Failure::Setting { key: "listen", reason: format!("cannot listen on {address}: {error}") }
}

/// Makes an error the failure of a setting, with what caused it.
fn setting<E: std::error::Error + 'static>(key: &'static str) -> impl FnOnce(E) -> Failure {
    move |error| Failure::Setting { key, reason: with_causes(&error) }
}
