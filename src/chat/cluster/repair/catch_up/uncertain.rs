//! How far a direct conversation was delivered to users whose lists of direct conversations do not
//! have it, because others had newer messages when the lists were read.
//!
//! All that such a conversation had then is older than the oldest message of the list. So what was
//! not delivered begins with the first newer message, or with the first entry that was announced
//! since. Times are compared, not the clocks of this node: both messages have their times from the
//! nodes that stored them.

use time::OffsetDateTime;

use super::{CATCH_UP_PAGES_MAX, GAP_PAGE_LIMIT, before};
use crate::{
    chat::{
        cluster::{Cluster, reorder_buffer::ReorderBuffer},
        hub::{OldestListed, StaleMemberships},
        ports::{Fault, Page, PageRange},
    },
    domain::{Place, Position, Space, UserName},
};

impl Cluster {
    /// Finds out how far a conversation was delivered to these users, and has their memberships in it
    /// cached. A failed read of the store is repeated with the next attempt.
    pub(super) async fn settle_uncertain(&self, place: &Place, users: Vec<(Space, UserName)>) {
        for (space, user) in users {
            if let Some(oldest) = self.hub.users.oldest_listed(place, &user) {
                let Ok(head) = self.delivered_head(place, &oldest).await else { return };
                self.hub.users.set_delivered(place, &user, head);
            }
            let directs = [place.clone()].into();
            self.mark_stale(&space, &user, StaleMemberships { directs, ..Default::default() });
        }
    }

    async fn delivered_head(
        &self,
        place: &Place,
        oldest: &OldestListed,
    ) -> Result<Position, Fault> {
        let since = self.last_message_time(oldest).await?;
        let announced = self.lock().reorder_buffers.get(place).and_then(ReorderBuffer::first);
        let (mut range, mut head) = (PageRange::Newest, self.store.log(place).await?.head);
        for _ in 0..CATCH_UP_PAGES_MAX {
            let Page { entries, more } =
                self.store.named_page(place, range, GAP_PAGE_LIMIT).await?;
            for entry in entries.iter().rev() {
                let is_announced = announced.is_some_and(|announced| announced <= entry.seq());
                let is_newer = entry.is_message() && since.is_some_and(|since| since < entry.at);
                if is_announced || is_newer {
                    head = before(entry);
                } else if entry.is_message() {
                    return Ok(head);
                }
            }
            match entries.first() {
                Some(first) if more => range = PageRange::Before(first.seq()),
                _ => break,
            }
        }
        Ok(head)
    }

    /// The time of the last message of a conversation when it was listed, if the message is kept.
    async fn last_message_time(
        &self,
        oldest: &OldestListed,
    ) -> Result<Option<OffsetDateTime>, Fault> {
        let OldestListed { place, head } = oldest;
        let range = PageRange::Before(head.next());
        let Page { entries, more: _ } = self.store.named_page(place, range, GAP_PAGE_LIMIT).await?;
        Ok(entries.iter().rev().find(|it| it.is_message()).map(|it| it.at))
    }
}
