//! Read positions, typing events and notifications.

use roomcast::{
    chat::ports::{Claims, Rooms},
    domain::{RoomPattern, UserName},
};
use serde_json::{Value, json};

use crate::{
    clients::{Client, ConnectOptions, Wire},
    harness::TestServer,
};

async fn connect(server: &TestServer, wire: Wire, user: &str) -> (Client, Value) {
    let options = ConnectOptions::new().token(&server.token(user, &[]));
    let mut client = Client::open(server, wire, options).await.ok().unwrap();
    let welcome = client.next("welcome").await;
    (client, welcome)
}

async fn connect_admin(server: &TestServer, wire: Wire) -> Client {
    let until = time::UtcDateTime::now().to_offset(time::UtcOffset::UTC) + time::Duration::HOUR;
    let claims = Claims::of(UserName::parse("root").unwrap(), until);
    let token = server.token_of(&Claims { admin: true, ..claims });
    Client::with_token(server, wire, &token).await
}

#[tokio::test]
async fn a_read_position_is_shared_by_all_devices_and_only_moves_forward() {
    let server = TestServer::on_disk().await;
    for wire in Wire::ALL {
        let (name, there) = (format!("ann {wire:?}"), format!("room-{wire:?}"));
        let (mut phone, _) = connect(&server, wire, &name).await;
        let (mut laptop, _) = connect(&server, wire, &name).await;
        let mut bob = Client::named(&server, wire, &format!("bob {wire:?}")).await;
        for client in [&mut phone, &mut bob] {
            client.ask("join", there.as_str()).await;
        }
        for text in ["one", "two", "three"] {
            bob.ask("send message", json!({ "room": there, "msg": text })).await;
        }
        let read = |seq: u64| json!({ "room": there, "seq": seq });
        let answer = phone.ask("read", read(2)).await;
        assert_eq!((&answer["seq"], &answer["unread"]), (&json!(2), &json!(1)));
        let told = laptop.next("read").await;
        assert_eq!(told, json!({ "room": there, "user": name, "seq": 2, "unread": 1 }));
        let told = bob.next("read").await;
        assert_eq!(told, json!({ "room": there, "user": name, "seq": 2 }));
        assert_eq!(phone.ask("read", read(1)).await["seq"], 2, "it only moves forward");
        let all = phone.ask("read", read(999)).await;
        assert_eq!((&all["seq"], &all["unread"]), (&json!(3), &json!(0)), "not past the end");
        let answer = phone.ask("send message", json!({ "room": there, "msg": "four" })).await;
        assert_eq!(answer["seq"], 4);
        let (_, welcome) = connect(&server, wire, &name).await;
        let rooms = welcome["rooms"].as_array().unwrap();
        let found = rooms.iter().find(|it| it["room"] == *there).unwrap();
        assert_eq!((&found["read"], &found["unread"]), (&json!(4), &json!(0)), "sending reads");
        assert_eq!(phone.refusal("read", json!({ "room": "else", "seq": 1 })).await, "not_member");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_reply_reads_what_was_unread_before_it() {
    let server = TestServer::start().await;
    for wire in Wire::ALL {
        let (ann_name, bob_name) = (format!("ann {wire:?}"), format!("bob {wire:?}"));
        let (mut phone, _) = connect(&server, wire, &ann_name).await;
        let (mut laptop, _) = connect(&server, wire, &ann_name).await;
        let mut bob = Client::named(&server, wire, &bob_name).await;
        let there = format!("room-{wire:?}");
        for client in [&mut phone, &mut bob] {
            client.ask("join", there.as_str()).await;
        }
        bob.ask("send message", json!({ "room": there, "msg": "one" })).await;
        phone.ask("send message", json!({ "room": there, "msg": "two" })).await;
        let told = json!({ "room": there, "user": ann_name, "seq": 2, "unread": 0 });
        assert_eq!(laptop.next("read").await, told);
        assert_eq!(bob.next("read").await, json!({ "room": there, "user": ann_name, "seq": 2 }));
        bob.ask("SingleChat", json!({ "to": ann_name, "data": "one" })).await;
        phone.ask("SingleChat", json!({ "to": bob_name, "data": "two" })).await;
        let told = json!({ "with": bob_name, "user": ann_name, "seq": 2, "unread": 0 });
        assert_eq!(laptop.next("read").await, told);
        assert_eq!(bob.next("read").await, json!({ "with": ann_name, "user": ann_name, "seq": 2 }));
        assert!(!phone.has_received("read").await, "the answer says it");
    }
    server.stop().await;
}

#[tokio::test]
async fn read_events_are_not_sent_to_connections_whose_token_excludes_the_room() {
    let server = TestServer::start().await;
    for wire in Wire::ALL {
        let (name, there) = (format!("ann {wire:?}"), format!("room-{wire:?}"));
        let (mut wide, _) = connect(&server, wire, &name).await;
        wide.ask("join", there.as_str()).await;
        let until = time::UtcDateTime::now().to_offset(time::UtcOffset::UTC) + time::Duration::HOUR;
        let lobby = vec![(RoomPattern::parse("lobby").unwrap(), None)];
        let claims = Claims::of(UserName::parse(&name).unwrap(), until);
        let token = server.token_of(&Claims { rooms: Rooms::Only(lobby), ..claims });
        let mut narrow = Client::with_token(&server, wire, &token).await;
        let mut bob = Client::named(&server, wire, &format!("bob {wire:?}")).await;
        bob.ask("join", there.as_str()).await;
        bob.ask("send message", json!({ "room": there, "msg": "one" })).await;
        let seq = bob.post("two").await;
        for (room, seq) in [(there.as_str(), 1), ("lobby", seq)] {
            wide.ask("read", json!({ "room": room, "seq": seq })).await;
        }
        assert_eq!(narrow.next("read").await["room"], "lobby", "the first `read` event");
    }
    server.stop().await;
}

#[tokio::test]
async fn direct_messages_are_kept_for_offline_users_and_have_read_positions() {
    let server = TestServer::on_disk().await;
    for wire in Wire::ALL {
        let (ann_name, bob_name) = (format!("ann {wire:?}"), format!("bob {wire:?}"));
        let (bob, _) = connect(&server, wire, &bob_name).await;
        bob.close().await;
        let (mut ann, _) = connect(&server, wire, &ann_name).await;
        for text in ["one", "two"] {
            ann.ask("SingleChat", json!({ "to": bob_name, "data": text })).await;
        }
        let (mut bob, welcome) = connect(&server, wire, &bob_name).await;
        let waiting = json!([{ "with": ann_name, "seq": 2, "unread": 2, "read": 0 }]);
        assert_eq!(welcome["directs"], waiting);
        let (mut other, _) = connect(&server, wire, &bob_name).await;
        let answer = bob.ask("read", json!({ "with": ann_name, "seq": 2 })).await;
        assert_eq!((&answer["seq"], &answer["unread"]), (&json!(2), &json!(0)));
        let told = other.next("read").await;
        assert_eq!(told, json!({ "with": ann_name, "user": bob_name, "seq": 2, "unread": 0 }));
        let told = ann.next("read").await;
        assert_eq!(told, json!({ "with": bob_name, "user": bob_name, "seq": 2 }));
        let nothing = bob.ask("read", json!({ "with": bob_name, "seq": 7 })).await;
        assert_eq!(
            (&nothing["seq"], &nothing["unread"]),
            (&json!(0), &json!(0)),
            "no messages yet"
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn a_conversation_is_muted_on_all_devices() {
    let server = TestServer::on_disk().await;
    for wire in Wire::ALL {
        let (mut phone, _) = connect(&server, wire, "ann").await;
        let (mut laptop, _) = connect(&server, wire, "ann").await;
        for muted in [true, false] {
            assert_eq!(phone.ask("mute", json!({ "muted": muted })).await["muted"], muted);
            let told = laptop.next("membership").await;
            assert_eq!(told.get("muted"), muted.then_some(&json!(true)));
        }
        let unknown = json!({ "with": "nobody", "muted": true });
        assert_eq!(phone.refusal("mute", unknown).await, "not_member");
    }
    server.stop().await;
}

#[tokio::test]
async fn typing_events_reach_the_other_members() {
    let server = TestServer::start().await;
    for wire in Wire::ALL {
        let (ann_name, bob_name) = (format!("ann {wire:?}"), format!("bob {wire:?}"));
        let mut ann = Client::named(&server, wire, &ann_name).await;
        let mut bob = Client::named(&server, wire, &bob_name).await;
        ann.ask("GroupList", Value::Null).await;
        assert_eq!(ann.ask("typing", json!({ "typing": true })).await, json!({ "ok": true }));
        let told = |typing| json!({ "room": "lobby", "user": ann_name, "typing": typing });
        assert_eq!(bob.next("typing").await, told(true));
        ann.ask("typing", json!({ "typing": false })).await;
        assert_eq!(bob.next("typing").await, told(false));
        ann.ask("typing", json!({ "to": bob_name, "typing": true })).await;
        let direct = json!({ "with": ann_name, "user": ann_name, "typing": true });
        assert_eq!(bob.next("typing").await, direct);
        ann.close().await;
        assert_eq!(bob.next("typing").await["typing"], false, "it ends with the connection");
    }
    server.stop().await;
}

#[tokio::test]
async fn typing_ends_when_the_user_leaves_or_is_removed() {
    let server = TestServer::start().await;
    for wire in Wire::ALL {
        let ann_name = format!("ann {wire:?}");
        let (mut ann, _) = connect(&server, wire, &ann_name).await;
        let (mut bob, _) = connect(&server, wire, &format!("bob {wire:?}")).await;
        for is_kicked in [false, true] {
            let there = format!("room-{wire:?}-{is_kicked}");
            for client in [&mut bob, &mut ann] {
                client.ask("join", there.as_str()).await;
            }
            ann.ask("typing", json!({ "room": there, "typing": true })).await;
            assert_eq!(bob.next("typing").await["typing"], true);
            if is_kicked {
                bob.ask("kick", json!({ "room": there, "user": ann_name })).await;
            } else {
                ann.ask("leave", there.as_str()).await;
            }
            let ended = json!({ "room": there, "user": ann_name, "typing": false });
            assert_eq!(bob.next("typing").await, ended, "kicked: {is_kicked}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn welcome_is_the_same_before_and_after_a_restart() {
    let server = TestServer::on_disk().await;
    let mut root = connect_admin(&server, Wire::WebSocket).await;
    let mut bob = Client::named(&server, Wire::WebSocket, "bob").await;
    for client in [&mut root, &mut bob] {
        client.ask("join", "den").await;
    }
    let say = |text: &str| json!({ "room": "den", "msg": text });
    bob.ask("send message", say("one")).await;
    root.ask("send message", say("two")).await;
    bob.ask("send message", say("three")).await;
    bob.ask("edit message", json!({ "room": "den", "seq": 3, "msg": "drei" })).await;
    for text in ["one", "two"] {
        root.ask("notify", json!({ "to": "root", "data": text })).await;
        bob.ask("SingleChat", json!({ "to": "root", "data": text })).await;
    }
    root.ask("SingleChat", json!({ "to": "bob", "data": "three" })).await;
    root.ask("SingleChat", json!({ "to": "root", "data": "a note" })).await;
    bob.ask("SingleChat", json!({ "to": "root", "data": "four" })).await;
    let state = async |server: &TestServer| {
        let (_client, welcome) = connect(server, Wire::WebSocket, "root").await;
        ["rooms", "directs", "inbox"].map(|part| welcome[part].clone())
    };
    let before = state(&server).await;
    assert_eq!(before[2], json!({ "seq": 2, "unread": 2, "read": 0 }), "one's own, too");
    drop((root, bob));
    let server = server.restart().await;
    assert_eq!(state(&server).await, before);
    server.stop().await;
}

#[tokio::test]
async fn a_notification_reaches_all_devices_and_later_connections() {
    let server = TestServer::on_disk().await;
    for wire in Wire::ALL {
        let name = format!("ann {wire:?}");
        let (mut phone, welcome) = connect(&server, wire, &name).await;
        assert_eq!(welcome["inbox"], json!({ "seq": 0, "unread": 0, "read": 0 }));
        let mail = json!({ "to": name, "data": { "text": "paid" }, "id": "n1" });
        assert_eq!(phone.refusal("notify", mail.clone()).await, "forbidden");
        let mut root = connect_admin(&server, wire).await;
        let answer = root.ask("notify", mail.clone()).await;
        assert_eq!((&answer["seq"], &answer["online"]), (&json!(1), &json!(true)));
        let told = phone.next("notification").await;
        let at = answer["at"].clone();
        let expected = json!({
            "seq": 1, "id": "n1", "user": "root", "data": { "text": "paid" }, "at": at, "unread": 1,
        });
        assert_eq!(told, expected);
        assert_eq!(root.ask("notify", mail).await["duplicate"], true);
        let unknown_user = json!({ "to": "nobody", "data": "x" });
        assert_eq!(root.refusal("notify", unknown_user).await, "no_such_user");
        let (mut laptop, welcome) = connect(&server, wire, &name).await;
        assert_eq!(welcome["inbox"], json!({ "seq": 1, "unread": 1, "read": 0 }));
        let page = laptop.ask("history", json!({ "inbox": true })).await;
        assert_eq!(page["messages"][0]["event"], "notification");
        assert_eq!(laptop.ask("read", json!({ "inbox": true, "seq": 1 })).await["unread"], 0);
        let told = phone.next("read").await;
        assert_eq!(told, json!({ "inbox": true, "user": name, "seq": 1, "unread": 0 }));
        let change = json!({ "inbox": true, "seq": 1, "msg": "x" });
        assert_ne!(laptop.refusal("edit message", change).await, "ok");
    }
    server.stop().await;
}

#[tokio::test]
async fn presence_can_be_queried() {
    let server = TestServer::on_disk().await;
    for wire in Wire::ALL {
        let name = format!("ann {wire:?}");
        let token = server.token(&name, &[]);
        let mut devices = Vec::new();
        for device in ["phone", "phone", "laptop"] {
            let options = ConnectOptions::new().token(&token).device(device);
            let mut client = Client::open(&server, wire, options).await.ok().unwrap();
            client.next("welcome").await;
            devices.push(client);
        }
        let gone = format!("gone {wire:?}");
        connect(&server, wire, &gone).await.0.close().await;
        let asked = json!({ "users": [name, gone, "nobody"] });
        let answer = devices[0].ask("presence", asked).await;
        let users = answer["users"].as_array().unwrap();
        assert_eq!((&users[0]["online"], &users[0]["devices"]), (&json!(true), &json!(2)));
        assert!(users[0]["lastSeen"].is_string() && users[1]["lastSeen"].is_string());
        assert_eq!(users[2], json!({ "user": "nobody", "online": false, "devices": 0 }));
        let many: Vec<_> = (0..101).map(|number| format!("user{number}")).collect();
        assert_eq!(devices[0].refusal("presence", json!({ "users": many })).await, "bad_request");
    }
    server.stop().await;
}
