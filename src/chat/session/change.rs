//! Edits and deletions of messages.

use super::{Session, unavailable};
use crate::{
    chat::{
        ReplyCallback,
        journal::PendingDraft,
        ports::{DraftAct, PostedMessage},
        request::{DraftReply, PendingReply},
    },
    domain::{Body, Conversation, MessageId, MessageKind, Place, Rejection, Role, Seq, View},
};

impl Session {
    /// `edit message`: permitted for the author.
    pub(super) async fn edit(
        &mut self,
        of: Option<View>,
        seq: Seq,
        body: Body,
        answer: ReplyCallback,
    ) {
        match self.target(of, seq, ChangeKind::Edit).await {
            Err(rejection) => answer(Err(rejection)),
            Ok(target) if !target.is_own => answer(Err(Rejection::Forbidden)),
            Ok(target) => match self.approve_edit(&target.place, seq, body).await {
                Err(rejection) => answer(Err(rejection)),
                Ok(body) => self.submit(target, DraftAct::Edit { of: seq, body }, answer).await,
            },
        }
    }

    /// `delete message`: permitted for the author and for a room's admins.
    pub(super) async fn delete(&mut self, of: Option<View>, seq: Seq, answer: ReplyCallback) {
        match self.target(of, seq, ChangeKind::Deletion).await {
            Err(rejection) => answer(Err(rejection)),
            Ok(target) if !target.enough()(target.role) => answer(Err(Rejection::Forbidden)),
            Ok(target) => self.submit(target, DraftAct::Delete { of: seq }, answer).await,
        }
    }

    /// Finds the message to change.
    async fn target(
        &mut self,
        of: Option<View>,
        seq: Seq,
        act: ChangeKind,
    ) -> Result<Target, Rejection> {
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
        let message = self.chat.store.message(&place, seq).await;
        let message = message.map_err(|fault| unavailable(&fault))?;
        let is_changeable = |it: &PostedMessage| match act {
            ChangeKind::Edit => it.kind.is_editable(),
            ChangeKind::Deletion => it.kind != MessageKind::Notification,
        };
        let message = message.filter(is_changeable);
        let PostedMessage { id, author, guest_session, kind } =
            message.ok_or(Rejection::NoSuchMessage)?;
        // An earlier guest of the same name is another author.
        let identity = self.identity()?;
        let is_own = author == *identity.user() && guest_session == identity.rights.guest;
        Ok(Target { place, role, id, kind, is_own })
    }

    async fn submit(&self, target: Target, act: DraftAct, answer: ReplyCallback) {
        let author = match self.author(&target.place.conversation, target.enough()) {
            Ok(author) => author,
            Err(rejection) => return answer(Err(rejection)),
        };
        let Target { place, id, kind, is_own, role: _ } = target;
        let now = self.chat.clock.now();
        let draft_reply = DraftReply::Changed { at: now, is_own };
        let reply = PendingReply::new(draft_reply, answer);
        let origin = author.connection;
        let draft = author.draft(place, id, now, act);
        let except = self.excluded_connection(&kind);
        self.chat.journal.append(PendingDraft { draft, origin, except, reply }).await;
    }
}

/// What a request does to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ChangeKind {
    Edit,
    Deletion,
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
