//! Membership is permanent, and applies to all devices of a user.

use roomcast::{
    chat::ports::{Claims, Rooms},
    config::Config,
    domain::{Role, RoomName, RoomPattern, UserName},
};
use serde_json::{Value, json};

use crate::{
    clients::{Client, ConnectOptions, Wire},
    harness::TestServer,
};

fn patterns(all: &[&str]) -> Vec<RoomPattern> {
    all.iter().map(|it| RoomPattern::parse(it).unwrap()).collect()
}

/// A server with private and read-only rooms.
async fn with_rooms() -> TestServer {
    TestServer::with(|config: &mut Config| {
        config.rooms.private = patterns(&["team-*"]);
        config.rooms.read_only = patterns(&["news*"]);
    })
    .await
}

async fn connect(server: &TestServer, wire: Wire, user: &str) -> (Client, Value) {
    connect_with(server, wire, &server.token(user, &[])).await
}

async fn connect_with(server: &TestServer, wire: Wire, token: &str) -> (Client, Value) {
    let options = ConnectOptions::new().token(token);
    let mut client = Client::open(server, wire, options).await.ok().unwrap();
    let welcome = client.next("welcome").await;
    (client, welcome)
}

/// A token with further claims.
fn token(server: &TestServer, user: &str, edit: impl FnOnce(&mut Claims)) -> String {
    let until = time::UtcDateTime::now().to_offset(time::UtcOffset::UTC) + time::Duration::HOUR;
    let mut claims = Claims::of(UserName::parse(user).unwrap(), until);
    edit(&mut claims);
    server.token_of(&claims)
}

fn room<'w>(welcome: &'w Value, name: &str) -> Option<&'w Value> {
    welcome["rooms"].as_array().unwrap().iter().find(|it| it["room"] == name)
}

#[tokio::test]
async fn a_reconnecting_member_keeps_its_rooms_and_unread_counts() {
    let server = TestServer::on_disk().await;
    for wire in Wire::ALL {
        let (name, there) = (format!("ann {wire:?}"), format!("room-{wire:?}"));
        let mut bob = Client::named(&server, wire, &format!("bob {wire:?}")).await;
        assert_eq!(bob.ask("join", there.as_str()).await["seq"], 0);
        let (mut ann, welcome) = connect(&server, wire, &name).await;
        assert_eq!(room(&welcome, &there), None);
        assert_eq!(ann.ask("join", there.as_str()).await["ok"], true);
        ann.close().await;
        bob.ask("send message", json!({ "room": there, "msg": "one" })).await;
        let two = bob.ask("send message", json!({ "room": there, "msg": "two" })).await;
        bob.ask("edit message", json!({ "room": there, "seq": 2, "msg": "zwei" })).await;
        let (mut ann, welcome) = connect(&server, wire, &name).await;
        let found = room(&welcome, &there).unwrap();
        let expected = json!({
            "room": there, "role": "member", "seq": 3, "unread": two["seq"], "read": 0,
        });
        assert_eq!(*found, expected, "an edit is no message");
        bob.ask("send message", json!({ "room": there, "msg": "live" })).await;
        assert_eq!(ann.next("new message").await["msg"], "live");
    }
    server.stop().await;
}

#[tokio::test]
async fn memberships_survive_a_restart_and_end_for_all_devices() {
    let server = TestServer::on_disk().await;
    let (mut ann, _) = connect(&server, Wire::WebSocket, "ann").await;
    ann.ask("join", "there").await;
    let server = server.restart().await;
    for wire in Wire::ALL {
        let (mut one, welcome) = connect(&server, wire, "ann").await;
        assert!(room(&welcome, "there").is_some());
        let (mut two, _) = connect(&server, wire, "ann").await;
        assert_eq!(one.ask("leave", "there").await["ok"], true);
        let told = two.next("membership").await;
        assert_eq!(told, json!({ "room": "there", "role": null }));
        assert_eq!(two.refusal("history", json!({ "room": "there" })).await, "not_member");
        let (_, welcome) = connect(&server, wire, "ann").await;
        assert_eq!(room(&welcome, "there"), None, "also for a device that connects later");
        assert_eq!(one.ask("join", "there").await["ok"], true);
        let told = two.next("membership").await;
        let expected =
            json!({ "room": "there", "role": "owner", "seq": 0, "unread": 0, "read": 0 });
        assert_eq!(told, expected);
        assert_eq!(two.ask("history", json!({ "room": "there" })).await["ok"], true);
        one.close().await;
    }
    server.stop().await;
}

#[tokio::test]
async fn a_guests_memberships_end_with_the_guest() {
    let server = TestServer::with(|config| config.limits.presence_grace_ms = 0).await;
    for wire in Wire::ALL {
        let name = format!("ann {wire:?}");
        let mut guest = Client::named(&server, wire, &name).await;
        guest.ask("join", "there").await;
        let options = ConnectOptions::new().token(&guest.token);
        let mut other = Client::open(&server, wire, options).await.ok().unwrap();
        assert!(
            room(&other.next("welcome").await, "there").is_some(),
            "while the guest is connected"
        );
        let before = server.connections();
        other.close().await;
        guest.close().await;
        server.has_connections(before - 2).await;
        let mut next = Client::open(&server, wire, ConnectOptions::new()).await.ok().unwrap();
        let welcome = next.identify(&name).await;
        assert_eq!(room(&welcome, "there"), None, "another user has the name");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_private_room_has_a_creator_and_needs_invitations() {
    let server = with_rooms().await;
    for wire in Wire::ALL {
        let there = format!("team-{wire:?}");
        let (mut ann, _) = connect(&server, wire, &format!("ann {wire:?}")).await;
        let bob_name = format!("bob {wire:?}");
        let (mut bob, _) = connect(&server, wire, &bob_name).await;
        assert_eq!(ann.ask("join", there.as_str()).await["ok"], true);
        assert_eq!(bob.refusal("join", there.as_str()).await, "room_forbidden");
        let options = ConnectOptions::new().token(&server.token("eve", &[])).room(&there);
        assert_eq!(
            Client::open(&server, wire, options).await.err().unwrap().code,
            "room_forbidden"
        );
        let unknown_user = json!({ "room": there, "user": "nobody" });
        assert_eq!(ann.refusal("invite", unknown_user).await, "no_such_user");
        let invitation = json!({ "room": there, "user": bob_name });
        let answer = ann.ask("invite", invitation.clone()).await;
        assert_eq!(answer["role"], "member");
        let told = bob.next("membership").await;
        assert_eq!(
            (&told["by"], &told["role"]),
            (&json!(format!("ann {wire:?}")), &json!("member"))
        );
        bob.ask("send message", json!({ "room": there, "msg": "thanks" })).await;
        assert_eq!(ann.next("new message").await["msg"], "thanks");
        assert_eq!(bob.refusal("invite", invitation.clone()).await, "forbidden");
        assert_eq!(bob.refusal("kick", json!({ "room": there, "user": "x" })).await, "forbidden");
        assert_eq!(ann.ask("kick", invitation.clone()).await["ok"], true);
        let told = bob.next("membership").await;
        let by = format!("ann {wire:?}");
        assert_eq!(told, json!({ "room": there, "role": null, "by": by }));
        assert_eq!(ann.next("user left").await["user"], json!(bob_name));
        let message = json!({ "room": there, "msg": "again" });
        assert_eq!(bob.refusal("send message", message).await, "not_member");
        assert_eq!(ann.refusal("kick", invitation).await, "no_such_user");
        ann.ask("leave", there.as_str()).await;
        assert_eq!(bob.refusal("join", there.as_str()).await, "room_forbidden", "it has entries");
    }
    server.stop().await;
}

#[tokio::test]
async fn roles_limit_what_a_member_may_do() {
    let server = with_rooms().await;
    for wire in Wire::ALL {
        let there = format!("news-{wire:?}");
        let (mut ann, _) = connect(&server, wire, &format!("ann {wire:?}")).await;
        ann.ask("join", there.as_str()).await;
        let message = json!({ "room": there, "msg": "hi" });
        assert_eq!(ann.refusal("send message", message.clone()).await, "read_only");
        let typing = json!({ "room": there, "typing": true });
        assert_eq!(ann.refusal("typing", typing).await, "read_only");
        let admin = token(&server, "root", |claims| claims.admin = true);
        let (mut root, _) = connect_with(&server, wire, &admin).await;
        root.ask("join", there.as_str()).await;
        root.ask("send message", message.clone()).await;
        assert_eq!(ann.next("new message").await["msg"], "hi");
        let user = format!("ann {wire:?}");
        let promotion = json!({ "room": there, "user": user, "role": "member" });
        assert_eq!(root.ask("invite", promotion).await["role"], "member");
        assert_eq!(ann.next("membership").await["role"], "member");
        assert_eq!(ann.ask("send message", message.clone()).await["ok"], true);
        let too_much = json!({ "room": there, "user": user, "role": "owner" });
        assert_eq!(root.refusal("invite", too_much).await, "forbidden");
        let reader = token(&server, &user, |claims| {
            let rooms = vec![(RoomPattern::parse("news*").unwrap(), Some(Role::Reader))];
            claims.rooms = Rooms::Only(rooms);
        });
        let (mut again, welcome) = connect_with(&server, wire, &reader).await;
        assert_eq!(
            room(&welcome, &there).unwrap()["role"],
            "reader",
            "the role in the token takes precedence"
        );
        assert_eq!(again.refusal("send message", message).await, "read_only");
    }
    server.stop().await;
}

#[tokio::test]
async fn rooms_that_are_not_public_cannot_be_joined() {
    let server = TestServer::with(|config| {
        config.rooms.public = patterns(&["lobby", "a*"]);
        config.rooms.auto_join = ["lobby", "all"].map(RoomName::from_raw).into();
    })
    .await;
    for wire in Wire::ALL {
        let (mut ann, welcome) = connect(&server, wire, "ann").await;
        assert_eq!(
            room(&welcome, "all").unwrap()["role"],
            "member",
            "auto-join rooms have no owner"
        );
        assert_eq!(ann.refusal("join", "b").await, "room_forbidden");
        assert_eq!(ann.ask("join", "ab").await["ok"], true);
    }
    server.stop().await;
}
