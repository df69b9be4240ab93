//! Messages: receivers, order, idempotency and storage.

use serde_json::{Value, json};

use crate::{
    clients::{Client, Wire},
    harness::TestServer,
};

/// Connects one user per wire to the lobby.
async fn connect_all(server: &TestServer) -> [Client; 3] {
    [
        Client::named(server, Wire::WebSocket, "wanda").await,
        Client::named(server, Wire::SocketIo, "sion").await,
        Client::named(server, Wire::Polling, "polly").await,
    ]
}

#[tokio::test]
async fn a_message_reaches_all_members_including_its_sender() {
    let server = TestServer::start().await;
    let mut clients = connect_all(&server).await;
    for (sender, name) in ["wanda", "sion", "polly"].into_iter().enumerate() {
        let answer = clients[sender].ask("send message", json!({ "msg": "hi" })).await;
        assert_eq!((&answer["ok"], &answer["room"]), (&json!(true), &json!("lobby")));
        assert_eq!(answer["seq"], sender + 1);
        for client in &mut clients {
            let mut expected = answer.clone();
            expected.as_object_mut().unwrap().remove("ok");
            expected["username"] = name.into();
            expected["msg"] = "hi".into();
            assert_eq!(client.next("new message").await, expected);
        }
    }
    drop(clients);
    server.stop().await;
}

#[tokio::test]
async fn a_group_chat_skips_only_the_sending_connection() {
    let server = TestServer::start().await;
    for wire in Wire::ALL {
        let mut ann = Client::named(&server, wire, &format!("ann {wire:?}")).await;
        let mut her_other = Client::with_token(&server, Wire::WebSocket, &ann.token).await;
        let mut bob = Client::named(&server, Wire::SocketIo, &format!("bob {wire:?}")).await;
        let answer = ann.ask("GroupChat", json!({ "data": [1, 2], "id": "g1" })).await;
        assert_eq!((&answer["ok"], &answer["id"]), (&json!(true), &json!("g1")));
        for other in [&mut her_other, &mut bob] {
            let received = other.next("GroupChat").await;
            assert_eq!(received["data"], json!([1, 2]));
            assert_eq!(received["user"], format!("ann {wire:?}"));
            assert_eq!((&received["seq"], &received["at"]), (&answer["seq"], &answer["at"]));
        }
        ann.post("to all members").await;
        ann.next("new message").await;
        assert!(!ann.has_received("GroupChat").await, "{wire:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_bare_text_is_posted_to_the_default_room() {
    let server = TestServer::start().await;
    for wire in Wire::ALL {
        let mut ann = Client::named(&server, wire, &format!("ann {wire:?}")).await;
        assert_eq!(ann.ask("send message", "hi").await["room"], "lobby");
        assert_eq!(ann.next("new message").await["msg"], "hi");
        assert_eq!(ann.ask("GroupChat", "ho").await["room"], "lobby");
    }
    server.stop().await;
}

#[tokio::test]
async fn any_json_value_and_bytes_cross_from_wire_to_wire() {
    let server = TestServer::start().await;
    let mut clients = connect_all(&server).await;
    let bytes = json!({ "base64": "AAECgP8=" });
    let bodies = [
        json!("Grüße, \u{1f600} \" \\ \u{2028}"),
        json!(0),
        json!(false),
        json!([]),
        json!({}),
        json!({ "deep": [[{ "n": -1.5e3 }]], "null": null }),
        bytes.clone(),
        json!({ "name": "cat.png", "parts": [bytes, { "base64": "" }, "text"] }),
        json!({ "base64": "AA==", "and": "more" }),
    ];
    for body in bodies {
        for sender in 0..3 {
            clients[sender].ask("send message", json!({ "msg": body })).await;
            for client in &mut clients {
                assert_eq!(client.next("new message").await["msg"], body, "from {sender}");
            }
        }
    }
    drop(clients);
    server.stop().await;
}

#[tokio::test]
async fn a_repeated_id_gets_the_first_answer_and_is_stored_once() {
    let server = TestServer::start().await;
    let mut bob = Client::named(&server, Wire::WebSocket, "bob").await;
    for (wire, first) in Wire::ALL.into_iter().zip([1, 3, 5]) {
        let mut ann = Client::named(&server, wire, &format!("ann {wire:?}")).await;
        let once = ann.ask("send message", json!({ "msg": "hi", "id": "m1" })).await;
        assert_eq!(once["seq"], first);
        let mut expected = once.clone();
        expected["duplicate"] = true.into();
        assert_eq!(ann.ask("send message", json!({ "msg": "hi", "id": "m1" })).await, expected);
        assert_eq!(
            ann.refusal("send message", json!({ "msg": "ho", "id": "m1" })).await,
            "conflict"
        );
        assert_eq!(ann.post("the next").await, first + 1);
        assert_eq!(bob.next("new message").await["id"], "m1");
        assert_eq!(bob.next("new message").await["msg"], "the next", "m1 was received once");
    }
    // The id is unique per author.
    let answer = bob.ask("send message", json!({ "msg": "mine", "id": "m1" })).await;
    assert_eq!((&answer["ok"], &answer["duplicate"]), (&json!(true), &Value::Null));
    drop(bob);
    server.stop().await;
}

#[tokio::test]
async fn all_clients_receive_one_gapless_order_that_preserves_each_senders_order() {
    const EACH: usize = 300;
    let server = TestServer::start().await;
    let mut clients = connect_all(&server).await;
    let mut reader = Client::named(&server, Wire::SocketIo, "rita").await;
    let [wanda, sion, polly] = &mut clients;
    tokio::join!(send_numbers(wanda, EACH), send_numbers(sion, EACH), send_numbers(polly, EACH));
    let mut order = Vec::new();
    for seq in 1..=3 * EACH {
        let message = reader.next("new message").await;
        assert_eq!(message["seq"], seq);
        order.push(message);
    }
    for client in &mut clients {
        for expected in &order {
            assert_eq!(client.next("new message").await, *expected);
        }
    }
    for name in ["wanda", "sion", "polly"] {
        let own = order.iter().filter(|it| it["username"] == name);
        let own: Vec<_> = own.map(|it| it["msg"].as_u64().unwrap()).collect();
        assert!(own.into_iter().eq(0..EACH as u64), "{name}");
    }
    drop((clients, reader));
    server.stop().await;
}

/// Sends numbers without waiting, and then waits for all answers.
async fn send_numbers(client: &mut Client, count: usize) {
    let mut numbers = Vec::new();
    for number in 0..count {
        numbers.push(client.send("send message", json!({ "msg": number })).await);
    }
    let mut before = 0;
    for number in numbers {
        let answer = client.answer(number).await;
        let seq = answer["seq"].as_u64().unwrap_or_else(|| panic!("{answer}"));
        assert!(seq > before);
        before = seq;
    }
}

#[tokio::test]
async fn invalid_messages_are_refused_with_a_code_and_not_stored() {
    let server = TestServer::start().await;
    for wire in Wire::ALL {
        let mut ann = Client::named(&server, wire, &format!("ann {wire:?}")).await;
        for (data, code) in [
            (json!("  "), "message_empty"),
            (json!({ "msg": null }), "message_empty"),
            (json!({}), "bad_request"),
            (json!({ "msg": "\n\t" }), "message_empty"),
            (json!({ "msg": "x", "id": "" }), "id_invalid"),
            (json!({ "msg": "x", "id": "a b" }), "id_invalid"),
            (json!({ "msg": "x", "id": "x".repeat(65) }), "id_invalid"),
            (json!({ "msg": "x", "room": "a\nb" }), "room_invalid"),
            (json!({ "msg": "x", "room": "other" }), "not_member"),
            (json!({ "msg": "x", "room": 7 }), "bad_request"),
            (json!(7), "bad_request"),
            (json!(["x"]), "bad_request"),
        ] {
            assert_eq!(ann.refusal("send message", data.clone()).await, code, "{wire:?} {data}");
        }
        assert_eq!(ann.refusal("no such event", json!({})).await, "unknown_event");
        let page = ann.ask("history", Value::Null).await;
        assert_eq!(page["messages"], json!([]), "{wire:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn without_an_ack_refusals_and_answers_arrive_as_events() {
    let server = TestServer::start().await;
    for wire in Wire::ALL {
        let mut ann = Client::named(&server, wire, &format!("ann {wire:?}")).await;
        ann.emit("send message", json!({ "room": "other", "msg": "x" })).await;
        let refusal = ann.next("error message").await;
        assert_eq!(refusal["event"], "send message");
        assert_eq!(refusal["code"], "not_member");
        ann.emit("GroupList", Value::Null).await;
        assert_eq!(ann.next("GroupList").await["room"], "lobby");
        ann.emit("history", json!({ "limit": 1 })).await;
        assert_eq!(ann.next("history").await["messages"], json!([]));
    }
    server.stop().await;
}

#[tokio::test]
async fn messages_and_ids_survive_a_restart() {
    let server = TestServer::on_disk().await;
    let mut ann = Client::named(&server, Wire::WebSocket, "ann").await;
    let mut sion = Client::named(&server, Wire::SocketIo, "sion").await;
    let body = json!({ "file": { "base64": "AAEC" } });
    let first = ann.ask("send message", json!({ "msg": body, "id": "m1" })).await;
    sion.ask("GroupChat", json!({ "data": "ho", "id": "g1" })).await;
    ann.ask("SingleChat", json!({ "to": "sion", "data": "psst", "id": "d1" })).await;
    let before = ann.ask("history", Value::Null).await;
    assert_eq!(before["messages"][0]["msg"], body);
    assert_eq!(before["messages"][1]["event"], "GroupChat");
    let token = ann.token.clone();
    drop((ann, sion));

    let server = server.restart().await;
    let mut ann = Client::with_token(&server, Wire::Polling, &token).await;
    assert_eq!(ann.ask("history", Value::Null).await, before);
    let direct = ann.ask("history", json!({ "with": "sion" })).await;
    assert_eq!(direct["messages"][0]["data"], "psst");
    let again = ann.ask("send message", json!({ "msg": body, "id": "m1" })).await;
    assert_eq!((&again["seq"], &again["at"]), (&first["seq"], &first["at"]));
    assert_eq!(again["duplicate"], true);
    assert_eq!(ann.post("continues").await, 3);
    drop(ann);
    server.stop().await;
}

#[tokio::test]
async fn history_is_paged_both_ways() {
    let server = TestServer::start().await;
    let mut ann = Client::named(&server, Wire::WebSocket, "ann").await;
    for number in 1..=60 {
        ann.post(&format!("number {number}")).await;
    }
    for wire in Wire::ALL {
        let mut bob = Client::named(&server, wire, &format!("bob {wire:?}")).await;
        for (data, first, last, more) in [
            (json!({}), 11, 60, true),
            (json!({ "limit": 200 }), 1, 60, false),
            (json!({ "before": 11, "limit": 10 }), 1, 10, false),
            (json!({ "before": 12, "limit": 10 }), 2, 11, true),
            (json!({ "after": 50, "limit": 10 }), 51, 60, false),
            (json!({ "after": 49, "limit": 10 }), 50, 59, true),
            (json!({ "room": "lobby", "after": 0, "limit": 1 }), 1, 1, true),
        ] {
            let page = bob.ask("history", data.clone()).await;
            let messages = page["messages"].as_array().unwrap();
            let seqs = messages.iter().map(|it| it["seq"].as_u64().unwrap());
            assert!(seqs.eq(first..=last), "{data}: {page}");
            assert_eq!(page["more"], more, "{data}");
        }
        let nothing = bob.ask("history", json!({ "after": 60 })).await;
        assert_eq!((&nothing["messages"], &nothing["more"]), (&json!([]), &json!(false)));
        assert_eq!(bob.refusal("history", json!({ "room": "other" })).await, "not_member");
    }
    drop(ann);
    server.stop().await;
}
