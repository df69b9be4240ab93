//! Requests of the protocol that a back end decides about.

use super::Session;
use crate::{
    chat::ports::{AcceptedRequest, HookedRequest, RequestAnswer, RequestCall},
    domain::{Body, JoinMode, MessageKind, Place, Rejection, Role, RoomName, UserName},
};

impl Session {
    /// Asks a back end about a message, if one decides about messages. Returns the body to store.
    pub(super) async fn approve_message(
        &self,
        place: &Place,
        kind: &MessageKind,
        body: Body,
    ) -> Result<Body, Rejection> {
        let me = self.identity()?.user();
        let request = || HookedRequest::Message {
            kind: kind.clone(),
            to: place.conversation.view_for(me),
            body: body.clone(),
        };
        let accepted = self.approve(request).await?;
        Ok(accepted.body.unwrap_or(body))
    }

    /// The same about a user who joins a room.
    pub(super) async fn approve_join(
        &self,
        room: &RoomName,
        join_mode: JoinMode,
    ) -> Result<JoinMode, Rejection> {
        let accepted = self.approve(|| HookedRequest::Join { room: room.clone() }).await?;
        Ok(match (accepted.role, join_mode) {
            // Whether the room is new is known only when the change is stored.
            (None, _) | (Some(_), JoinMode::FounderOnly) => join_mode,
            (Some(role), JoinMode::As(_) | JoinMode::OwnerIfFirst(_)) => JoinMode::As(role),
        })
    }

    /// The same about an invitation. Returns the role of the invited user.
    pub(super) async fn approve_invitation(
        &self,
        room: &RoomName,
        user: &UserName,
        role: Role,
    ) -> Result<Role, Rejection> {
        let (room, user) = (room.clone(), user.clone());
        let accepted = self.approve(|| HookedRequest::Invite { room, user, role }).await?;
        Ok(accepted.role.unwrap_or(role))
    }

    async fn approve(
        &self,
        request: impl FnOnce() -> HookedRequest,
    ) -> Result<AcceptedRequest, Rejection> {
        if self.chat.backends.is_empty() {
            return Ok(AcceptedRequest::default());
        }
        let request = request();
        let Some(registered) = self.chat.backends.for_hook(request.hook()) else {
            return Ok(AcceptedRequest::default());
        };
        let call = RequestCall { caller: self.caller(), request };
        match registered.settle(registered.backend.request(call).await)? {
            None => Ok(AcceptedRequest::default()),
            Some(RequestAnswer::Accepted(AcceptedRequest { body, role, actions })) => {
                self.perform(actions).await;
                Ok(AcceptedRequest { body, role, actions: Vec::new() })
            }
            Some(RequestAnswer::Refused(refusal)) => Err(Rejection::Refused(Box::new(refusal))),
        }
    }
}
