//! A store whose calls are observed, whatever engine it has.

use std::{fmt, ops::Deref, sync::Arc};

use async_trait::async_trait;
use time::OffsetDateTime;

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
};

/// A call of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreCall {
    /// `commit`.
    Commit,
    /// `probe`.
    Probe,
    /// `page`, of this part of a log.
    Page(PageRange),
    /// Another read, by its name.
    Read(&'static str),
    /// `trim` or `erase`.
    Removal,
    /// A call at the start, or about denials.
    Other,
}

/// Is told of the calls of a store.
pub(crate) trait StoreObserver: Send + Sync + 'static {
    /// Awaits the answer to a call, and returns it.
    fn observe<T: Send>(
        &self,
        call: StoreCall,
        answer: impl Future<Output = Result<T, Fault>> + Send,
    ) -> impl Future<Output = Result<T, Fault>> + Send;
}

/// See the module. It stands for its observer, too.
pub(crate) struct ObservedStore<O> {
    inner: Arc<dyn Store>,
    observer: O,
}

impl<O> ObservedStore<O> {
    pub(crate) fn new(inner: Arc<dyn Store>, observer: O) -> Self {
        Self { inner, observer }
    }
}

impl<O> Deref for ObservedStore<O> {
    type Target = O;

    fn deref(&self) -> &O {
        &self.observer
    }
}

impl<O> fmt::Debug for ObservedStore<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObservedStore").finish_non_exhaustive()
    }
}

#[async_trait]
impl<O: StoreObserver> Store for ObservedStore<O> {
    fn epoch(&self) -> &Epoch {
        self.inner.epoch()
    }

    async fn commit(&self, batch: Arc<Batch>) -> Result<Committed, Fault> {
        self.observer.observe(StoreCall::Commit, self.inner.commit(batch)).await
    }

    async fn probe(&self) -> Result<(), Fault> {
        self.observer.observe(StoreCall::Probe, self.inner.probe()).await
    }

    async fn log(&self, place: &Place) -> Result<Log, Fault> {
        self.observer.observe(StoreCall::Read("log"), self.inner.log(place)).await
    }

    async fn logs(&self, places: &[Place]) -> Result<Vec<Log>, Fault> {
        self.observer.observe(StoreCall::Read("logs"), self.inner.logs(places)).await
    }

    async fn revisions(&self, users: &[(Space, UserName)]) -> Result<Vec<u64>, Fault> {
        self.observer.observe(StoreCall::Read("revisions"), self.inner.revisions(users)).await
    }

    async fn page(&self, place: &Place, range: PageRange, limit: PageLimit) -> Result<Page, Fault> {
        self.observer.observe(StoreCall::Page(range), self.inner.page(place, range, limit)).await
    }

    async fn message(&self, place: &Place, seq: Seq) -> Result<Option<PostedMessage>, Fault> {
        self.observer.observe(StoreCall::Read("message"), self.inner.message(place, seq)).await
    }

    async fn member(&self, place: &Place, user: &UserName) -> Result<Option<Member>, Fault> {
        self.observer.observe(StoreCall::Read("member"), self.inner.member(place, user)).await
    }

    async fn members(
        &self,
        place: &Place,
        after: Option<&UserName>,
        count_max: usize,
    ) -> Result<Vec<MemberRow>, Fault> {
        self.observer
            .observe(StoreCall::Read("members"), self.inner.members(place, after, count_max))
            .await
    }

    async fn rooms(
        &self,
        space: &Space,
        after: Option<&RoomName>,
        count_max: usize,
    ) -> Result<Vec<RoomRow>, Fault> {
        self.observer
            .observe(StoreCall::Read("rooms"), self.inner.rooms(space, after, count_max))
            .await
    }

    async fn topic(&self, place: &Place) -> Result<Option<RoomTopic>, Fault> {
        self.observer.observe(StoreCall::Read("topic"), self.inner.topic(place)).await
    }

    async fn user_exists(&self, space: &Space, user: &UserName) -> Result<bool, Fault> {
        self.observer
            .observe(StoreCall::Read("user_exists"), self.inner.user_exists(space, user))
            .await
    }

    async fn is_registered(&self, space: &Space, key: &NameKey) -> Result<bool, Fault> {
        self.observer
            .observe(StoreCall::Read("is_registered"), self.inner.is_registered(space, key))
            .await
    }

    async fn last_seen(
        &self,
        space: &Space,
        users: &[UserName],
    ) -> Result<Vec<Option<OffsetDateTime>>, Fault> {
        self.observer
            .observe(StoreCall::Read("last_seen"), self.inner.last_seen(space, users))
            .await
    }

    async fn display_names(
        &self,
        space: &Space,
        users: &[UserName],
    ) -> Result<DisplayNames, Fault> {
        self.observer
            .observe(StoreCall::Read("display_names"), self.inner.display_names(space, users))
            .await
    }

    async fn device_seen(
        &self,
        space: &Space,
        user: &UserName,
        device: &DeviceId,
    ) -> Result<Option<OffsetDateTime>, Fault> {
        self.observer
            .observe(StoreCall::Read("device_seen"), self.inner.device_seen(space, user, device))
            .await
    }

    async fn online_guests(&self) -> Result<Vec<OnlineGuest>, Fault> {
        self.observer.observe(StoreCall::Other, self.inner.online_guests()).await
    }

    async fn trim(
        &self,
        retention: &TrimLimits,
        recording: Option<&Recording>,
    ) -> Result<Trimmed, Fault> {
        self.observer.observe(StoreCall::Removal, self.inner.trim(retention, recording)).await
    }

    async fn erase(&self, place: &Place, up_to: Seq) -> Result<Erased, Fault> {
        self.observer.observe(StoreCall::Removal, self.inner.erase(place, up_to)).await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}

#[async_trait]
impl<O: StoreObserver> DenialStore for ObservedStore<O> {
    async fn change_denials(
        &self,
        change: &DenialChange,
        now: OffsetDateTime,
    ) -> Result<u64, Fault> {
        self.observer.observe(StoreCall::Other, self.inner.change_denials(change, now)).await
    }

    async fn denials_number(&self) -> Result<u64, Fault> {
        self.observer.observe(StoreCall::Other, self.inner.denials_number()).await
    }

    async fn denials(&self) -> Result<DenialSnapshot, Fault> {
        self.observer.observe(StoreCall::Read("denials"), self.inner.denials()).await
    }
}
