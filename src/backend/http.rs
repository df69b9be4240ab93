//! One back end: a POST per call, signed, over connections that are kept.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use parking_lot::Mutex;
use reqwest::{Body, Client, Response};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};
use tracing::{info, warn};

use super::{
    circuit::{Circuit, Transition},
    request::{signed_post, unreachable},
    signature::SigningSecret,
};
use crate::{
    chat::ports::{
        Backend, BackendAnswer, BackendFailure, Clock, ConnectAnswer, ConnectCall, EventCall,
        HookedRequest, IdSource, MessageRequest, RequestAnswer, RequestCall,
    },
    domain::{BackendName, Limits, MessageKind},
    wire::{InvalidData, backend as wire},
};

/// How a back end is called.
#[derive(Clone)]
pub struct HttpBackendOptions {
    /// Its name, for the log.
    pub name: BackendName,
    /// Its address. It may be secret.
    pub url: String,
    /// The secrets that sign requests; none for requests without a signature.
    pub secrets: Vec<SigningSecret>,
    /// How long a call may take, with the wait for its turn.
    pub timeout: Duration,
    /// How many calls may be under way.
    pub in_flight_max: usize,
    /// The limits of what it answers.
    pub limits: Arc<Limits>,
    /// The time in requests.
    pub clock: Arc<dyn Clock>,
    /// Generates the ids of requests.
    pub ids: Arc<dyn IdSource>,
}

/// Parses an answer.
type Parser<T> = fn(&str, &Limits) -> Result<T, InvalidData>;

/// See the module.
pub struct HttpBackend {
    client: Client,
    options: HttpBackendOptions,
    in_flight: Semaphore,
    circuit: Mutex<Circuit>,
    /// The origin of the circuit's times.
    started: Instant,
}

impl fmt::Debug for HttpBackendOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpBackendOptions").field("name", &self.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for HttpBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpBackend").field("options", &self.options).finish_non_exhaustive()
    }
}

impl HttpBackend {
    /// A back end that is called with this client.
    pub fn new(client: Client, options: HttpBackendOptions) -> Self {
        let in_flight = Semaphore::new(options.in_flight_max);
        Self { client, options, in_flight, circuit: Mutex::default(), started: Instant::now() }
    }

    /// Posts a call, and parses its answer.
    async fn call<T>(&self, body: String, parse: Parser<T>) -> Result<T, BackendFailure> {
        if !self.circuit.lock().allows(self.started.elapsed()) {
            return Err(BackendFailure::CircuitOpen);
        }
        let outcome = timeout(self.options.timeout, self.post(body, parse)).await;
        let outcome = outcome.unwrap_or(Err(BackendFailure::Timeout));
        self.record(outcome.as_ref().err());
        outcome
    }

    /// Records the outcome of a call, and logs when the circuit opens or closes.
    fn record(&self, failure: Option<&BackendFailure>) {
        let now = self.started.elapsed();
        let mut circuit = self.circuit.lock();
        let transition = match failure {
            None => circuit.succeeded(),
            Some(_) => circuit.failed(now),
        };
        drop(circuit);
        let backend = self.options.name.as_raw();
        match (transition, failure) {
            (Transition::Opened, Some(error)) => {
                warn!(backend, %error, "back end only fails, and is not called for now");
            }
            (Transition::Closed, _) => info!(backend, "back end answers again"),
            (Transition::Opened | Transition::None, _) => (),
        }
    }

    async fn post<T>(&self, body: String, parse: Parser<T>) -> Result<T, BackendFailure> {
        let _permit = self.in_flight.acquire().await.expect("the semaphore is never closed");
        let HttpBackendOptions { url, secrets, limits, clock, ids, .. } = &self.options;
        let id = format!("msg_{}", ids.message_id().as_raw());
        let timestamp = clock.now().unix_timestamp();
        let target = (&self.client, &**url);
        let response = signed_post(target, secrets, (&id, timestamp), body).send().await;
        // The address may be secret.
        let response = response.map_err(|error| unreachable(&error.without_url()))?;
        let status = response.status();
        if !status.is_success() {
            return Err(BackendFailure::Status(status.as_u16()));
        }
        let text = read(response, limits.frame_bytes_max.get()).await?;
        parse(&text, limits).map_err(|error| BackendFailure::Malformed(error.without_data()))
    }
}

#[async_trait]
impl Backend for HttpBackend {
    async fn connect(&self, call: ConnectCall) -> Result<ConnectAnswer, BackendFailure> {
        self.call(wire::connect_call(&call), wire::connect_answer).await
    }

    async fn request(&self, call: RequestCall) -> Result<RequestAnswer, BackendFailure> {
        let parse = match &call.request {
            HookedRequest::Message {
                what: MessageRequest::New(MessageKind::Custom(_)), ..
            } => wire::kept_event_answer,
            HookedRequest::Message { .. } => wire::message_answer,
            HookedRequest::Join { .. } | HookedRequest::Invite { .. } => wire::membership_answer,
        };
        self.call(wire::request_call(&call), parse).await
    }

    async fn event(&self, call: EventCall) -> Result<BackendAnswer, BackendFailure> {
        self.call(wire::event_call(&call), wire::answer).await
    }
}

/// The body of a response of at most `bytes_max`.
async fn read(response: Response, bytes_max: usize) -> Result<String, BackendFailure> {
    let body = Limited::new(Body::from(response), bytes_max).collect().await;
    let bytes = match body {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            let reason = format!("the answer has more than {bytes_max} bytes");
            return Err(BackendFailure::Malformed(reason));
        }
        Err(error) => return Err(unreachable(&*error)),
    };
    String::from_utf8(bytes.into())
        .map_err(|_error| BackendFailure::Malformed("the answer is not UTF-8".to_owned()))
}
