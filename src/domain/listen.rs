//! Where a server listens.

use std::{fmt, net::SocketAddr, path::PathBuf};

/// One of the places where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAddress {
    /// A TCP port. Port 0 selects a free one.
    Tcp(SocketAddr),
    /// A Unix socket, with this file.
    Unix(PathBuf),
    /// The sockets that the supervisor has opened.
    Inherited,
}

impl ListenAddress {
    /// How the settings name the sockets of the supervisor.
    pub const INHERITED: &'static str = "systemd";
    /// What is before the path of a Unix socket.
    pub const UNIX: &'static str = "unix:";

    /// The address, if it is a TCP port.
    pub fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(*address),
            Self::Unix(_) | Self::Inherited => None,
        }
    }
}

impl From<SocketAddr> for ListenAddress {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "{}{}", Self::UNIX, path.display()),
            Self::Inherited => f.write_str(Self::INHERITED),
        }
    }
}
