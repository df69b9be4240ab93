//! The networks of trusted proxies: `trusted_proxies`.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

/// Parses the list.
pub(super) fn read<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(input)?;
    texts.iter().map(|text| network(text).map_err(D::Error::custom)).collect()
}

pub(super) fn write<S: Serializer>(networks: &[IpNet], output: S) -> Result<S::Ok, S::Error> {
    output.collect_seq(networks.iter().map(IpNet::to_string))
}

/// A network in CIDR notation, or one address.
fn network(text: &str) -> Result<IpNet, String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(address.to_canonical().into());
    }
    let network: IpNet = text.parse().map_err(|_error| {
        format!("{text:?} is no network, such as 10.0.0.0/8 or fd00::/8, and no IP address")
    })?;
    if network.trunc() != network {
        return Err(format!("{text:?} is an address in the network {}", network.trunc()));
    }
    Ok(network)
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    fn networks(list: &str) -> Result<Vec<String>, String> {
        let config = Config::from_toml(&format!("trusted_proxies = {list}"));
        let config = config.map_err(|problems| problems.to_string())?;
        Ok(config.trusted_proxies.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn networks_and_addresses_of_both_families_are_read() {
        let list =
            "['10.0.0.0/8', 'fd00::/8', '192.0.2.1', '::1', '::ffff:192.0.2.2', '0.0.0.0/0']";
        let expected =
            ["10.0.0.0/8", "fd00::/8", "192.0.2.1/32", "::1/128", "192.0.2.2/32", "0.0.0.0/0"];
        assert_eq!(networks(list).unwrap(), expected);
    }

    #[test]
    fn what_is_no_network_is_refused_with_the_reason() {
        for (list, why) in [
            ("['10.0.0.0/33']", "\"10.0.0.0/33\" is no network"),
            ("['10.0.0/8']", "is no network"),
            ("['proxy.example.com']", "is no network"),
            ("['']", "is no network"),
            ("['10.0.0.1:80']", "is no network"),
            ("['10.0.0.5/8']", "\"10.0.0.5/8\" is an address in the network 10.0.0.0/8"),
            ("['fd00::1/8']", "is an address in the network fd00::/8"),
            ("'10.0.0.0/8'", "this must be a list of texts"),
        ] {
            let reason = networks(list).unwrap_err();
            assert!(reason.contains(why), "{list}: {reason}");
        }
    }

    #[test]
    fn the_proxy_protocol_needs_a_trusted_proxy() {
        let reason = Config::from_toml("proxy_protocol = 'on'").unwrap_err().to_string();
        assert!(reason.contains("trusted_proxies is empty"), "{reason}");
        let text = "proxy_protocol = 'on'\ntrusted_proxies = ['0.0.0.0/0']";
        let warnings = Config::from_toml(text).unwrap().warnings();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
    }
}
