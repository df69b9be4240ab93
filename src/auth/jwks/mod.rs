//! Sets of keys that a site publishes: fetched in the background, and kept.
//!
//! One task fetches, so that there is one fetch at a time. Whoever meets a key that nobody knows
//! asks for a fetch and waits for its end; the task tells everybody at once. What was fetched last
//! is kept while the site is down.

mod http;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};
use tracing::{debug, info, warn};

use super::keys::{Key, NotASet, read_set};

pub use self::http::NoTrust;
pub(super) use self::http::{HttpFetch, trust};

/// How long a fetch may take. Past it the site counts as down.
const FETCH_WAIT_MAX: Duration = Duration::from_secs(10);
/// How often strangers may cause a fetch by naming a key that nobody knows.
const ASK_EVERY: Duration = Duration::from_mins(1);
/// The pause before a fetch that failed is tried again, and what it may grow to.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_WAIT_MAX: Duration = Duration::from_mins(1);

/// Brings the text of a set.
#[async_trait]
pub(super) trait Fetch: Send + Sync {
    /// What the site has now. May be dropped at any time.
    async fn fetch(&self) -> Result<Vec<u8>, FetchFailed>;
}

/// Why there is no set.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchFailed {
    /// Nobody is there.
    #[error("connecting failed: {0}")]
    Connect(std::io::Error),
    /// Somebody is there who cannot prove to be the site.
    #[error("TLS failed: {0}")]
    Tls(std::io::Error),
    /// The answer is no HTTP, or was cut off.
    #[error("the answer is broken: {0}")]
    Broken(Box<dyn std::error::Error + Send + Sync>),
    /// The site says something else. Redirects are not followed.
    #[error("the answer has the status {0}")]
    Status(u16),
    /// The answer is larger than any set.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// The site takes too long.
    #[error("there was no answer within {} s", FETCH_WAIT_MAX.as_secs())]
    TooSlow,
    /// The answer is something else.
    #[error(transparent)]
    NotASet(#[from] NotASet),
}

/// Whether a caller may cause a fetch, or only waits for one that is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// It may, if nobody did for a minute.
    May,
    /// It may not.
    MayNot,
}

/// A site's keys.
pub struct Source {
    name: Box<str>,
    fetch: Box<dyn Fetch>,
    refresh: Duration,
    state: watch::Sender<State>,
}

struct State {
    /// None before the first set.
    keys: Option<Arc<[Key]>>,
    /// Whether a fetch is on its way, or asked for.
    busy: bool,
    /// How many fetches have ended.
    ended: u64,
    /// How many of the last ones failed.
    failures: u32,
    /// When the last fetch was asked for; those of the task itself do not count.
    asked_at: Option<Instant>,
    /// Why the last one failed.
    trouble: Option<Box<str>>,
}

impl Source {
    /// Keys called `name`, which is what may be printed of their address.
    pub(super) fn new(name: &str, fetch: Box<dyn Fetch>, refresh: Duration) -> Self {
        // The first fetch is on its way from the beginning, so that who comes early waits for it.
        let (state, _) = watch::channel(State {
            keys: None,
            busy: true,
            ended: 0,
            failures: 0,
            asked_at: None,
            trouble: None,
        });
        Self { name: name.into(), fetch, refresh, state }
    }

    /// Fetches at once and then again and again. Does not end; may be dropped at any time.
    pub async fn run(&self) {
        let mut asked = self.state.subscribe();
        loop {
            let pause = self.fetch_once().await;
            // Cancel-safe, and asks that came during the fetch were answered by it.
            drop(timeout(pause, asked.wait_for(|state| state.busy)).await);
        }
    }

    /// What went wrong with the last fetch, if anything did, as a sentence.
    pub fn trouble(&self) -> Option<String> {
        let state = self.state.borrow();
        let waits = || state.keys.is_none().then_some("there was no answer so far");
        let trouble = state.trouble.as_deref().or_else(waits)?;
        Some(format!("the keys of {} could not be fetched: {trouble}", self.name))
    }

    /// The keys as they are now.
    pub(super) fn keys(&self) -> Arc<[Key]> {
        self.state.borrow().keys.clone().unwrap_or_default()
    }

    /// Whether there ever was a set.
    pub(super) fn is_loaded(&self) -> bool {
        self.state.borrow().keys.is_some()
    }

    /// Waits for the end of the fetch that is on its way, or of one that is asked for here.
    pub(super) async fn refreshed(&self, ask: Ask) {
        let mut ends = self.state.subscribe();
        let mut awaited = None;
        self.state.send_if_modified(|state| {
            let asks = ask == Ask::May && !state.busy && state.may_be_asked();
            if asks {
                state.asked_at = Some(Instant::now());
                state.busy = true;
            }
            awaited = state.busy.then_some(state.ended);
            asks
        });
        if let Some(before) = awaited {
            drop(ends.wait_for(|state| state.ended > before).await);
        }
    }

    /// Fetches, and answers how long to wait until the next time.
    async fn fetch_once(&self) -> Duration {
        self.state.send_modify(|state| state.busy = true);
        let result = match timeout(FETCH_WAIT_MAX, self.fetch.fetch()).await {
            Ok(Ok(text)) => read_set(&text).map_err(FetchFailed::from),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(FetchFailed::TooSlow),
        };
        let mut failures = 0;
        self.state.send_modify(|state| {
            self.tell(&result, state);
            match result {
                Ok(keys) => {
                    state.keys = Some(keys.into());
                    (state.failures, state.trouble) = (0, None);
                }
                Err(error) => {
                    state.failures = state.failures.saturating_add(1);
                    state.trouble = Some(error.to_string().into());
                }
            }
            (state.busy, state.ended) = (false, state.ended + 1);
            failures = state.failures;
        });
        self.pause(failures)
    }

    /// Says once that the site is down, and once that it is back.
    fn tell(&self, result: &Result<Vec<Key>, FetchFailed>, before: &State) {
        let name = &self.name;
        match result {
            Ok(keys) if before.failures > 0 => {
                info!(keys.count = keys.len(), "the keys of {name} can be fetched again");
            }
            Ok(keys) => debug!(keys.count = keys.len(), "the keys of {name} were fetched"),
            Err(error) if before.failures == 0 => {
                let till_then = match before.keys {
                    Some(_) => "the last ones stay",
                    None => "there are none so far, and their users cannot come in",
                };
                warn!(%error, "the keys of {name} cannot be fetched; {till_then}");
            }
            Err(error) => debug!(%error, "the keys of {name} still cannot be fetched"),
        }
    }

    /// How long to wait after so many failures in a row.
    fn pause(&self, failures: u32) -> Duration {
        match failures {
            0 => self.refresh,
            _ => RETRY_FIRST
                .saturating_mul(1 << (failures - 1).min(6))
                .min(RETRY_WAIT_MAX)
                .min(self.refresh),
        }
    }
}

impl State {
    /// Whether a minute is over since somebody asked.
    fn may_be_asked(&self) -> bool {
        self.asked_at.is_none_or(|at| at.elapsed() >= ASK_EVERY)
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({})", self.name)
    }
}

#[cfg(test)]
mod tests;
