//! Paging what was said.

use super::{Session, unavailable};
use crate::{
    chat::{
        Answer, HistoryOf, Reply,
        hub::ATTACHMENTS_PER_EVENT_MAX,
        ports::{PageLimit, Range},
    },
    domain::{Conversation, Place, Rejection},
};

/// Messages in a page when the client does not say.
const PAGE_MESSAGES: u32 = 50;

impl Session {
    pub(super) async fn history(&self, of: HistoryOf, range: Range, limit: Option<u32>) -> Reply {
        let place = self.place(of)?;
        let limits = self.chat.limits();
        let limit = PageLimit {
            messages: limit.unwrap_or(PAGE_MESSAGES).min(limits.history_messages_max.get()),
            bytes: limits.frame_bytes_max.get(),
            attachments: ATTACHMENTS_PER_EVENT_MAX,
        };
        let page = self.chat.store.page(&place, range, limit).await;
        let page = page.map_err(|fault| unavailable(&fault))?;
        Ok(Answer::Page { messages: page.messages, more: page.more })
    }

    /// The conversation that is meant, if this session may read it.
    fn place(&self, of: HistoryOf) -> Result<Place, Rejection> {
        let space = self.origin.space.clone();
        match of {
            HistoryOf::Room(room) => {
                let room = self.room_or_home(room);
                Ok(self.attachment(&room)?.topic().place().clone())
            }
            HistoryOf::With(user) => {
                let me = self.identity()?.user().clone();
                Ok(Place { space, conversation: Conversation::direct(me, user) })
            }
        }
    }
}
