//! The upgrade from HTTP to a WebSocket below the engine, for new sessions and for sessions that
//! poll.
//!
//! The engine receives a [`MonitoredStream`] and a minimal request. The original request would keep
//! its read buffer alive for as long as the connection exists.

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use http::{Request, Response, Uri};
use hyper::{
    service::Service as _,
    upgrade::{OnUpgrade, Upgraded},
};
use hyper_util::rt::TokioIo;
use tokio::time::{sleep, timeout};
use tracing::debug;

use super::{
    SocketIoTransport, engine,
    monitored_stream::MonitoredStream,
    probe::Probe,
    request::{EngineRejection, Version},
    session::{ClosePhase, EngineSession},
};
use crate::transport::{
    client_address::ClientAddress,
    deflate::{self, WindowBits},
    lanes::LaneStream,
    subprotocol::Offer,
    upgrade::{accept, switching_protocols_response},
};

/// The longest time from the opening of a WebSocket to the end of its probe. Past it the session stays
/// on polling.
const PROBE_WAIT_MAX: Duration = Duration::from_secs(10);

impl SocketIoTransport {
    /// Opens a session on a WebSocket.
    pub(super) fn connect(
        &self,
        (version, address): (Version, ClientAddress),
        request: Request<Body>,
    ) -> Result<Response<Body>, EngineRejection> {
        let accept = accept(&request).map_err(EngineRejection::from_handshake_error)?;
        let offer = Offer::read(request.headers(), &[]).map_err(EngineRejection::Rejected)?;
        let chosen = offer.chosen.clone();
        let agreement = deflate::negotiate(request.headers(), self.compression);
        let session =
            self.create_session(self.read_handshake((version, address), &request, offer), None);
        session.agree_on_compression(agreement.as_ref().map(|it| it.window_bits));
        let upgrade = hyper::upgrade::on(request);
        self.context.tasks.spawn("socketio websocket", async move {
            if let Some(upgraded) = wait_upgraded(upgrade).await {
                let stream = LaneStream::new(upgraded, Arc::clone(session.writer()));
                let uri = engine::websocket_uri(version);
                let request = request_for(uri, &session);
                serve(MonitoredStream::new(stream, session), request);
            }
        });
        Ok(switching_protocols_response(accept, chosen, agreement))
    }

    /// Upgrades a session that polls, if the WebSocket works.
    pub(super) fn upgrade(
        &self,
        session: Arc<EngineSession>,
        request: Request<Body>,
    ) -> Result<Response<Body>, EngineRejection> {
        let accept = accept(&request).map_err(EngineRejection::from_handshake_error)?;
        let offer = Offer::read(request.headers(), &[]).map_err(EngineRejection::Rejected)?;
        let agreement = deflate::negotiate(request.headers(), self.compression);
        let window_bits = agreement.as_ref().map(|it| it.window_bits);
        let probe = Probe::begin(Arc::clone(&session)).ok_or(EngineRejection::BadRequest)?;
        let upgrade = hyper::upgrade::on(request);
        self.context.tasks.spawn("socketio upgrade", async move {
            let upgrade_attempt =
                timeout(PROBE_WAIT_MAX, complete_upgrade(probe, upgrade, window_bits));
            tokio::select! {
                () = wait_flush_timeout(&session) => {}
                outcome = upgrade_attempt => {
                    if !matches!(outcome, Ok(Some(()))) {
                        debug!("upgrade probe failed, the session stays on polling");
                    }
                }
            }
        });
        Ok(switching_protocols_response(accept, offer.chosen, agreement))
    }
}

/// Waits until the session closes, and then for the flush time: a client in the middle of its upgrade
/// no longer polls, so it receives `closing` only after the upgrade.
async fn wait_flush_timeout(session: &EngineSession) {
    session.wait_closing().await;
    sleep(session.flush_wait()).await;
}

/// Probes a WebSocket and hands it to the engine.
async fn complete_upgrade(
    probe: Probe,
    upgrade: OnUpgrade,
    window_bits: Option<WindowBits>,
) -> Option<()> {
    let mut upgraded = TokioIo::new(wait_upgraded(upgrade).await?);
    let inflation = window_bits.map(|_| Box::new(probe.session().new_inflation()));
    let probed = probe.run(&mut upgraded, inflation).await?;
    let session = Arc::clone(probe.session());
    let sid = session.sid()?;
    probe.succeed();
    // A close from here on leaves the rest to the monitored stream.
    if session.close_phase() == ClosePhase::Aborted {
        return None;
    }
    let uri = engine::uri(session.version(), "websocket", &format!("&sid={sid}"));
    let request = request_for(uri, &session);
    // The client has switched: what its polls did not take follows on the WebSocket.
    let stream = LaneStream::new(upgraded.into_inner(), Arc::clone(session.writer()));
    // Polls take no frames any more: the socket is attached.
    session.agree_on_compression(window_bits);
    serve(MonitoredStream::resume(stream, session, probed), request);
    Some(())
}

/// Waits until the `101` response is written.
async fn wait_upgraded(upgrade: OnUpgrade) -> Option<Upgraded> {
    match upgrade.await {
        Ok(upgraded) => Some(upgraded),
        Err(error) => {
            debug!(error = %error, "connection ended before its WebSocket opened");
            None
        }
    }
}

/// The smallest request that the engine accepts.
fn request_for(uri: Uri, session: &Arc<EngineSession>) -> Request<()> {
    let mut request = Request::new(());
    *request.uri_mut() = uri;
    request.extensions_mut().insert(Arc::clone(session));
    request
}

/// Passes a stream to the engine, which spawns the tasks that serve it.
fn serve(stream: MonitoredStream<LaneStream>, request: Request<()>) {
    // Boxed, because each future of the engine that holds the stream is as large as the stream.
    let engine = stream.session().engine().clone();
    let started = engine.call((Box::new(stream), request)).into_inner();
    debug_assert!(started.is_ok(), "the request is valid");
}
