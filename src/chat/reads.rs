//! What sessions and the API read: pages of a log, and who is online.

use super::{
    Answer, Chat, Reply, UserPresence,
    fault::unavailable,
    hub::ATTACHMENTS_PER_EVENT_MAX,
    ports::{Page, PageLimit, PageRange},
};
use crate::domain::{DeviceSet, DisplayNames, Place, Rejection, Seq, Space, UserName};

/// The pages whose bodies fill an outbox: a page leaves room for events, and for base64.
const OUTBOX_PAGES: usize = 4;
/// Entries per page if the reader names no limit.
const PAGE_ENTRIES: u32 = 50;

impl Chat {
    /// A page of the entries after `hidden`.
    pub(super) async fn page(
        &self,
        place: &Place,
        (range, limit): (PageRange, Option<u32>),
        hidden: Seq,
    ) -> Reply {
        let range = match range {
            PageRange::After(seq) => PageRange::After(seq.max(hidden)),
            PageRange::Newest | PageRange::Before(_) => range,
        };
        let limits = self.limits();
        let limit = PageLimit {
            messages: limit.unwrap_or(PAGE_ENTRIES).min(limits.history_messages_max.get()),
            bytes: limits.outbox_bytes_max.get() / OUTBOX_PAGES,
            attachments: ATTACHMENTS_PER_EVENT_MAX,
        };
        let page = self.store.named_page(place, range, limit).await;
        let Page { mut entries, mut more } = page.map_err(|fault| unavailable(&fault))?;
        let seen = entries.len();
        entries.retain(|entry| entry.seq() > hidden);
        more &= entries.len() == seen;
        Ok(Answer::Page { entries, more })
    }

    /// Which of these users are online, on any node.
    pub(super) async fn presences(&self, space: &Space, users: Vec<UserName>) -> Reply {
        let last_seen = self.store.last_seen(space, &users).await;
        let last_seen = last_seen.map_err(|fault| unavailable(&fault))?;
        let devices = self.devices(space, &users).await?;
        let mut names = self.display_names(space, &users).await?;
        let presence = |((user, last_seen), devices): (_, DeviceSet)| {
            let (online, devices) = (!devices.is_empty(), devices.count());
            let name = names.remove(&user);
            UserPresence { user, name, online, devices, last_seen }
        };
        Ok(Answer::Presences(users.into_iter().zip(last_seen).zip(devices).map(presence).collect()))
    }

    /// The display names of those of these users who have one.
    pub(super) async fn display_names(
        &self,
        space: &Space,
        users: &[UserName],
    ) -> Result<DisplayNames, Rejection> {
        let names = self.store.display_names(space, users).await;
        names.map_err(|fault| unavailable(&fault))
    }

    /// The devices of these users, on all nodes.
    pub(super) async fn devices(
        &self,
        space: &Space,
        users: &[UserName],
    ) -> Result<Vec<DeviceSet>, Rejection> {
        let remote = self.cluster.remote_devices(space, users).await;
        let mut devices = remote.map_err(|fault| unavailable(&fault))?;
        for (user, devices) in users.iter().zip(&mut devices) {
            devices.merge(self.hub.users.devices(space, user));
        }
        Ok(devices)
    }
}
