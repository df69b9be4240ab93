//! Sets of keys that a site publishes: fetched in the background, and cached.
//!
//! One task fetches, so that there is one fetch at a time. A token with an unknown key requests a
//! fetch and waits for its end; the end of a fetch wakes all waiting tokens. The last set that was
//! fetched stays in use while the site is down.

mod http;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};
use tracing::{debug, info, warn};

use super::{
    jwks_url::JwksUrl,
    keys::{InvalidKeySet, Key, parse_key_set},
};

pub(super) use self::http::HttpFetch;

/// The timeout of a fetch. After it, the site counts as down.
const FETCH_WAIT_MAX: Duration = Duration::from_secs(10);
/// The shortest interval between fetches that tokens with unknown keys cause.
const REQUEST_INTERVAL: Duration = Duration::from_mins(1);
/// The first and the longest delay before a failed fetch is retried.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_WAIT_MAX: Duration = Duration::from_mins(1);

/// Fetches the text of a set.
#[async_trait]
pub(super) trait Fetch: Send + Sync {
    /// The current set of the site. Cancel-safe.
    async fn fetch(&self) -> Result<Vec<u8>, FetchError>;
}

/// Why a set could not be fetched.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    /// The TCP connection failed.
    #[error("connecting failed: {0}")]
    Connect(std::io::Error),
    /// The site's certificate could not be verified.
    #[error("TLS failed: {0}")]
    Tls(std::io::Error),
    /// The response is not HTTP, or is truncated.
    #[error("the answer is broken: {0}")]
    Broken(Box<dyn std::error::Error + Send + Sync>),
    /// The status is not a success. Redirects are not followed.
    #[error("the answer has the status {0}")]
    Status(u16),
    /// The response exceeds the size limit.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// The timeout expired.
    #[error("there was no answer within {} s", FETCH_WAIT_MAX.as_secs())]
    TooSlow,
    /// The response is not a set of keys.
    #[error(transparent)]
    InvalidKeySet(#[from] InvalidKeySet),
}

/// Whether a caller may cause a fetch, or only waits for a pending one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RefreshMode {
    /// It may, unless one was requested within the last minute.
    Request,
    /// It may not.
    WaitOnly,
}

/// The keys of a site.
pub struct JwksSource {
    name: Box<str>,
    /// The whole address, to be found again when the settings are reloaded.
    site: Option<JwksUrl>,
    fetch: Box<dyn Fetch>,
    refresh: Duration,
    state: watch::Sender<JwksState>,
}

struct JwksState {
    /// None before the first set.
    keys: Option<Arc<[Key]>>,
    /// Whether a fetch is running or requested.
    is_fetching: bool,
    /// The number of fetches that have ended.
    fetch_count: u64,
    /// The number of failures since the last success.
    failures: u32,
    /// When a fetch was last requested; the task's own fetches do not count.
    requested_at: Option<Instant>,
    /// Why the last one failed.
    fetch_error: Option<Box<str>>,
}

impl JwksSource {
    /// Keys from a site. `name` is the part of the address that may be logged.
    pub(super) fn new(name: &str, fetch: Box<dyn Fetch>, refresh: Duration) -> Self {
        // The first fetch is pending from the start, so that early tokens wait for it.
        let (state, _) = watch::channel(JwksState {
            keys: None,
            is_fetching: true,
            fetch_count: 0,
            failures: 0,
            requested_at: None,
            fetch_error: None,
        });
        Self { name: name.into(), site: None, fetch, refresh, state }
    }

    /// The same with its address.
    pub(super) fn of_site(self, site: JwksUrl) -> Self {
        Self { site: Some(site), ..self }
    }

    /// Whether another source has the same address.
    pub(super) fn is_same_site(&self, other: &Self) -> bool {
        self.site.is_some() && self.site == other.site
    }

    /// Fetches at once and then periodically. Does not end. Cancel-safe.
    pub async fn run(&self) {
        let mut fetch_requests = self.state.subscribe();
        loop {
            let pause = self.fetch_once().await;
            // Cancel-safe. Requests that arrived during the fetch were served by it.
            drop(timeout(pause, fetch_requests.wait_for(|state| state.is_fetching)).await);
        }
    }

    /// The error of the last fetch, as a sentence; `None` after a success.
    pub fn fetch_error(&self) -> Option<String> {
        let state = self.state.borrow();
        let waits = || state.keys.is_none().then_some("there was no answer so far");
        let fetch_error = state.fetch_error.as_deref().or_else(waits)?;
        Some(format!("the keys of {} could not be fetched: {fetch_error}", self.name))
    }

    /// The current keys.
    pub(super) fn keys(&self) -> Arc<[Key]> {
        self.state.borrow().keys.clone().unwrap_or_default()
    }

    /// Whether a set was ever fetched.
    pub(super) fn is_loaded(&self) -> bool {
        self.state.borrow().keys.is_some()
    }

    /// Waits for the end of the pending fetch, or of one that is requested here.
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

    /// Fetches, and returns the delay until the next fetch.
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

    /// Logs the first failure, and the recovery.
    fn log_result(&self, result: &Result<Vec<Key>, FetchError>, before: &JwksState) {
        let name = &self.name;
        match result {
            Ok(keys) if before.failures > 0 => {
                info!(key.source = %name, keys.count = keys.len(), "jwks fetch recovered");
            }
            Ok(keys) => debug!(key.source = %name, keys.count = keys.len(), "jwks fetched"),
            Err(error) if before.failures == 0 => {
                let consequence = match before.keys {
                    Some(_) => "the last keys stay in use",
                    None => "its keys are unknown, and their tokens get `unavailable`",
                };
                warn!(key.source = %name, %error, "jwks fetch failed; {consequence}");
            }
            Err(error) => debug!(key.source = %name, %error, "jwks fetch still failing"),
        }
    }

    /// The delay after this number of consecutive failures.
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
    /// Whether a minute has passed since the last request.
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
