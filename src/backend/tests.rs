//! Calls that are not answered, and the time in signed requests.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use time::{OffsetDateTime, macros::datetime};
use tokio::{
    net::TcpListener,
    time::{Instant, advance},
};
use tokio_rustls::rustls::RootCertStore;

use super::*;
use crate::{
    chat::ports::{
        Backend as _, BackendFailure, ClientInfo, Clock, ConnectAnswer, ConnectCall,
        NewOutboxEvent, RequestForm, SentEvent, WebhookEvent, WebhookReceiver as _, WebhookRequest,
    },
    clock::RandomIds,
    domain::{BackendName, ConnectionAddress, DisplayNames, Limits, Space, UserName, WebhookName},
    http_client::client_builder,
};

const NOW: OffsetDateTime = datetime!(2026-03-01 12:00 UTC);
const TIMEOUT: Duration = Duration::from_secs(3);

struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> OffsetDateTime {
        NOW
    }
}

fn secrets() -> Vec<SigningSecret> {
    let texts = ["the new secret of a receiver", "the old secret of a receiver"];
    texts.map(|it| SigningSecret::parse(it).unwrap()).into()
}

/// Whatever proxies the environment names.
fn client() -> reqwest::Client {
    client_builder(RootCertStore::empty()).no_proxy().build().unwrap()
}

fn backend_at(address: SocketAddr) -> HttpBackend {
    let options = HttpBackendOptions {
        name: BackendName::from_raw("shop"),
        url: format!("http://{address}"),
        secrets: secrets(),
        timeout: TIMEOUT,
        in_flight_max: 1,
        limits: Arc::new(Limits::default()),
        clock: Arc::new(FixedClock),
        ids: Arc::new(RandomIds),
    };
    HttpBackend::new(client(), options)
}

fn webhook_at(address: SocketAddr) -> HttpWebhook {
    let target = (client(), format!("http://{address}"));
    HttpWebhook::new(target, secrets(), TIMEOUT, Arc::new(FixedClock))
}

fn webhook_request() -> WebhookRequest {
    let event = NewOutboxEvent {
        webhook: WebhookName::from_raw("audit"),
        space: Space::root(),
        event: WebhookEvent::UserOnline(UserName::from_raw("ann")),
        at: NOW - time::Duration::HOUR,
    };
    let (entry, names) = (None, DisplayNames::new());
    let sent = SentEvent { id: "msg_7".to_owned(), event, entry, names };
    WebhookRequest { id: "msg_7".to_owned(), form: RequestForm::Single, events: vec![sent] }
}

async fn call(backend: &HttpBackend) -> Result<ConnectAnswer, BackendFailure> {
    let connection = ConnectionAddress::parse("n1.c1").unwrap();
    let (space, client) = (Space::root(), ClientInfo::default());
    backend.connect(ConnectCall { space, connection, client }).await
}

/// Accepts connections in its backlog, and answers nothing.
async fn silent_listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_not_answered_ends_at_the_timeout() {
    let (_listener, address) = silent_listener().await;
    let (backend, begun) = (backend_at(address), Instant::now());
    assert_eq!(call(&backend).await, Err(BackendFailure::Timeout));
    assert_eq!(begun.elapsed().as_secs(), TIMEOUT.as_secs());
    let (webhook, begun) = (webhook_at(address), Instant::now());
    assert_eq!(webhook.deliver(&webhook_request()).await, Err(BackendFailure::Timeout));
    assert_eq!(begun.elapsed().as_secs(), TIMEOUT.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_back_end_that_only_fails_is_not_called_for_a_second() {
    let (listener, address) = silent_listener().await;
    drop(listener);
    let backend = backend_at(address);
    for attempt in 0..5 {
        let failure = call(&backend).await.unwrap_err();
        assert_ne!(failure, BackendFailure::CircuitOpen, "{attempt}");
    }
    assert_eq!(call(&backend).await, Err(BackendFailure::CircuitOpen));
    advance(Duration::from_secs(1)).await;
    assert_ne!(call(&backend).await, Err(BackendFailure::CircuitOpen), "one call tries");
    assert_eq!(call(&backend).await, Err(BackendFailure::CircuitOpen));
}

#[test]
fn a_webhook_is_signed_with_each_secret_and_the_time_of_the_attempt() {
    let webhook = webhook_at(SocketAddr::from(([127, 0, 0, 1], 9)));
    let request = webhook.signed(&webhook_request()).build().unwrap();
    let header = |name: &str| request.headers()[name].to_str().unwrap();
    let timestamp = NOW.unix_timestamp();
    assert_eq!(header("webhook-timestamp"), timestamp.to_string());
    let body = request.body().and_then(|it| it.as_bytes()).unwrap();
    let body = std::str::from_utf8(body).unwrap();
    let expected = signature::signatures(&secrets(), "msg_7", timestamp, body);
    assert_eq!(header("webhook-signature"), expected);
    assert_eq!(expected.split(' ').count(), 2, "one for each secret");
}
