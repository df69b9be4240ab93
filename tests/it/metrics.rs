//! Counters of a server, and the connection fields of its log lines.

use std::{
    io,
    sync::{Arc, Mutex},
};

use roomcast::{
    chat::ports::{Claims, Clock as _},
    clock::SystemClock,
    domain::Guests,
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
    let [plain, socketio] = ["websocket", "socketio"];
    // The client of the tests says goodbye on `/ws`, and ends the transport of Socket.IO.
    let closed = |wire| {
        let reason = if wire == plain { "client_namespace_disconnect" } else { "transport_close" };
        let name = "roomcast_connections_closed_total";
        server.metric(&format!(r#"{name}{{wire="{wire}",reason="{reason}"}}"#))
    };
    wait_for("the connections to be counted as closed", async {
        while closed(socketio) < 2 || closed(plain) < 1 {
            yield_now().await;
        }
    })
    .await;
    wait_for("the deliveries to end", async {
        while server.metric("roomcast_delivery_seconds_count") < 3 {
            yield_now().await;
        }
    })
    .await;
    for (wire, count) in [(plain, 1), (socketio, 2)] {
        let labelled = |name, labels| server.metric(&format!(r#"{name}{{wire="{wire}"{labels}}}"#));
        assert_eq!(labelled("roomcast_connections_opened_total", ""), count);
        assert_eq!(closed(wire), count);
        let requests = |labels| labelled("roomcast_requests_total", labels);
        assert_eq!(requests(r#",request="send message",code="ok""#), count);
        assert_eq!(requests(r#",request="send message",code="message_empty""#), count);
        assert_eq!(requests(r#",request="new user",code="ok""#), count);
        assert!(labelled("roomcast_answer_seconds_count", "") >= 3 * count);
    }
    for (series, value) in [
        (r#"roomcast_handshakes_rejected_total{code="unknown_space"}"#, 1),
        ("roomcast_messages_stored_total", 3),
        ("roomcast_commit_messages_sum", 3),
        // One client at a time, which receives its own message.
        ("roomcast_entries_delivered_total", 3),
        ("roomcast_delivery_seconds_count", 3),
        (r#"roomcast_store_read_seconds_count{read="is_registered"}"#, 3),
        ("roomcast_commits_failed_total", 0),
        ("roomcast_store_up", 1),
        ("roomcast_bus_up", 1),
        ("roomcast_journal_waiting", 0),
        ("roomcast_outbox_bytes", 0),
        ("roomcast_draining", 0),
    ] {
        assert_eq!(server.metric(series), value, "{series}");
    }
    server.stop().await;
}

#[tokio::test]
async fn the_bytes_of_a_message_are_counted_in_both_directions() {
    let server = TestServer::start().await;
    for wire in Wire::ALL {
        let mut client = Client::named(&server, wire, &format!("ann {wire:?}")).await;
        let bytes =
            || ["received", "sent"].map(|it| server.metric(&format!("roomcast_{it}_bytes_total")));
        let [received, sent] = bytes();
        client.post(&"x".repeat(10_000)).await;
        client.next("new message").await;
        // A write is counted after it, and the client may be faster.
        wait_for("the bytes to be counted", async {
            while bytes()[1] < sent + 10_000 {
                yield_now().await;
            }
        })
        .await;
        let added = bytes()[0] - received;
        assert!((10_000..11_000).contains(&added), "{wire:?}: {added}");
    }
    server.stop().await;
}

#[tokio::test]
async fn what_is_kept_for_recovery_does_not_prolong_its_delivery() {
    let server = TestServer::with(|config| config.limits.recovery_ms = 60_000).await;
    for (wire, count) in Wire::ALL.into_iter().zip(1..) {
        let mut client = Client::named(&server, wire, &format!("ann {wire:?}")).await;
        client.post("kept").await;
        wait_for("the delivery to end", async {
            while server.metric("roomcast_delivery_seconds_count") < count {
                yield_now().await;
            }
        })
        .await;
    }
    server.stop().await;
}

#[tokio::test]
async fn gauges_return_to_zero_after_churn() {
    let server = TestServer::with(|config| {
        config.limits.presence_grace_ms = 0;
    })
    .await;
    let connections = |server: &TestServer| {
        Wire::ALL.map(|wire| {
            let (wire, transport) = match wire {
                Wire::WebSocket => ("websocket", "websocket"),
                Wire::SocketIo => ("socketio", "websocket"),
                Wire::Polling => ("socketio", "polling"),
            };
            let labels = format!(r#"wire="{wire}",transport="{transport}",space="/""#);
            server.metric(&format!("roomcast_connections{{{labels}}}"))
        })
    };
    for round in 0..3 {
        let mut clients = Vec::new();
        for wire in Wire::ALL {
            clients.push(Client::named(&server, wire, &format!("ann {wire:?} {round}")).await);
        }
        assert_eq!(server.metric("roomcast_users_online"), 3);
        assert_eq!(connections(&server).iter().sum::<u64>(), 3);
        for client in clients {
            client.close().await;
        }
        wait_for("all gauges to be zero", async {
            let names = ["roomcast_users_online", "roomcast_rooms_live"];
            while connections(&server) != [0; 3]
                || names.iter().any(|name| server.metric(name) != 0)
            {
                yield_now().await;
            }
        })
        .await;
    }
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
    let server = TestServer::with(|config| config.guests = Guests::Off).await;
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
