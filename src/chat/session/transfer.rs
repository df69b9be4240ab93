//! Sessions that move: what another node needs to continue this one, and the other way round.

use std::sync::Arc;

use super::{Session, SessionOrigin};
use crate::chat::{
    Chat,
    hub::SessionSnapshot,
    ports::{FoundSession, Outbox, SessionState},
    session::ClaimedIdentity,
};

impl Session {
    /// What another node needs to continue the session, while no request changes it.
    pub fn snapshot(&self) -> SessionSnapshot {
        let claims = self.identity.as_ref().and_then(|it| it.rights.claims.as_deref().cloned());
        let connection_info = self.identity.as_ref().and_then(|it| it.name_claim.connection_info());
        let SessionOrigin { room, device, data, .. } = &self.origin;
        let of_connection = connection_info.and_then(|it| it.device.clone());
        let state = SessionState {
            claims,
            room: room.clone(),
            device: of_connection.or_else(|| device.clone()),
            data: data.clone(),
            ticket: connection_info.map_or(0, |it| it.ticket),
        };
        let user_connection =
            self.identity.as_ref().and_then(|it| it.name_claim.user_connection_id());
        SessionSnapshot { state, connection: self.registration.id(), user_connection }
    }

    /// Whether other nodes are known that may continue the session.
    pub fn is_in_cluster(&self) -> bool {
        !self.chat.hub.publisher.is_alone()
    }

    /// Continues a session of another node.
    pub(in crate::chat) async fn continue_found(
        chat: Arc<Chat>,
        origin: SessionOrigin,
        claimed: Option<ClaimedIdentity>,
        (found, outbox): (&FoundSession, Arc<dyn Outbox>),
    ) -> Self {
        let mut session = Self::new(chat, origin, Arc::clone(&outbox));
        let connection = session.registration.id();
        let transfers = &session.chat.hub.transfers;
        transfers.enter_emitter_rooms(connection, &outbox, &found.emitter_rooms);
        match claimed {
            Some(claimed) => session.enter_with_claim(claimed).await,
            None => session.listen(),
        }
        session
    }
}
