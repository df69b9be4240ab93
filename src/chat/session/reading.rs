//! Read positions, muting and typing.

use super::Session;
use crate::{
    chat::{
        Answer, Reply, ReplyCallback,
        hub::Cause,
        journal::{Completion, MembershipRequest},
        ports::{Change, ChangeResult, MemberChange},
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
                let done: Completion<ChangeResult> = Box::new(move |changed| {
                    answer(changed.map(|ChangeResult { after, log, .. }| {
                        let read = after.map(|it| it.read).unwrap_or_default();
                        let unread = after.map_or(0, |it| log.unread(it.read));
                        Answer::Read { seq: read.seq, unread }
                    }));
                });
                self.change_own_membership(place, MemberChange::Read(seq), done).await;
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
        let (member, log) = self.identity.as_ref()?.name_claim.member(&place.conversation)?;
        let unread = log.unread(member.read);
        (seq <= member.read.seq).then_some(Answer::Read { seq: member.read.seq, unread })
    }

    /// `mute`: mutes or unmutes a conversation.
    pub(super) async fn mute(&mut self, of: Option<View>, muted: Muted, answer: ReplyCallback) {
        match self.may_read(of) {
            Err(rejection) => answer(Err(rejection)),
            Ok(place) => {
                let done: Completion<ChangeResult> = Box::new(move |changed| {
                    answer(changed.and_then(|ChangeResult { after, .. }| {
                        let member = after.ok_or(Rejection::NotMember)?;
                        Ok(Answer::Muted(member.muted))
                    }));
                });
                self.change_own_membership(place, MemberChange::Mute(muted), done).await;
            }
        }
    }

    /// Changes the membership of this session's user in a conversation.
    async fn change_own_membership(
        &self,
        place: Place,
        what: MemberChange,
        done: Completion<ChangeResult>,
    ) {
        let user = match self.identity() {
            Ok(identity) => identity.user().clone(),
            Err(rejection) => return done(Err(rejection)),
        };
        let cause = Cause { origin: Some(self.registration.id()), ..Cause::default() };
        let change = Change { place, user, what, rooms_max: None };
        self.chat.journal.request_membership(MembershipRequest { change, cause, done }).await;
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
        let user = self.identity()?.user();
        match typing {
            Typing::Yes => self.chat.hub.typing.start(place, user, self.registration.id()),
            Typing::No => self.chat.hub.typing.stop(place, user),
        }
        Ok(Answer::Acknowledged)
    }
}
