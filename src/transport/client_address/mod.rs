//! The address of a client, which may be behind proxies.
//!
//! What a proxy says about its client is believed from trusted proxies only: anybody else could claim
//! any address. Exactly one header is read, the one that the settings name, because a proxy passes on
//! whatever the client has put into headers that the proxy does not know.

mod element;

use std::{net::IpAddr, sync::Arc};

use http::{HeaderMap, HeaderName, header};
use ipnet::IpNet;

use crate::domain::ForwardedHeader;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Which proxies are trusted, and how they name their clients. Clones are handles.
#[derive(Clone, Debug)]
pub struct TrustedProxies {
    networks: Arc<[IpNet]>,
    header: ForwardedHeader,
}

impl TrustedProxies {
    /// Trusts the proxies in `networks`, and the value that they give `header`.
    pub fn new(networks: Vec<IpNet>, header: ForwardedHeader) -> Self {
        Self { networks: networks.into(), header }
    }

    /// Trusts no proxy.
    pub fn none() -> Self {
        Self::new(Vec::new(), ForwardedHeader::XForwardedFor)
    }

    /// Whether the peer of a socket is a trusted proxy. The mode of a Unix socket decides who can be
    /// its peer.
    pub(super) fn trusts_peer(&self, peer: SocketPeer) -> bool {
        peer.address.is_none_or(|address| self.trusts(address))
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// The first address that is no trusted proxy's. `None` in `named` is no address.
    fn first_untrusted(
        &self,
        mut found: Option<IpAddr>,
        named: impl Iterator<Item = Option<IpAddr>>,
    ) -> Option<IpAddr> {
        for address in named {
            let Some(address) = address else { break };
            found = Some(address);
            if !self.trusts(address) {
                break;
            }
        }
        found
    }
}

/// The lines of a header, from the last one on. One that is not text names no address.
fn lines(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    headers.get_all(name).iter().rev().map(|line| line.to_str().unwrap_or("?"))
}

/// The other end of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketPeer {
    /// Its address, or the one that the PROXY protocol has in its place. `None` on a Unix socket.
    pub address: Option<IpAddr>,
    /// Whether it speaks TLS with this server.
    pub is_tls: bool,
}

/// The address of a client, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientAddress(Option<IpAddr>);

impl ClientAddress {
    /// Decides which address is the client's: the first one that is no trusted proxy, from the peer of
    /// the socket on.
    ///
    /// A proxy that names no address (`unknown`, something hidden, garbage) ends the search: the client
    /// is counted as the last proxy that is known.
    pub(super) fn decide(peer: SocketPeer, headers: &HeaderMap, proxies: &TrustedProxies) -> Self {
        if !proxies.trusts_peer(peer) {
            return Self(peer.address);
        }
        Self(match proxies.header {
            ForwardedHeader::XForwardedFor => {
                let named = lines(headers, X_FORWARDED_FOR).flat_map(element::listed);
                proxies.first_untrusted(peer.address, named)
            }
            ForwardedHeader::Forwarded => {
                let named = lines(headers, header::FORWARDED).flat_map(element::forwarded);
                proxies.first_untrusted(peer.address, named)
            }
        })
    }

    /// The address as text. `None` if it is not known.
    pub(super) fn text(self) -> Option<Box<str>> {
        self.0.map(|address| address.to_string().into())
    }
}

#[cfg(test)]
mod tests;
