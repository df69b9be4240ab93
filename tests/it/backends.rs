//! Events that a back end in this process answers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use parking_lot::Mutex;
use roomcast::{
    chat::ports::{Backend, BackendAnswer, BackendFailure, EventCall},
    config::Config,
    domain::{Body, Refusal},
};
use serde_json::json;
use tokio::{sync::Semaphore, time::sleep};

use crate::{
    clients::{Client, Wire},
    harness::TestServer,
};

type Reply = Result<BackendAnswer, BackendFailure>;

fn accepted(ack: &str) -> BackendAnswer {
    let ack = Body::from_raw(ack.into(), Vec::new());
    BackendAnswer::Accepted { ack: Some(ack), actions: Vec::new() }
}

/// All events go to the back end.
fn ask_backend(config: &mut Config) {
    let rules = "events = [{ name = '*', to = 'backend' }]";
    config.events = Config::from_toml(rules).unwrap().events;
}

/// Answers with what it receives, after delays that differ.
#[derive(Clone, Default)]
struct Recorder {
    received: Arc<Mutex<Vec<String>>>,
    calls: Arc<AtomicU64>,
}

#[async_trait]
impl Backend for Recorder {
    async fn event(&self, call: EventCall) -> Reply {
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        self.received.lock().push(call.event.args.json().to_owned());
        // A later call would end before an earlier one, if both ran. A wait takes a millisecond at
        // least, so only some calls do.
        if number.is_multiple_of(8) {
            sleep(Duration::from_micros(number * 7919 % 400)).await;
        }
        Ok(accepted(call.event.args.json()))
    }
}

#[tokio::test]
async fn a_back_end_receives_the_events_of_a_connection_in_their_order() {
    const EVENTS: u64 = 5000;
    let recorder = Recorder::default();
    let server = TestServer::with_backend(ask_backend, recorder.clone()).await;
    for wire in Wire::ALL {
        let mut ann = Client::named(&server, wire, &format!("ann {wire:?}")).await;
        let numbers: Vec<_> = (0..EVENTS).collect();
        let mut requests = Vec::new();
        for number in &numbers {
            requests.push(ann.send("count", json!(number)).await);
        }
        for request in requests {
            ann.answer(request).await;
        }
        let expected: Vec<_> = numbers.iter().map(|number| format!("[{number}]")).collect();
        assert_eq!(std::mem::take(&mut *recorder.received.lock()), expected, "{wire:?}");
    }
    server.stop().await;
}

/// Answers `slow` once it may, and everything else at once.
struct Slow(Arc<Semaphore>);

#[async_trait]
impl Backend for Slow {
    async fn event(&self, call: EventCall) -> Reply {
        match call.event.name.as_raw() {
            "slow" => {
                self.0.acquire().await.expect("it is never closed").forget();
                Ok(accepted("[true]"))
            }
            "refuse" => {
                let (code, message) = ("sold_out".into(), "it is gone".into());
                let data = Some(r#"{"left":0}"#.into());
                Ok(BackendAnswer::Refused(Refusal { code, message, data }))
            }
            "fail" => Err(BackendFailure::Timeout),
            _ => Ok(accepted("[true]")),
        }
    }
}

#[tokio::test]
async fn a_slow_back_end_delays_only_who_asks_it() {
    let gate = Arc::new(Semaphore::new(0));
    let server = TestServer::with_backend(ask_backend, Slow(Arc::clone(&gate))).await;
    let mut ann = Client::named(&server, Wire::SocketIo, "ann").await;
    let mut bob = Client::named(&server, Wire::WebSocket, "bob").await;
    let slow = ann.send("slow", json!(1)).await;
    assert_eq!(bob.ask("send message", "hello").await["ok"], true);
    bob.ask("fast", json!(1)).await;
    gate.add_permits(1);
    ann.answer(slow).await;
    server.stop().await;
}

#[tokio::test]
async fn refusals_and_failures_reach_the_client() {
    let server = TestServer::with_backend(ask_backend, Slow(Arc::new(Semaphore::new(0)))).await;
    let mut ann = Client::named(&server, Wire::WebSocket, "ann").await;
    let refusal = json!({
        "ok": false, "code": "sold_out", "message": "it is gone", "data": { "left": 0 },
    });
    assert_eq!(ann.ask("refuse", json!(1)).await, refusal);
    assert_eq!(ann.refusal("fail", json!(1)).await, "unavailable");
    server.stop().await;
}
