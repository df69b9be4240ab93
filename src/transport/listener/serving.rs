//! One connection: from an accepted socket to the answers of its requests.

use std::{convert::Infallible, time::Duration};

use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::sync::OwnedSemaphorePermit;
use tracing::debug;

use super::Handler;
use crate::{
    tasks::Tasks,
    transport::{
        accept_pause::{AcceptPause, Unanswered},
        client_address::SocketPeer,
        request_clock::RequestClock,
        socket::ClientSocket,
        socket_stream::SocketStream,
    },
};

/// What connections are served with. Clones are cheap.
#[derive(Clone, Debug)]
pub(super) struct ConnectionSettings {
    pub(super) http: http1::Builder,
    pub(super) stall_max: Duration,
    pub(super) head_wait_max: Duration,
    pub(super) keep_alive_max: Duration,
    /// Where the sockets outlive the process.
    pub(super) pause: Option<AcceptPause>,
}

impl ConnectionSettings {
    /// Serves an accepted connection.
    pub(super) fn serve<H: Handler>(
        self,
        (stream, permit, peer): (SocketStream, OwnedSemaphorePermit, SocketPeer),
        unanswered: Option<Unanswered>,
        handler: H,
        tasks: Tasks,
    ) -> impl Future<Output = ()> + Send {
        let clock = RequestClock::start(self.head_wait_max, self.keep_alive_max);
        let clock = clock.with_unanswered(unanswered);
        let socket =
            ClientSocket::new(stream, permit, self.stall_max, clock.clone(), tasks.clone());
        let answers = (clock, self.pause);
        serve(self.http, (socket, peer), answers, handler, tasks)
    }
}

/// Serves HTTP on one socket until either side closes it or a deadline has passed.
async fn serve<H: Handler>(
    http: http1::Builder,
    (socket, peer): (ClientSocket, SocketPeer),
    (clock, pause): (RequestClock, Option<AcceptPause>),
    handler: H,
    tasks: Tasks,
) {
    let timed = service_fn(|request: Request<Incoming>| {
        clock.begin_request();
        let response = handler.handle(request, peer);
        async {
            let mut response = response.await;
            if let Some(pause) = &pause {
                pause.limit(&mut response);
                clock.on_answer();
            }
            Ok::<_, Infallible>(response.map(|body| clock.time_body(body)))
        }
    });
    let connection = http.serve_connection(TokioIo::new(socket), timed).with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => Some(ended),
        () = clock.expired() => return debug!("a connection was idle or sent no request in time"),
        () = tasks.draining() => None,
    };
    if let Some(ended) = ended {
        return log_outcome(ended);
    }
    connection.as_mut().graceful_shutdown();
    let ended = tokio::select! {
        ended = connection => Some(ended),
        () = tasks.overdue() => None,
    };
    if let Some(ended) = ended {
        return log_outcome(ended);
    }
    debug!("a connection was cut at the end of the drain");
}

/// Aborted connections are normal, so they are logged at debug.
fn log_outcome(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        debug!(error = %error, "a connection broke off");
    }
}
