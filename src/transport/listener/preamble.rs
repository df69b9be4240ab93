//! What precedes the first request of some connections: the header of the PROXY protocol, and the
//! handshake of TLS.

use std::{io, time::Duration};

use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tracing::debug;

use super::proxy_header::{self, ProxyHeaderError};
use crate::{
    tasks::Tasks,
    transport::{client_address::SocketPeer, socket_stream::SocketStream},
};

/// What a connection begins with.
pub(super) struct Preamble {
    /// Whether there is a header of the PROXY protocol.
    pub(super) has_proxy_header: bool,
    /// What the handshake of TLS is done with.
    pub(super) tls: Option<TlsAcceptor>,
    /// How long all of it may take.
    pub(super) wait_max: Duration,
}

/// Why a connection ends before its first request.
#[derive(Debug, thiserror::Error)]
enum PreambleError {
    #[error("no usable header of the PROXY protocol: {0}")]
    ProxyHeader(#[from] ProxyHeaderError),
    #[error("TLS handshake failed: {0}")]
    Tls(io::Error),
    #[error("the peer was too slow")]
    Elapsed,
}

impl Preamble {
    /// Whether a connection begins with its first request.
    pub(super) fn is_empty(&self) -> bool {
        !self.has_proxy_header && self.tls.is_none()
    }

    /// Reads it. `None` if it is wrong or late, and at the drain: then the connection ends.
    pub(super) async fn read(
        self,
        (stream, peer): (SocketStream, SocketPeer),
        tasks: &Tasks,
    ) -> Option<(SocketStream, SocketPeer)> {
        let wait_max = self.wait_max;
        let begun = tokio::select! {
            biased;
            begun = timeout(wait_max, self.begin(stream, peer)) => begun,
            () = tasks.draining() => return None,
        };
        match begun.unwrap_or(Err(PreambleError::Elapsed)) {
            Ok(begun) => Some(begun),
            Err(error) => {
                debug!(%error, "connection refused before its first request");
                None
            }
        }
    }

    async fn begin(
        self,
        mut stream: SocketStream,
        mut peer: SocketPeer,
    ) -> Result<(SocketStream, SocketPeer), PreambleError> {
        if self.has_proxy_header {
            peer.address = proxy_header::read(&mut stream).await?.or(peer.address);
        }
        match (self.tls, stream) {
            (Some(acceptor), SocketStream::Tcp(tcp)) => {
                let tls = acceptor.accept(tcp).await.map_err(PreambleError::Tls)?;
                let peer = SocketPeer { is_tls: true, ..peer };
                Ok((SocketStream::Tls(Box::new(tls)), peer))
            }
            (_, stream) => Ok((stream, peer)),
        }
    }
}
