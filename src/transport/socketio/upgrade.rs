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
    SocketIoTransport,
    engine::{self, Engine},
    gate::{Refusal, Version},
    guard::Guarded,
    link::{Fate, Link},
    probe::Probe,
};
use crate::transport::{
    subprotocol::Offer,
    upgrade::{accept, switching},
};

/// From the opening of a WebSocket to the proof that it works. Past it the session goes on polling.
const PROBE_WAIT_MAX: Duration = Duration::from_secs(10);

impl SocketIoTransport {
    /// Opens a session on a WebSocket.
    pub(super) fn connect(
        &self,
        version: Version,
        request: Request<Body>,
    ) -> Result<Response<Body>, Refusal> {
        let accept = accept(&request).map_err(Refusal::of_handshake)?;
        let offer = Offer::read(request.headers(), &[]).map_err(Refusal::Ours)?;
        let chosen = offer.chosen.clone();
        let link = self.begin(self.words(version, &request, offer), None);
        let engine = self.engine.clone();
        let upgrade = hyper::upgrade::on(request);
        self.shared.tasks.spawn("socketio websocket", async move {
            if let Some(stream) = opened(upgrade).await {
                let uri = engine::websocket_uri(version);
                let request = request_for(uri, &link);
                serve(&engine, Guarded::new(stream, link), request);
            }
        });
        Ok(switching(accept, chosen))
    }

    /// Lets a session that polls change over, if the WebSocket works.
    pub(super) fn upgrade(
        &self,
        link: Arc<Link>,
        request: Request<Body>,
    ) -> Result<Response<Body>, Refusal> {
        let accept = accept(&request).map_err(Refusal::of_handshake)?;
        let offer = Offer::read(request.headers(), &[]).map_err(Refusal::Ours)?;
        let probe = Probe::begin(Arc::clone(&link)).ok_or(Refusal::BadRequest)?;
        let engine = self.engine.clone();
        let upgrade = hyper::upgrade::on(request);
        self.shared.tasks.spawn("socketio upgrade", async move {
            let change = timeout(PROBE_WAIT_MAX, change_over(engine, probe, upgrade));
            tokio::select! {
                () = given_up(&link) => {}
                outcome = change => {
                    if !matches!(outcome, Ok(Some(()))) {
                        debug!("a WebSocket did not work; its session goes on polling");
                    }
                }
            }
        });
        Ok(switching(accept, offer.chosen))
    }
}

/// Waits until the session is about to end, and then for as long as a client may take to hear so: in the
/// middle of its change-over it hears nothing by polling any more.
async fn given_up(link: &Link) {
    link.ended().await;
    sleep(link.flush_wait()).await;
}

/// Probes a WebSocket and hands it to the engine.
async fn change_over(engine: Engine, probe: Probe, upgrade: OnUpgrade) -> Option<()> {
    let mut stream = opened(upgrade).await?;
    let seen = probe.run(&mut stream).await?;
    let link = Arc::clone(probe.link());
    let sid = link.registration().sid()?;
    probe.succeed();
    // From here on whoever ends the session leaves the rest to the guard.
    if link.fate() == Fate::Cut {
        return None;
    }
    let uri = engine::uri(link.version(), "websocket", &format!("&sid={sid}"));
    let request = request_for(uri, &link);
    serve(&engine, Guarded::resume(stream, link, seen), request);
    Some(())
}

/// Waits until the 101 is out.
async fn opened(upgrade: OnUpgrade) -> Option<TokioIo<Upgraded>> {
    match upgrade.await {
        Ok(upgraded) => Some(TokioIo::new(upgraded)),
        Err(error) => {
            debug!(error = %error, "a connection ended before its WebSocket opened");
            None
        }
    }
}

/// The least that the engine needs to know.
fn request_for(uri: Uri, link: &Arc<Link>) -> Request<()> {
    let mut request = Request::new(());
    *request.uri_mut() = uri;
    request.extensions_mut().insert(Arc::clone(link));
    request
}

/// Hands a stream to the engine, which spawns what it needs to serve it.
pub(super) fn serve<S>(engine: &Engine, stream: Guarded<S>, request: Request<()>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // Boxed, because the engine moves the stream about and makes room for it at every stop.
    let started = engine.call((Box::new(stream), request)).into_inner();
    debug_assert!(started.is_ok(), "the address is our own");
}
