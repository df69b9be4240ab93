//! Plans changes of members, without a database.

use std::collections::{HashMap, HashSet};

use super::Topics;
use crate::{
    chat::ports::{Change, ChangeResult, JoinRefusal, MemberChange},
    domain::{JoinMode, Log, Member, Place, Position, Role, Seq, Space, UserName},
};

/// The result of planning.
#[derive(Debug)]
pub(crate) struct MemberPlan<'a> {
    /// One per change.
    pub(crate) changed: Vec<ChangeResult>,
    /// The members that change, with their new state.
    pub(crate) members: Vec<(PlaceUser<'a>, Option<Member>)>,
    /// Those of them who become members, also after a membership that ends in the same batch.
    pub(crate) joined: HashSet<PlaceUser<'a>>,
    /// The logs after the changes: those given and those changed.
    pub(crate) logs: HashMap<&'a Place, Log>,
    /// The topics of rooms after the changes.
    pub(crate) topics: Topics<'a>,
}

/// A user in a place.
pub(crate) type PlaceUser<'a> = (&'a Place, &'a UserName);

/// A user in a space.
pub(crate) type SpaceUser<'a> = (&'a Space, &'a UserName);

/// A member before the changes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CurrentMember {
    pub(crate) member: Member,
    /// The number of messages up to the seq that the change names, if that seq exists.
    pub(crate) messages: Option<u64>,
    /// The number of deleted messages after that seq and the read position.
    pub(crate) deleted: u64,
}

/// Plans changes. `logs` are the states of the logs; a missing log is empty. `topics` are the topics of
/// the rooms among them. `members` are the members before the batch, by the change's number. `rooms` is
/// the number of rooms of each user that may join more.
pub(crate) fn plan_changes<'a>(
    changes: &'a [Change],
    mut logs: HashMap<&'a Place, Log>,
    mut topics: Topics<'a>,
    found: &HashMap<usize, CurrentMember>,
    mut rooms: HashMap<SpaceUser<'a>, u64>,
) -> MemberPlan<'a> {
    let who = |change: &'a Change| (&change.place, &change.user);
    let member = |number| found.get(&number).map(|found| found.member);
    let before: HashMap<_, _> =
        changes.iter().enumerate().map(|(n, change)| (who(change), member(n))).collect();
    let mut members = before.clone();
    let mut deleted: HashMap<PlaceUser<'a>, u64> = HashMap::new();
    let mut joined = HashSet::new();
    let mut done = Vec::with_capacity(changes.len());
    for (number, change) in changes.iter().enumerate() {
        let log = logs.entry(&change.place).or_default();
        let messages = found.get(&number).and_then(|found| found.messages);
        let counted = found.get(&number).map_or(0, |found| found.deleted);
        let member = members.entry(who(change)).or_default();
        let before = *member;
        let rooms = rooms.entry((&change.place.space, &change.user)).or_default();
        let is_at_room_limit = before.is_none() && is_at_room_limit(change, *rooms);
        if !is_at_room_limit {
            *member = apply_change(before, change.what, log, messages);
        }
        if member.is_some() && before.is_none() {
            joined.insert(who(change));
        }
        let (is, was) = (u64::from(member.is_some()), u64::from(before.is_some()));
        log.members = log.members + is - was;
        if change.place.conversation.room().is_some() {
            *rooms = (*rooms + is).saturating_sub(was);
        }
        let refused = match change.what {
            MemberChange::Join(_) | MemberChange::Assign(_) if member.is_none() => {
                Some(if is_at_room_limit { JoinRefusal::TooManyRooms } else { JoinRefusal::NotNew })
            }
            _ => None,
        };
        let deleted = deleted.entry(who(change)).or_insert(counted);
        if member.map(|it| it.read) != before.map(|it| it.read) {
            let has_read_all = member.is_none_or(|it| it.read == log.head);
            *deleted = if has_read_all { 0 } else { counted };
        }
        let topic = member.and(topics.get(&change.place).cloned());
        let (after, log, deleted) = (*member, *log, *deleted);
        done.push(ChangeResult { before, after, log, topic, deleted, refused });
    }
    members.retain(|who, after| {
        before.get(who) != Some(after) || (after.is_some() && joined.contains(who))
    });
    // The databases forget the topic of a room that nobody uses any more.
    topics.retain(|place, _| logs.get(place).is_none_or(|log| !log.is_unused()));
    MemberPlan { changed: done, members: members.into_iter().collect(), joined, logs, topics }
}

impl<'a> MemberPlan<'a> {
    /// The new roles of the users that the changes concern.
    pub(crate) fn roles(&self) -> HashMap<PlaceUser<'a>, Option<Role>> {
        self.members.iter().map(|(who, after)| (*who, after.map(|it| it.role))).collect()
    }
}

/// Whether a member of so many rooms has reached the limit.
fn is_at_room_limit(change: &Change, rooms: u64) -> bool {
    let becomes = matches!(change.what, MemberChange::Join(_) | MemberChange::Assign(_));
    becomes
        && change.place.conversation.room().is_some()
        && change.rooms_max.is_some_and(|max| rooms >= max)
}

fn apply_change(
    before: Option<Member>,
    what: MemberChange,
    log: &Log,
    messages: Option<u64>,
) -> Option<Member> {
    match what {
        MemberChange::Join(join_mode) => {
            before.or_else(|| Some(Member::new(role_on_join(join_mode, log)?, log.head)))
        }
        MemberChange::Assign(role) => {
            let member = before.unwrap_or(Member::new(role, log.head));
            Some(Member { role, ..member })
        }
        MemberChange::Leave => None,
        MemberChange::Read(seq) => before.map(|member| {
            let read = read_position(seq, log, messages).unwrap_or(member.read);
            Member { read: member.read.max(read), ..member }
        }),
        MemberChange::Mute(muted) => before.map(|member| Member { muted, ..member }),
    }
}

/// The state of a user that joins; `None` if the user may not join.
fn role_on_join(join_mode: JoinMode, log: &Log) -> Option<Role> {
    match join_mode {
        JoinMode::As(role) => Some(role),
        JoinMode::OwnerIfFirst(role) => Some(if log.members == 0 { Role::Owner } else { role }),
        JoinMode::FounderOnly => {
            (log.members == 0 && log.head == Position::ZERO).then_some(Role::Owner)
        }
    }
}

/// The read position for a client that reports `seq`. A user that joined in this batch has read
/// everything, so other positions need not be known.
fn read_position(seq: Seq, log: &Log, messages: Option<u64>) -> Option<Position> {
    if seq >= log.head.seq {
        Some(log.head)
    } else if seq <= log.floor.seq {
        Some(log.floor)
    } else {
        messages.map(|messages| Position { seq, messages })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::contract::{at, change, room, seq};

    /// As the function of this name, in rooms without topics.
    fn plan_changes<'a>(
        changes: &'a [Change],
        logs: HashMap<&'a Place, Log>,
        found: &HashMap<usize, CurrentMember>,
        rooms: HashMap<SpaceUser<'a>, u64>,
    ) -> MemberPlan<'a> {
        super::plan_changes(changes, logs, Topics::new(), found, rooms)
    }

    const JOIN: MemberChange = MemberChange::Join(JoinMode::OwnerIfFirst(Role::Reader));

    #[test]
    fn first_member_becomes_owner_and_later_members_do_not() {
        let changes = [
            change("new", "ann", JOIN),
            change("new", "bob", JOIN),
            change("new", "ann", MemberChange::Leave),
            change("new", "cleo", MemberChange::Join(JoinMode::FounderOnly)),
        ];
        let plan = plan_changes(&changes, HashMap::new(), &HashMap::new(), HashMap::new());
        let roles: Vec<_> = plan.changed.iter().map(|it| it.after.map(|it| it.role)).collect();
        assert_eq!(roles, [Some(Role::Owner), Some(Role::Reader), None, None]);
        let members: Vec<_> = plan.changed.iter().map(|it| it.log.members).collect();
        assert_eq!(members, [1, 2, 1, 1]);
        assert_eq!(plan.members.len(), 1, "ann and cleo stay non-members");
    }

    #[test]
    fn read_position_stays_between_floor_and_head() {
        let place = room("old");
        let log = Log { head: at(9, 8), floor: at(4, 4), members: 1, deleted: 2 };
        let member = Member::new(Role::Owner, at(2, 2));
        let found = |(messages, deleted)| CurrentMember { member, messages, deleted };
        let reads = [3, 6, 5, 99].map(|n| change("old", "ann", MemberChange::Read(seq(n))));
        let counts = [(Some(3), 2), (Some(5), 1), (Some(4), 2), (None, 0)];
        let found = counts.into_iter().map(found).enumerate().collect();
        let plan = plan_changes(&reads, HashMap::from([(&place, log)]), &found, HashMap::new());
        let read: Vec<_> =
            plan.changed.iter().filter_map(|it| it.after).map(|it| it.read).collect();
        assert_eq!(read, [at(4, 4), at(6, 5), at(6, 5), at(9, 8)]);
        let deleted: Vec<_> = plan.changed.iter().map(|it| it.deleted).collect();
        assert_eq!(deleted, [2, 1, 1, 0]);
    }
}
