//! The time from the commit of an entry until the last connection of this node has it.
//!
//! Nothing is counted for each connection: the connections share the bytes of a frame, and what owns
//! these bytes is dropped when the last queue has let go of them. So the time costs two allocations
//! for an entry, however many receive it.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::time::Instant;

/// Starts timers, whose times it is told.
#[derive(Clone)]
pub(crate) struct DeliveryTimers(Arc<OnEnd>);

/// Receives the time of a delivery.
type OnEnd = dyn Fn(Duration) + Send + Sync;

/// Measures until the last clone and the last frame of [`attach_to`](Self::attach_to) are dropped.
/// Clones measure the same delivery.
#[derive(Clone, Debug)]
pub struct DeliveryTimer(Arc<Measurement>);

struct Measurement {
    committed_at: Instant,
    /// Whether there was a frame. What nobody receives has no time.
    is_sent: AtomicBool,
    on_end: Arc<OnEnd>,
}

/// The owner of the bytes of a frame.
struct TimedFrame {
    frame: Bytes,
    _timer: DeliveryTimer,
}

impl DeliveryTimers {
    /// Timers that report to `on_end`, which must not block: it is called where a frame is dropped.
    pub(crate) fn new(on_end: impl Fn(Duration) + Send + Sync + 'static) -> Self {
        Self(Arc::new(on_end))
    }

    /// Measures from `committed_at`: on another node than that of the commit, from the arrival there.
    pub(crate) fn start(&self, committed_at: Instant) -> DeliveryTimer {
        let (is_sent, on_end) = (AtomicBool::new(false), Arc::clone(&self.0));
        DeliveryTimer(Arc::new(Measurement { committed_at, is_sent, on_end }))
    }
}

impl DeliveryTimer {
    /// The same bytes. The time ends no sooner than their last clone is dropped.
    pub fn attach_to(&self, frame: Bytes) -> Bytes {
        self.0.is_sent.store(true, Ordering::Relaxed);
        Bytes::from_owner(TimedFrame { frame, _timer: self.clone() })
    }
}

impl AsRef<[u8]> for TimedFrame {
    fn as_ref(&self) -> &[u8] {
        &self.frame
    }
}

impl Drop for Measurement {
    fn drop(&mut self) {
        if *self.is_sent.get_mut() {
            (self.on_end)(self.committed_at.elapsed());
        }
    }
}

impl fmt::Debug for DeliveryTimers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeliveryTimers").finish_non_exhaustive()
    }
}

impl fmt::Debug for Measurement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Measurement")
            .field("committed_at", &self.committed_at)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;
    use tokio::time::advance;

    use super::*;

    /// Timers, and the times that they have reported.
    fn recording() -> (DeliveryTimers, Arc<Mutex<Vec<Duration>>>) {
        let times = Arc::<Mutex<Vec<_>>>::default();
        let reported = Arc::clone(&times);
        (DeliveryTimers::new(move |elapsed| reported.lock().push(elapsed)), times)
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_ends_with_the_last_frame() {
        let (timers, ended) = recording();
        let timer = timers.start(Instant::now());
        let plain = timer.attach_to(Bytes::from_static(b"plain"));
        let compressed = timer.attach_to(Bytes::from_static(b"compressed"));
        let (first, second) = (plain.clone(), plain.slice(2..));
        drop((plain, timer, first));
        assert_eq!(second, b"ain"[..]);
        advance(Duration::from_secs(1)).await;
        drop(second);
        assert!(ended.lock().is_empty(), "one is left");
        advance(Duration::from_secs(2)).await;
        drop(compressed);
        assert_eq!(*ended.lock(), [Duration::from_secs(3)]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_receives_has_no_time() {
        let (timers, ended) = recording();
        drop(timers.start(Instant::now()));
        assert!(ended.lock().is_empty());
    }
}
