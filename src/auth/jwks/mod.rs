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

use super::keys::{InvalidKeySet, Key, parse_key_set};

pub use self::http::NoTrustedCertificates;
pub(super) use self::http::{HttpFetch, tls_config};

/// How long a fetch may take. Past it the site counts as down.
const FETCH_WAIT_MAX: Duration = Duration::from_secs(10);
/// How often strangers may cause a fetch by naming a key that nobody knows.
const REQUEST_INTERVAL: Duration = Duration::from_mins(1);
/// The pause before a fetch that failed is tried again, and what it may grow to.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_WAIT_MAX: Duration = Duration::from_mins(1);

/// Brings the text of a set.
#[async_trait]
pub(super) trait Fetch: Send + Sync {
    /// What the site has now. May be dropped at any time.
    async fn fetch(&self) -> Result<Vec<u8>, FetchError>;
}

/// Why there is no set.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
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
    InvalidKeySet(#[from] InvalidKeySet),
}

/// Whether a caller may cause a fetch, or only waits for one that is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RefreshMode {
    /// It may, if nobody did for a minute.
    Request,
    /// It may not.
    WaitOnly,
}

/// A site's keys.
pub struct JwksSource {
    name: Box<str>,
    fetch: Box<dyn Fetch>,
    refresh: Duration,
    state: watch::Sender<JwksState>,
}

struct JwksState {
    /// None before the first set.
    keys: Option<Arc<[Key]>>,
    /// Whether a fetch is on its way, or asked for.
    is_fetching: bool,
    /// How many fetches have ended.
    fetch_count: u64,
    /// How many of the last ones failed.
    failures: u32,
    /// When the last fetch was asked for; those of the task itself do not count.
    requested_at: Option<Instant>,
    /// Why the last one failed.
    fetch_error: Option<Box<str>>,
}

impl JwksSource {
    /// Keys called `name`, which is what may be printed of their address.
    pub(super) fn new(name: &str, fetch: Box<dyn Fetch>, refresh: Duration) -> Self {
        // The first fetch is on its way from the beginning, so that who comes early waits for it.
        let (state, _) = watch::channel(JwksState {
            keys: None,
            is_fetching: true,
            fetch_count: 0,
            failures: 0,
            requested_at: None,
            fetch_error: None,
        });
        Self { name: name.into(), fetch, refresh, state }
    }

    /// Fetches at once and then again and again. Does not end; may be dropped at any time.
    pub async fn run(&self) {
        let mut fetch_requests = self.state.subscribe();
        loop {
            let pause = self.fetch_once().await;
            // Cancel-safe, and asks that came during the fetch were answered by it.
            drop(timeout(pause, fetch_requests.wait_for(|state| state.is_fetching)).await);
        }
    }

    /// What went wrong with the last fetch, if anything did, as a sentence.
    pub fn fetch_error(&self) -> Option<String> {
        let state = self.state.borrow();
        let waits = || state.keys.is_none().then_some("there was no answer so far");
        let fetch_error = state.fetch_error.as_deref().or_else(waits)?;
        Some(format!("the keys of {} could not be fetched: {fetch_error}", self.name))
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
    pub(super) async fn wait_for_refresh(&self, mode: RefreshMode) {
        let mut ends = self.state.subscribe();
        let mut awaited = None;
        self.state.send_if_modified(|state| {
            let starts_fetch =
                mode == RefreshMode::Request && !state.is_fetching && state.may_request();
            if starts_fetch {
                state.requested_at = Some(Instant::now());
                state.is_fetching = true;
            }
            awaited = state.is_fetching.then_some(state.fetch_count);
            starts_fetch
        });
        if let Some(before) = awaited {
            drop(ends.wait_for(|state| state.fetch_count > before).await);
        }
    }

    /// Fetches, and answers how long to wait until the next time.
    async fn fetch_once(&self) -> Duration {
        self.state.send_modify(|state| state.is_fetching = true);
        let result = match timeout(FETCH_WAIT_MAX, self.fetch.fetch()).await {
            Ok(Ok(text)) => parse_key_set(&text).map_err(FetchError::from),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(FetchError::TooSlow),
        };
        let mut failures = 0;
        self.state.send_modify(|state| {
            self.log_result(&result, state);
            match result {
                Ok(keys) => {
                    state.keys = Some(keys.into());
                    (state.failures, state.fetch_error) = (0, None);
                }
                Err(error) => {
                    state.failures = state.failures.saturating_add(1);
                    state.fetch_error = Some(error.to_string().into());
                }
            }
            (state.is_fetching, state.fetch_count) = (false, state.fetch_count + 1);
            failures = state.failures;
        });
        self.next_fetch_delay(failures)
    }

    /// Says once that the site is down, and once that it is back.
    fn log_result(&self, result: &Result<Vec<Key>, FetchError>, before: &JwksState) {
        let name = &self.name;
        match result {
            Ok(keys) if before.failures > 0 => {
                info!(keys.count = keys.len(), "the keys of {name} can be fetched again");
            }
            Ok(keys) => debug!(keys.count = keys.len(), "the keys of {name} were fetched"),
            Err(error) if before.failures == 0 => {
                let consequence = match before.keys {
                    Some(_) => "the last ones stay",
                    None => "there are none so far, and their users cannot come in",
                };
                warn!(%error, "the keys of {name} cannot be fetched; {consequence}");
            }
            Err(error) => debug!(%error, "the keys of {name} still cannot be fetched"),
        }
    }

    /// How long to wait after so many failures in a row.
    fn next_fetch_delay(&self, failures: u32) -> Duration {
        match failures {
            0 => self.refresh,
            _ => RETRY_FIRST
                .saturating_mul(1 << (failures - 1).min(6))
                .min(RETRY_WAIT_MAX)
                .min(self.refresh),
        }
    }
}

impl JwksState {
    /// Whether a minute is over since somebody asked.
    fn may_request(&self) -> bool {
        self.requested_at.is_none_or(|at| at.elapsed() >= REQUEST_INTERVAL)
    }
}

impl fmt::Debug for JwksSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({})", self.name)
    }
}

#[cfg(test)]
mod tests;
