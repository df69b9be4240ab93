//! Logs the first of several faults of the outbox, and their end.

use std::mem;

use tracing::{info, warn};

use crate::{chat::ports::Fault, domain::WebhookName};

/// What is logged.
#[derive(Clone, Copy, Debug)]
pub(super) struct FaultTexts {
    pub(super) failed: &'static str,
    pub(super) restored: &'static str,
}

/// See the module.
#[derive(Debug)]
pub(in crate::chat) struct FaultLog {
    texts: FaultTexts,
    /// The webhook that is sent, if there is one.
    webhook: Option<WebhookName>,
    /// Whether the last request failed.
    is_failing: bool,
}

impl FaultLog {
    pub(super) fn new(texts: FaultTexts, webhook: Option<WebhookName>) -> Self {
        Self { texts, webhook, is_failing: false }
    }

    /// The value of a request that succeeded.
    pub(super) fn check<T>(&mut self, result: Result<T, Fault>) -> Option<T> {
        let webhook = self.webhook.as_ref().map(WebhookName::as_raw);
        let failed_before = mem::replace(&mut self.is_failing, result.is_err());
        match result {
            Ok(value) => {
                if failed_before {
                    info!(webhook, "{}", self.texts.restored);
                }
                Some(value)
            }
            Err(fault) => {
                if !failed_before {
                    warn!(webhook, error = fault.chain(), "{}", self.texts.failed);
                }
                None
            }
        }
    }
}
