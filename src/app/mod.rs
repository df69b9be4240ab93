//! Composition: the only module that names engines.
//!
//! `Server` starts and stops independently of the process, so that two servers can run in one
//! process.

mod backends;
mod builder;
pub mod data;
pub mod doctor;
mod engines;
mod listening;
mod reload;
mod services;
mod supervisor;
mod tls;
mod tokens;
mod traces;
mod webhooks;

use std::{fs, sync::Arc, time::Duration};

use futures_util::future::join_all;
use parking_lot::Mutex;
use sd_notify::NotifyState;
use tokio::{
    runtime,
    signal::unix::{Signal, SignalKind, signal},
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::{
    auth::{ApiKeyHash, HashedApiKeys, KeyTokens},
    chat::{
        Backends, Chat, ChatParts, ChatRules, DrainPace, Replaceable, RequestRules, RetentionRules,
        WebhookTarget,
        ports::{ApiKey, Bus, Fault, IdSource, Store, with_causes},
    },
    clock::{RandomIds, SystemClock},
    config::{AdminUiSettings, AllowedOrigin, ApiKeySettings, Config},
    domain::{AdminUiMode, EmitterMode, NodeId, Space},
    store::measured_store,
    tasks::Tasks,
    telemetry::metrics::ProcessMetrics,
    transport::{accept_pause::AcceptPause, listener::BoundAddress, origin::Origins},
};

pub use self::builder::ServerBuilder;
pub use self::engines::{Engines, check_engines};
pub use self::reload::ReloadSource;
pub use self::tls::check as check_certificates;
pub use self::tokens::{
    VerifyError, check as check_keys, missing_key_path, open as open_tokens, verify_token,
};
use self::{
    listening::{Listening, admin_ui, listen, metrics_source},
    reload::LiveParts,
    services::Services,
    traces::Traces,
};

/// Why the server ended unexpectedly.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// A setting that was found to be invalid when it was used.
    #[error("`{key}`: {reason}")]
    Setting {
        /// The key.
        key: &'static str,
        /// The error.
        reason: String,
    },
    /// Several of these.
    #[error("{}", lines(.0))]
    Settings(Vec<AppError>),
    /// The server failed.
    #[error("{}", .0.chain())]
    Fault(#[from] Fault),
}

fn lines(failures: &[AppError]) -> String {
    failures.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Runs a server until it receives a signal to stop. SIGHUP reloads the settings.
pub fn run(config: &Config, source: &ReloadSource<'_>) -> Result<(), AppError> {
    let runtime = runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Fault::new("runtime start failed", error))?;
    let result = runtime.block_on(async {
        let server = Server::start(config).await?;
        // Before the address is printed: the parent process may send a signal as soon as it reads
        // it.
        let signals = Signals::listen()?;
        supervisor::print_addresses(server.addresses(), server.admin_address())?;
        supervisor::notify(NotifyState::Ready);
        server.wait_for_stop(signals, source).await;
        supervisor::notify(NotifyState::Stopping);
        server.stop().await
    });
    // All tasks have ended. A pending DNS lookup is not awaited.
    runtime.shutdown_background();
    result
}

/// The signals to a server.
struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Installs the handlers: the signals do not end the process any more.
    fn listen() -> Result<Self, Fault> {
        let listen =
            |kind| signal(kind).map_err(|error| Fault::new("signal handler setup failed", error));
        let (hangup, terminate) = (listen(SignalKind::hangup())?, listen(SignalKind::terminate())?);
        Ok(Self { hangup, terminate, interrupt: listen(SignalKind::interrupt())? })
    }
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    listening: Listening,
    drain_timeout: Duration,
    chat: Arc<Chat>,
    /// The tasks that serve clients. They end first.
    client_tasks: Tasks,
    /// The tasks that the client tasks depend on. They end later.
    service_tasks: Tasks,
    /// Ends the journal: no commands follow.
    finish: CancellationToken,
    shared: SharedEngines,
    metrics: Arc<ProcessMetrics>,
    live: LiveParts,
}

/// The engines that are closed last. They have no `Debug`.
struct SharedEngines {
    store: Arc<dyn Store>,
    bus: Arc<dyn Bus>,
    traces: Traces,
}

impl std::fmt::Debug for SharedEngines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shared")
    }
}

impl Server {
    /// Opens the engines and starts to listen.
    pub async fn start(config: &Config) -> Result<Self, AppError> {
        Self::builder(config.clone()).start().await
    }

    /// A server with parts of the program that embeds it.
    pub fn builder(config: Config) -> ServerBuilder {
        ServerBuilder::new(config)
    }

    /// Starts to listen, with engines that are open.
    pub fn with_engines(config: &Config, node: NodeId, engines: Engines) -> Result<Self, AppError> {
        let receivers = (backends::open(config, Vec::new())?, webhooks::targets(config)?);
        Self::with_parts(config, node, engines, receivers)
    }

    fn with_parts(
        config: &Config,
        node: NodeId,
        engines: Engines,
        (backends, webhooks): (Backends, Vec<WebhookTarget>),
    ) -> Result<Self, AppError> {
        let Engines { store, outbox, bus, nodes, bus_task, online_guests, denials } = engines;
        let tokens = Arc::new(tokens::open(config)?);
        let name = node.clone();
        let emitters = engines::emitters(config, &node)?;
        let metrics = Arc::new(ProcessMetrics::default());
        let store = measured_store(store, Arc::<ProcessMetrics>::clone(&metrics));
        let traces = Traces::start(config, &node, Arc::<ProcessMetrics>::clone(&metrics))?;
        let api_keys = Arc::new(HashedApiKeys::new(api_key_entries(config)));
        let origins = Arc::new(Origins::new(origin_texts(config)));
        let (chat, writer) = Chat::new(ChatParts {
            store: Arc::clone(&store),
            bus: Arc::clone(&bus),
            nodes,
            tokens: Arc::<KeyTokens>::clone(&tokens),
            clock: Arc::new(SystemClock),
            ids: Arc::new(RandomIds),
            metrics: Arc::<ProcessMetrics>::clone(&metrics),
            backends: backends::measured(backends, &metrics),
            api_keys: Arc::<HashedApiKeys>::clone(&api_keys),
            webhooks: webhooks::parts(config, webhooks, outbox),
            tracer: traces.tracer.clone(),
            rules: rules(config, node),
        });
        chat.reserve_names(online_guests);
        chat.load_denials(denials);
        let (client_tasks, service_tasks, finish) =
            (Tasks::new(), Tasks::new(), CancellationToken::new());
        let certificates = tls::open(config)?;
        let live = LiveParts {
            api_keys,
            origins: Arc::clone(&origins),
            rooms: chat.room_rules(),
            requests: chat.request_rules(),
            tokens: Arc::clone(&tokens),
            certificates: certificates.clone(),
            config: Mutex::new(Box::new(config.clone())),
        };
        let services = Services { writer, bus_task, emitters, tokens, certificates };
        services.start(&chat, &service_tasks, &finish);
        let source = (metrics_source(&chat, &metrics), admin_ui(config, &live.tokens));
        let served = live.certificates.as_ref();
        let listening = listen(config, (&chat, origins), &client_tasks, source, served)?;
        info!(address = %supervisor::list(&listening.addresses), node.id = name.as_raw(), "listening");
        let drain_timeout = Duration::from_millis(config.drain_ms_max);
        let shared = SharedEngines { store, bus, traces };
        Ok(Self {
            listening,
            drain_timeout,
            chat,
            client_tasks,
            service_tasks,
            finish,
            shared,
            metrics,
            live,
        })
    }

    /// The addresses that clients connect to.
    pub fn addresses(&self) -> &[BoundAddress] {
        &self.listening.addresses
    }

    /// The address that back ends connect to, if it is another one.
    pub fn admin_address(&self) -> Option<&BoundAddress> {
        self.listening.admin_address.as_ref()
    }

    /// The number of connections.
    pub fn connections(&self) -> usize {
        self.chat.connections()
    }

    /// The metrics of this server, in the text form of OpenMetrics.
    pub fn metrics(&self) -> String {
        self.metrics.text(&self.chat.gauges())
    }

    /// Waits for SIGTERM or SIGINT, or for the end of a vital task.
    async fn wait_for_stop(&self, mut signals: Signals, source: &ReloadSource<'_>) {
        loop {
            // All of them are cancel-safe.
            tokio::select! {
                _ = signals.hangup.recv() => self.reload_from(source),
                _ = signals.terminate.recv() => return info!("stop signal received"),
                _ = signals.interrupt.recv() => return info!("stop signal received"),
                () = self.client_tasks.draining() => return info!("vital task ended early"),
                () = self.service_tasks.draining() => return info!("vital task ended early"),
            }
        }
    }

    /// Stops accepting, notifies all clients, commits queued commands, and closes the engines,
    /// within the time of the setting `drain_ms_max`.
    pub async fn stop(self) -> Result<(), AppError> {
        let ended_early = self.service_tasks.is_draining();
        let part = self.drain_timeout / 8;
        let left_within = match &self.listening.pauses[..] {
            [] => self.send_away(part).await,
            pauses => self.hand_over(pauses, part).await,
        };
        let client_tasks = self.client_tasks.finish(left_within).await;
        self.finish.cancel();
        self.chat.say_farewell();
        // The bus sends its queue while its task runs.
        self.shared.bus.close().await;
        let service_tasks = self.service_tasks.finish(part * 2).await;
        self.chat.leave().await;
        self.shared.store.close().await;
        self.shared.traces.finish().await;
        info!("stopped");
        client_tasks
            .and(service_tasks)
            .map_err(|left| Fault::new("server stop incomplete", left))?;
        if ended_early {
            return Err(Fault::new("server stopped early", "a vital task ended").into());
        }
        Ok(())
    }

    /// Refuses new clients, and has the others return over time. A polling client needs one more
    /// request to receive `closing`, so the listener stays open a little longer. Returns how long
    /// what is left may take.
    async fn send_away(&self, part: Duration) -> Duration {
        self.chat.refuse();
        self.chat.drain();
        let emptied = async {
            let pace = DrainPace { closes_within: part * 4, returns_within: self.drain_timeout };
            self.chat.close_connections(pace).await;
            self.chat.drained().await;
        };
        timeout(part * 5, emptied).await.ok();
        part
    }

    /// Leaves new sockets to the process that accepts on the same ones. They wait for it, so all
    /// clients are closed at once. Returns how long what is left may take.
    async fn hand_over(&self, pauses: &[AcceptPause], part: Duration) -> Duration {
        pauses.iter().for_each(AcceptPause::begin);
        self.chat.drain();
        let emptied = async {
            let (closes_within, returns_within) = (Duration::ZERO, self.drain_timeout);
            self.chat.close_connections(DrainPace { closes_within, returns_within }).await;
            // A browser may hold sockets in reserve, on which it sends nothing.
            timeout(part, join_all(pauses.iter().map(AcceptPause::answered))).await.ok();
            self.chat.drained().await;
        };
        timeout(part * 5, emptied).await.ok();
        // First the sessions without a connection, which would be refused one.
        self.client_tasks.drain();
        self.chat.refuse();
        part
    }
}

fn rules(config: &Config, node: NodeId) -> ChatRules {
    ChatRules {
        requests: Replaceable::new(request_rules(config)),
        guests: config.guests,
        guest_lifetime: Duration::from_secs(config.token.guest_ttl_secs),
        guest_devices: config.token.guest_devices,
        devices: config.devices,
        spaces: config.spaces.clone(),
        clock_interval: (config.clock_secs > 0).then(|| Duration::from_secs(config.clock_secs)),
        rooms: Replaceable::new(config.rooms()),
        emitters: if config.emitter.is_empty() { EmitterMode::Off } else { EmitterMode::On },
        retention: RetentionRules {
            entries_max: config.retention.entries(),
            age_max: config.retention.age(),
            sweep_interval: config.retention.sweep(),
        },
        node,
        host: host_name(),
        reserved: match config.admin.ui.enabled {
            AdminUiMode::On => vec![Space::from_raw(AdminUiSettings::SPACE)],
            AdminUiMode::Off => Vec::new(),
        },
    }
}

/// What requests are judged by.
fn request_rules(config: &Config) -> RequestRules {
    RequestRules { limits: Arc::new(config.limits()), events: config.events.clone() }
}

/// The name of this machine, as far as the system tells it.
fn host_name() -> Box<str> {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().into()
}

fn api_key_entries(config: &Config) -> impl Iterator<Item = (ApiKeyHash, ApiKey)> + use<'_> {
    config.api_keys.iter().cloned().map(|settings| {
        let ApiKeySettings { name, hash, scopes, spaces, pace } = settings;
        (hash, ApiKey { name: name.into(), scopes, spaces, pace })
    })
}

fn origin_texts(config: &Config) -> Vec<String> {
    config.origins.iter().map(AllowedOrigin::as_raw).map(str::to_owned).collect()
}

/// The id of this process among the nodes.
fn random_node_id() -> NodeId {
    NodeId::from_raw(RandomIds.secret().get(..8).unwrap_or_default())
}

/// Makes an error the failure of a setting, with its causes.
fn setting_error<E: std::error::Error + 'static>(key: &'static str) -> impl FnOnce(E) -> AppError {
    move |error| AppError::Setting { key, reason: with_causes(&error) }
}
