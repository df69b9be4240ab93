//! The engines for storage and for the bus: keywords for built-in ones, addresses for servers.
//!
//! Addresses contain passwords. They are parsed by hand, because serde's errors quote the invalid
//! value, and they are displayed without their secret parts.

use std::fmt;

use serde::{Deserialize, Deserializer, Serializer, de::Error as _};
use toml::Value;

/// Where messages are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// An SQLite database in the data directory.
    Sqlite,
    /// In memory, until the process ends.
    Memory,
    /// A PostgreSQL server, which several nodes may share.
    Postgres(Address),
}

/// How nodes exchange announcements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BusKind {
    /// Not at all: there is one node.
    Local,
    /// Over a Redis server.
    Redis(Address),
    /// Over a Redis Cluster; the addresses are some of its servers.
    RedisCluster(Vec<Address>),
}

/// The address of a server, with credentials. It is displayed without user, password and
/// parameters.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(String);

impl Address {
    /// The whole address, for connecting.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Accepts an address with one of these schemes.
    fn parse(raw: &str, schemes: &[&str]) -> Option<Self> {
        let (scheme, rest) = raw.split_once("://")?;
        let is_good = schemes.contains(&scheme) && !rest.is_empty();
        let is_plain = raw.bytes().all(|byte| byte.is_ascii_graphic());
        (is_good && is_plain).then(|| Self(raw.to_owned()))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = self.0.split_once("://").unwrap_or_default();
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let host = rest.rsplit('@').next().unwrap_or_default();
        write!(f, "{scheme}://{host}")
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Parses the storage engine.
pub(super) fn read_store<'de, D: Deserializer<'de>>(input: D) -> Result<StoreKind, D::Error> {
    let text = String::deserialize(input)?;
    match text.as_str() {
        "sqlite" => Ok(StoreKind::Sqlite),
        "memory" => Ok(StoreKind::Memory),
        _ => {
            Address::parse(&text, &["postgres", "postgresql"]).map(StoreKind::Postgres).ok_or_else(
                || D::Error::custom("this must be `sqlite`, `memory` or an address postgres://…"),
            )
        }
    }
}

/// Settings are serialized only to list the valid keys, and no default is an address.
pub(super) fn write_store<S: Serializer>(store: &StoreKind, output: S) -> Result<S::Ok, S::Error> {
    output.serialize_str(match store {
        StoreKind::Sqlite => "sqlite",
        StoreKind::Memory => "memory",
        StoreKind::Postgres(_) => "***",
    })
}

/// Parses the bus: a keyword or an address; a list of addresses is a cluster.
pub(super) fn read_bus<'de, D: Deserializer<'de>>(input: D) -> Result<BusKind, D::Error> {
    let address = |value: &Value| Address::parse(value.as_str()?, &["redis", "rediss"]);
    let bus = match Value::deserialize(input)? {
        Value::String(text) if text == "local" => Some(BusKind::Local),
        Value::Array(list) if list.is_empty() => None,
        Value::Array(list) => {
            let addresses: Option<_> = list.iter().map(address).collect();
            addresses.map(BusKind::RedisCluster)
        }
        text => address(&text).map(BusKind::Redis),
    };
    let form = "this must be `local`, an address redis://… or rediss://…, or a list of those of a \
        cluster";
    bus.ok_or_else(|| D::Error::custom(form))
}

/// As [`write_store`].
pub(super) fn write_bus<S: Serializer>(bus: &BusKind, output: S) -> Result<S::Ok, S::Error> {
    output.serialize_str(match bus {
        BusKind::Local => "local",
        BusKind::Redis(_) | BusKind::RedisCluster(_) => "***",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn engines_are_keywords_or_urls() {
        let config = Config::from_toml(
            "store = \"postgres://me:hunter2@db:5432/chat?sslmode=require\"\nbus = \"rediss://r\"",
        );
        let config = config.unwrap();
        let StoreKind::Postgres(address) = &config.store else { panic!("{:?}", config.store) };
        assert_eq!(address.to_string(), "postgres://db:5432/chat");
        assert!(address.expose().contains("hunter2"));
        assert!(!format!("{config:?}").contains("hunter2"));
        assert!(matches!(config.bus, BusKind::Redis(_)));
        let shared = "store = \"postgresql://db/chat\"";
        let cluster = format!("{shared}\nbus = [\"redis://a\", \"redis://b\"]");
        let config = Config::from_toml(&cluster).unwrap();
        assert!(matches!(config.bus, BusKind::RedisCluster(list) if list.len() == 2));
    }

    #[test]
    fn a_wrong_url_is_not_printed() {
        for line in [
            "store = \"mysql://me:hunter2@db\"",
            "store = \"postgres://\"",
            "bus = \"http://me:hunter2@r\"",
            "bus = [\"redis://a\", \"hunter2\"]",
            "bus = []",
            "bus = 7",
        ] {
            let problems = Config::from_toml(line).unwrap_err().to_string();
            assert!(problems.contains("this must be"), "{problems}");
            assert!(!problems.contains("hunter2"), "{problems}");
        }
    }

    #[test]
    fn a_shared_bus_requires_a_shared_store() {
        let problems = Config::from_toml("bus = \"redis://r\"").unwrap_err().to_string();
        assert!(problems.contains("`bus`") && problems.contains("postgres"), "{problems}");
    }
}
