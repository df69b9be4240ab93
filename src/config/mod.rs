//! Settings: what an operator may choose, and the defaults.
//!
//! The whole is checked before anything starts, and everything that is wrong is said at once.
//! `config.example.toml` is the documentation; a test keeps it equal to the defaults here.

mod check;
mod engines;
mod key;
mod limits;
mod origin;
mod problem;
mod rooms;
mod sources;

use std::{fmt, net::SocketAddr, num::NonZeroU32, path::PathBuf, str::FromStr as _};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{
    domain::{Limits, RoomRules, Secret, SpacePattern},
    telemetry::LogFormat,
};

pub use engines::{Address, BusKind, StoreKind};
pub use key::{Algorithm, JwksUrl, KeySettings, KeySource};
pub use limits::LimitSettings;
pub use origin::AllowedOrigin;
pub use problem::{Problem, Problems, SettingPlace};
pub use rooms::{RetentionSettings, RoomSettings};
pub use sources::{Flag, Sources};

/// The example file, which says what each key is for.
pub const EXAMPLE: &str = include_str!("../../config.example.toml");

/// The file that is read when none is named and it is there.
pub const FILE: &str = "roomcast.toml";

/// The settings of one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where to listen. Port 0 takes a free one.
    #[serde(deserialize_with = "address")]
    pub listen: SocketAddr,
    /// The directory that holds the messages and the key.
    pub data: PathBuf,
    /// Whether somebody without a token may choose a name.
    pub guests: Switch,
    /// What happens when a user comes with another device.
    pub devices: DevicesSetting,
    /// Sites whose pages may connect, besides those that come from this server.
    pub origins: Vec<AllowedOrigin>,
    /// Spaces besides `/`.
    #[serde(serialize_with = "write_patterns", deserialize_with = "read_patterns")]
    pub spaces: Vec<SpacePattern>,
    /// What keeps the messages.
    #[serde(serialize_with = "engines::write_store", deserialize_with = "engines::read_store")]
    pub store: StoreKind,
    /// What carries between nodes.
    #[serde(serialize_with = "engines::write_bus", deserialize_with = "engines::read_bus")]
    pub bus: BusKind,
    /// What the lines of the log look like.
    pub log_format: LogFormat,
    /// Which lines the log has.
    pub log_filter: String,
    /// How long a stop may take. Past it the rest is cut off.
    pub drain_ms_max: u64,
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
    /// Everything that grows.
    pub limits: LimitSettings,
}

/// The database in the data directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SqliteSettings {
    /// What a commit waits for.
    pub synchronous: SynchronousSetting,
    /// How long a commit waits for a database that something else has locked.
    pub busy_ms_max: u64,
}

/// The database of several nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PostgresSettings {
    /// Connections that read; two more write.
    pub readers_max: NonZeroU32,
    /// How long anything that is asked of it may take.
    pub wait_ms_max: u64,
}

/// Tokens, and the keys that sign them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TokenSettings {
    /// The server's own key, which signs what it hands out. Empty: see `secret_file`.
    #[serde(serialize_with = "key::write_secret", deserialize_with = "key::read_secret")]
    pub secret: Secret,
    /// The file that holds the server's own key. Empty: the one in the data directory.
    pub secret_file: PathBuf,
    /// Keys with which others sign tokens.
    #[serde(serialize_with = "key::write_keys", deserialize_with = "key::read_keys")]
    pub keys: Vec<KeySettings>,
    /// Who must have made a token. Empty: anybody who has a key.
    pub issuer: String,
    /// For whom a token must be made: one of these. Empty: for anybody.
    pub audience: Vec<String>,
    /// How far the clock of who signs may be ahead.
    pub leeway_secs: u64,
    /// How often sets of keys are fetched.
    pub jwks_refresh_secs: u64,
    /// Whether a token may stand in an address.
    pub in_query: Switch,
    /// How long a guest's token is good for.
    pub guest_ttl_secs: u64,
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

/// What happens when a user comes with another device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DevicesSetting {
    /// A user may have many at one time.
    Many,
    /// The newest signs the others out.
    Newest,
}

/// What a commit waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SynchronousSetting {
    /// The disk. What was acknowledged outlives a power cut.
    Full,
    /// The operating system. What was acknowledged outlives the process, but not a power cut.
    Normal,
}

impl Config {
    /// The settings that `text`, the content of a file, makes of the defaults.
    pub fn from_toml(text: &str) -> Result<Self, Problems> {
        Sources::default().text(FILE, text).config()
    }

    /// The bounds, as the other layers take them.
    pub fn limits(&self) -> Limits {
        self.limits.to_domain()
    }

    /// Which rooms there are, as the other layers take it.
    pub fn rooms(&self) -> RoomRules {
        self.rooms.to_domain()
    }

    /// What is allowed but may surprise, as sentences.
    pub fn warnings(&self) -> Vec<String> {
        check::warnings(self)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 3000)),
            data: PathBuf::from("roomcast-data"),
            guests: Switch::On,
            devices: DevicesSetting::Many,
            origins: Vec::new(),
            spaces: Vec::new(),
            store: StoreKind::Sqlite,
            bus: BusKind::Local,
            log_format: LogFormat::Text,
            log_filter: "info".to_owned(),
            drain_ms_max: 8000,
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
        Self { synchronous: SynchronousSetting::Full, busy_ms_max: 2000 }
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
            in_query: Switch::On,
            guest_ttl_secs: 24 * 60 * 60,
        }
    }
}

impl Switch {
    /// Whether it is on.
    pub fn is_on(self) -> bool {
        self == Self::On
    }
}

/// Reads an address, and says what one looks like.
fn address<'de, D: Deserializer<'de>>(input: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(input)?;
    SocketAddr::from_str(&text).map_err(|error| {
        let form = "an IP address and a port, such as 127.0.0.1:3000 or [::]:3000";
        D::Error::custom(fmt::from_fn(|f| write!(f, "{text:?} is not {form} ({error})")))
    })
}

/// Reads patterns of spaces, and says what one looks like.
fn read_patterns<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<SpacePattern>, D::Error> {
    let form = "`/` and up to 63 letters, digits and - _ . /, perhaps with a `*` at the end";
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
