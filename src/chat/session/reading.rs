//! Read positions, muting and typing.

use super::Session;
use crate::{
    chat::{
        Answer, Reply, ReplyCallback,
        event::Tally,
        hub::Cause,
        journal::{ChangeReply, MembershipRequest},
        ports::{Change, MemberChange},
    },
    domain::{Conversation, Muted, Place, Rejection, Seq, Typing, View},
};

impl Session {
    /// `read`: marks all entries up to a seq as read.
    pub(super) async fn read(&mut self, of: Option<View>, seq: Seq, answer: ReplyCallback) {
        match self.may_read(of) {
            Err(rejection) => answer(Err(rejection)),
            Ok(place) => {
                if let Some(answered) = self.has_read(&place, seq) {
                    return answer(Ok(answered));
                }
                let what = MemberChange::Read(seq);
                self.change_own_membership(place, what, ChangeReply::Read, answer).await;
            }
        }
    }

    fn may_read(&mut self, of: Option<View>) -> Result<Place, Rejection> {
        let (place, _) = self.place(of)?;
        self.check_rate()?;
        Ok(place)
    }

    /// The answer, if the entries were read before.
    fn has_read(&self, place: &Place, seq: Seq) -> Option<Answer> {
        let (_, tally) = self.identity.as_ref()?.name_claim.member(&place.conversation)?;
        let Tally { read, unread, .. } = tally;
        (seq <= read).then_some(Answer::Read { seq: read, unread })
    }

    /// `mute`: mutes or unmutes a conversation.
    pub(super) async fn mute(&mut self, of: Option<View>, muted: Muted, answer: ReplyCallback) {
        match self.may_read(of) {
            Err(rejection) => answer(Err(rejection)),
            Ok(place) => {
                let what = MemberChange::Mute(muted);
                self.change_own_membership(place, what, ChangeReply::Muted, answer).await;
            }
        }
    }

    /// Changes the membership of this session's user in a conversation.
    async fn change_own_membership(
        &self,
        place: Place,
        what: MemberChange,
        change_reply: ChangeReply,
        answer: ReplyCallback,
    ) {
        let user = match self.identity() {
            Ok(identity) => identity.user().clone(),
            Err(rejection) => return answer(Err(rejection)),
        };
        let cause = Cause { origin: Some(self.registration.id()), ..Cause::default() };
        let change = Change { place, user, what, rooms_max: None };
        let reply = change_reply.pending(answer);
        self.chat.journal.request_membership(MembershipRequest { change, cause, reply }).await;
    }

    /// `typing`.
    pub(super) fn typing(&self, of: Option<View>, typing: Typing) -> Reply {
        let (place, role) = self.place(of)?;
        if matches!(place.conversation, Conversation::Inbox(_)) {
            return Err(Rejection::BadRequest("nobody types in an inbox"));
        }
        if !role.may_send() {
            return Err(Rejection::ReadOnly);
        }
        let identity = self.identity()?;
        match typing {
            Typing::Yes => {
                let connection = self.registration.id();
                self.chat.hub.typing.start(place, identity.named_user(), connection);
            }
            Typing::No => self.chat.hub.typing.stop(place, identity.user()),
        }
        Ok(Answer::Acknowledged)
    }
}
