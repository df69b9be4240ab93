//! A client whose session is on another node.
//!
//! The session is found there, begun here, and then taken: in between both nodes serve it, and
//! events wait until it is known which of them the other node has sent.

use std::sync::Arc;

use tracing::debug;

use super::{
    SocketIoContext,
    connection::RecoveryIds,
    packets::PacketFormat,
    recovery::{RecoverableConnection, RecoveryIdentity},
    serving::{MovedSession, Recovery},
};
use crate::{
    chat::{
        Admission,
        event::Event,
        ports::{ClaimStep, Outbox, Peer, SessionClaim},
    },
    domain::Space,
    wire::recovery::RecoveryAuth,
};

/// The longest `pid`. Those of this server are shorter.
const PID_BYTES_MAX: usize = 128;

/// A client that comes back.
pub(super) struct ReturningClient<'a> {
    pub(super) auth: &'a RecoveryAuth,
    pub(super) space: &'a Space,
    pub(super) format: PacketFormat,
    pub(super) peer: Peer,
}

/// Takes the session that a client continues from another node, if one has it and all that the client
/// missed is known.
pub(super) async fn take(
    context: &SocketIoContext,
    client: ReturningClient<'_>,
    admission: &Admission,
) -> Option<Box<MovedSession>> {
    let ReturningClient { auth, space, format, peer } = client;
    let (pid, offset) = (auth.pid.clone()?, auth.offset()?);
    if auth.uses_since || pid.len() > PID_BYTES_MAX || context.recovery.knows(&pid) {
        return None;
    }
    let (space, user) = (space.clone(), admission.user().cloned());
    let step = ClaimStep::Find;
    let claim = SessionClaim {
        step,
        pid: pid.clone(),
        space: space.clone(),
        user: user.clone(),
        offset,
        required: Vec::new(),
        seen: Vec::new(),
    };
    let transfer = context.chat.find_session(claim).await?;
    let ids = RecoveryIds { sid: transfer.found().sid.clone(), pid };
    let identity = RecoveryIdentity { ids, space, user, stale_offset: Some(offset) };
    let connection =
        RecoverableConnection::away(identity, format, (peer, offset), context.recovery.shared());
    let recovery = Recovery::of_moved(Arc::clone(&context.recovery), Arc::clone(&connection))?;
    let outbox: Arc<dyn Outbox> = Arc::<RecoverableConnection>::clone(&connection);
    // Boxed: it is the largest step.
    let chat_session = Box::pin(admission.continue_session(transfer.found(), outbox)).await.ok()?;
    let welcome = connection.welcome();
    let welcome = welcome.as_ref().and_then(|it| match it.event() {
        Event::Welcome(welcome) => Some(&**welcome),
        _ => None,
    });
    let Some(continued) = context.chat.take_session(transfer, welcome).await else {
        debug!("session of another node not taken: it is gone, or that node is behind");
        return None;
    };
    if !connection.continue_with(continued, offset) {
        debug!("session of another node not continued: an event is missing");
        return None;
    }
    Some(Box::new(MovedSession { chat_session, recovery, offset }))
}
