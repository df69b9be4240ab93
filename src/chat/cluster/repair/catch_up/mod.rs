//! Reads missing entries from the store and delivers them in their order.

#[cfg(test)]
mod tests;
mod uncertain;

use std::time::Duration;

use futures_util::future::join_all;

use super::RETRY_DELAY;
use crate::{
    chat::{
        cluster::{Cluster, REORDER_WAIT},
        event::{Delivery, Event, Post},
        hub::DeliveryProgress,
        ports::{Fault, Page, PageLimit, PageRange},
        request::ReadyReply,
    },
    domain::{Entry, Place, Position, Seq},
};

/// Conversations that catch up concurrently.
const CONCURRENT_CATCH_UPS_MAX: usize = 16;
/// Pages that may lie between this node's deliveries and the position of a reconnecting client.
const CATCH_UP_PAGES_MAX: u32 = 100;
/// Attempts to find out how much of a conversation its users have received.
const WAIT_ATTEMPTS_MAX: u32 = 100;
/// The page size for reads of missing entries.
const GAP_PAGE_LIMIT: PageLimit =
    PageLimit { messages: 500, bytes: 1 << 20, attachments: usize::MAX };

impl Cluster {
    /// Reads the missing entries of the conversations that are due.
    pub(super) async fn catch_up(&self) {
        loop {
            let due = self.due_places();
            if due.is_empty() {
                return;
            }
            // A running commit has delivered this node's own entries by then.
            drop(self.commit_lock().await);
            join_all(due.iter().map(|place| self.catch_up_with(place))).await;
        }
    }

    /// The conversations that are due, up to [`CONCURRENT_CATCH_UPS_MAX`].
    fn due_places(&self) -> Vec<Place> {
        let now = self.hub.now();
        let state = self.lock();
        let due = state.reorder_buffers.iter().filter(|(_, buffer)| buffer.due <= now);
        due.map(|(place, _)| place.clone()).take(CONCURRENT_CATCH_UPS_MAX).collect()
    }

    /// Delivers a conversation up to `seq` here. Returns whether its log reaches `seq`.
    pub(crate) async fn deliver_up_to(&self, place: &Place, seq: Seq) -> Result<bool, Fault> {
        if self.store.log(place).await?.head.seq < seq {
            return Ok(false);
        }
        for _ in 0..CATCH_UP_PAGES_MAX {
            if self
                .hub
                .fanout
                .delivery_progress(place)
                .delivered
                .is_none_or(|delivered| delivered >= seq)
            {
                return Ok(true);
            }
            self.mark_behind(vec![place.clone()]);
            drop(self.commit_lock().await);
            self.catch_up_with(place).await;
        }
        Ok(false)
    }

    async fn catch_up_with(&self, place: &Place) {
        let DeliveryProgress { delivered, uncertain_users } =
            self.hub.fanout.delivery_progress(place);
        if !uncertain_users.is_empty() {
            if self.may_wait(place) {
                return self.settle_uncertain(place, uncertain_users).await;
            }
            // While the store fails, nobody's position can be found out. The wait goes on.
            if self.store.log(place).await.is_err() {
                return self.postpone(place);
            }
        }
        let Some(delivered) = delivered else {
            // No user of the conversation is on this node any more.
            let buffer = self.lock().reorder_buffers.remove(place);
            let replies = buffer.map(|mut it| it.take_replies());
            return ReadyReply::send_all(replies.unwrap_or_default());
        };
        // Entries that arrive while the page is read may be newer than the page.
        let buffered = self.lock().reorder_buffers.get_mut(place).and_then(|buffer| {
            buffer.remove_delivered(delivered);
            buffer.first()
        });
        match self.store.named_page(place, PageRange::After(delivered), GAP_PAGE_LIMIT).await {
            Ok(page) => {
                drop(self.commit_lock().await);
                self.deliver_page(place, (delivered, buffered), page);
            }
            Err(_) => self.postpone(place),
        }
    }

    /// Schedules the next attempt. Replies are sent now, because their entries are stored already.
    fn postpone(&self, place: &Place) {
        let mut state = self.lock();
        let Some(buffer) = state.reorder_buffers.get_mut(place) else { return };
        buffer.due = self.hub.now() + RETRY_DELAY;
        buffer.tries = 0;
        let replies = buffer.take_replies();
        drop(state);
        ReadyReply::send_all(replies);
    }

    /// Whether the delivery may still wait for users whose positions are uncertain.
    fn may_wait(&self, place: &Place) -> bool {
        let now = self.hub.now();
        let mut state = self.lock();
        let Some(buffer) = state.reorder_buffers.get_mut(place) else { return false };
        buffer.tries += 1;
        buffer.due = now + REORDER_WAIT;
        buffer.tries <= WAIT_ATTEMPTS_MAX
    }

    /// Delivers the entries read after `delivered`. `buffered` is the first entry that was in the
    /// buffer before they were read.
    fn deliver_page(&self, place: &Place, (delivered, buffered): (Seq, Option<Seq>), page: Page) {
        let Page { entries, more } = page;
        let first = entries.first().map(before);
        let mut state = self.lock();
        let Some(buffer) = state.reorder_buffers.get_mut(place) else { return };
        buffer.add(&entries.into_iter().map(post_of).collect::<Vec<_>>(), Vec::new());
        let before = first.or_else(|| Some(Position { seq: buffered?.previous()?, messages: 0 }));
        buffer.due = self.hub.now() + if more { Duration::ZERO } else { REORDER_WAIT };
        let is_empty = buffer.first().is_none();
        if is_empty {
            // The expected entries do not exist: the store was replaced, or the log was trimmed.
            state.reorder_buffers.remove(place);
            return;
        }
        // The next entries are no longer kept, or never existed.
        if let Some(before) = before.filter(|before| before.seq > delivered) {
            self.hub.fanout.skip(place, before);
        }
        let sent = self.deliver_ready(&mut state, place);
        drop(state);
        ReadyReply::send_all(sent);
    }
}

/// The position before an entry.
fn before(entry: &Entry) -> Position {
    let messages = entry.position.messages - u64::from(entry.is_message());
    Position::from_raw(entry.seq().as_raw() - 1, messages)
}

/// The post of an entry that was read from the store.
fn post_of(entry: Entry) -> Post {
    Post { delivery: Delivery::new(Event::Entry(entry)), origin: None, except: None }
}
