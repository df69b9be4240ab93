//! A session of another node is continued here.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use super::{
    Admission, Chat,
    admission::check_space,
    event::Welcome,
    hub::{ContinuedSession, WaitingSessions, required},
    ports::{
        ClaimStep, Claims, FoundSession, Outbox, SeenAnnouncement, SessionClaim, SessionReply,
        SessionState,
    },
    session::{ClaimedIdentity, Session, SessionOrigin},
};
use crate::domain::{
    Channel, ConnectionId, DeviceId, Guests, Place, Rejection, RoomName, Seq, Space,
};

/// The longest time in which a session is claimed again.
const CLAIMS_TIME_MAX: Duration = Duration::from_secs(1);
/// The time between two claims of a session whose connection has not ended yet.
const LOSS_CLAIM_INTERVAL: Duration = Duration::from_millis(100);
/// The time between two claims of a session that was not sent yet what other nodes were sent.
const DELIVERY_CLAIM_INTERVAL: Duration = Duration::from_millis(20);

/// A session of another node that is about to be continued here.
#[derive(Debug)]
pub struct SessionTransfer {
    claim: SessionClaim,
    found: FoundSession,
    /// The channels of the session.
    channels: BTreeSet<Channel>,
    /// The last announcements on them before the session began here.
    seen: Vec<SeenAnnouncement>,
}

impl SessionTransfer {
    /// The session.
    pub fn found(&self) -> &FoundSession {
        &self.found
    }
}

impl Chat {
    /// Lets other nodes continue these sessions.
    pub fn serve_transfers(&self, sessions: Arc<dyn WaitingSessions>) {
        self.hub.transfers.serve(sessions);
    }

    /// Finds the session that a client continues, on the other nodes.
    pub async fn find_session(&self, claim: SessionClaim) -> Option<SessionTransfer> {
        let SessionReply::Found(found) = self.claim_session(&claim, LOSS_CLAIM_INTERVAL).await
        else {
            return None;
        };
        let channels = channels_of(&claim.space, &found);
        let seen = self.cluster.seen(&channels);
        Some(SessionTransfer { claim, found: *found, channels, seen })
    }

    /// Takes a session that was found, and that was begun here with this welcome if it is identified.
    /// The client begins anew if another one was faster.
    pub async fn take_session(
        &self,
        transfer: SessionTransfer,
        welcome: Option<&Welcome>,
    ) -> Option<ContinuedSession> {
        let SessionTransfer { claim, found, channels, seen: before } = transfer;
        let space = claim.space.clone();
        let required = welcome.map(|it| required(&space, &found, it)).unwrap_or_default();
        if !self.cluster.wait_for_subscriptions(&channels).await {
            return None;
        }
        let mut seen = self.cluster.seen(&channels);
        // The other node may have subscribed to the channels after the earlier ones.
        seen.retain(|it| !before.contains(it));
        let (step, offset) = (ClaimStep::Take, found.last_offset);
        let claim = SessionClaim { step, offset, required, seen, ..claim };
        match self.claim_session(&claim, DELIVERY_CLAIM_INTERVAL).await {
            SessionReply::Taken(taken) => Some(ContinuedSession::new(space, found, taken)),
            SessionReply::NotYet | SessionReply::Found(_) | SessionReply::Unknown => None,
        }
    }

    /// Claims a session, again and again while the node that has it asks for that.
    async fn claim_session(&self, claim: &SessionClaim, interval: Duration) -> SessionReply {
        let give_up_at = Instant::now() + CLAIMS_TIME_MAX;
        loop {
            let peers = self.cluster.serving_peers();
            let reply = self.hub.transfers.claim(claim.clone(), peers).await;
            if reply != SessionReply::NotYet || Instant::now() >= give_up_at {
                return reply;
            }
            sleep(interval).await;
        }
    }
}

impl Admission {
    /// The connection that the session will have.
    pub fn connection(&mut self) -> ConnectionId {
        let connections = &self.chat.hub.connections;
        *self.origin.reserved.get_or_insert_with(|| connections.reserve())
    }

    /// Begins the session that continues one of another node. From now on events arrive in `outbox`;
    /// the first one of an identified session is `welcome`, which the client does not need.
    pub async fn continue_session(
        &self,
        found: &FoundSession,
        outbox: Arc<dyn Outbox>,
    ) -> Result<Session, Rejection> {
        let (chat, origin) = (Arc::clone(&self.chat), &self.origin);
        let SessionState { claims, room, device, data, ticket } = found.state.clone();
        let claims = self.claimed.as_ref().map(|it| it.claims.clone()).or(claims);
        let claimed = match claims {
            Some(claims) => Some(chat.claim_again(&origin.space, claims, device.as_ref()).await?),
            None => None,
        };
        let origin = SessionOrigin {
            reserved: origin.reserved,
            space: origin.space.clone(),
            room,
            since: found.positions.iter().filter_map(of_room).collect(),
            device,
            data,
            continues: claimed.as_ref().map(|_| ticket),
        };
        Ok(Session::continue_found(chat, origin, claimed, (found, outbox)).await)
    }
}

impl Chat {
    /// Claims the name of a user who was identified on another node.
    async fn claim_again(
        &self,
        space: &Space,
        claims: Claims,
        device: Option<&DeviceId>,
    ) -> Result<ClaimedIdentity, Rejection> {
        check_space(&claims, space)?;
        if claims.guest.is_some() && self.rules.guests == Guests::Off {
            return Err(Rejection::Unauthorized);
        }
        self.check_ban(space, &claims)?;
        self.check_credentials(&claims)?;
        self.claim_name_of(space, claims, None, device).await
    }
}

/// The channels on which other nodes announce what the session receives.
fn channels_of(space: &Space, found: &FoundSession) -> BTreeSet<Channel> {
    let SessionState { claims, room, .. } = &found.state;
    let Some(claims) = claims else {
        let room = room.clone().unwrap_or_else(RoomName::lobby);
        return BTreeSet::from([Channel::of_room(space, &room)]);
    };
    let rooms = found.positions.iter().filter_map(of_room);
    let rooms = rooms.map(|(room, _)| Channel::of_room(space, &room));
    rooms.chain([Channel::of_user(space, &claims.user.key())]).collect()
}

fn of_room((place, seq): &(Place, Seq)) -> Option<(RoomName, Seq)> {
    Some((place.conversation.room()?.clone(), *seq))
}
