//! Guest names, and the precedence of users.

use roomcast::{
    config::StoreKind,
    domain::{GuestDevices, Guests},
};
use serde_json::{Value, json};

use crate::{
    clients::{Client, ConnectOptions, Wire},
    harness::{TestServer, wait_for},
};

#[tokio::test]
async fn a_name_confusable_with_an_online_name_is_refused() {
    let server = TestServer::start().await;
    let guest = Client::named(&server, Wire::WebSocket, "Zoe\u{301} Lee").await;
    let user = Client::with_token(&server, Wire::SocketIo, &server.token("Bob", &[])).await;
    for wire in Wire::ALL {
        let mut other = Client::open(&server, wire, ConnectOptions::new()).await.ok().unwrap();
        for name in ["zo\u{e9} lee", "ZO\u{c9}\u{a0}LEE", "Zoé  Lee", "bob", "BOB", "ｂｏｂ"] {
            assert_eq!(other.refusal("new user", name).await, "name_taken", "{wire:?} {name}");
        }
        for name in ["a\u{200d}b", "a\u{2066}b", "\u{3164}", "ann\u{e0020}", &"x".repeat(33)] {
            assert_eq!(other.refusal("new user", name).await, "name_invalid", "{wire:?} {name:?}");
        }
        let welcome = other.identify(&format!("e\u{301} {wire:?}")).await;
        assert_eq!(welcome["user"], format!("\u{e9} {wire:?}"), "normalized");
    }
    drop((guest, user));
    server.stop().await;
}

#[tokio::test]
async fn a_name_confusable_with_a_back_end_user_stays_refused() {
    let server = TestServer::with(|config| {
        config.store = StoreKind::Sqlite;
        config.limits.presence_grace_ms = 1;
    });
    let server = server.await;
    let token = server.token("Ann Lee", &[]);
    Client::with_token(&server, Wire::WebSocket, &token).await.close().await;
    let server = server.restart().await;
    for wire in Wire::ALL {
        let mut guest = Client::open(&server, wire, ConnectOptions::new()).await.ok().unwrap();
        for name in ["Ann Lee", "ann lee", "ANN\u{2003}LEE"] {
            assert_eq!(guest.refusal("new user", name).await, "name_taken", "{wire:?} {name}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_back_end_user_replaces_the_guest_with_the_same_name() {
    let server = TestServer::start().await;
    for (number, wire) in Wire::ALL.into_iter().enumerate() {
        let name = format!("ann{number}");
        let mut guest = Client::named(&server, wire, &name).await;
        let old = guest.token.clone();
        let mut alike = Client::named(&server, wire, &format!("bob{number}")).await;
        let (user, other) = (server.token(&name, &[]), server.token(&format!("BOB{number}"), &[]));
        let mut ann = Client::with_token(&server, wire, &user).await;
        let _bob = Client::with_token(&server, wire, &other).await;
        for guest in [&mut guest, &mut alike] {
            let closing = guest.next("closing").await;
            assert_eq!(
                (&closing["code"], &closing["reconnect"]),
                (&"name_taken".into(), &false.into())
            );
            assert_eq!(guest.end().await, (wire == Wire::WebSocket).then_some(4502));
        }
        let back = Client::open(&server, wire, ConnectOptions::new().token(&old)).await;
        assert_eq!(back.err().unwrap().code, "name_taken");
        ann.post("it is me").await;
    }
    server.stop().await;
}

#[tokio::test]
async fn with_guests_off_only_back_end_tokens_are_accepted() {
    let server = TestServer::with(|config| config.store = StoreKind::Sqlite).await;
    let guest = Client::named(&server, Wire::WebSocket, "guest").await;
    let old = guest.token.clone();
    drop(guest);
    let server = server.restart_with(|config| config.guests = Guests::Off).await;
    for wire in Wire::ALL {
        let refused = Client::open(&server, wire, ConnectOptions::new().token(&old)).await;
        assert_eq!(refused.err().unwrap().code, "unauthorized", "an earlier token of a guest");
    }
    let mut anonymous =
        Client::open(&server, Wire::WebSocket, ConnectOptions::new()).await.ok().unwrap();
    let closing = anonymous.next("closing").await;
    assert_eq!((&closing["code"], &closing["reconnect"]), (&"invalid_user".into(), &false.into()));
    assert_eq!(anonymous.end().await, Some(4001));
    server.stop().await;
}

/// Opens an anonymous connection with a device.
async fn open_with(server: &TestServer, wire: Wire, device: &str) -> Client {
    Client::open(server, wire, ConnectOptions::new().device(device)).await.ok().unwrap()
}

#[tokio::test]
async fn a_guest_without_the_token_gets_the_name_back_with_the_same_device() {
    let server = TestServer::start().await;
    for wire in Wire::ALL {
        let (name, device) = (format!("ann {wire:?}"), format!("phone-{wire:?}"));
        let mut bob = Client::named(&server, wire, &format!("bob {wire:?}")).await;
        let mut ann = open_with(&server, wire, &device).await;
        ann.identify(&name).await;
        ann.ask("join", "den").await;
        ann.ask("SingleChat", json!({ "to": format!("bob {wire:?}"), "data": "hi" })).await;
        let before = server.connections();
        ann.close().await;
        server.has_connections(before - 1).await;
        let mut other = open_with(&server, wire, "another").await;
        assert_eq!(other.refusal("send message", "not mine").await, "not_identified");
        assert_eq!(other.refusal("new user", name.as_str()).await, "name_taken");
        let mut back = open_with(&server, wire, &device).await;
        let buffered = back.send("send message", "buffered").await;
        let welcome = back.identify(&name).await;
        assert_eq!(welcome["user"], name);
        assert_eq!(welcome["directs"].as_array().map(Vec::len), Some(1), "the same guest");
        assert_eq!(back.answer(buffered).await["ok"], true);
        assert_eq!(bob.next("new message").await["username"], name);
        assert!(!bob.has_received("user left").await, "within the grace period");
    }
    server.stop().await;
}

#[tokio::test]
async fn held_messages_are_refused_unless_the_same_guest_returns() {
    let server = TestServer::start().await;
    for wire in Wire::ALL {
        let (name, device) = (format!("ann {wire:?}"), format!("phone-{wire:?}"));
        open_with(&server, wire, &device).await.identify(&name).await;
        for event in ["new user", "GroupList"] {
            let mut client = open_with(&server, wire, &device).await;
            let held = client.send("send message", "x").await;
            let data =
                if event == "new user" { json!(format!("cleo {wire:?}")) } else { Value::Null };
            client.send(event, data).await;
            assert_eq!(client.answer(held).await["code"], "not_identified", "{event}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn with_guest_devices_off_only_the_token_gets_the_name_back() {
    let server =
        TestServer::with(|config| config.token.guest_devices = GuestDevices::Ignored).await;
    let mut ann = open_with(&server, Wire::WebSocket, "phone").await;
    ann.identify("ann").await;
    let token = ann.token.clone();
    ann.close().await;
    let mut back = open_with(&server, Wire::WebSocket, "phone").await;
    assert_eq!(back.refusal("send message", "x").await, "not_identified");
    assert_eq!(back.refusal("new user", "ann").await, "name_taken");
    drop(Client::with_token(&server, Wire::WebSocket, &token).await);
    drop(back);
    server.stop().await;
}

#[tokio::test]
async fn a_guest_inherits_nothing_from_an_earlier_guest_of_the_same_name() {
    let server = TestServer::with(|config| config.limits.presence_grace_ms = 0).await;
    for wire in Wire::ALL {
        let (name, friend) = (format!("ann {wire:?}"), format!("bob {wire:?}"));
        let mut bob = Client::named(&server, wire, &friend).await;
        let mut first = Client::named(&server, wire, &name).await;
        let seq = first.post("mine").await;
        first.ask("SingleChat", json!({ "to": friend, "data": "between us" })).await;
        let before = server.connections();
        first.close().await;
        server.has_connections(before - 1).await;
        let mut next = Client::open(&server, wire, ConnectOptions::new()).await.ok().unwrap();
        let welcome = next.identify(&name).await;
        assert_eq!(welcome["directs"], json!([]));
        for range in [json!({}), json!({ "after": 0 }), json!({ "before": 9 })] {
            let mut of = range.clone();
            of["with"] = json!(friend);
            let page = next.ask("history", of).await;
            assert_eq!((&page["messages"], &page["more"]), (&json!([]), &json!(false)), "{range}");
        }
        let theirs = json!({ "seq": seq, "msg": "not mine" });
        assert_eq!(next.refusal("edit message", theirs).await, "forbidden");
        assert_eq!(next.refusal("delete message", json!({ "seq": seq })).await, "forbidden");
        let theirs = json!({ "with": friend, "seq": 1, "msg": "not mine" });
        assert_eq!(next.refusal("edit message", theirs).await, "forbidden");
        bob.ask("SingleChat", json!({ "to": name, "data": "hello" })).await;
        let page = next.ask("history", json!({ "with": friend })).await;
        assert_eq!(page["messages"].as_array().unwrap().len(), 1, "messages to the user");
        let mine = next.post("mine").await;
        let edit = json!({ "seq": mine, "msg": "still mine" });
        assert_eq!(next.ask("edit message", edit).await["ok"], true);
    }
    server.stop().await;
}

/// Connects a new guest as soon as the name is free.
async fn next_guest(server: &TestServer, wire: Wire, name: &str) -> Client {
    let mut client = Client::open(server, wire, ConnectOptions::new()).await.ok().unwrap();
    wait_for("a free name", async {
        loop {
            let answer = client.ask("new user", name).await;
            if answer["ok"] == true {
                answer["token"].as_str().unwrap().clone_into(&mut client.token);
                return;
            }
            assert_eq!(answer["code"], "name_taken");
        }
    })
    .await;
    client
}

#[tokio::test]
async fn an_id_belongs_to_the_guest_session_and_not_to_the_name() {
    let server = TestServer::with(|config| {
        config.store = StoreKind::Sqlite;
        config.limits.presence_grace_ms = 1;
    });
    let server = server.await;
    let mut tokens = Vec::new();
    for wire in Wire::ALL {
        let (name, bob_name) = (format!("ann {wire:?}"), format!("bob {wire:?}"));
        let mut bob = Client::with_token(&server, wire, &server.token(&bob_name, &[])).await;
        let posts = [
            ("SingleChat", json!({ "to": bob_name, "data": "hi", "id": "same" })),
            ("send message", json!({ "msg": "hi", "id": format!("same-{wire:?}") })),
        ];
        let mut ann = Client::named(&server, wire, &name).await;
        let mut first = Vec::new();
        for (event, post) in posts.clone() {
            first.push(ann.ask(event, post).await["seq"].as_u64().unwrap());
        }
        let token = ann.token.clone();
        ann.close().await;
        assert_eq!(bob.next("user left").await["user"], name);
        let mut back = Client::with_token(&server, wire, &token).await;
        for ((event, post), seq) in posts.clone().into_iter().zip(&first) {
            let answer = back.ask(event, post).await;
            assert_eq!((&answer["seq"], &answer["duplicate"]), (&json!(seq), &json!(true)));
        }
        back.close().await;
        assert_eq!(bob.next("user left").await["user"], name);

        let mut second = next_guest(&server, wire, &name).await;
        for ((event, post), seq) in posts.clone().into_iter().zip(&first) {
            let answer = second.ask(event, post.clone()).await;
            assert!(answer["seq"].as_u64().unwrap() > *seq, "{answer}");
            assert_eq!(answer.get("duplicate"), None);
            assert_eq!(second.ask(event, post).await["duplicate"], true, "{event}");
        }
        let other = json!({ "to": bob_name, "data": "else", "id": "same" });
        assert_eq!(second.refusal("SingleChat", other).await, "conflict");
        let change = json!({ "seq": first[1], "msg": "not mine" });
        assert_eq!(second.refusal("edit message", change).await, "forbidden");
        tokens.push((wire, second.token.clone(), posts));
    }
    let server = server.restart().await;
    for (wire, token, posts) in tokens {
        let mut ann = Client::with_token(&server, wire, &token).await;
        for (event, post) in posts {
            assert_eq!(ann.ask(event, post).await["duplicate"], true, "after a restart");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_guest_may_change_own_messages_after_joining_again() {
    let server = TestServer::start().await;
    for wire in Wire::ALL {
        let there = format!("room-{wire:?}");
        let mut ann = Client::named(&server, wire, &format!("ann {wire:?}")).await;
        let mut bob = Client::named(&server, wire, &format!("bob {wire:?}")).await;
        for client in [&mut ann, &mut bob] {
            client.ask("join", there.as_str()).await;
            client.ask("send message", json!({ "room": there, "msg": "hi" })).await;
        }
        bob.ask("leave", there.as_str()).await;
        bob.ask("join", there.as_str()).await;
        let change = |seq: u64| json!({ "room": there, "seq": seq, "msg": "hello" });
        assert_eq!(bob.ask("edit message", change(2)).await["ok"], true);
        assert_eq!(bob.refusal("edit message", change(1)).await, "forbidden");
        let deletion = json!({ "room": there, "seq": 2 });
        assert_eq!(bob.ask("delete message", deletion).await["ok"], true);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_guest_is_forgotten_after_the_end_of_the_token() {
    let server = TestServer::with(|config| {
        config.store = StoreKind::Sqlite;
        config.token.guest_ttl_secs = 1;
        config.retention.sweep_secs = 1;
        config.limits.presence_grace_ms = 0;
    })
    .await;
    let mut bob = Client::with_token(&server, Wire::WebSocket, &server.token("bob", &[])).await;
    let ann = Client::named(&server, Wire::SocketIo, "ann").await;
    let to_ann = json!({ "to": "ann", "data": "hello", "id": "once" });
    assert_eq!(bob.ask("SingleChat", to_ann.clone()).await["seq"], 1);
    ann.close().await;
    wait_for("the end of the guest", async {
        while bob.ask("SingleChat", to_ann.clone()).await["code"] != "no_such_user" {}
    })
    .await;
    let page = bob.ask("history", json!({ "with": "ann" })).await;
    assert_eq!(page["messages"].as_array().map(Vec::len), Some(1), "entries stay");
    server.stop().await;
}
