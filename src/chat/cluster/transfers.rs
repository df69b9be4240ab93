//! Which announcements the nodes have received between which a session moves.
//!
//! An event that passes by is in no log. So the node that takes a session must receive all channels
//! of the session, and the node that hands it over must have received all that the other one has.

use std::{collections::BTreeSet, time::Duration};

use tokio::time::timeout;

use super::Cluster;
use crate::{
    chat::ports::{ClaimStep, SeenAnnouncement, SessionClaim, SessionClaimId},
    domain::{Channel, NodeId},
};

/// How long new subscriptions are awaited.
const SUBSCRIPTION_WAIT_MAX: Duration = Duration::from_secs(1);

impl Cluster {
    /// Waits until announcements on these channels arrive. Returns `false` if that takes too long.
    pub(crate) async fn wait_for_subscriptions(&self, channels: &BTreeSet<Channel>) -> bool {
        let mut received = self.roster_received.subscribe();
        let has_all = |(): &()| {
            let state = self.lock();
            channels.iter().all(|it| state.subscribed.contains(it))
        };
        timeout(SUBSCRIPTION_WAIT_MAX, received.wait_for(has_all)).await.is_ok()
    }

    /// The last announcements on these channels that were received here, and those of this node.
    pub(crate) fn seen(&self, channels: &BTreeSet<Channel>) -> Vec<SeenAnnouncement> {
        let own = channels.iter().filter_map(|&channel| {
            let (from, number) =
                (self.publisher.node().clone(), self.publisher.last_number(channel)?);
            Some(SeenAnnouncement { from, channel, number })
        });
        let mut seen: Vec<_> = own.collect();
        let state = self.lock();
        for &channel in channels {
            let others = state.gap_detector.last_numbers(channel);
            seen.extend(others.map(|(from, number)| SeenAnnouncement {
                from: from.clone(),
                channel,
                number,
            }));
        }
        seen
    }

    /// Answers a claim of another node.
    pub(super) fn answer_claim(&self, from: &NodeId, id: SessionClaimId, claim: &SessionClaim) {
        if claim.step == ClaimStep::Take && !self.has_seen(&claim.seen) {
            self.hub.transfers.reply_not_yet(from, id, claim);
        } else {
            self.hub.transfers.reply(from, id, claim);
        }
    }

    /// Whether these announcements, or later ones, were received here.
    fn has_seen(&self, seen: &[SeenAnnouncement]) -> bool {
        let state = self.lock();
        seen.iter().all(|SeenAnnouncement { from, channel, number }| {
            from == self.publisher.node()
                || state.gap_detector.last_number(from, *channel) >= *number
        })
    }
}
