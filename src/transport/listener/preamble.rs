//! What precedes the first request of some connections: the header of the PROXY protocol.

use std::{io, time::Duration};

use tokio::time::timeout;
use tracing::debug;

use super::proxy_header;
use crate::{
    tasks::Tasks,
    transport::{client_address::SocketPeer, socket_stream::SocketStream},
};

/// What a connection begins with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Preamble {
    /// How long it may take.
    pub(super) wait_max: Duration,
}

impl Preamble {
    /// Reads it. `None` if it is wrong or late, and at the drain: then the connection ends.
    pub(super) async fn read(
        self,
        (mut stream, peer): (SocketStream, SocketPeer),
        tasks: &Tasks,
    ) -> Option<(SocketStream, SocketPeer)> {
        let read = tokio::select! {
            biased;
            read = timeout(self.wait_max, proxy_header::read(&mut stream)) => read,
            () = tasks.draining() => return None,
        };
        let read =
            read.unwrap_or_else(|_elapsed| Err(io::Error::from(io::ErrorKind::TimedOut).into()));
        match read {
            Ok(client) => Some((stream, SocketPeer { address: client.or(peer.address) })),
            Err(error) => {
                debug!(%error, "connection refused: no usable header of the PROXY protocol");
                None
            }
        }
    }
}
