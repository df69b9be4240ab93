//! Settings and their defaults.
//!
//! All settings are checked before the server starts, and all errors are reported together.
//! `config.example.toml` is the documentation; a test compares it with the defaults here.

mod admin;
mod api_keys;
mod backends;
mod changes;
mod check;
mod choice;
mod engines;
mod events;
mod key;
mod limits;
mod listen;
mod local_api;
mod origin;
mod otlp;
mod pace;
mod paths;
mod problem;
mod proxies;
mod rooms;
mod sources;
mod tls;
mod webhooks;

use std::{net::SocketAddr, num::NonZeroU32, path::PathBuf};

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{
    auth::KeyOptions,
    domain::{
        AccessLogging, DevicePolicy, EventRules, FormSignIn, ForwardedHeader, GuestDevices, Guests,
        Limits, ListenAddress, ProxyProtocol, QueryTokens, RoomRules, Secret, SpacePattern,
        Synchronous, WebSocketCompression,
    },
    telemetry::LogFormat,
    wire::PathRule,
};

pub use admin::{AdminSettings, AdminUiSettings};
pub use api_keys::{API_SCOPES, ApiKeySettings, scope as api_scope};
pub use backends::{BackendSettings, BackendUrl};
pub use changes::Changes;
pub use engines::{Address, BusKind, StoreKind};
pub use limits::LimitSettings;
pub use origin::AllowedOrigin;
pub use otlp::{OtlpSettings, SampleRatio};
pub use problem::{Problem, Problems, SettingPlace};
pub use rooms::{RetentionSettings, RoomSettings};
pub use sources::{Flag, Sources, command_key};
pub use tls::TlsSettings;
pub use webhooks::WebhookSettings;

/// The example file, which documents each key.
pub const EXAMPLE: &str = include_str!("../../config.example.toml");

/// The file that is read by default, if it exists.
pub const FILE: &str = "roomcast.toml";

/// The settings of one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The addresses to listen on.
    #[serde(serialize_with = "listen::write", deserialize_with = "listen::read")]
    pub listen: Vec<ListenAddress>,
    /// The mode of the files of Unix sockets.
    #[serde(serialize_with = "listen::write_mode", deserialize_with = "listen::read_mode")]
    pub unix_socket_mode: u32,
    /// The directory of the messages and the key.
    pub data: PathBuf,
    /// Whether a client without a token may choose a name.
    #[serde(with = "choice")]
    pub guests: Guests,
    /// What happens when a user connects with another device.
    #[serde(with = "choice")]
    pub devices: DevicePolicy,
    /// Whether pages may also sign in by form.
    #[serde(with = "choice")]
    pub form_sign_in: FormSignIn,
    /// Whether WebSocket clients that offer it use `permessage-deflate`.
    #[serde(with = "choice")]
    pub websocket_compression: WebSocketCompression,
    /// The networks of proxies that are believed.
    #[serde(serialize_with = "proxies::write", deserialize_with = "proxies::read")]
    pub trusted_proxies: Vec<IpNet>,
    /// The header in which they name the client.
    #[serde(with = "choice")]
    pub forwarded_header: ForwardedHeader,
    /// Whether their connections begin with a header of the PROXY protocol.
    #[serde(with = "choice")]
    pub proxy_protocol: ProxyProtocol,
    /// Allowed origins besides the server's own.
    pub origins: Vec<AllowedOrigin>,
    /// Spaces besides `/`.
    #[serde(serialize_with = "write_patterns", deserialize_with = "read_patterns")]
    pub spaces: Vec<SpacePattern>,
    /// Paths of plain WebSocket clients besides `/ws`.
    #[serde(serialize_with = "paths::write", deserialize_with = "paths::read")]
    pub paths: Vec<PathRule>,
    /// What happens to events that are not in the built-in vocabulary.
    #[serde(serialize_with = "events::write", deserialize_with = "events::read")]
    pub events: EventRules,
    /// Programs that answer events.
    #[serde(serialize_with = "backends::write", deserialize_with = "backends::read")]
    pub backends: Vec<BackendSettings>,
    /// Programs that are told of events.
    #[serde(serialize_with = "webhooks::write", deserialize_with = "webhooks::read")]
    pub webhooks: Vec<WebhookSettings>,
    /// Keys of the HTTP API.
    #[serde(serialize_with = "api_keys::write", deserialize_with = "api_keys::read")]
    pub api_keys: Vec<ApiKeySettings>,
    /// Where messages are stored.
    #[serde(serialize_with = "engines::write_store", deserialize_with = "engines::read_store")]
    pub store: StoreKind,
    /// How nodes exchange announcements.
    #[serde(serialize_with = "engines::write_bus", deserialize_with = "engines::read_bus")]
    pub bus: BusKind,
    /// The key of the Redis emitters. Empty: none are received.
    pub emitter: String,
    /// How often connections in a room receive the event `clock`. 0: never.
    pub clock_secs: u64,
    /// The format of the log.
    pub log_format: LogFormat,
    /// The filter of the log.
    pub log_filter: String,
    /// Whether the log has a line for each request.
    #[serde(with = "choice")]
    pub access_log: AccessLogging,
    /// The longest duration of a stop. After it, the remaining connections are cut.
    pub drain_ms_max: u64,
    /// The address of back ends, and the Admin UI.
    pub admin: AdminSettings,
    /// What TLS connections are accepted with.
    pub tls: TlsSettings,
    /// Where traces are sent.
    pub otlp: OtlpSettings,
    /// The database in the data directory.
    pub sqlite: SqliteSettings,
    /// The database of several nodes.
    pub postgres: PostgresSettings,
    /// Tokens, and the keys that sign them.
    pub token: TokenSettings,
    /// Which rooms there are.
    pub rooms: RoomSettings,
    /// How long messages are kept.
    pub retention: RetentionSettings,
    /// The limits of everything that grows.
    pub limits: LimitSettings,
}

/// The database in the data directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SqliteSettings {
    /// What a commit waits for.
    #[serde(with = "choice")]
    pub synchronous: Synchronous,
    /// How long a commit waits for another program's lock on the database.
    pub busy_ms_max: u64,
}

/// The database of several nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PostgresSettings {
    /// Connections for reads. A node opens three more: one for commits, two for the node registry.
    pub readers_max: NonZeroU32,
    /// The timeout of requests to the server.
    pub wait_ms_max: u64,
}

/// Tokens, and the keys that sign them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TokenSettings {
    /// The server's own key, which signs the tokens that it issues. Empty: see `secret_file`.
    #[serde(serialize_with = "key::write_secret", deserialize_with = "key::read_secret")]
    pub secret: Secret,
    /// The file of the server's own key. Empty: the one in the data directory.
    pub secret_file: PathBuf,
    /// Keys of other issuers.
    #[serde(serialize_with = "key::write_keys", deserialize_with = "key::read_keys")]
    pub keys: Vec<KeyOptions>,
    /// The required issuer. Empty: any with a valid key.
    pub issuer: String,
    /// The accepted audiences. Empty: any.
    pub audience: Vec<String>,
    /// The tolerated lead of the issuer's clock.
    pub leeway_secs: u64,
    /// How often sets of keys are fetched.
    pub jwks_refresh_secs: u64,
    /// Whether a token may be in a query.
    #[serde(with = "choice")]
    pub in_query: QueryTokens,
    /// The lifetime of a guest's token.
    pub guest_ttl_secs: u64,
    /// Whether a guest without a token is recognised by its device.
    #[serde(with = "choice")]
    pub guest_devices: GuestDevices,
}

impl Config {
    /// The settings in `text`, the content of a file, over the defaults.
    pub fn from_toml(text: &str) -> Result<Self, Problems> {
        Sources::default().text(FILE, text).config()
    }

    /// What is wrong with these settings as a whole: the key, and the reason. Nothing with those of a
    /// file, but perhaps with the mixture that a reload makes.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        check::problems(self)
    }

    /// Whether clients connect to sockets that this process was given, and that outlive it.
    pub fn inherits_sockets(&self) -> bool {
        self.listen.iter().all(|it| *it == ListenAddress::Inherited)
    }

    /// The limits in the form of the other layers.
    pub fn limits(&self) -> Limits {
        self.limits.to_domain()
    }

    /// The rules for rooms in the form of the other layers.
    pub fn rooms(&self) -> RoomRules {
        self.rooms.to_domain()
    }

    /// Warnings about valid settings, as sentences.
    pub fn warnings(&self) -> Vec<String> {
        check::warnings(self)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 3000)).into()],
            unix_socket_mode: 0o660,
            data: PathBuf::from("roomcast-data"),
            guests: Guests::On,
            devices: DevicePolicy::Many,
            form_sign_in: FormSignIn::Off,
            websocket_compression: WebSocketCompression::Off,
            trusted_proxies: Vec::new(),
            forwarded_header: ForwardedHeader::XForwardedFor,
            proxy_protocol: ProxyProtocol::Off,
            origins: Vec::new(),
            spaces: Vec::new(),
            paths: Vec::new(),
            events: EventRules::default(),
            backends: Vec::new(),
            webhooks: Vec::new(),
            api_keys: Vec::new(),
            store: StoreKind::Sqlite,
            bus: BusKind::Local,
            emitter: String::new(),
            clock_secs: 0,
            log_format: LogFormat::Text,
            log_filter: "info".to_owned(),
            access_log: AccessLogging::Off,
            drain_ms_max: 8000,
            admin: AdminSettings::default(),
            tls: TlsSettings::default(),
            otlp: OtlpSettings::default(),
            sqlite: SqliteSettings::default(),
            postgres: PostgresSettings::default(),
            token: TokenSettings::default(),
            rooms: RoomSettings::default(),
            retention: RetentionSettings::default(),
            limits: LimitSettings::default(),
        }
    }
}

impl Default for SqliteSettings {
    fn default() -> Self {
        Self { synchronous: Synchronous::Full, busy_ms_max: 2000 }
    }
}

impl Default for PostgresSettings {
    fn default() -> Self {
        let readers_max = NonZeroU32::new(4).expect("not zero");
        Self { readers_max, wait_ms_max: 5000 }
    }
}

impl Default for TokenSettings {
    fn default() -> Self {
        Self {
            secret: Secret::default(),
            secret_file: PathBuf::new(),
            keys: Vec::new(),
            issuer: String::new(),
            audience: Vec::new(),
            leeway_secs: 5,
            jwks_refresh_secs: 300,
            in_query: QueryTokens::Accepted,
            guest_ttl_secs: 24 * 60 * 60,
            guest_devices: GuestDevices::Accepted,
        }
    }
}

/// Parses patterns of spaces, with an example in the error.
fn read_patterns<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<SpacePattern>, D::Error> {
    let form = "`/` and up to 63 characters that can be seen, perhaps with a `*` at the end";
    let pattern = |text: String| match SpacePattern::parse(&text) {
        Ok(pattern) => Ok(pattern),
        Err(_) => Err(D::Error::custom(format!("{text:?} is not a space: {form}"))),
    };
    Vec::<String>::deserialize(input)?.into_iter().map(pattern).collect()
}

fn write_patterns<S: Serializer>(patterns: &[SpacePattern], output: S) -> Result<S::Ok, S::Error> {
    output.collect_seq(patterns.iter().map(SpacePattern::to_string))
}

#[cfg(test)]
mod tests;
