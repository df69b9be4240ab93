//! The rows that a planned batch writes, before they are bound to statements.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use time::OffsetDateTime;

use super::{
    ColumnError, StoredLogs, conversation_id,
    draft_plan::{DraftPlan, Rewritten},
    member_plan::{CurrentMember, PlaceUser, SpaceUser},
    row,
};
use crate::{
    chat::ports::{Change, Draft, DraftAct, MemberChange, UserDeparted, UserSeen},
    domain::{
        Conversation, DeviceId, Member, Place, Position, Role, RoomTopic, Seq, Space, UserName,
    },
};

/// An entry as the columns `conversation, seq, messages, at, author, stay, id, kind, target, body,
/// attachments, event`.
#[derive(Debug)]
pub(crate) struct EntryRow<'a> {
    pub(crate) conversation: i64,
    pub(crate) position: Position,
    pub(crate) at: i64,
    pub(crate) author: &'a str,
    pub(crate) stay: &'a str,
    pub(crate) id: &'a str,
    pub(crate) kind: i64,
    pub(crate) target: Option<i64>,
    pub(crate) body: Option<&'a str>,
    pub(crate) attachments: Option<Vec<u8>>,
    pub(crate) event: Option<&'a str>,
}

impl<'a> EntryRow<'a> {
    /// The row of a draft that is stored.
    pub(crate) fn of(
        (conversation, position, draft): (i64, Position, &'a Draft),
    ) -> Result<Self, ColumnError> {
        let Draft { place: _, id, author, author_name: _, guest_session: _, needs: _, at, act } =
            draft;
        let ((kind, event), target, body) = match act {
            DraftAct::Say { kind, body } => (row::kind_columns(kind), None, Some(body)),
            // The new body is in the row of the message.
            DraftAct::Edit { of, body: _ } => ((row::EDIT, None), Some(row::seq_number(*of)), None),
            DraftAct::Delete { of } => ((row::DELETION, None), Some(row::seq_number(*of)), None),
            DraftAct::Topic(topic) => {
                ((row::EDIT, Some(RoomTopic::text(topic.as_ref()))), Some(row::ROOM_ITSELF), None)
            }
        };
        let (body, attachments) = row::body_columns(body)?;
        Ok(Self {
            conversation,
            position,
            at: row::millis(*at),
            author: author.as_raw(),
            stay: row::stay(draft),
            id: id.as_raw(),
            kind,
            target,
            body,
            attachments,
            event,
        })
    }
}

/// The new content of a message as the columns `conversation, seq, edited_at, edit, deletion, body,
/// attachments`.
#[derive(Debug)]
pub(crate) struct RewrittenRow<'a> {
    pub(crate) conversation: i64,
    pub(crate) seq: i64,
    pub(crate) edited_at: Option<i64>,
    pub(crate) edit: Option<i64>,
    pub(crate) deletion: Option<i64>,
    pub(crate) body: Option<&'a str>,
    pub(crate) attachments: Option<Vec<u8>>,
}

impl<'a> RewrittenRow<'a> {
    /// The row of a message that is changed.
    pub(crate) fn of(
        (conversation, seq, rewritten): (i64, Seq, Rewritten<'a>),
    ) -> Result<Self, ColumnError> {
        let (edited_at, edit, deletion, body) = match rewritten {
            Rewritten::Edited(body, at, seq) => {
                (Some(row::millis(at)), Some(row::seq_number(seq)), None, Some(body))
            }
            Rewritten::Deleted(seq) => (None, None, Some(row::seq_number(seq)), None),
        };
        let (body, attachments) = row::body_columns(body)?;
        let seq = row::seq_number(seq);
        Ok(Self { conversation, seq, edited_at, edit, deletion, body, attachments })
    }
}

/// The end of a log.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) at: Position,
    /// The time of the last message, if there is a new one.
    pub(crate) said_at: Option<OffsetDateTime>,
}

/// The changes of logs.
#[derive(Debug)]
pub(crate) struct LogWrites<'a> {
    pub(crate) entries: Vec<(i64, Position, &'a Draft)>,
    pub(crate) rewritten: Vec<(i64, Seq, Rewritten<'a>)>,
    /// By conversation, each once.
    pub(crate) heads: BTreeMap<i64, Head>,
    /// By conversation, each once.
    pub(crate) topics: BTreeMap<i64, Option<&'a RoomTopic>>,
}

impl<'a> LogWrites<'a> {
    /// The changes of a plan. All of its logs must exist.
    pub(crate) fn of(plan: &DraftPlan<'a>, logs: &StoredLogs<'_>) -> Result<Self, ColumnError> {
        let DraftPlan { outcomes: _, stored, rewritten } = plan;
        let mut topics = BTreeMap::new();
        let mut entries = Vec::with_capacity(stored.len());
        let mut heads = BTreeMap::new();
        for (draft, position) in stored {
            let conversation = conversation_id(logs, &draft.place)?;
            entries.push((conversation, *position, *draft));
            let head = heads.entry(conversation).or_insert(Head { at: *position, said_at: None });
            head.at = *position;
            if matches!(draft.act, DraftAct::Say { .. }) {
                head.said_at = Some(draft.at);
            }
            if let DraftAct::Topic(topic) = &draft.act {
                topics.insert(conversation, topic.as_ref());
            }
        }
        let mut rewrites = Vec::with_capacity(rewritten.len());
        for ((place, seq), rewritten) in rewritten {
            rewrites.push((conversation_id(logs, place)?, *seq, *rewritten));
        }
        Ok(Self { entries, rewritten: rewrites, heads, topics })
    }
}

/// Members, by conversation and user.
pub(crate) type NewMembers<'a> = BTreeMap<(i64, &'a UserName), (PlaceUser<'a>, Member)>;

/// Read positions, by conversation and user.
pub(crate) type AuthorReads<'a> = BTreeMap<(i64, &'a UserName), (&'a Space, Position)>;

/// The members that new entries affect.
#[derive(Debug, Default)]
pub(crate) struct MemberUpdates<'a> {
    /// New members, unless they are members already.
    pub(crate) new: NewMembers<'a>,
    /// The read positions of authors that are members.
    pub(crate) reads: AuthorReads<'a>,
}

impl<'a> MemberUpdates<'a> {
    /// The members that the stored drafts affect. Their logs must exist.
    pub(crate) fn of(
        stored: &[(&'a Draft, Position)],
        logs: &StoredLogs<'_>,
    ) -> Result<Self, ColumnError> {
        let mut member_updates = Self::default();
        for (draft, position) in stored {
            if !matches!(draft.act, DraftAct::Say { .. }) {
                continue;
            }
            let conversation = conversation_id(logs, &draft.place)?;
            for user in participants(&draft.place) {
                // The first message counts: later ones do not change a membership.
                let member = Member::new(Role::Member, position_before(*position));
                let who = (&draft.place, user);
                member_updates.new.entry((conversation, user)).or_insert((who, member));
            }
            if draft.place.conversation.authors_have_read() {
                let author = (conversation, &draft.author);
                member_updates.reads.insert(author, (&draft.place.space, *position));
            }
        }
        Ok(member_updates)
    }
}

/// The users that become members when a message is stored.
pub(crate) fn participants(place: &Place) -> impl Iterator<Item = &UserName> {
    let (one, other) = match &place.conversation {
        Conversation::Room(_) => (None, None),
        Conversation::Direct(one, other) => (Some(one), Some(other)),
        Conversation::Inbox(user) => (Some(user), None),
    };
    one.into_iter().chain(other)
}

/// The users with a new entry in a direct conversation or inbox.
pub(crate) fn users_of_entries<'a>(plan: &DraftPlan<'a>) -> BTreeSet<SpaceUser<'a>> {
    let space_users = |place: &'a Place| participants(place).map(|user| (&place.space, user));
    plan.stored.iter().flat_map(|(draft, _)| space_users(&draft.place)).collect()
}

/// The state of the log before a message that was stored at `position`.
fn position_before(position: Position) -> Position {
    let Position { seq, messages } = position;
    Position { seq: Seq::from_raw(seq.as_raw() - 1), messages: messages - 1 }
}

/// The seq that a change of a member names.
pub(crate) fn named_seq(change: &Change) -> Option<i64> {
    match change.what {
        MemberChange::Read(seq) => Some(row::seq_number(seq)),
        MemberChange::Join(_)
        | MemberChange::Assign(_)
        | MemberChange::Leave
        | MemberChange::Mute(_) => None,
    }
}

/// The users that may join one more room: their rooms have to be counted.
pub(crate) fn users_to_count<'a>(
    changes: &'a [Change],
    found: &HashMap<usize, CurrentMember>,
) -> Vec<SpaceUser<'a>> {
    let becomes = |(number, change): &(usize, &Change)| {
        change.rooms_max.is_some()
            && change.place.conversation.room().is_some()
            && matches!(change.what, MemberChange::Join(_) | MemberChange::Assign(_))
            && !found.contains_key(number)
    };
    let new = changes.iter().enumerate().filter(becomes);
    let users: HashSet<_> = new.map(|(_, it)| (&it.place.space, &it.user)).collect();
    users.into_iter().collect()
}

/// The users that were seen in the batch and then replaced by another owner of the same name.
pub(crate) fn replaced_users(seen: &[UserSeen]) -> HashSet<SpaceUser<'_>> {
    let mut first = HashMap::with_capacity(seen.len());
    let mut replaced_users = HashSet::new();
    for UserSeen { space, user, identity_kind, .. } in seen {
        if *first.entry((space, user)).or_insert(identity_kind) != identity_kind {
            replaced_users.insert((space, user));
        }
    }
    replaced_users
}

/// The time of each user's last departure, one row each: an UPDATE would pick any of several.
pub(crate) fn last_departures(
    departed: &[UserDeparted],
) -> BTreeMap<SpaceUser<'_>, OffsetDateTime> {
    let mut last: BTreeMap<_, OffsetDateTime> = BTreeMap::new();
    for UserDeparted { space, user, at, .. } in departed {
        let latest = last.entry((space, user)).or_insert(*at);
        *latest = (*latest).max(*at);
    }
    last
}

/// A device that a user was seen with, and when.
pub(crate) type DeviceSeen<'a> = (SpaceUser<'a>, &'a DeviceId, OffsetDateTime);

/// The devices of users that connected.
pub(crate) fn devices_arrived(seen: &[UserSeen]) -> Vec<DeviceSeen<'_>> {
    seen.iter().filter_map(|it| Some(((&it.space, &it.user), it.device.as_ref()?, it.at))).collect()
}

/// The devices of users that disconnected.
pub(crate) fn devices_departed(departed: &[UserDeparted]) -> Vec<DeviceSeen<'_>> {
    departed
        .iter()
        .filter_map(|it| Some(((&it.space, &it.user), it.device.as_ref()?, it.at)))
        .collect()
}
