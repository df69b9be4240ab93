//! The rooms that a connection enters by itself: those that everybody joins, and those that it names.

use std::collections::BTreeSet;

use super::{ClaimedIdentity, Session};
use crate::{
    chat::{
        journal::{MembershipLoad, PriorMembership},
        ports::{Change, MemberChange, UserSeen},
    },
    domain::{Conversation, Place, Rejection, RoomName},
};

impl Session {
    /// Records the visit, loads the user's memberships, and joins the user to the rooms that the
    /// connection enters.
    pub(super) async fn join_initial_rooms(
        &self,
        claimed: &ClaimedIdentity,
        seen: &UserSeen,
    ) -> Result<(), Rejection> {
        let load_memberships = async |joins| {
            let (seen, online_user) = (seen.clone(), claimed.name_claim.online_user().clone());
            self.chat.journal.load_memberships(MembershipLoad { seen, online_user, joins }).await
        };
        let mut prior = None;
        if self.has_join_hook() && !claimed.name_claim.has_memberships() {
            // The back end is asked only about rooms that the user is not in.
            prior = Some(load_memberships(Vec::new()).await?);
        }
        let joins = self.approved(claimed, self.joins(claimed, &self.rooms())).await?;
        // Who reads the history after the answer finds the new display name.
        let is_renamed = claimed.name_claim.display_name() != claimed.claims.name;
        if !claimed.name_claim.has_memberships() || !joins.is_empty() || is_renamed {
            prior = Some(load_memberships(joins).await?);
        } else if prior.is_none() {
            self.chat.journal.record_seen(seen.clone()).await;
        }
        if prior == Some(PriorMembership::New) && self.origin.continues.is_none() {
            // A known user's rooms are the stored memberships: the client may remember rooms that
            // the user has left meanwhile.
            let remembered = self.origin.since.keys().cloned().collect();
            let joins = self.joins(claimed, &remembered);
            let joins = self.approved(claimed, joins).await?;
            if !joins.is_empty() {
                load_memberships(joins).await?;
            }
        }
        Ok(())
    }

    /// The rooms that each user joins automatically, with the requested room instead of the lobby. A
    /// session that is continued stays in its rooms.
    fn rooms(&self) -> BTreeSet<RoomName> {
        if self.origin.continues.is_some() {
            return BTreeSet::new();
        }
        let (asked, rules) = (&self.origin.room, self.chat.rules.rooms.get());
        let auto_join = rules.auto_join.iter();
        let auto_join = auto_join.filter(|room| asked.is_none() || **room != RoomName::lobby());
        auto_join.chain(asked).cloned().collect()
    }

    /// The joins of those of these rooms that the user may join and is not yet a member of.
    fn joins(&self, claimed: &ClaimedIdentity, rooms: &BTreeSet<RoomName>) -> Vec<Change> {
        let ClaimedIdentity { name_claim, claims, .. } = claimed;
        let (rules, global_role) = (self.chat.rules.rooms.get(), claims.global_role());
        let join = |room: &RoomName| {
            let conversation = Conversation::Room(room.clone());
            if name_claim.member(&conversation).is_some() {
                return None;
            }
            let join_mode = rules.join_mode(room, claims.rooms.grant(room), global_role)?;
            let place = Place { space: self.origin.space.clone(), conversation };
            let (user, what) = (claims.user.clone(), MemberChange::Join(join_mode));
            Some(Change { place, user, what, rooms_max: self.chat.rooms_max() })
        };
        rooms.iter().filter_map(join).collect()
    }

    /// Those of these joins that a back end accepts, if one decides about joins.
    async fn approved(
        &self,
        claimed: &ClaimedIdentity,
        joins: Vec<Change>,
    ) -> Result<Vec<Change>, Rejection> {
        let mut approved = Vec::with_capacity(joins.len());
        for join in joins {
            let (Conversation::Room(room), MemberChange::Join(join_mode)) =
                (&join.place.conversation, join.what)
            else {
                continue;
            };
            match self.approve_join(claimed.acting_user(), room, join_mode).await {
                Ok(join_mode) => {
                    approved.push(Change { what: MemberChange::Join(join_mode), ..join });
                }
                // The user enters without the room, as without one that the rules do not open.
                Err(Rejection::Refused(_)) => (),
                Err(rejection) => return Err(rejection),
            }
        }
        Ok(approved)
    }
}
