//! From HTTP to a WebSocket under the engine, for sessions that begin there and for those that change
//! over from polling.
//!
//! What the engine is handed is a stream of ours and a request of ours. The original request would
//! pin the buffer that it was read into for as long as the connection lives.

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use http::{Request, Response, Uri};
use hyper::{
    service::Service as _,
    upgrade::{OnUpgrade, Upgraded},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{sleep, timeout},
};
use tracing::debug;

use super::{
    SocketIoTransport, engine,
    monitored_stream::MonitoredStream,
    probe::Probe,
    request::{EngineRejection, Version},
    session::{ClosePhase, EngineSession},
};
use crate::transport::{
    subprotocol::Offer,
    upgrade::{accept, switching_protocols_response},
};

/// From the opening of a WebSocket to the proof that it works. Past it the session goes on polling.
const PROBE_WAIT_MAX: Duration = Duration::from_secs(10);

impl SocketIoTransport {
    /// Opens a session on a WebSocket.
    pub(super) fn connect(
        &self,
        version: Version,
        request: Request<Body>,
    ) -> Result<Response<Body>, EngineRejection> {
        let accept = accept(&request).map_err(EngineRejection::from_handshake_error)?;
        let offer = Offer::read(request.headers(), &[]).map_err(EngineRejection::Rejected)?;
        let chosen = offer.chosen.clone();
        let session = self.create_session(self.read_handshake(version, &request, offer), None);
        let upgrade = hyper::upgrade::on(request);
        self.context.tasks.spawn("socketio websocket", async move {
            if let Some(stream) = wait_upgraded(upgrade).await {
                let uri = engine::websocket_uri(version);
                let request = request_for(uri, &session);
                serve(MonitoredStream::new(stream, session), request);
            }
        });
        Ok(switching_protocols_response(accept, chosen))
    }

    /// Lets a session that polls change over, if the WebSocket works.
    pub(super) fn upgrade(
        &self,
        session: Arc<EngineSession>,
        request: Request<Body>,
    ) -> Result<Response<Body>, EngineRejection> {
        let accept = accept(&request).map_err(EngineRejection::from_handshake_error)?;
        let offer = Offer::read(request.headers(), &[]).map_err(EngineRejection::Rejected)?;
        let probe = Probe::begin(Arc::clone(&session)).ok_or(EngineRejection::BadRequest)?;
        let upgrade = hyper::upgrade::on(request);
        self.context.tasks.spawn("socketio upgrade", async move {
            let upgrade_attempt = timeout(PROBE_WAIT_MAX, complete_upgrade(probe, upgrade));
            tokio::select! {
                () = wait_flush_timeout(&session) => {}
                outcome = upgrade_attempt => {
                    if !matches!(outcome, Ok(Some(()))) {
                        debug!("a WebSocket did not work; its session goes on polling");
                    }
                }
            }
        });
        Ok(switching_protocols_response(accept, offer.chosen))
    }
}

/// Waits until the session is about to end, and then for as long as a client may take to hear so: in the
/// middle of its change-over it hears nothing by polling any more.
async fn wait_flush_timeout(session: &EngineSession) {
    session.wait_closing().await;
    sleep(session.flush_wait()).await;
}

/// Probes a WebSocket and hands it to the engine.
async fn complete_upgrade(probe: Probe, upgrade: OnUpgrade) -> Option<()> {
    let mut stream = wait_upgraded(upgrade).await?;
    let probed_bytes = probe.run(&mut stream).await?;
    let session = Arc::clone(probe.session());
    let sid = session.sid()?;
    probe.succeed();
    // From here on whoever ends the session leaves the rest to the guard.
    if session.close_phase() == ClosePhase::Aborted {
        return None;
    }
    let uri = engine::uri(session.version(), "websocket", &format!("&sid={sid}"));
    let request = request_for(uri, &session);
    serve(MonitoredStream::resume(stream, session, probed_bytes), request);
    Some(())
}

/// Waits until the 101 is out.
async fn wait_upgraded(upgrade: OnUpgrade) -> Option<TokioIo<Upgraded>> {
    match upgrade.await {
        Ok(upgraded) => Some(TokioIo::new(upgraded)),
        Err(error) => {
            debug!(error = %error, "a connection ended before its WebSocket opened");
            None
        }
    }
}

/// The least that the engine needs to know.
fn request_for(uri: Uri, session: &Arc<EngineSession>) -> Request<()> {
    let mut request = Request::new(());
    *request.uri_mut() = uri;
    request.extensions_mut().insert(Arc::clone(session));
    request
}

/// Hands a stream to the engine, which spawns what it needs to serve it.
pub(super) fn serve<S>(stream: MonitoredStream<S>, request: Request<()>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // Boxed, because the engine moves the stream about and makes room for it at every stop.
    let engine = stream.session().engine().clone();
    let started = engine.call((Box::new(stream), request)).into_inner();
    debug_assert!(started.is_ok(), "the address is our own");
}
