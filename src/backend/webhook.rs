//! One webhook: a POST per request, signed, over connections that are kept.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use reqwest::{Client, RequestBuilder};
use tokio::time::timeout;

use super::{
    request::{signed_post, unreachable},
    signature::SigningSecret,
};
use crate::{
    chat::ports::{BackendFailure, Clock, WebhookReceiver, WebhookRequest},
    wire::webhook_body,
};

/// How a webhook is called.
pub struct HttpWebhook {
    client: Client,
    /// It may be secret.
    url: String,
    secrets: Vec<SigningSecret>,
    timeout: Duration,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for HttpWebhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpWebhook").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl HttpWebhook {
    /// A webhook that is called with this client at this address. A request may take `timeout`.
    pub fn new(
        (client, url): (Client, String),
        secrets: Vec<SigningSecret>,
        timeout: Duration,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { client, url, secrets, timeout, clock }
    }

    /// The request with the time of this attempt: receivers refuse old ones.
    pub(super) fn signed(&self, request: &WebhookRequest) -> RequestBuilder {
        let timestamp = self.clock.now().unix_timestamp();
        let (target, body) = ((&self.client, &*self.url), webhook_body(request));
        signed_post(target, &self.secrets, (&request.id, timestamp), body)
    }

    async fn post(&self, request: &WebhookRequest) -> Result<(), BackendFailure> {
        let post = self.signed(request);
        // The address may be secret. The body of the answer has no meaning, and is not read.
        let response = post.send().await.map_err(|error| unreachable(&error.without_url()))?;
        let status = response.status();
        if status.is_success() { Ok(()) } else { Err(BackendFailure::Status(status.as_u16())) }
    }
}

#[async_trait]
impl WebhookReceiver for HttpWebhook {
    async fn deliver(&self, request: &WebhookRequest) -> Result<(), BackendFailure> {
        timeout(self.timeout, self.post(request)).await.unwrap_or(Err(BackendFailure::Timeout))
    }
}
