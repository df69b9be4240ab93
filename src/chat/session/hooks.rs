//! Requests of the protocol that a back end decides about.

use super::{Session, acting_user::ActingUser};
use crate::{
    chat::ports::{AcceptedRequest, HookedRequest, MessageRequest, RequestAnswer, RequestCall},
    domain::{Body, Hook, JoinMode, MessageKind, Place, Rejection, Role, RoomName, Seq, UserName},
};

impl Session {
    /// Asks a back end about a message, if one decides about messages. Returns the body to store.
    pub(super) async fn approve_message(
        &self,
        place: &Place,
        kind: &MessageKind,
        body: Body,
    ) -> Result<Body, Rejection> {
        self.approve_body(place, MessageRequest::New(kind.clone()), body).await
    }

    /// The same about the new body of a message.
    pub(super) async fn approve_edit(
        &self,
        place: &Place,
        of: Seq,
        body: Body,
    ) -> Result<Body, Rejection> {
        self.approve_body(place, MessageRequest::Edit(of), body).await
    }

    async fn approve_body(
        &self,
        place: &Place,
        what: MessageRequest,
        body: Body,
    ) -> Result<Body, Rejection> {
        let me = self.identity()?.acting_user();
        let to = place.conversation.view_for(me.name);
        let request = || HookedRequest::Message { what, to, body: body.clone() };
        let accepted = self.approve(Some(me), request).await?;
        Ok(accepted.body.unwrap_or(body))
    }

    /// Whether a back end decides about users who join rooms.
    pub(super) fn has_join_hook(&self) -> bool {
        self.chat.backends.for_hook(Hook::Join).is_some()
    }

    /// Asks a back end about a user who joins a room. Returns how the user joins it.
    pub(super) async fn approve_join(
        &self,
        user: ActingUser<'_>,
        room: &RoomName,
        join_mode: JoinMode,
    ) -> Result<JoinMode, Rejection> {
        let request = || HookedRequest::Join { room: room.clone() };
        let accepted = self.approve(Some(user), request).await?;
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
        let request = || HookedRequest::Invite { room, user, role };
        let accepted = self.approve(self.acting_user(), request).await?;
        Ok(accepted.role.unwrap_or(role))
    }

    async fn approve(
        &self,
        user: Option<ActingUser<'_>>,
        request: impl FnOnce() -> HookedRequest,
    ) -> Result<AcceptedRequest, Rejection> {
        if self.chat.backends.is_empty() {
            return Ok(AcceptedRequest::default());
        }
        let request = request();
        let Some(registered) = self.chat.backends.for_hook(request.hook()) else {
            return Ok(AcceptedRequest::default());
        };
        // In a box: few requests are asked about, and it would be a part of every session's future.
        Box::pin(async {
            let call = RequestCall { caller: self.caller(user), request };
            match registered.settle(registered.backend.request(call).await)? {
                None => Ok(AcceptedRequest::default()),
                Some(RequestAnswer::Accepted(AcceptedRequest { body, role, actions })) => {
                    self.perform_for(user, actions).await;
                    Ok(AcceptedRequest { body, role, actions: Vec::new() })
                }
                Some(RequestAnswer::Refused(refusal)) => Err(Rejection::Refused(Box::new(refusal))),
            }
        })
        .await
    }
}
