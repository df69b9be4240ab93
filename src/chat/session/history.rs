//! Paging what was said.

use super::{Session, unavailable};
use crate::{
    chat::{
        Answer, Reply, ReplyCallback,
        hub::{ATTACHMENTS_PER_EVENT_MAX, ReplayCursor, ReplayMode},
        ports::{Page, PageLimit, PageRange},
    },
    domain::{CloseReason, Member, Place, Rejection, Seq, View},
};

/// Entries in a page when the client does not say.
const PAGE_ENTRIES: u32 = 50;

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
        // What changes while the page is read comes after it: who shows a page has seen nothing of what
        // was taken away since.
        let after = live_room.pause(self.registration.id());
        let page = self.page(&place, part).await;
        // Who was kicked meanwhile does not read on.
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

    async fn page(&self, place: &Place, (range, limit): (PageRange, Option<u32>)) -> Reply {
        let hidden = self.hidden(place).await?;
        let range = match range {
            PageRange::After(seq) => PageRange::After(seq.max(hidden)),
            PageRange::Newest | PageRange::Before(_) => range,
        };
        let limits = self.chat.limits();
        let limit = PageLimit {
            messages: limit.unwrap_or(PAGE_ENTRIES).min(limits.history_messages_max.get()),
            bytes: limits.frame_bytes_max.get(),
            attachments: ATTACHMENTS_PER_EVENT_MAX,
        };
        let page = self.chat.store.page(place, range, limit).await;
        let Page { mut entries, mut more } = page.map_err(|fault| unavailable(&fault))?;
        let seen = entries.len();
        entries.retain(|entry| entry.seq() > hidden);
        more &= entries.len() == seen;
        Ok(Answer::Page { entries, more })
    }

    /// The last entry that is not for this session's user: what was said to a guest of the same name
    /// before them. Rooms are for whoever is in them.
    async fn hidden(&self, place: &Place) -> Result<Seq, Rejection> {
        let is_guest = self.identity()?.rights.guest.is_some();
        if !is_guest || place.conversation.room().is_some() {
            return Ok(Seq::ZERO);
        }
        Ok(self.member(place).await?.map_or(Seq::MAX, |member| member.joined))
    }

    /// What this session's user is in a conversation.
    pub(super) async fn member(&self, place: &Place) -> Result<Option<Member>, Rejection> {
        let name_claim = &self.identity()?.name_claim;
        if let Some((member, _)) = name_claim.member(&place.conversation) {
            return Ok(Some(member));
        }
        let member = self.chat.store.member(place, name_claim.user()).await;
        member.map_err(|fault| unavailable(&fault))
    }
}
