//! Pages of history.

use super::{Session, unavailable};
use crate::{
    chat::{
        Reply, ReplyCallback,
        hub::{ReplayCursor, ReplayMode},
        ports::PageRange,
    },
    domain::{CloseReason, Member, Place, Rejection, Seq, View},
};

impl Session {
    pub(super) async fn history(
        &self,
        of: Option<View>,
        part: (PageRange, Option<u32>),
        answer: ReplyCallback,
    ) {
        let place = match self.place(of) {
            Ok((place, _)) => place,
            Err(rejection) => return answer(Err(rejection)),
        };
        let room = place.conversation.room().cloned();
        let Some(room) = room else { return answer(self.page(&place, part).await) };
        let Ok((live_room, _)) = self.room(&room) else { return answer(Err(Rejection::NotMember)) };
        // Events during the read are delivered after the page. Otherwise a client would show a page
        // with messages whose deletion it has already received.
        let after = live_room.pause(self.registration.id());
        let page = self.page(&place, part).await;
        // A user who was removed meanwhile does not get the page.
        answer(self.room(&room).and(page));
        if let Some(after) = after
            && self
                .catch_up(&live_room, ReplayCursor { after, mode: ReplayMode::Live })
                .await
                .is_err()
        {
            self.outbox.close(CloseReason::Fault);
        }
    }

    async fn page(&self, place: &Place, part: (PageRange, Option<u32>)) -> Reply {
        let hidden = self.hidden(place).await?;
        self.chat.page(place, part, hidden).await
    }

    /// The last entry that is hidden from this session's user, because it belongs to an earlier
    /// guest of the same name. Rooms hide no entries from their members.
    async fn hidden(&self, place: &Place) -> Result<Seq, Rejection> {
        let is_guest = self.identity()?.rights.guest.is_some();
        if !is_guest || place.conversation.room().is_some() {
            return Ok(Seq::ZERO);
        }
        Ok(self.member(place).await?.map_or(Seq::MAX, |member| member.joined))
    }

    /// The membership of this session's user in a conversation.
    pub(super) async fn member(&self, place: &Place) -> Result<Option<Member>, Rejection> {
        let name_claim = &self.identity()?.name_claim;
        if let Some((member, _)) = name_claim.member(&place.conversation) {
            return Ok(Some(member));
        }
        let member = self.chat.store.member(place, name_claim.user()).await;
        member.map_err(|fault| unavailable(&fault))
    }
}
