//! Times the reads of a store, whatever engine it has.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use time::OffsetDateTime;
use tokio::time::Instant;

use crate::{
    chat::ports::{
        Batch, Committed, DenialChange, DenialSnapshot, DenialStore, Erased, Fault, MemberRow,
        MetricEvent, Metrics, OnlineGuest, Page, PageLimit, PageRange, PostedMessage, ReadOutcome,
        Recording, RoomRow, Store, TrimLimits, Trimmed,
    },
    domain::{
        DeviceId, DisplayNames, Epoch, Log, Member, NameKey, Place, RoomName, RoomTopic, Seq,
        Space, UserName,
    },
};

/// See the module. The journal times the commits.
pub struct MeasuredStore {
    inner: Arc<dyn Store>,
    metrics: Arc<dyn Metrics>,
}

impl MeasuredStore {
    /// Times the reads of `inner`.
    pub fn new(inner: Arc<dyn Store>, metrics: Arc<dyn Metrics>) -> Self {
        Self { inner, metrics }
    }

    async fn measure<T>(
        &self,
        read: &'static str,
        answer: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let begun_at = Instant::now();
        let answer = answer.await;
        let outcome = if answer.is_ok() { ReadOutcome::Answered } else { ReadOutcome::Failed };
        self.metrics.record(MetricEvent::StoreRead { read, elapsed: begun_at.elapsed(), outcome });
        answer
    }
}

impl fmt::Debug for MeasuredStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MeasuredStore").finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for MeasuredStore {
    fn epoch(&self) -> &Epoch {
        self.inner.epoch()
    }

    async fn commit(&self, batch: Arc<Batch>) -> Result<Committed, Fault> {
        self.inner.commit(batch).await
    }

    async fn probe(&self) -> Result<(), Fault> {
        self.inner.probe().await
    }

    async fn log(&self, place: &Place) -> Result<Log, Fault> {
        self.measure("log", self.inner.log(place)).await
    }

    async fn logs(&self, places: &[Place]) -> Result<Vec<Log>, Fault> {
        self.measure("logs", self.inner.logs(places)).await
    }

    async fn revisions(&self, users: &[(Space, UserName)]) -> Result<Vec<u64>, Fault> {
        self.measure("revisions", self.inner.revisions(users)).await
    }

    async fn page(&self, place: &Place, range: PageRange, limit: PageLimit) -> Result<Page, Fault> {
        self.measure("page", self.inner.page(place, range, limit)).await
    }

    async fn message(&self, place: &Place, seq: Seq) -> Result<Option<PostedMessage>, Fault> {
        self.measure("message", self.inner.message(place, seq)).await
    }

    async fn member(&self, place: &Place, user: &UserName) -> Result<Option<Member>, Fault> {
        self.measure("member", self.inner.member(place, user)).await
    }

    async fn members(
        &self,
        place: &Place,
        after: Option<&UserName>,
        count_max: usize,
    ) -> Result<Vec<MemberRow>, Fault> {
        self.measure("members", self.inner.members(place, after, count_max)).await
    }

    async fn rooms(
        &self,
        space: &Space,
        after: Option<&RoomName>,
        count_max: usize,
    ) -> Result<Vec<RoomRow>, Fault> {
        self.measure("rooms", self.inner.rooms(space, after, count_max)).await
    }

    async fn topic(&self, place: &Place) -> Result<Option<RoomTopic>, Fault> {
        self.measure("topic", self.inner.topic(place)).await
    }

    async fn user_exists(&self, space: &Space, user: &UserName) -> Result<bool, Fault> {
        self.measure("user_exists", self.inner.user_exists(space, user)).await
    }

    async fn is_registered(&self, space: &Space, key: &NameKey) -> Result<bool, Fault> {
        self.measure("is_registered", self.inner.is_registered(space, key)).await
    }

    async fn last_seen(
        &self,
        space: &Space,
        users: &[UserName],
    ) -> Result<Vec<Option<OffsetDateTime>>, Fault> {
        self.measure("last_seen", self.inner.last_seen(space, users)).await
    }

    async fn display_names(
        &self,
        space: &Space,
        users: &[UserName],
    ) -> Result<DisplayNames, Fault> {
        self.measure("display_names", self.inner.display_names(space, users)).await
    }

    async fn device_seen(
        &self,
        space: &Space,
        user: &UserName,
        device: &DeviceId,
    ) -> Result<Option<OffsetDateTime>, Fault> {
        self.measure("device_seen", self.inner.device_seen(space, user, device)).await
    }

    async fn online_guests(&self) -> Result<Vec<OnlineGuest>, Fault> {
        self.inner.online_guests().await
    }

    async fn trim(
        &self,
        retention: &TrimLimits,
        recording: Option<&Recording>,
    ) -> Result<Trimmed, Fault> {
        self.inner.trim(retention, recording).await
    }

    async fn erase(&self, place: &Place, up_to: Seq) -> Result<Erased, Fault> {
        self.inner.erase(place, up_to).await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}

#[async_trait]
impl DenialStore for MeasuredStore {
    async fn change_denials(
        &self,
        change: &DenialChange,
        now: OffsetDateTime,
    ) -> Result<u64, Fault> {
        self.inner.change_denials(change, now).await
    }

    async fn denials_number(&self) -> Result<u64, Fault> {
        self.inner.denials_number().await
    }

    async fn denials(&self) -> Result<DenialSnapshot, Fault> {
        self.measure("denials", self.inner.denials()).await
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;

    use super::*;
    use crate::{
        chat::ports::NoMetrics,
        store::{MemoryStore, contract::store_contract},
    };

    /// What was read.
    #[derive(Default)]
    struct Reads(Mutex<Vec<(&'static str, ReadOutcome)>>);

    impl Metrics for Reads {
        fn record(&self, event: MetricEvent<'_>) {
            let MetricEvent::StoreRead { read, outcome, elapsed: _ } = event else {
                panic!("{event:?}")
            };
            self.0.lock().push((read, outcome));
        }
    }

    #[tokio::test]
    async fn a_measured_store_keeps_the_contract() {
        store_contract(async || {
            MeasuredStore::new(Arc::new(MemoryStore::new()), Arc::new(NoMetrics))
        })
        .await;
    }

    #[tokio::test]
    async fn reads_are_counted_with_their_outcome() {
        let reads = Arc::new(Reads::default());
        let metrics: Arc<dyn Metrics> = Arc::<Reads>::clone(&reads);
        let store = MeasuredStore::new(Arc::new(MemoryStore::new()), metrics);
        store.user_exists(&Space::root(), &UserName::from_raw("ann")).await.unwrap();
        let failed = store.measure("page", async { Err::<(), _>(Fault::new("read", "no disk")) });
        failed.await.unwrap_err();
        let expected = [("user_exists", ReadOutcome::Answered), ("page", ReadOutcome::Failed)];
        assert_eq!(*reads.0.lock(), expected);
    }
}
