//! What somebody else's node changed of where a user is a member: read again, and told like all else.

use std::collections::HashSet;

use super::{
    FullOutboxes, Hub, HubState, close_slow_readers,
    members::{CachedMembership, Cause, DirectsCoverage, LogSource},
};
use crate::{
    chat::ports::{ChangeResult, Membership},
    domain::{Conversation, Log, Member, Place, Position, Seq, Space, UserName},
};

/// What is known of why a user's memberships are others.
#[derive(Clone, Debug, Default)]
pub(crate) struct StaleMemberships {
    /// Who has changed some.
    pub(crate) by: Vec<(Place, UserName)>,
    /// Of which revision of the store they are at least, once they were read.
    pub(crate) revision: Option<u64>,
}

impl StaleMemberships {
    pub(crate) fn merge(&mut self, other: Self) {
        self.by.extend(other.by);
        self.revision = self.revision.max(other.revision);
    }
}

impl Hub {
    /// Takes what the store says now of where a user is a member. `by` is who is known to have changed
    /// something. Answers the conversations that are further than they were delivered here.
    ///
    /// It is called by who stores, in the order of the commits: nothing of what this node has changed
    /// since is undone.
    pub(crate) fn refresh(
        &self,
        (space, user): (&Space, &UserName),
        memberships: Vec<Membership>,
        StaleMemberships { by, revision }: &StaleMemberships,
    ) -> Vec<Place> {
        let mut state = self.lock();
        let Some(online_user) = state.online_users.get_mut(space, user) else { return Vec::new() };
        online_user.revision = online_user.revision.max(*revision);
        let Some(cached) = &online_user.memberships else { return Vec::new() };
        let listed: HashSet<_> = memberships.iter().map(|it| &it.place.conversation).collect();
        let ended = cached.iter().filter(|(conversation, _)| {
            conversation.room().is_some() && !listed.contains(conversation)
        });
        let ended: Vec<_> =
            ended.map(|(it, cached)| (it.clone(), cached.member, cached.log())).collect();
        let (mut full_outboxes, mut behind) = (FullOutboxes::new(), Vec::new());
        for (conversation, member, log) in ended {
            let place = Place { space: space.clone(), conversation };
            let changed = ChangeResult { before: Some(member), after: None, log, refused: None };
            full_outboxes.extend(state.apply_change(
                self,
                (&place, user),
                &changed,
                &cause(&place, by),
            ));
        }
        for membership in memberships {
            let place = membership.place.clone();
            let (is_behind, full) = state.refresh_one(self, user, membership, by);
            full_outboxes.extend(full);
            behind.extend(is_behind.then_some(place));
        }
        drop(state);
        close_slow_readers(full_outboxes);
        behind
    }
}

impl HubState {
    /// Takes what the store says of one membership. Answers whether there is more to be delivered.
    fn refresh_one(
        &mut self,
        hub: &Hub,
        user: &UserName,
        membership: Membership,
        by: &[(Place, UserName)],
    ) -> (bool, FullOutboxes) {
        let Membership { place, member, log } = membership;
        let Some(online_user) = self.online_users.get_mut(&place.space, user) else {
            return (false, FullOutboxes::new());
        };
        let Some(cached) = &mut online_user.memberships else {
            return (false, FullOutboxes::new());
        };
        let before = cached.get(&place.conversation).map(|it| it.member);
        if before.is_none() && place.conversation.room().is_none() {
            let head = initial_head(&place, member.joined, &log, online_user.directs);
            let log_source = LogSource::Local(Log { head, ..log });
            cached.insert(place.conversation.clone(), CachedMembership { member, log_source });
        }
        // What was read here a moment ago may be on its way to the store.
        let read = before.map_or(member.read, |it| it.read.max(member.read));
        let member = Member { read, ..member };
        let mut full_outboxes = FullOutboxes::new();
        if before != Some(member) && (before.is_some() || place.conversation.room().is_some()) {
            let changed = ChangeResult { before, after: Some(member), log, refused: None };
            full_outboxes = self.apply_change(hub, (&place, user), &changed, &cause(&place, by));
        }
        let online_user = self.online_users.get(&place.space, user);
        let cached = online_user.and_then(|it| it.memberships.as_ref()?.get(&place.conversation));
        (cached.is_some_and(|cached| cached.log().head.seq < log.head.seq), full_outboxes)
    }
}

/// How much of a conversation of their own somebody has who did not know of it: nothing of what was
/// said since they are in it, if they would have known of it when they came.
fn initial_head(place: &Place, joined: Seq, log: &Log, directs: DirectsCoverage) -> Position {
    let is_inbox = matches!(place.conversation, Conversation::Inbox(_));
    if directs == DirectsCoverage::All || is_inbox {
        Position { seq: joined, messages: 0 }
    } else {
        log.head
    }
}

fn cause(place: &Place, by: &[(Place, UserName)]) -> Cause {
    let by = by.iter().rev().find(|(it, _)| it == place).map(|(_, user)| user.clone());
    Cause { by, ..Cause::default() }
}
