//! The guard of a claimed name, and of the connection that is attached with it.

use std::sync::Arc;

use time::OffsetDateTime;

use super::{
    Hub,
    live_room::LiveRoom,
    online_users::{
        AttachOutcome, AttachRequest, ConnectionInfo, OnlineUserId, Proof, Release, Scope,
        UserConnectionId, WelcomeSnapshot,
    },
};
use crate::{
    chat::event::{Delivery, Tally},
    domain::{
        ConnectionId, Conversation, Credentials, Denied, DeviceId, DisplayName, Member, Place,
        Rejection, Role, RoomName, Space, UserName,
    },
};

/// A name that is taken while this is held, and for the grace period after it. The rules about names
/// are in [`OnlineUsers`](super::OnlineUsers).
#[must_use = "the name is released when this is dropped"]
pub(crate) struct NameClaim {
    hub: Arc<Hub>,
    id: OnlineUserId,
    /// A connection that was announced.
    pending_connection: Option<ConnectionId>,
    /// The connection that was attached.
    connection_info: Option<ConnectionInfo>,
    /// Until a connection is attached, nothing reserves the name.
    release: Release,
}

impl std::fmt::Debug for NameClaim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NameClaim").field("user", &self.id.user).finish_non_exhaustive()
    }
}

impl NameClaim {
    /// Claims a name, or refuses with [`Rejection::NameTaken`].
    pub(crate) fn claim(
        hub: &Arc<Hub>,
        space: &Space,
        user: &UserName,
        proof: Proof,
    ) -> Result<Self, Rejection> {
        let id = hub.users.claim(space, user, proof)?;
        let hub = Arc::clone(hub);
        Ok(Self {
            hub,
            id,
            pending_connection: None,
            connection_info: None,
            release: Release::AtOnce,
        })
    }

    /// The name.
    pub(crate) fn user(&self) -> &UserName {
        &self.id.user
    }

    /// The online user that holds the name.
    pub(crate) fn online_user(&self) -> &OnlineUserId {
        &self.id
    }

    /// Drops the claim, and reserves the name for the grace period: its user is about to connect.
    pub(crate) fn reserve(mut self) {
        self.release = Release::AfterGracePeriod;
    }

    /// The display name.
    pub(crate) fn display_name(&self) -> Option<DisplayName> {
        self.hub.users.display_name(&self.id)
    }

    /// Announces a connection before it is attached, so that the other nodes count it before any of
    /// their users receives an event about it.
    pub(crate) fn announce_connection(
        &mut self,
        connection: ConnectionId,
        device: Option<DeviceId>,
    ) {
        self.pending_connection = Some(connection);
        self.hub.users.announce(&self.id, connection, device);
    }

    /// Whether the memberships of the user are cached on this node.
    pub(crate) fn has_memberships(&self) -> bool {
        self.hub.users.has_memberships(&self.id)
    }

    /// The rooms in which the user is a member.
    pub(crate) fn rooms(&self) -> Vec<Place> {
        self.hub.users.rooms_of(&self.id)
    }

    /// The users with whom the user has direct conversations.
    pub(crate) fn direct_partners(&self) -> Vec<UserName> {
        self.hub.users.direct_partners(&self.id)
    }

    /// The membership of the user in a conversation, and the tally of its log.
    pub(crate) fn member(&self, conversation: &Conversation) -> Option<(Member, Tally)> {
        self.hub.users.member(&self.id, conversation)
    }

    /// The same with what belongs to it.
    pub(crate) fn connection_info(&self) -> Option<&ConnectionInfo> {
        self.connection_info.as_ref()
    }

    /// The connection, once it is attached.
    pub(crate) fn user_connection_id(&self) -> Option<UserConnectionId> {
        let connection = self.connection_info.as_ref()?.connection;
        Some(UserConnectionId { online_user: self.id.clone(), connection })
    }

    /// A room that the connection is in, and the user's role there.
    pub(crate) fn room(&self, room: &RoomName) -> Result<(Arc<LiveRoom>, Role), Rejection> {
        let id = self.user_connection_id().ok_or(Rejection::NotMember)?;
        let found = self.hub.users.find_room(&id, room, |found| found)?;
        Ok((found.live_room, found.state.role))
    }

    /// Attaches a connection: it receives `welcome`, which is made of the user's state, and is in all
    /// rooms of the user from then on. It is closed if the name was lost or the user was denied meanwhile.
    pub(crate) fn attach(
        &mut self,
        request: AttachRequest<'_>,
        welcome: impl FnOnce(WelcomeSnapshot) -> Arc<Delivery>,
    ) -> AttachOutcome {
        let outbox = Arc::clone(&request.connection_info.outbox);
        self.connection_info = Some(request.connection_info.clone());
        self.release = Release::AfterGracePeriod;
        self.hub.users.attach(&self.id, request, welcome).unwrap_or_else(|reason| {
            outbox.close(reason);
            AttachOutcome::default()
        })
    }

    /// Applies a renewed token to the connection, unless it was denied meanwhile.
    pub(crate) fn renew(
        &mut self,
        (scope, display_name): (Scope, Option<&DisplayName>),
        credentials: Credentials,
        now: OffsetDateTime,
    ) -> Result<(), Denied> {
        if let Some(connection_info) = &mut self.connection_info {
            self.hub.users.renew_credentials(&self.id, connection_info, credentials, now)?;
            let connection = connection_info.connection;
            self.hub.users.rename(&self.id, display_name);
            let effects = self.hub.users.update_scope(&self.id, connection, scope);
            self.hub.finish(&self.id.user, effects);
        }
        Ok(())
    }
}

impl Drop for NameClaim {
    fn drop(&mut self) {
        let attached = self.connection_info.as_ref();
        self.hub.users.release_claim(&self.id, attached, self.pending_connection, self.release);
        if let Some(connection_info) = attached {
            self.hub.typing.stop_on(connection_info.connection);
        }
    }
}
