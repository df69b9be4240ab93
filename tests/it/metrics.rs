//! Counters of a server, and the connection fields of its log lines.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex},
};

use roomcast::{
    chat::ports::{Claims, Clock as _},
    clock::SystemClock,
    config::Switch,
    domain::{Space, UserName},
    telemetry,
};
use serde_json::{Value, json};
use tokio::task::yield_now;

use crate::{
    clients::{Client, ConnectOptions, Wire},
    harness::{TestServer, wait_for},
};

#[tokio::test]
async fn a_server_counts_connections_messages_and_rejections() {
    let server = TestServer::start().await;
    for wire in Wire::ALL {
        let mut client = Client::named(&server, wire, &format!("ann {wire:?}")).await;
        client.post("counted").await;
        assert_eq!(client.refusal("send message", json!({ "msg": "" })).await, "message_empty");
        client.close().await;
    }
    let options = ConnectOptions::new().space("/unknown");
    assert!(Client::open(&server, Wire::WebSocket, options).await.is_err());
    wait_for("the connections to be counted as closed", async {
        while server.metrics().socketio.closed < 2 || server.metrics().websocket.closed < 1 {
            yield_now().await;
        }
    })
    .await;
    let metrics = server.metrics();
    assert_eq!((metrics.websocket.opened, metrics.socketio.opened), (1, 2));
    assert_eq!(metrics.websocket.requests_rejected, BTreeMap::from([("message_empty", 1)]));
    assert_eq!(metrics.socketio.requests_rejected, BTreeMap::from([("message_empty", 2)]));
    assert_eq!(metrics.handshakes_rejected, BTreeMap::from([("unknown_space", 1)]));
    assert_eq!((metrics.messages_committed, metrics.batch_messages.sum), (3, 3));
    assert!(metrics.commit_micros.count() >= metrics.batch_messages.count());
    assert_eq!((metrics.websocket.slow_readers, metrics.commits_failed), (0, 0));
    server.stop().await;
}

/// A log in memory.
#[derive(Clone, Default)]
struct LogBuffer(Arc<Mutex<Vec<u8>>>);

impl LogBuffer {
    /// The lines with this message.
    fn lines(&self, message: &str) -> Vec<Value> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["message"] == message).collect()
    }
}

impl io::Write for LogBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_log_line_of_a_connection_has_its_id_space_wire_and_user() {
    let buffer = LogBuffer::default();
    let writer = buffer.clone();
    let log = telemetry::json("info,roomcast=debug", move || writer.clone()).unwrap();
    // The test's runtime has one thread, so this log receives the lines of all tasks.
    let _log = tracing::subscriber::set_default(log);
    let server = TestServer::with(|config| config.guests = Switch::Off).await;
    let expires_at = SystemClock.now() + time::Duration::HOUR;
    for (count, wire) in Wire::ALL.into_iter().enumerate() {
        let user = UserName::parse(&format!("ann {wire:?}")).unwrap();
        let token = server.token(user.as_raw(), &[]);
        let mut client = Client::with_token(&server, wire, &token).await;
        let guest = Claims::guest(user.clone(), &Space::root(), "a guest session", expires_at);
        let guest_token = server.token_of(&guest);
        assert_eq!(client.refusal("auth", json!({ "token": guest_token })).await, "unauthorized");
        let lines = buffer.lines(REFUSED_GUEST);
        assert_eq!(lines.len(), count + 1);
        let span = &lines[count]["span"];
        let label = if wire == Wire::WebSocket { "websocket" } else { "socketio" };
        assert_eq!(span["name"], "connection");
        assert_eq!((&span["wire"], &span["space"]), (&json!(label), &json!("/")));
        assert_eq!(span["user"], user.as_raw());
        assert!(span["connection.id"].as_str().unwrap().starts_with('c'), "{span}");
        let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
        assert!(!text.contains(&token) && !text.contains(&guest_token), "a token in the log");
        client.close().await;
    }
    server.stop().await;
}

/// The log line for a guest's token if guests are off.
const REFUSED_GUEST: &str = "guest token rejected: guests are disabled";
