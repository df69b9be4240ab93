//! Identification: the name, the rooms and the welcome.

use std::sync::Arc;

use tracing::{Span, field::display};

use super::{
    ClaimedIdentity, GuestContinuity, Session, SessionIdentity, auth::LastSeenGuard, unavailable,
};
use crate::{
    chat::{
        Answer, ReplyCallback,
        event::{Delivery, DeviceVisit, Event, Welcome},
        hub::{
            self, AttachOutcome, AttachRequest, ConnectionInfo, ReplayMode, Scope, WelcomeSnapshot,
        },
        ports::{Claims, ClusterCommand, UserSeen},
    },
    domain::{
        Channel, CloseReason, DeviceId, DevicePolicy, DisplayNames, Rejection, Token, UserName,
    },
};

/// A prepared identification, and what its welcome needs.
pub(super) struct PreparedIdentity {
    pub(super) claimed: ClaimedIdentity,
    seen: UserSeen,
    visit: Option<DeviceVisit>,
    /// The display names of the partners of direct conversations.
    names: DisplayNames,
}

impl Session {
    /// `new user`: claims a free name.
    pub(super) async fn identify(
        &mut self,
        user: UserName,
        device: Option<DeviceId>,
        answer: ReplyCallback,
    ) {
        match self.prepare_guest(user, device).await {
            Err(rejection) => answer(Err(rejection)),
            Ok((token, prepared, guest_session)) => {
                let user = prepared.claimed.name_claim.user().clone();
                answer(Ok(Answer::Identified { user, token }));
                self.enter(prepared).await;
                if guest_session == GuestContinuity::Continued {
                    self.send_held().await;
                }
            }
        }
        self.reject_held();
    }

    /// Does everything that can be rejected, before any effect is visible to others.
    async fn prepare_guest(
        &self,
        user: UserName,
        device: Option<DeviceId>,
    ) -> Result<(Token, PreparedIdentity, GuestContinuity), Rejection> {
        if self.identity.is_some() {
            return Err(Rejection::AlreadyIdentified);
        }
        let device = device.or_else(|| self.origin.device.clone());
        let (name_claim, claims, guest_session) =
            self.chat.claim_as_guest(&self.origin.space, user, device.as_ref()).await?;
        if let Some(room) = &self.origin.room {
            self.chat.check_room(&self.origin.space, &claims, room).await?;
        }
        let token = self.chat.tokens.issue(&claims).map_err(|fault| unavailable(&fault))?;
        let claimed = ClaimedIdentity { name_claim, claims, token: Some(token.clone()) };
        Ok((token, self.prepare(claimed, device).await?, guest_session))
    }

    /// The same for a client with a token.
    pub(super) async fn prepare_user(&self, token: Token) -> Result<PreparedIdentity, Rejection> {
        let claimed =
            self.chat.claim_name(&self.origin.space, token, self.origin.device.as_ref()).await?;
        self.prepare(claimed, self.origin.device.clone()).await
    }

    /// Identifies a client with a token: as `new user`, but admission has claimed the name.
    pub(in crate::chat) async fn enter_with_claim(&mut self, claimed: ClaimedIdentity) {
        match self.prepare(claimed, self.origin.device.clone()).await {
            Ok(prepared) => self.enter(prepared).await,
            Err(_) => self.outbox.close(CloseReason::Fault),
        }
    }

    /// Stores the user's visit and the memberships that it creates.
    async fn prepare(
        &self,
        mut claimed: ClaimedIdentity,
        device: Option<DeviceId>,
    ) -> Result<PreparedIdentity, Rejection> {
        claimed.name_claim.announce_connection(self.registration.id(), device.clone());
        let presence_announced = self.chat.cluster.presence_announced();
        let ClaimedIdentity { name_claim, claims, .. } = &claimed;
        let visit = match &device {
            Some(device) => Some(self.visit(name_claim.user(), device).await?),
            None => None,
        };
        let seen = self.chat.seen_now(&self.origin.space, claims, device);
        self.join_initial_rooms(&claimed, &seen).await?;
        if let Some(device) = &seen.device {
            self.chat.hub.users.record_device_seen(&seen.space, &seen.user, device, seen.at);
        }
        // Before the answer: the client expects to be in its rooms and to be online then.
        self.chat.cluster.wait_for_rosters(|| claimed.name_claim.rooms()).await;
        presence_announced.await;
        let names = self.partner_names(&claimed).await?;
        Ok(PreparedIdentity { claimed, seen, visit, names })
    }

    /// The display names of those with whom the user has direct conversations.
    async fn partner_names(&self, claimed: &ClaimedIdentity) -> Result<DisplayNames, Rejection> {
        let partners = claimed.name_claim.direct_partners();
        if partners.is_empty() {
            return Ok(DisplayNames::new());
        }
        let names = self.chat.store.display_names(&self.origin.space, &partners).await;
        names.map_err(|fault| unavailable(&fault))
    }

    /// Makes the session identified: sends the welcome, then missed entries, then live events.
    pub(super) async fn enter(&mut self, prepared: PreparedIdentity) {
        let PreparedIdentity { claimed, seen, visit, mut names } = prepared;
        let ClaimedIdentity { mut name_claim, claims, token } = claimed;
        Span::current().record("user", display(&claims.user));
        let (connection, node) = (self.registration.id(), self.chat.rules.node.clone());
        let epoch = self.chat.store.epoch().clone();
        let Claims { user, name, expires_at, admin, .. } = claims.clone();
        let display_name = name.clone();
        let welcome = |snapshot| {
            let WelcomeSnapshot { rooms, directs, inbox } = snapshot;
            names.retain(|user, _| directs.iter().any(|(it, _)| it == user));
            let welcome = Welcome {
                user,
                name,
                admin,
                token,
                expires_at,
                visit,
                connection,
                node,
                epoch,
                rooms,
                directs,
                names,
                inbox,
            };
            Delivery::new(Event::Welcome(Box::new(welcome)))
        };
        let outbox = Arc::clone(&self.outbox);
        let device = seen.device.clone();
        let Some(ticket) = self.ticket().await else {
            return self.outbox.close(CloseReason::Fault);
        };
        let credentials = claims.credentials();
        let connection_info = ConnectionInfo { connection, outbox, device, credentials, ticket };
        let mode = match self.origin.continues {
            Some(_) => ReplayMode::Live,
            None => ReplayMode::Missed,
        };
        let request = AttachRequest {
            connection_info,
            scope: self.scope(&claims),
            display_name,
            since: &self.origin.since,
            mode,
            now: self.chat.clock.now(),
        };
        self.registration.identify(&seen.user);
        // The rooms are received as a member from here on.
        self.listener = None;
        let AttachOutcome { other_devices, behind } = name_claim.attach(request, welcome);
        if self.chat.rules.devices == DevicePolicy::Newest && self.origin.continues.is_none() {
            hub::close_outboxes(other_devices, CloseReason::Replaced);
            let UserSeen { space, user, device, .. } = seen.clone();
            let channel = Channel::of_user(&space, &user.key());
            self.chat.hub.publisher.publish_command(
                channel,
                ClusterCommand::ReplaceDevices { space, user, device, ticket },
            );
        }
        self.registration.announce(&self.origin.space, &*self.outbox, Some(claims.user.clone()));
        let rights = self.rights(claims);
        let last_seen = LastSeenGuard::of(&self.chat, seen);
        self.identity = Some(SessionIdentity { rights, _last_seen: last_seen, name_claim });
        for (live_room, cursor) in behind {
            if self.catch_up(&live_room, cursor).await.is_err() {
                self.outbox.close(CloseReason::Fault);
            }
        }
    }

    /// A ticket for this connection, where only the newest device may stay. `None` if the draw
    /// failed.
    async fn ticket(&self) -> Option<u64> {
        if self.chat.rules.devices == DevicePolicy::Many {
            return Some(0);
        }
        if let Some(ticket) = self.origin.continues {
            return Some(ticket);
        }
        let ticket = self.chat.nodes.ticket().await;
        ticket.map_err(|fault| unavailable(&fault)).ok()
    }

    /// The rooms and roles that a token grants on this connection.
    pub(super) fn scope(&self, claims: &Claims) -> Scope {
        let (default_room, rooms, global_role) =
            (self.origin.default_room(), claims.rooms.clone(), claims.global_role());
        Scope { default_room, rooms, global_role }
    }
}
