//! Where a server listens, as clients write it, and why it cannot.

use std::{fmt, io};

use crate::domain::ListenAddress;

/// An address at which clients reach a server. It is displayed as they write it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundAddress {
    /// The address, with the port that the system chose.
    pub address: ListenAddress,
    /// Whether TLS is spoken there.
    pub is_tls: bool,
}

impl fmt::Display for BoundAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.address {
            ListenAddress::Tcp(address) if self.is_tls => write!(f, "https://{address}"),
            ListenAddress::Tcp(address) => write!(f, "http://{address}"),
            other => other.fmt(f),
        }
    }
}

/// Why a server cannot listen.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}")]
pub struct BindError {
    /// Where.
    pub address: ListenAddress,
    /// The cause.
    pub source: io::Error,
}
