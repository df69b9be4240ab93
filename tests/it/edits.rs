//! Edits and deletions: entries of the log, part of recovery, applied in history.

use serde_json::{Value, json};

use crate::{
    clients::{Client, ConnectOptions, Wire},
    harness::TestServer,
};

async fn history(client: &mut Client, of: Value) -> Vec<Value> {
    client.ask("history", of).await["messages"].as_array().unwrap().clone()
}

#[tokio::test]
async fn an_edit_reaches_all_members_and_changes_history() {
    let server = TestServer::on_disk().await;
    for wire in Wire::ALL {
        let there = json!({ "room": format!("room-{wire:?}") });
        let mut ann = Client::named(&server, wire, &format!("ann {wire:?}")).await;
        let mut bob = Client::named(&server, wire, &format!("bob {wire:?}")).await;
        for client in [&mut ann, &mut bob] {
            client.ask("join", there.clone()).await;
        }
        let room = there["room"].clone();
        let said =
            ann.ask("send message", json!({ "room": room, "msg": "helo", "id": "m1" })).await;
        let edit = json!({ "room": room, "seq": said["seq"], "msg": "hello" });
        let answer = ann.ask("edit message", edit.clone()).await;
        assert_eq!(answer, json!({ "ok": true, "seq": 2, "at": answer["at"] }));
        let told = json!({
            "room": room, "seq": 2, "of": 1, "id": "m1", "user": format!("ann {wire:?}"),
            "msg": "hello", "at": answer["at"],
        });
        assert_eq!(bob.next("message edited").await, told);
        assert_eq!(ann.next("message edited").await, told, "the author receives it, too");
        let page = history(&mut bob, there.clone()).await;
        assert_eq!(page[0]["msg"], "hello");
        assert_eq!(page[0]["editedAt"], answer["at"]);
        let mut flat = told.clone();
        flat["event"] = "message edited".into();
        assert_eq!(page[1], flat);
        assert_eq!(bob.refusal("edit message", edit.clone()).await, "forbidden");
        let mut deletion = edit;
        deletion.as_object_mut().unwrap().remove("msg");
        assert_eq!(bob.refusal("delete message", deletion).await, "forbidden");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_deleted_message_keeps_its_seq_and_has_no_body() {
    let server = TestServer::on_disk().await;
    for wire in Wire::ALL {
        let room = format!("room-{wire:?}");
        let mut ann = Client::named(&server, wire, &format!("ann {wire:?}")).await;
        let mut bob = Client::named(&server, wire, &format!("bob {wire:?}")).await;
        for client in [&mut ann, &mut bob] {
            client.ask("join", room.as_str()).await;
        }
        bob.ask("send message", json!({ "room": room, "msg": "secret" })).await;
        bob.ask("edit message", json!({ "room": room, "seq": 1, "msg": "a secret" })).await;
        let target = json!({ "room": room, "seq": 1 });
        let answer = ann.ask("delete message", target.clone()).await;
        assert_eq!(answer["seq"], 3, "ann owns the room");
        assert_eq!(bob.next("message deleted").await["of"], 1);
        let page = history(&mut bob, json!({ "room": room })).await;
        let (said, edit) = (&page[0], &page[1]);
        assert_eq!((said.get("msg"), &said["deleted"]), (None, &json!(true)));
        assert_eq!((edit.get("msg"), edit.get("deleted")), (None, None));
        assert_eq!(page[2]["event"], "message deleted");
        let again = ann.ask("delete message", target.clone()).await;
        assert_eq!((&again["seq"], &again["duplicate"]), (&json!(3), &json!(true)));
        let edit = json!({ "room": room, "seq": 1, "msg": "x" });
        assert_eq!(bob.refusal("edit message", edit).await, "no_such_message");
        for seq in [0, 2, 3, 99] {
            let missing = json!({ "room": room, "seq": seq });
            assert_eq!(ann.refusal("delete message", missing).await, "no_such_message", "{seq}");
        }
        let other_room = json!({ "room": "else", "seq": 1 });
        assert_eq!(ann.refusal("delete message", other_room).await, "not_member");
    }
    server.stop().await;
}

#[tokio::test]
async fn recovery_includes_edits_and_deletions() {
    let server = TestServer::on_disk().await;
    let mut ann = Client::named(&server, Wire::WebSocket, "ann").await;
    for text in ["one", "two", "three"] {
        ann.post(text).await;
    }
    ann.ask("edit message", json!({ "seq": 1, "msg": "eins" })).await;
    ann.ask("delete message", json!({ "seq": 2 })).await;
    let token = ann.token.clone();
    let check_recovery = async |server: &TestServer, wire| {
        let options = ConnectOptions::new().token(&token).since("lobby", 1);
        let mut back = Client::open(server, wire, options).await.ok().unwrap();
        back.next("welcome").await;
        let missed = back.missed("lobby").await.unwrap();
        let events: Vec<_> = missed.iter().map(|it| it["event"].as_str().unwrap()).collect();
        let expected = ["new message", "new message", "message edited", "message deleted"];
        assert_eq!(events, expected, "in the order of the log");
        assert_eq!((&missed[0]["deleted"], missed[0].get("msg")), (&json!(true), None));
        assert_eq!((&missed[2]["of"], &missed[2]["msg"]), (&json!(1), &json!("eins")));
    };
    for wire in Wire::ALL {
        check_recovery(&server, wire).await;
    }
    let server = server.restart().await;
    for wire in Wire::ALL {
        check_recovery(&server, wire).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn direct_messages_are_changed_by_their_author_only() {
    let server = TestServer::start().await;
    for wire in Wire::ALL {
        let (ann_name, bob_name) = (format!("ann {wire:?}"), format!("bob {wire:?}"));
        let mut ann = Client::named(&server, wire, &ann_name).await;
        let mut bob = Client::named(&server, wire, &bob_name).await;
        ann.ask("SingleChat", json!({ "to": bob_name, "data": "helo" })).await;
        let edit = json!({ "with": bob_name, "seq": 1, "msg": "hello" });
        ann.ask("edit message", edit).await;
        let told = bob.next("message edited").await;
        assert_eq!((&told["to"], &told["user"]), (&json!(bob_name), &json!(ann_name)));
        let theirs = json!({ "with": ann_name, "seq": 1 });
        assert_eq!(bob.refusal("delete message", theirs).await, "forbidden");
        ann.ask("delete message", json!({ "with": bob_name, "seq": 1 })).await;
        assert_eq!(bob.next("message deleted").await["of"], 1);
    }
    server.stop().await;
}

#[tokio::test]
async fn recovery_past_the_retention_limit_is_refused_as_a_whole() {
    let server = TestServer::on_disk().await;
    let mut ann = Client::named(&server, Wire::WebSocket, "ann").await;
    for number in 0..20 {
        ann.post(&format!("number {number}")).await;
    }
    let token = ann.token.clone();
    let server = server.restart_with(|config| config.retention.entries_max = 5).await;
    let mut back = Client::with_token(&server, Wire::WebSocket, &token).await;
    // The first sweep starts with the server. It has ended when the history is short.
    while history(&mut back, json!({ "limit": 100 })).await.len() > 5 {
        tokio::task::yield_now().await;
    }
    for wire in Wire::ALL {
        let connect = async |since| {
            let options = ConnectOptions::new().token(&token).since("lobby", since);
            let mut client = Client::open(&server, wire, options).await.ok().unwrap();
            client.next("welcome").await;
            client.missed("lobby").await
        };
        assert_eq!(connect(14).await, Err(20), "15 was removed");
        assert_eq!(connect(15).await.unwrap().len(), 5);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_foreign_epoch_is_not_recovered() {
    let server = TestServer::on_disk().await;
    let mut ann = Client::open(&server, Wire::WebSocket, ConnectOptions::new()).await.ok().unwrap();
    let epoch = ann.identify("ann").await["epoch"].as_str().unwrap().to_owned();
    for text in ["one", "two", "three"] {
        ann.post(text).await;
    }
    let token = ann.token.clone();
    for wire in Wire::ALL {
        let connect = async |epoch: &str| {
            let options = ConnectOptions::new().token(&token).since("lobby", 1).epoch(epoch);
            let mut client = Client::open(&server, wire, options).await.ok().unwrap();
            client.next("welcome").await;
            client.missed("lobby").await
        };
        assert_eq!(connect(&epoch).await.unwrap().len(), 2);
        assert_eq!(connect("another").await, Err(3), "the gap alone would be small enough");
    }
    let server = server.restart().await;
    let options = ConnectOptions::new().token(&token);
    let mut back = Client::open(&server, Wire::WebSocket, options).await.ok().unwrap();
    assert_eq!(back.next("welcome").await["epoch"], epoch, "the epoch of a database is stable");
    server.stop().await;
}
