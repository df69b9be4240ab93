//! Direct messages: between two users, on all of their connections, with a log of their own.

use std::collections::BTreeSet;

use roomcast::config::StoreKind;
use serde_json::{Value, json};

use crate::{
    clients::{Client, ConnectOptions, Wire},
    harness::TestServer,
};

#[tokio::test]
async fn a_direct_message_reaches_all_connections_of_both_users_except_the_sending_one() {
    let server = TestServer::start().await;
    for wire in Wire::ALL {
        let (ann_name, bob_name) = (format!("ann {wire:?}"), format!("bob {wire:?}"));
        let mut ann = Client::named(&server, wire, &ann_name).await;
        let mut her_other = Client::with_token(&server, Wire::Polling, &ann.token).await;
        let mut bob = Client::named(&server, Wire::SocketIo, &bob_name).await;
        let mut his_other = Client::with_token(&server, Wire::WebSocket, &bob.token).await;
        let mut eve = Client::named(&server, wire, &format!("eve {wire:?}")).await;
        let said = json!({ "to": bob_name, "data": { "psst": 1 }, "id": "d1" });
        let answer = ann.ask("SingleChat", said.clone()).await;
        assert_eq!((&answer["ok"], &answer["online"]), (&json!(true), &json!(true)));
        assert_eq!((&answer["to"], &answer["seq"]), (&json!(bob_name), &json!(1)));
        for client in [&mut her_other, &mut bob, &mut his_other] {
            let received = client.next("SingleChat").await;
            assert_eq!((&received["user"], &received["to"]), (&json!(ann_name), &json!(bob_name)));
            assert_eq!((&received["data"], &received["seq"]), (&json!({ "psst": 1 }), &json!(1)));
            assert_eq!((&received["id"], &received["at"]), (&json!("d1"), &answer["at"]));
        }
        // Bob's answer follows ann's message in the same conversation.
        let back = bob.ask("SingleChat", json!({ "to": ann_name, "data": "hm" })).await;
        assert_eq!(back["seq"], 2);
        assert_eq!(ann.next("SingleChat").await["data"], "hm");
        assert!(!ann.has_received("SingleChat").await, "not to the sending connection");
        assert!(!eve.has_received("SingleChat").await, "not to other users");
        assert_eq!(ann.ask("SingleChat", said).await["duplicate"], true);
        let other = json!({ "to": bob_name, "data": 2, "id": "d1" });
        assert_eq!(ann.refusal("SingleChat", other).await, "conflict");
    }
    server.stop().await;
}

#[tokio::test]
async fn only_the_two_users_can_page_their_direct_history() {
    let server = TestServer::start().await;
    let mut ann = Client::named(&server, Wire::WebSocket, "ann").await;
    let mut bob = Client::named(&server, Wire::SocketIo, "bob").await;
    let mut eve = Client::named(&server, Wire::Polling, "eve").await;
    for number in 0..5 {
        ann.ask("SingleChat", json!({ "to": "bob", "data": number })).await;
    }
    let hers = ann.ask("history", json!({ "with": "bob", "after": 2 })).await;
    let his = bob.ask("history", json!({ "with": "ann", "after": 2 })).await;
    assert_eq!(hers, his);
    let messages = hers["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 3);
    assert_eq!((&messages[0]["event"], &messages[0]["data"]), (&json!("SingleChat"), &json!(2)));
    for with in ["ann", "bob"] {
        let page = eve.ask("history", json!({ "with": with })).await;
        assert_eq!(page["messages"], json!([]));
    }
    drop((ann, bob, eve));
    server.stop().await;
}

#[tokio::test]
async fn direct_messages_can_be_sent_only_to_known_users() {
    let server = TestServer::on_disk().await;
    let mut bob = Client::named(&server, Wire::WebSocket, "bob").await;
    let token = bob.token.clone();
    // The message is stored after the name, so the user is known from here on.
    bob.post("hello").await;
    bob.close().await;
    server.has_connections(0).await;
    for wire in Wire::ALL {
        let mut ann = Client::named(&server, wire, &format!("ann {wire:?}")).await;
        server.has_connections(1).await;
        let answer = ann.ask("SingleChat", json!({ "to": "bob", "data": "later" })).await;
        assert_eq!((&answer["ok"], &answer["online"]), (&json!(true), &json!(false)));
        for (data, code) in [
            (json!({ "to": "nobody", "data": 1 }), "no_such_user"),
            (json!({ "to": "", "data": 1 }), "no_such_user"),
            (json!({ "data": 1 }), "bad_request"),
            (json!({ "to": "bob" }), "bad_request"),
            (json!({ "to": "bob", "data": null }), "message_empty"),
            (json!({ "to": "bob", "data": 1, "id": " " }), "id_invalid"),
            (json!("bob"), "bad_request"),
        ] {
            assert_eq!(ann.refusal("SingleChat", data.clone()).await, code, "{data}");
        }
        ann.close().await;
        server.has_connections(0).await;
    }
    let mut bob = Client::with_token(&server, Wire::WebSocket, &token).await;
    for wire in Wire::ALL {
        let page = bob.ask("history", json!({ "with": format!("ann {wire:?}") })).await;
        assert_eq!(page["messages"][0]["data"], "later");
    }
    drop(bob);
    server.stop().await;
}

#[tokio::test]
async fn a_user_may_send_a_direct_message_to_itself() {
    let server = TestServer::start().await;
    let mut ann = Client::named(&server, Wire::WebSocket, "ann").await;
    let mut her_other = Client::with_token(&server, Wire::SocketIo, &ann.token).await;
    let answer = ann.ask("SingleChat", json!({ "to": "ann", "data": "milk" })).await;
    assert_eq!((&answer["ok"], &answer["seq"]), (&json!(true), &json!(1)));
    assert_eq!(her_other.next("SingleChat").await["data"], "milk");
    ann.post("fence").await;
    ann.next("new message").await;
    her_other.next("new message").await;
    assert!(!her_other.has_received("SingleChat").await, "once");
    assert!(!ann.has_received("SingleChat").await);
    let page = ann.ask("history", json!({ "with": "ann" })).await;
    assert_eq!(page["messages"].as_array().map(Vec::len), Some(1));
    assert_eq!(page["more"], Value::Bool(false));
    drop((ann, her_other));
    server.stop().await;
}

#[tokio::test]
async fn welcome_lists_the_last_200_direct_conversations_in_memory_and_from_the_store() {
    const DIRECTS: usize = 205;
    let server = TestServer::with(|config| config.store = StoreKind::Sqlite).await;
    let token = server.token("ann", &["/"]);
    let ann = Client::with_token(&server, Wire::WebSocket, &token).await;
    for number in 0..DIRECTS {
        let mut guest = Client::named(&server, Wire::WebSocket, &format!("guest {number}")).await;
        guest.ask("SingleChat", json!({ "to": "ann", "data": number })).await;
        guest.close().await;
    }
    let last: BTreeSet<String> =
        (DIRECTS - 200..DIRECTS).map(|number| format!("guest {number}")).collect();
    for wire in Wire::ALL {
        assert_eq!(listed_directs(&server, wire, &token).await, last, "{wire:?}, in memory");
    }
    drop(ann);
    let server = server.restart().await;
    for wire in Wire::ALL {
        assert_eq!(listed_directs(&server, wire, &token).await, last, "{wire:?}, stored");
    }
    server.stop().await;
}

/// The users in `welcome.directs` of a new connection.
async fn listed_directs(server: &TestServer, wire: Wire, token: &str) -> BTreeSet<String> {
    let mut client =
        Client::open(server, wire, ConnectOptions::new().token(token)).await.ok().unwrap();
    let welcome = client.next("welcome").await;
    let directs = welcome["directs"].as_array().unwrap();
    directs.iter().map(|it| it["with"].as_str().unwrap().to_owned()).collect()
}
