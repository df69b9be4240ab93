//! A memory store that counts its calls.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use time::OffsetDateTime;
use tokio::sync::Semaphore;

use crate::{
    chat::ports::{
        Batch, Committed, DenialChange, DenialSnapshot, DenialStore, Erased, Fault, MemberRow,
        OnlineGuest, Page, PageLimit, PageRange, PostedMessage, Recording, RoomRow, Store,
        TrimLimits, Trimmed,
    },
    domain::{
        DeviceId, DisplayNames, Epoch, Log, Member, NameKey, Place, RoomName, RoomTopic, Seq,
        Space, UserName,
    },
    store::MemoryStore,
};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct CountingStore {
    store: MemoryStore,
    pub(super) commits: AtomicUsize,
    pub(super) pages: AtomicUsize,
    /// All other reads.
    pub(super) others: AtomicUsize,
    /// While its permit is held, reads of the newest page do not return.
    pub(super) page_barrier: Barrier,
    pub(super) probes: AtomicUsize,
    /// While its permit is held, probes do not return.
    pub(super) probe_barrier: Barrier,
}

/// See [`CountingStore`].
#[derive(Debug)]
pub(super) struct Barrier(pub(super) Semaphore);

impl Default for Barrier {
    fn default() -> Self {
        Self(Semaphore::new(1))
    }
}

fn count(counter: &AtomicUsize) {
    counter.fetch_add(1, Ordering::SeqCst);
}

#[async_trait]
impl DenialStore for CountingStore {
    async fn change_denials(
        &self,
        change: &DenialChange,
        now: OffsetDateTime,
    ) -> Result<u64, Fault> {
        count(&self.others);
        self.store.change_denials(change, now).await
    }

    async fn denials_number(&self) -> Result<u64, Fault> {
        count(&self.others);
        self.store.denials_number().await
    }

    async fn denials(&self) -> Result<DenialSnapshot, Fault> {
        count(&self.others);
        self.store.denials().await
    }
}

#[async_trait]
impl Store for CountingStore {
    fn epoch(&self) -> &Epoch {
        self.store.epoch()
    }

    async fn commit(&self, batch: Arc<Batch>) -> Result<Committed, Fault> {
        count(&self.commits);
        self.store.commit(batch).await
    }

    async fn probe(&self) -> Result<(), Fault> {
        count(&self.probes);
        drop(self.probe_barrier.0.acquire().await);
        self.store.probe().await
    }

    async fn log(&self, place: &Place) -> Result<Log, Fault> {
        count(&self.others);
        self.store.log(place).await
    }

    async fn logs(&self, places: &[Place]) -> Result<Vec<Log>, Fault> {
        count(&self.others);
        self.store.logs(places).await
    }

    async fn revisions(&self, users: &[(Space, UserName)]) -> Result<Vec<u64>, Fault> {
        count(&self.others);
        self.store.revisions(users).await
    }

    async fn page(&self, place: &Place, range: PageRange, limit: PageLimit) -> Result<Page, Fault> {
        count(&self.pages);
        let page = self.store.page(place, range, limit).await;
        if range == PageRange::Newest {
            drop(self.page_barrier.0.acquire().await);
        }
        page
    }

    async fn member(&self, place: &Place, user: &UserName) -> Result<Option<Member>, Fault> {
        count(&self.others);
        self.store.member(place, user).await
    }

    async fn members(
        &self,
        place: &Place,
        after: Option<&UserName>,
        count_max: usize,
    ) -> Result<Vec<MemberRow>, Fault> {
        count(&self.others);
        self.store.members(place, after, count_max).await
    }

    async fn rooms(
        &self,
        space: &Space,
        after: Option<&RoomName>,
        count_max: usize,
    ) -> Result<Vec<RoomRow>, Fault> {
        count(&self.others);
        self.store.rooms(space, after, count_max).await
    }

    async fn topic(&self, place: &Place) -> Result<Option<RoomTopic>, Fault> {
        count(&self.others);
        self.store.topic(place).await
    }

    async fn user_exists(&self, space: &Space, user: &UserName) -> Result<bool, Fault> {
        count(&self.others);
        self.store.user_exists(space, user).await
    }

    async fn is_registered(&self, space: &Space, key: &NameKey) -> Result<bool, Fault> {
        count(&self.others);
        self.store.is_registered(space, key).await
    }

    async fn last_seen(
        &self,
        space: &Space,
        users: &[UserName],
    ) -> Result<Vec<Option<OffsetDateTime>>, Fault> {
        count(&self.others);
        self.store.last_seen(space, users).await
    }

    async fn display_names(
        &self,
        space: &Space,
        users: &[UserName],
    ) -> Result<DisplayNames, Fault> {
        count(&self.others);
        self.store.display_names(space, users).await
    }

    async fn device_seen(
        &self,
        space: &Space,
        user: &UserName,
        device: &DeviceId,
    ) -> Result<Option<OffsetDateTime>, Fault> {
        count(&self.others);
        self.store.device_seen(space, user, device).await
    }

    async fn message(&self, place: &Place, seq: Seq) -> Result<Option<PostedMessage>, Fault> {
        count(&self.others);
        self.store.message(place, seq).await
    }

    async fn online_guests(&self) -> Result<Vec<OnlineGuest>, Fault> {
        count(&self.others);
        self.store.online_guests().await
    }

    async fn trim(
        &self,
        retention: &TrimLimits,
        recording: Option<&Recording>,
    ) -> Result<Trimmed, Fault> {
        self.store.trim(retention, recording).await
    }

    async fn erase(&self, place: &Place, up_to: Seq) -> Result<Erased, Fault> {
        self.store.erase(place, up_to).await
    }

    async fn close(&self) {}
}
