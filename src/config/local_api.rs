//! Where commands find the server of the settings.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Config;
use crate::domain::ListenAddress;

impl Config {
    /// Where programs of this machine reach the HTTP API; `None` if only the supervisor knows.
    pub fn local_api_url(&self) -> Option<String> {
        match &self.admin.listen {
            Some(admin) => local_url("http", std::slice::from_ref(admin)),
            None => self.local_client_url(),
        }
    }

    /// Where clients of this machine connect; `None` if only the supervisor knows.
    pub fn local_client_url(&self) -> Option<String> {
        let scheme = if self.tls.certificates.is_empty() { "http" } else { "https" };
        local_url(scheme, &self.listen)
    }
}

/// The first TCP port, as programs of this machine reach it, or the first Unix socket.
fn local_url(scheme: &str, addresses: &[ListenAddress]) -> Option<String> {
    let Some(mut address) = addresses.iter().find_map(ListenAddress::tcp) else {
        return addresses.iter().find_map(|address| match address {
            ListenAddress::Unix(path) => Some(format!("unix:{}", path.display())),
            ListenAddress::Tcp(_) | ListenAddress::Inherited => None,
        });
    };
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    Some(format!("{scheme}://{address}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_reach_the_server_of_the_settings() {
        let tls = "[[tls.certificates]]\ncert = 'a'\nkey = 'b'";
        for (settings, url) in [
            ("", Some("http://127.0.0.1:3000")),
            ("listen = '0.0.0.0:80'", Some("http://127.0.0.1:80")),
            ("listen = '[::]:80'", Some("http://[::1]:80")),
            ("listen = ['unix:/a', '10.0.0.1:80']", Some("http://10.0.0.1:80")),
            ("listen = ['unix:/a', 'systemd']", Some("unix:/a")),
            ("listen = 'systemd'", None),
            ("admin.listen = '0.0.0.0:81'", Some("http://127.0.0.1:81")),
            ("admin.listen = 'unix:/a'", Some("unix:/a")),
            (tls, Some("https://127.0.0.1:3000")),
            (&format!("admin.listen = '127.0.0.1:81'\n{tls}"), Some("http://127.0.0.1:81")),
        ] {
            let config = Config::from_toml(settings).unwrap();
            assert_eq!(config.local_api_url().as_deref(), url, "{settings}");
        }
    }
}
