//! A client that lost its transport continues on another node.

use crate::bus::{BusFault, BusPath};

use super::*;
use crate::domain::NodeId;

fn limits() -> Limits {
    Limits { recovery: RECOVERY, ..Limits::default() }
}

/// The events of a client up to the message with this text, without presence.
async fn until_message(client: &mut RawClient, text: &str) -> Vec<Value> {
    let mut seen = Vec::new();
    loop {
        let event = client.event(|it| !it[0].as_str().unwrap().starts_with("get users")).await;
        let is_last = event[1]["msg"] == text;
        seen.push(if event[0] == "SingleChat" { event[1]["data"].clone() } else { event });
        if is_last {
            return seen;
        }
    }
}

/// What messages say, and the names of other events.
fn texts(events: &[Value]) -> Vec<&str> {
    events.iter().map(|it| it[1]["msg"].as_str().or(it.as_str()).unwrap_or("?")).collect()
}

#[tokio::test]
async fn a_client_continues_on_another_node_after_the_last_event_that_it_has() {
    let ([here, there], _bus) = Stack::two_nodes(limits()).await;
    let mut bob = RawClient::identified(&there, "bob").await;
    let mut ann = RawClient::identified(&here, "ann").await;
    let (sid, pid) = (ann.sid.clone(), ann.pid.clone());
    bob.send("send message", &json!("seen")).await;
    assert_eq!(ann.message().await, "seen");
    bob.send("send message", &json!("one")).await;
    let auth = ann.lose(&here).await;
    bob.send("send message", &json!("two")).await;
    bob.send("SingleChat", &json!({ "to": "ann", "data": "direct" })).await;
    bob.send("send message", &json!("three")).await;

    let mut ann = RawClient::open(&there, "", &auth).await;
    assert_eq!((&ann.sid, &ann.pid), (&sid, &pid));
    here.wait_for_connections(0).await;
    bob.send("send message", &json!("four")).await;
    let events = until_message(&mut ann, "four").await;
    assert_eq!(texts(&events), ["one", "two", "direct", "three", "four"]);
    ann.send("send message", &json!("back")).await;
    bob.event(|it| it[1]["msg"] == "back").await;

    // And back again, twice, once without an event in between.
    let auth = ann.lose(&there).await;
    let ann = RawClient::open(&here, "", &auth).await;
    assert_eq!(ann.pid, pid);
    let again = json!({ "pid": pid, "offset": auth["offset"] });
    drop(ann.lose(&here).await);
    bob.send("send message", &json!("five")).await;
    let mut ann = RawClient::open(&there, "", &again).await;
    assert_eq!((&ann.sid, &ann.pid), (&sid, &pid));
    assert_eq!(texts(&until_message(&mut ann, "five").await), ["five"]);
}

#[tokio::test]
async fn nobody_sees_that_the_client_moved() {
    let ([here, there], _bus) = Stack::two_nodes(limits()).await;
    let mut bob = RawClient::identified(&there, "bob").await;
    let ann = RawClient::identified(&here, "ann").await;
    bob.event(|it| it[0] == "user joined").await;
    let auth = ann.lose(&here).await;
    let mut ann = RawClient::open(&there, "", &auth).await;
    here.wait_for_connections(0).await;
    ann.send("send message", &json!("back")).await;
    for event in until_message(&mut bob, "back").await {
        assert_ne!(event[0], "user joined");
        assert_ne!(event[0], "user left");
    }
}

#[tokio::test]
async fn a_connection_moves_once_per_loss() {
    let ([here, there], _bus) = Stack::two_nodes(limits()).await;
    let auth = RawClient::identified(&here, "ann").await.lose(&here).await;
    let (one, other) =
        tokio::join!(RawClient::open(&there, "", &auth), RawClient::open(&here, "", &auth));
    let same = [&one, &other].iter().filter(|it| it.pid == auth["pid"]).count();
    assert_eq!(same, 1, "{:?} {:?}", one.pid, other.pid);
    let late = RawClient::open(&there, "", &auth).await;
    assert_ne!(late.pid, auth["pid"]);
}

#[tokio::test]
async fn what_cannot_be_continued_begins_anew_on_another_node() {
    let ([here, there], _bus) = Stack::two_nodes(limits()).await;
    for (number, change) in [
        json!({ "offset": "0" }),
        json!({ "offset": null }),
        json!({ "since": {} }),
        json!({ "pid": "unknown" }),
        json!({ "pid": "x".repeat(1000) }),
    ]
    .into_iter()
    .enumerate()
    {
        let mut auth =
            RawClient::identified(&here, &format!("ann-{number}")).await.lose(&here).await;
        let pid = auth["pid"].clone();
        auth.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let again = RawClient::open(&there, "", &auth).await;
        assert_ne!(again.pid, pid, "{change}");
        assert_eq!(again.pid.is_null(), change.get("since").is_some(), "{change}");
    }
    let auth = RawClient::identified(&here, "eve").await.lose(&here).await;
    let other_space = RawClient::open(&there, "/shop,", &auth).await;
    assert_ne!(other_space.pid, auth["pid"]);
}

#[tokio::test(start_paused = true)]
async fn without_an_answer_the_client_begins_anew() {
    let ([here, there], bus) = Stack::two_nodes(limits()).await;
    let ann = RawClient::identified(&here, "ann").await;
    let auth = ann.lose(&here).await;
    bus.inject_fault(BusPath { from: None, to: Some(NodeId::from_raw("n0")) }, BusFault::Cut);
    let asked_at = Instant::now();
    let again = RawClient::open(&there, "", &auth).await;
    assert_ne!(again.pid, auth["pid"]);
    assert!(asked_at.elapsed() < Duration::from_secs(3), "{:?}", asked_at.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_node_may_not_have_seen_the_loss_yet() {
    let ([here, there], _bus) = Stack::two_nodes(limits()).await;
    let ann = RawClient::identified(&here, "ann").await;
    let (auth, pid) = (ann.auth(), ann.pid.clone());
    let loses = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        drop(ann);
    };
    let (again, ()) = tokio::join!(RawClient::open(&there, "", &auth), loses);
    assert_eq!(again.pid, pid);
}

#[tokio::test]
async fn a_node_that_drains_hands_its_sessions_over() {
    let ([here, there], _bus) = Stack::two_nodes(limits()).await;
    let mut bob = RawClient::identified(&there, "bob").await;
    let mut ann = RawClient::identified(&here, "ann").await;
    let auth = RawClient::identified(&here, "eve").await.lose(&here).await;
    here.drain().await;
    while let Some(text) = ann.socket.receive_text().await {
        assert!(!text.contains("\"welcome\""));
    }
    wait_for_waiting(&here, 2).await;
    bob.send("send message", &json!("missed")).await;
    for auth in [ann.auth(), auth] {
        let mut client = RawClient::open(&there, "", &auth).await;
        assert_eq!(client.pid, auth["pid"]);
        assert_eq!(client.message().await, "missed");
    }
    timeout(TEST_TIMEOUT, here.chat.drained()).await.expect("no connection is left");
}

#[tokio::test]
async fn a_client_that_left_begins_anew_on_another_node() {
    let ([here, there], _bus) = Stack::two_nodes(limits()).await;
    let mut ann = RawClient::identified(&here, "ann").await;
    let auth = json!({ "pid": ann.pid, "offset": ann.offset });
    ann.socket.send_text("41").await;
    here.wait_for_connections(0).await;
    let again = RawClient::open(&there, "", &auth).await;
    assert_ne!(again.pid, auth["pid"]);
}
