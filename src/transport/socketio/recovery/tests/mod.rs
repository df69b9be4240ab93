//! A client that lost its transport continues, on raw sockets.

mod moving;

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use tokio::{
    io::DuplexStream,
    time::{Instant, timeout},
};

use crate::{
    domain::Limits,
    transport::socketio::test_support::{
        NEW, Stack, TEST_TIMEOUT, WebSocketFrames as _, connect, poll_for,
    },
};

const RECOVERY: Duration = Duration::from_mins(1);

fn recovering() -> Stack {
    Stack::with_limits(Limits { recovery: RECOVERY, ..Limits::default() })
}

/// A client on a raw WebSocket.
struct RawClient {
    socket: DuplexStream,
    sid: Value,
    pid: Value,
    offset: Value,
}

impl RawClient {
    /// Connects to a namespace with this `auth`.
    async fn open(stack: &Stack, namespace: &str, auth: &Value) -> Self {
        let (status, mut socket) = stack.open_websocket(NEW, 1 << 16).await;
        assert_eq!(status, StatusCode::SWITCHING_PROTOCOLS);
        socket.send_text(&format!("40{namespace}{auth}")).await;
        let mut answer = String::new();
        while !answer.starts_with("40") {
            answer = socket.receive_text().await.expect("an answer");
        }
        let answer: Value = json_from(&answer, '{');
        let (sid, pid) = (answer["sid"].clone(), answer["pid"].clone());
        Self { socket, sid, pid, offset: Value::Null }
    }

    /// Connects with a name.
    async fn identified(stack: &Stack, user: &str) -> Self {
        let mut client = Self::open(stack, "", &json!({})).await;
        client.identify(user).await;
        client
    }

    async fn identify(&mut self, user: &str) {
        self.socket.send_text(&format!(r#"429["new user","{user}"]"#)).await;
        self.event(|it| it[0] == "welcome").await;
        self.send("GroupList", &json!({})).await;
    }

    /// Sends a request and waits for the answer. Events before it are received, too.
    async fn send(&mut self, event: &str, data: &Value) {
        self.socket.send_text(&format!("427{}", json!([event, data]))).await;
        while !self.packet().await.starts_with("437[{\"ok\":true") {}
    }

    /// The next packet. That of an event sets the offset, as in the official client.
    async fn packet(&mut self) -> String {
        let text = self.socket.receive_text().await.expect("a packet");
        if let Some(event) = text.strip_prefix("42") {
            let event: Value = json_from(event, '[');
            let last = event.as_array().unwrap().last().unwrap();
            assert!(last.is_string() && event.as_array().unwrap().len() > 2, "{text}");
            self.offset = last.clone();
        }
        text
    }

    /// The next event that is wanted.
    async fn event(&mut self, is_wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let text = self.packet().await;
            let Some(event) = text.strip_prefix("42") else { continue };
            let event = serde_json::from_str(event).unwrap();
            if is_wanted(&event) {
                return event;
            }
        }
    }

    /// The text of the next message.
    async fn message(&mut self) -> Value {
        self.event(|it| it[0] == "new message").await[1]["msg"].clone()
    }

    /// What the client sends to continue.
    fn auth(&self) -> Value {
        json!({ "pid": self.pid, "offset": self.offset })
    }

    /// Loses the transport, and waits until the server has seen it.
    async fn lose(self, stack: &Stack) -> Value {
        let (auth, before) = (self.auth(), waiting(stack));
        drop(self.socket);
        wait_for_waiting(stack, before + 1).await;
        auth
    }
}

/// The JSON in a packet, which begins with this character.
fn json_from(packet: &str, first: char) -> Value {
    let (_, json) = packet.split_at(packet.find(first).expect("JSON"));
    serde_json::from_str(json).expect("JSON")
}

fn waiting(stack: &Stack) -> usize {
    stack.transport.context.recovery.count()
}

async fn wait_for_waiting(stack: &Stack, count: usize) {
    let reached = async {
        while waiting(stack) != count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(TEST_TIMEOUT, reached).await.expect("the server sees the loss");
}

#[tokio::test]
async fn a_client_continues_after_the_last_event_that_it_has() {
    let stack = recovering();
    let mut bob = RawClient::identified(&stack, "bob").await;
    let mut ann = RawClient::identified(&stack, "ann").await;
    bob.send("send message", &json!("seen")).await;
    assert_eq!(ann.message().await, "seen");
    let (sid, pid) = (ann.sid.clone(), ann.pid.clone());
    // Two events that the client does not read before the loss, and two while it is away.
    for text in ["one", "two"] {
        bob.send("send message", &json!(text)).await;
    }
    let auth = ann.lose(&stack).await;
    bob.send("send message", &json!("three")).await;
    bob.send("SingleChat", &json!({ "to": "ann", "data": "direct" })).await;

    let mut ann = RawClient::open(&stack, "", &auth).await;
    assert_eq!((&ann.sid, &ann.pid), (&sid, &pid));
    for text in ["one", "two", "three"] {
        assert_eq!(ann.message().await, text);
    }
    assert_eq!(ann.event(|it| it[0] != "x").await[1]["data"], "direct");
    ann.send("send message", &json!("back")).await;
    assert_eq!(stack.chat.connections(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_recovered_once_per_loss() {
    let stack = recovering();
    let ann = RawClient::identified(&stack, "ann").await;
    let first = ann.lose(&stack).await;
    let mut ann = RawClient::open(&stack, "", &first).await;
    assert_eq!(ann.pid, first["pid"]);
    let other = RawClient::open(&stack, "", &first).await;
    assert_ne!(other.pid, first["pid"], "it is in use");
    ann.send("send message", &json!("mine")).await;
    let second = ann.lose(&stack).await;
    let ann = RawClient::open(&stack, "", &second).await;
    assert_eq!(ann.pid, first["pid"], "and again after the next loss");
}

#[tokio::test]
async fn what_cannot_be_recovered_is_a_new_connection() {
    let stack = recovering();
    let mut open = Vec::new();
    for (number, change) in [
        json!({ "offset": "0" }),
        json!({ "offset": 7 }),
        json!({ "offset": null }),
        json!({ "since": {} }),
        json!({ "pid": "unknown" }),
        json!({ "pid": ["x"] }),
    ]
    .into_iter()
    .enumerate()
    {
        let ann = RawClient::identified(&stack, &format!("ann-{number}")).await;
        let mut auth = ann.lose(&stack).await;
        let pid = auth["pid"].clone();
        auth.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let again = RawClient::open(&stack, "", &auth).await;
        assert_ne!(again.pid, pid, "{change}");
        assert_eq!(again.pid.is_null(), change.get("since").is_some(), "{change}");
        // With the right `pid`, the session does not wait any more.
        assert_eq!(waiting(&stack), number.saturating_sub(3), "{change}");
        open.push(again);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stays_away_leaves() {
    let stack = recovering();
    let ann = RawClient::identified(&stack, "ann").await;
    let auth = ann.lose(&stack).await;
    let lost_at = Instant::now();
    stack.wait_for_connections(0).await;
    assert!(lost_at.elapsed() > RECOVERY / 2, "{:?}", lost_at.elapsed());
    let again = RawClient::open(&stack, "", &auth).await;
    assert_ne!(again.pid, auth["pid"]);
}

#[tokio::test(start_paused = true)]
async fn a_client_may_be_back_before_the_server_has_seen_the_loss() {
    let stack = recovering();
    let ann = RawClient::identified(&stack, "ann").await;
    let (auth, pid) = (ann.auth(), ann.pid.clone());
    let loses = async {
        // The time passes once all tasks wait, so the new connection is known by then.
        tokio::time::sleep(Duration::from_millis(500)).await;
        drop(ann);
    };
    let (again, ()) = tokio::join!(RawClient::open(&stack, "", &auth), loses);
    assert_eq!(again.pid, pid);
}

#[tokio::test]
async fn as_many_wait_as_may_connect() {
    let limits = Limits { recovery: RECOVERY, connections_max: 2, ..Limits::default() };
    let stack = Stack::with_limits(limits);
    RawClient::identified(&stack, "ann").await.lose(&stack).await;
    RawClient::identified(&stack, "bob").await.lose(&stack).await;
    let eve = RawClient::identified(&stack, "eve").await;
    drop(eve);
    stack.wait_for_connections(2).await;
    assert_eq!(waiting(&stack), 2);
}

#[tokio::test]
async fn a_client_that_leaves_is_not_awaited() {
    let stack = recovering();
    let mut ann = RawClient::identified(&stack, "ann").await;
    ann.socket.send_text("41").await;
    stack.wait_for_connections(0).await;
    assert_eq!(waiting(&stack), 0);
}

#[tokio::test]
async fn a_drain_ends_the_wait() {
    let stack = recovering();
    RawClient::identified(&stack, "ann").await.lose(&stack).await;
    stack.drain().await;
    timeout(TEST_TIMEOUT, stack.chat.drained()).await.expect("no connection waits");
    assert_eq!(waiting(&stack), 0);
}

#[tokio::test]
async fn each_space_is_recovered_by_itself() {
    let stack = recovering();
    let mut ann = RawClient::open(&stack, "/shop,", &json!({})).await;
    ann.socket.send_text(r#"42/shop,9["new user","ann"]"#).await;
    ann.socket.receive_containing("43/shop,9[true").await;
    let offset = ann.socket.receive_containing("\"welcome\"").await;
    ann.offset = offset.rsplit('"').nth(1).into();
    let (pid, auth) = (ann.pid.clone(), ann.lose(&stack).await);
    let other = RawClient::open(&stack, "", &auth).await;
    assert_ne!(other.pid, pid);
    let ann = RawClient::open(&stack, "/shop,", &auth).await;
    assert_eq!(ann.pid, pid);
}

#[tokio::test]
async fn polling_is_recovered_and_continues_on_a_websocket() {
    let stack = recovering();
    let polling_query = stack.open(4).await;
    stack.post(&polling_query, "40").await;
    let answer = poll_for(&stack, &polling_query, "40{").await;
    let pid = answer.split("\"pid\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    stack.post(&polling_query, "429[\"new user\",\"ann\"]\u{1e}3").await;
    let welcome = poll_for(&stack, &polling_query, "\"welcome\"").await;
    let welcome = welcome.split('\u{1e}').find(|it| it.contains("\"welcome\"")).unwrap();
    let offset = welcome.rsplit('"').nth(1).unwrap().to_owned();
    stack.post(&polling_query, "1").await;
    wait_for_waiting(&stack, 1).await;
    let mut bob = RawClient::identified(&stack, "bob").await;
    bob.send("send message", &json!("hi")).await;
    let auth = json!({ "pid": pid, "offset": offset });
    let mut ann = RawClient::open(&stack, "", &auth).await;
    assert_eq!(ann.pid, json!(pid));
    assert_eq!(ann.message().await, "hi");
}

#[tokio::test]
async fn other_clients_are_unaffected() {
    let stack = recovering();
    let polling_query = stack.open(3).await;
    assert!(!poll_for(&stack, &polling_query, ":40").await.contains("pid"));
    stack.post(&polling_query, r#"20:42["new user","ann"]"#).await;
    let welcome = poll_for(&stack, &polling_query, "\"welcome\"").await;
    assert!(welcome.contains("}}]"), "no argument follows: {welcome}");

    let off = Stack::start();
    let client = RawClient::open(&off, "", &json!({})).await;
    assert!(client.pid.is_null());
    let mut bob = connect(&off, 1 << 16, "bob").await;
    bob.send_text(r#"42["send message","hi"]"#).await;
    assert!(bob.receive_containing("new message").await.ends_with("}]"));
    drop(client);
    off.wait_for_connections(1).await;
}
