//! What somebody else's node changed of where a user is a member: read again, and told like all else.

use std::collections::HashSet;

use super::{
    Hub, State, TooSlow, close,
    members::{Cause, Kept, Logged},
    residents::Directs,
};
use crate::{
    chat::{
        ports::{Changed, Membership},
        relay::Stale,
    },
    domain::{Conversation, Log, Member, Place, Position, Seq, Space, UserName},
};

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
        Stale { by, revision }: &Stale,
    ) -> Vec<Place> {
        let mut state = self.lock();
        let Some(resident) = state.residents.get_mut(space, user) else { return Vec::new() };
        resident.revision = resident.revision.max(*revision);
        let Some(kept) = &resident.kept else { return Vec::new() };
        let listed: HashSet<_> = memberships.iter().map(|it| &it.place.conversation).collect();
        let ended = kept.iter().filter(|(conversation, _)| {
            conversation.room().is_some() && !listed.contains(conversation)
        });
        let ended: Vec<_> = ended.map(|(it, kept)| (it.clone(), kept.member, kept.log())).collect();
        let (mut too_slow, mut behind) = (TooSlow::new(), Vec::new());
        for (conversation, member, log) in ended {
            let place = Place { space: space.clone(), conversation };
            let changed = Changed { before: Some(member), after: None, log, refused: None };
            too_slow.extend(state.changed(self, (&place, user), &changed, &cause(&place, by)));
        }
        for membership in memberships {
            let place = membership.place.clone();
            let (is_behind, slow) = state.renew(self, user, membership, by);
            too_slow.extend(slow);
            behind.extend(is_behind.then_some(place));
        }
        drop(state);
        close(too_slow);
        behind
    }
}

impl State {
    /// Takes what the store says of one membership. Answers whether there is more to be delivered.
    fn renew(
        &mut self,
        hub: &Hub,
        user: &UserName,
        membership: Membership,
        by: &[(Place, UserName)],
    ) -> (bool, TooSlow) {
        let Membership { place, member, log } = membership;
        let Some(resident) = self.residents.get_mut(&place.space, user) else {
            return (false, TooSlow::new());
        };
        let Some(kept) = &mut resident.kept else { return (false, TooSlow::new()) };
        let before = kept.get(&place.conversation).map(|it| it.member);
        if before.is_none() && place.conversation.room().is_none() {
            let head = unheard(&place, member.joined, &log, resident.directs);
            let logged = Logged::Here(Log { head, ..log });
            kept.insert(place.conversation.clone(), Kept { member, logged });
        }
        // What was read here a moment ago may be on its way to the store.
        let read = before.map_or(member.read, |it| it.read.max(member.read));
        let member = Member { read, ..member };
        let mut too_slow = TooSlow::new();
        if before != Some(member) && (before.is_some() || place.conversation.room().is_some()) {
            let changed = Changed { before, after: Some(member), log, refused: None };
            too_slow = self.changed(hub, (&place, user), &changed, &cause(&place, by));
        }
        let resident = self.residents.get(&place.space, user);
        let kept = resident.and_then(|it| it.kept.as_ref()?.get(&place.conversation));
        (kept.is_some_and(|kept| kept.log().head.seq < log.head.seq), too_slow)
    }
}

/// How much of a conversation of their own somebody has who did not know of it: nothing of what was
/// said since they are in it, if they would have known of it when they came.
fn unheard(place: &Place, joined: Seq, log: &Log, directs: Directs) -> Position {
    let is_inbox = matches!(place.conversation, Conversation::Inbox(_));
    if directs == Directs::All || is_inbox {
        Position { seq: joined, messages: 0 }
    } else {
        log.head
    }
}

fn cause(place: &Place, by: &[(Place, UserName)]) -> Cause {
    let by = by.iter().rev().find(|(it, _)| it == place).map(|(_, user)| user.clone());
    Cause { by, ..Cause::default() }
}
