//! The listeners, and what answers their requests.

use std::sync::Arc;

use tracing::warn;

use super::AppError;
use crate::{
    auth::KeyTokens,
    chat::{Chat, ports::AdminAccess},
    config::{AdminUiSettings, Config},
    domain::{AccessLogging, AdminUiAccess, AdminUiMode, Limits, ListenAddress},
    tasks::Tasks,
    telemetry::metrics::ProcessMetrics,
    tls::Certificates,
    transport::{
        TransportParts,
        accept_pause::AcceptPause,
        access_log::AccessLog,
        api::{ApiPort, MetricsSource},
        client_address::TrustedProxies,
        http::{AdminGateway, Gateway},
        lanes::Lanes,
        listener::{BindError, BoundAddress, InheritedSockets, ListenPurpose, Listener},
        origin::Origins,
        socketio::{Namespaces, SocketIoTransport, admin::AdminUi},
        websocket::WebSocketTransport,
    },
};

/// What listens.
#[derive(Debug)]
pub(super) struct Listening {
    /// The addresses of clients.
    pub(super) addresses: Vec<BoundAddress>,
    /// That of back ends, if they have their own.
    pub(super) admin_address: Option<BoundAddress>,
    /// Those of all listeners whose sockets outlive this process, if those of clients do.
    pub(super) pauses: Vec<AcceptPause>,
}

/// Starts to listen.
pub(super) fn listen(
    config: &Config,
    (chat, origins): (&Arc<Chat>, Arc<Origins>),
    client_tasks: &Tasks,
    (metrics, admin_ui): (MetricsSource, Option<Arc<AdminUi>>),
    certificates: Option<&Arc<Certificates>>,
) -> Result<Listening, AppError> {
    let proxies = TrustedProxies::new(config.trusted_proxies.clone(), config.forwarded_header);
    let (listener, admin) = bind(config, &chat.limits())?;
    let listener = listener.with_proxies(proxies.clone(), config.proxy_protocol);
    let listener = match certificates {
        Some(certificates) => listener.with_tls(certificates.server_config()),
        None => listener,
    };
    let admin_address = admin.as_ref().and_then(|it| it.addresses().pop());
    let of_admin = admin.as_ref().and_then(Listener::pause);
    let pauses = listener.pause().map(|it| [it].into_iter().chain(of_admin).collect());
    let (addresses, pauses) = (listener.addresses(), pauses.unwrap_or_default());
    let listening = Listening { addresses, admin_address, pauses };
    let access_log = match config.access_log {
        AccessLogging::On => AccessLog::of_node(chat.node().as_raw()),
        AccessLogging::Off => AccessLog::off(),
    };
    let parts = TransportParts {
        origins,
        in_query: config.token.in_query,
        compression: config.websocket_compression,
        tasks: client_tasks.clone(),
        lanes: Lanes::start(client_tasks),
    };
    chat.set_traffic_meter(Arc::new(parts.lanes.clone()));
    let (of_clients, admin_ui) = if admin.is_some() { (None, admin_ui) } else { (admin_ui, None) };
    let gateway = gateway(config, chat, parts.clone(), metrics.clone(), of_clients);
    let gateway = gateway.with_proxies(proxies).with_access_log(access_log.clone());
    client_tasks.spawn_vital("listener", listener.run(gateway, client_tasks.clone()));
    if let Some(admin) = admin {
        let ui = admin_ui.map(|ui| {
            let namespaces = Namespaces { spaces: None, admin_ui: Some(ui) };
            SocketIoTransport::new(Arc::clone(chat), namespaces, parts)
        });
        let gateway = AdminGateway::new(chat, metrics, access_log, ui);
        client_tasks.spawn_vital("API listener", admin.run(gateway, client_tasks.clone()));
    }
    Ok(listening)
}

/// Opens the sockets of clients and of back ends.
fn bind(config: &Config, limits: &Limits) -> Result<(Listener, Option<Listener>), AppError> {
    let failed = |key| move |error: BindError| AppError::Setting { key, reason: error.to_string() };
    let (listen, admin, mode) =
        (&config.listen, config.admin.listen.as_slice(), config.unix_socket_mode);
    let is_inherited = |it: &ListenAddress| *it == ListenAddress::Inherited;
    let mut inherited = if listen.iter().chain(admin).any(is_inherited) {
        InheritedSockets::take().map_err(|error| AppError::Setting {
            key: "listen",
            reason: format!("the sockets of systemd (LISTEN_FDS): {error}"),
        })?
    } else {
        InheritedSockets::default()
    };
    let of_clients = (&mut inherited, ListenPurpose::Clients);
    let listener =
        Listener::bind_with(of_clients, listen, mode, limits).map_err(failed("listen"))?;
    let of_admin = (&mut inherited, ListenPurpose::Admin);
    let admin = (!admin.is_empty()).then(|| Listener::bind_with(of_admin, admin, mode, limits));
    let admin = admin.transpose().map_err(failed("admin.listen"))?;
    if inherited.has_left() {
        warn!(
            "inherited sockets unused: those named `admin` are for admin.listen, others for listen"
        );
    }
    Ok((listener, admin))
}

/// Writes the metrics of a chat. Dropped with the routes.
pub(super) fn metrics_source(chat: &Arc<Chat>, metrics: &Arc<ProcessMetrics>) -> MetricsSource {
    let (chat, metrics) = (Arc::clone(chat), Arc::clone(metrics));
    MetricsSource::new(move || metrics.text(&chat.gauges()))
}

fn gateway(
    config: &Config,
    chat: &Arc<Chat>,
    parts: TransportParts,
    metrics: MetricsSource,
    admin_ui: Option<Arc<AdminUi>>,
) -> Gateway {
    let origins = Arc::clone(&parts.origins);
    let namespaces = Namespaces { spaces: Some(config.spaces.clone()), admin_ui };
    let socketio = SocketIoTransport::new(Arc::clone(chat), namespaces, parts.clone());
    let websocket = WebSocketTransport::new(Arc::clone(chat), parts, &config.paths);
    let api_port = if config.admin.listen.is_some() { ApiPort::Own } else { ApiPort::OfClients };
    let api = (api_port, metrics);
    Gateway::new((chat, origins), (socketio, websocket), api, config.form_sign_in)
}

/// The Admin UI, if the settings have one.
pub(super) fn admin_ui(config: &Config, tokens: &KeyTokens) -> Option<Arc<AdminUi>> {
    let AdminUiSettings { enabled, auth, username, password_hash, read_only } = &config.admin.ui;
    let access = match (enabled, auth, password_hash) {
        (AdminUiMode::Off, _, _) => return None,
        (AdminUiMode::On, AdminUiAccess::Everybody, _) => None,
        (AdminUiMode::On, AdminUiAccess::Password, hash) => {
            // The settings are refused without one.
            Some(Arc::new(tokens.admin(username, hash.clone()?)) as Arc<dyn AdminAccess>)
        }
    };
    Some(Arc::new(AdminUi::new(access, *read_only)))
}
