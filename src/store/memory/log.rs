//! One conversation: its entries and its members.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Bound,
};

use time::OffsetDateTime;

use crate::{
    chat::ports::{
        Draft, DraftAct, MemberChange, MemberRow, Membership, Outcome, Page, PageLimit, PageRange,
        PostedMessage, RoomRow, TrimLimits,
    },
    domain::{
        Act, Body, Content, Conversation as DomainConversation, DisplayName, Entry, JoinMode, Log,
        Member, MessageKind, Place, Position, Retained, Role, RoomName, RoomTopic, Seq, UserName,
    },
};

#[derive(Debug)]
pub(super) struct MemoryConversation {
    head: Position,
    floor: Position,
    /// The entries after the floor, up to the head.
    entries: VecDeque<Entry>,
    /// The guest sessions of the authors of these entries, for those by guests.
    guest_sessions: BTreeMap<Seq, Box<str>>,
    pub(super) members: BTreeMap<UserName, Member>,
    /// When those of `members` became members of whom it is known.
    joined_at: BTreeMap<UserName, OffsetDateTime>,
    pub(super) topic: Option<RoomTopic>,
    /// The time of the last message.
    pub(super) said_at: OffsetDateTime,
}

impl Default for MemoryConversation {
    fn default() -> Self {
        Self {
            head: Position::ZERO,
            floor: Position::ZERO,
            entries: VecDeque::new(),
            guest_sessions: BTreeMap::new(),
            members: BTreeMap::new(),
            joined_at: BTreeMap::new(),
            topic: None,
            said_at: OffsetDateTime::UNIX_EPOCH,
        }
    }
}

impl MemoryConversation {
    pub(super) fn log(&self) -> Log {
        let (members, deleted) = (self.members.len() as u64, self.deleted_after(Seq::ZERO));
        Log { head: self.head, floor: self.floor, members, deleted }
    }

    /// The number of deleted messages after `read` that are still stored.
    pub(super) fn deleted_after(&self, read: Seq) -> u64 {
        let is_deleted =
            |it: &&Entry| matches!(it.act, Act::Said { content: Content::Removed, .. });
        let deleted = self.entries.iter().filter(is_deleted);
        deleted.filter(|it| it.seq() > read).count() as u64
    }

    /// Whether there was never an entry and there is no member.
    pub(super) fn is_empty(&self) -> bool {
        self.head == Position::ZERO && self.members.is_empty()
    }

    /// The membership of a member.
    pub(super) fn membership(&self, place: Place, member: Member) -> Membership {
        let deleted = self.deleted_after(member.read.seq);
        Membership { place, member, log: self.log(), topic: self.topic.clone(), deleted }
    }

    /// The room in a list.
    pub(super) fn row(&self, room: &RoomName) -> RoomRow {
        RoomRow { room: room.clone(), log: self.log(), topic: self.topic.clone() }
    }

    /// A room that nobody uses any more has no topic.
    pub(super) fn forget_topic_if_unused(&mut self) {
        if self.log().is_unused() {
            self.topic = None;
        }
    }

    pub(super) fn change(
        &mut self,
        user: &UserName,
        what: MemberChange,
        changed_at: Option<OffsetDateTime>,
    ) {
        let was_member = self.members.contains_key(user);
        self.apply_change(user, what);
        if let Some(at) = changed_at
            && !was_member
            && self.members.contains_key(user)
        {
            self.joined_at.insert(user.clone(), at.truncate_to_millisecond());
        }
    }

    /// Ends the membership of a user.
    pub(super) fn remove_member(&mut self, user: &UserName) {
        self.members.remove(user);
        self.joined_at.remove(user);
    }

    /// The members after a user, in the order of their names.
    pub(super) fn member_rows(
        &self,
        after: Option<&UserName>,
        name: impl Fn(&UserName) -> Option<DisplayName>,
    ) -> impl Iterator<Item = MemberRow> {
        let first = after.map_or(Bound::Unbounded, Bound::Excluded);
        let members = self.members.range::<UserName, _>((first, Bound::Unbounded));
        members.map(move |(user, member)| MemberRow {
            user: user.clone(),
            role: member.role,
            joined_at: self.joined_at.get(user).copied(),
            name: name(user),
        })
    }

    fn apply_change(&mut self, user: &UserName, what: MemberChange) {
        match what {
            MemberChange::Join(join_mode) => self.join(user, join_mode),
            MemberChange::Assign(role) => {
                let new = Member::new(role, self.head);
                self.members.entry(user.clone()).or_insert(new).role = role;
            }
            MemberChange::Leave => self.remove_member(user),
            MemberChange::Read(seq) => {
                let read = self.read_position(seq);
                self.advance_read(user, read);
            }
            MemberChange::Mute(muted) => {
                self.members.get_mut(user).into_iter().for_each(|member| member.muted = muted);
            }
        }
    }

    fn join(&mut self, user: &UserName, join_mode: JoinMode) {
        let is_empty = self.members.is_empty();
        let role = match join_mode {
            JoinMode::OwnerIfFirst(_) if is_empty => Role::Owner,
            JoinMode::As(role) | JoinMode::OwnerIfFirst(role) => role,
            JoinMode::FounderOnly if is_empty && self.head == Position::ZERO => Role::Owner,
            JoinMode::FounderOnly => return,
        };
        self.members.entry(user.clone()).or_insert(Member::new(role, self.head));
    }

    /// The read position of a client that reports `seq`.
    fn read_position(&self, seq: Seq) -> Position {
        let seq = seq.min(self.head.seq);
        self.get(seq).map_or(self.floor, |entry| entry.position)
    }

    fn advance_read(&mut self, user: &UserName, read: Position) {
        if let Some(member) = self.members.get_mut(user) {
            member.read = member.read.max(read);
        }
    }

    fn get(&self, seq: Seq) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.seq() == seq)
    }

    pub(super) fn message(&self, seq: Seq) -> Option<PostedMessage> {
        let entry = self.get(seq)?;
        let Act::Said { kind, .. } = &entry.act else { return None };
        Some(PostedMessage {
            id: entry.id.clone(),
            author: entry.author.clone(),
            guest_session: self.guest_sessions.get(&seq).cloned(),
            kind: kind.clone(),
        })
    }

    pub(super) fn apply_draft(&mut self, draft: &Draft) -> Outcome {
        match &draft.act {
            DraftAct::Say { kind, body } => self.add_message(draft, kind, body),
            DraftAct::Edit { of, body } => self.edit(draft, *of, body),
            DraftAct::Delete { of } => self.delete(draft, *of),
            DraftAct::Topic(topic) => self.set_topic(draft, topic.as_ref()),
        }
    }

    fn add_message(&mut self, draft: &Draft, kind: &MessageKind, body: &Body) -> Outcome {
        let is_first = |it: &&Entry| {
            it.is_message()
                && it.author == draft.author
                && self.guest_sessions.get(&it.seq()) == draft.guest_session.as_ref()
                && it.id == draft.id
        };
        if let Some(first) = self.entries.iter().find(is_first) {
            return repeat_outcome(first, kind, body);
        }
        let before = self.head;
        let content = Content::Body { body: body.clone(), edited_at: None };
        self.push(draft, before.next_message(), Act::Said { kind: kind.clone(), content });
        self.said_at = draft.at.truncate_to_millisecond();
        let participants = match &draft.place.conversation {
            DomainConversation::Room(_) => Vec::new(),
            DomainConversation::Direct(one, other) => vec![one, other],
            DomainConversation::Inbox(user) => vec![user],
        };
        for user in participants {
            let new = Member::new(Role::Member, before);
            self.members.entry(user.clone()).or_insert(new);
        }
        if draft.place.conversation.authors_have_read() {
            self.advance_read(&draft.author, self.head);
        }
        Outcome::Stored(self.head)
    }

    fn edit(&mut self, draft: &Draft, of: Seq, body: &Body) -> Outcome {
        let can_be_edited = self.get(of).is_some_and(|entry| match &entry.act {
            Act::Said { kind, content } => kind.is_editable() && *content != Content::Removed,
            Act::Edited { .. } | Act::Deleted { .. } | Act::Topic(_) => false,
        });
        if !can_be_edited {
            return Outcome::NoMessage;
        }
        self.push(draft, self.head.next_change(), Act::Edited { of, body: Some(body.clone()) });
        Outcome::Stored(self.head)
    }

    fn delete(&mut self, draft: &Draft, of: Seq) -> Outcome {
        if !self.get(of).is_some_and(Entry::is_message) {
            return Outcome::NoMessage;
        }
        let deletes = |entry: &&Entry| entry.act == Act::Deleted { of };
        if let Some(first) = self.entries.iter().find(deletes) {
            return Outcome::Duplicate { seq: first.seq(), at: first.at };
        }
        self.push(draft, self.head.next_change(), Act::Deleted { of });
        Outcome::Stored(self.head)
    }

    fn set_topic(&mut self, draft: &Draft, topic: Option<&RoomTopic>) -> Outcome {
        if self.topic.as_ref() == topic {
            return Outcome::Duplicate {
                seq: self.head.seq,
                at: draft.at.truncate_to_millisecond(),
            };
        }
        self.topic = topic.cloned();
        self.push(draft, self.head.next_change(), Act::Topic(topic.cloned()));
        Outcome::Stored(self.head)
    }

    /// Adds an entry, and applies its change.
    fn push(&mut self, draft: &Draft, position: Position, act: Act) {
        let Draft { place, id, author, author_name: _, guest_session, needs: _, at, act: _ } =
            draft.clone();
        self.guest_sessions.extend(guest_session.map(|it| (position.seq, it)));
        // Truncated as on disk, so that an entry is the same after a restart.
        let at = at.truncate_to_millisecond();
        let author_name = None;
        let entry = Entry { place, position, id, author, author_name, at, act };
        for earlier in &mut self.entries {
            if let Some(changed) = earlier.changed_by(&entry) {
                *earlier = changed;
            }
        }
        self.entries.push_back(entry);
        self.head = position;
    }

    pub(super) fn page(&self, range: PageRange, limit: PageLimit) -> Page {
        let mut page = Page::default();
        let mut used = PageLimit::NOTHING;
        let mut fits = |entry: &Entry| {
            let fits = limit.admits(&mut used, entry.body());
            page.more |= !fits;
            fits
        };
        let before = |end: Seq| self.entries.iter().rev().skip_while(move |it| it.seq() >= end);
        match range {
            PageRange::After(seq) => {
                let after = self.entries.iter().skip_while(|it| it.seq() <= seq);
                page.entries = after.take_while(|it| fits(it)).cloned().collect();
                return page;
            }
            PageRange::Newest => {
                page.entries = before(Seq::MAX).take_while(|it| fits(it)).cloned().collect();
            }
            PageRange::Before(seq) => {
                page.entries = before(seq).take_while(|it| fits(it)).cloned().collect();
            }
        }
        page.entries.reverse();
        page
    }

    /// Removes expired entries. Returns what is left if that has changed.
    pub(super) fn trim(&mut self, retention: &TrimLimits) -> Option<Retained> {
        self.remove_while(|first, count| {
            let too_many = retention.entries_max.is_some_and(|max| count > max);
            let too_old = retention.entries_after.is_some_and(|after| first.at <= after);
            too_many || too_old
        })
    }

    /// Removes entries up to a seq. Returns what is left if that has changed.
    pub(super) fn erase(&mut self, up_to: Seq) -> Option<Retained> {
        self.remove_while(|first, _| first.seq() <= up_to)
    }

    /// Removes the first entry while `is_over` holds for it and the number of entries.
    fn remove_while(&mut self, is_over: impl Fn(&Entry, u64) -> bool) -> Option<Retained> {
        let floor = self.floor;
        while let Some(first) = self.entries.front() {
            if !is_over(first, self.entries.len() as u64) {
                break;
            }
            self.floor = first.position;
            self.guest_sessions.remove(&first.seq());
            self.entries.pop_front();
        }
        for entry in &mut self.entries {
            if let Act::Edited { of, body } = &mut entry.act
                && *of <= self.floor.seq
            {
                *body = None;
            }
        }
        self.forget_topic_if_unused();
        (self.floor != floor).then(|| self.log().retained())
    }
}

/// The outcome of a draft with the identity of `first`.
fn repeat_outcome(first: &Entry, kind: &MessageKind, body: &Body) -> Outcome {
    let is_same = match &first.act {
        Act::Said { kind: said, content: Content::Body { body: it, edited_at: None } } => {
            said == kind && it == body
        }
        // The original body is not stored any more.
        Act::Said { kind: said, .. } => said == kind,
        Act::Edited { .. } | Act::Deleted { .. } | Act::Topic(_) => false,
    };
    if is_same { Outcome::Duplicate { seq: first.seq(), at: first.at } } else { Outcome::Conflict }
}
