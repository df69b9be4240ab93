//! Edits and deletions of messages.

use super::{Session, unavailable};
use crate::{
    chat::{
        ReplyCallback,
        journal::PendingDraft,
        ports::{Draft, DraftAct, PageLimit, PageRange},
        request::{DraftReply, PendingReply},
    },
    domain::{
        Act, Body, Conversation, Entry, MessageId, MessageKind, Place, Rejection, Role, Seq, View,
    },
};

/// The limit of a page with one entry.
const ONE: PageLimit = PageLimit { messages: 1, bytes: usize::MAX, attachments: usize::MAX };

impl Session {
    /// `edit message`: permitted for the author.
    pub(super) async fn edit(
        &mut self,
        of: Option<View>,
        seq: Seq,
        body: Body,
        answer: ReplyCallback,
    ) {
        match self.target(of, seq).await {
            Err(rejection) => answer(Err(rejection)),
            Ok(target) if !target.is_own => answer(Err(Rejection::Forbidden)),
            Ok(target) => self.submit(target, DraftAct::Edit { of: seq, body }, answer).await,
        }
    }

    /// `delete message`: permitted for the author and for a room's admins.
    pub(super) async fn delete(&mut self, of: Option<View>, seq: Seq, answer: ReplyCallback) {
        match self.target(of, seq).await {
            Err(rejection) => answer(Err(rejection)),
            Ok(target) if !target.enough()(target.role) => answer(Err(Rejection::Forbidden)),
            Ok(target) => self.submit(target, DraftAct::Delete { of: seq }, answer).await,
        }
    }

    /// Finds the message to change.
    async fn target(&mut self, of: Option<View>, seq: Seq) -> Result<Target, Rejection> {
        let (place, role) = self.place(of)?;
        self.check_rate()?;
        // Direct conversations and inboxes have no admins.
        let role = match place.conversation {
            Conversation::Room(_) => role,
            Conversation::Direct(..) | Conversation::Inbox(_) => Role::Member,
        };
        if !role.may_send() {
            return Err(Rejection::ReadOnly);
        }
        let before = seq.previous().ok_or(Rejection::NoSuchMessage)?;
        let page = self.chat.store.page(&place, PageRange::After(before), ONE).await;
        let entry = page.map_err(|fault| unavailable(&fault))?.entries.pop();
        let entry = entry.filter(|entry| entry.seq() == seq).ok_or(Rejection::NoSuchMessage)?;
        let Entry { id, author, act: Act::Said { kind, .. }, .. } = entry else {
            return Err(Rejection::NoSuchMessage);
        };
        if kind == MessageKind::Notification {
            return Err(Rejection::NoSuchMessage);
        }
        let is_own = author == *self.identity()?.user() && self.was_member_at(&place, seq).await?;
        Ok(Target { place, role, id, kind, is_own })
    }

    /// Whether this session's user wrote the message, and not an earlier guest of the same name.
    async fn was_member_at(&self, place: &Place, seq: Seq) -> Result<bool, Rejection> {
        if self.identity()?.rights.guest.is_none() {
            return Ok(true);
        }
        Ok(self.member(place).await?.is_some_and(|member| member.joined < seq))
    }

    async fn submit(&self, target: Target, act: DraftAct, answer: ReplyCallback) {
        let author = self.author(&target.place.conversation, target.enough());
        let (author, needs) = match author {
            Ok(author) => author,
            Err(rejection) => return answer(Err(rejection)),
        };
        let Target { place, id, kind, is_own, role: _ } = target;
        let now = self.chat.clock.now();
        let draft_reply = DraftReply::Changed { at: now, is_own };
        let reply = PendingReply { draft_reply, callback: answer };
        let draft = Draft { place, id, author, needs, at: now, act };
        let except = self.excluded_connection(kind);
        let origin = self.registration.id();
        self.chat.journal.append(PendingDraft { draft, origin, except, reply }).await;
    }
}

/// A message to change.
struct Target {
    place: Place,
    /// The role of this session's user in the conversation.
    role: Role,
    id: MessageId,
    kind: MessageKind,
    /// Whether this session's user wrote it.
    is_own: bool,
}

impl Target {
    /// The check whether a role is enough to change it.
    fn enough(&self) -> fn(Role) -> bool {
        if self.is_own { Role::may_send } else { Role::may_moderate }
    }
}
