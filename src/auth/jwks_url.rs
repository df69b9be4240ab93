//! The address of a published set of keys.

use std::{fmt, net::IpAddr, str::FromStr};

use http::{Uri, uri::Scheme};

/// The address of a set of keys. It is displayed without the parts that may be secret: user and
/// query.
#[derive(Clone, PartialEq, Eq)]
pub struct JwksUrl(Uri);

impl JwksUrl {
    /// The whole address, for fetching.
    pub fn expose(&self) -> &Uri {
        &self.0
    }

    /// Whether an attacker on the network could replace the keys.
    pub fn is_insecure(&self) -> bool {
        let host = self.0.host().unwrap_or_default().trim_matches(['[', ']']);
        let here = host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
        self.0.scheme() == Some(&Scheme::HTTP) && !here
    }
}

impl FromStr for JwksUrl {
    type Err = String;

    fn from_str(raw: &str) -> Result<Self, String> {
        let good = |uri: &Uri| {
            let scheme = uri.scheme().is_some_and(|it| [Scheme::HTTP, Scheme::HTTPS].contains(it));
            scheme && uri.host().is_some_and(|host| !host.is_empty())
        };
        let uri = raw.parse().ok().filter(good);
        uri.map(Self)
            .ok_or_else(|| "`jwks_url` must begin with https:// and name a host".to_owned())
    }
}

impl fmt::Display for JwksUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, host) = (self.0.scheme_str(), self.0.host());
        write!(f, "{}://{}", scheme.unwrap_or_default(), host.unwrap_or_default())?;
        if let Some(port) = self.0.port_u16() {
            write!(f, ":{port}")?;
        }
        f.write_str(self.0.path())
    }
}

impl fmt::Debug for JwksUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
