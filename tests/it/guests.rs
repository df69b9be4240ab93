//! What a guest may be called, and who goes before whom.

use roomcast::config::{StoreKind, Switch};

use crate::{
    clients::{Client, Door, Wire},
    harness::TestServer,
};

#[tokio::test]
async fn a_name_that_looks_like_somebodys_is_taken() {
    let server = TestServer::start().await;
    let guest = Client::named(&server, Wire::WebSocket, "Zoe\u{301} Lee").await;
    let user = Client::with_token(&server, Wire::SocketIo, &server.token("Bob", &[])).await;
    for wire in Wire::ALL {
        let mut other = Client::open(&server, wire, Door::new()).await.ok().unwrap();
        for name in ["zo\u{e9} lee", "ZO\u{c9}\u{a0}LEE", "Zoé  Lee", "bob", "BOB", "ｂｏｂ"] {
            assert_eq!(other.refusal("new user", name).await, "name_taken", "{wire:?} {name}");
        }
        for name in ["a\u{200d}b", "a\u{2066}b", "\u{3164}", "ann\u{e0020}", &"x".repeat(33)] {
            assert_eq!(other.refusal("new user", name).await, "name_invalid", "{wire:?} {name:?}");
        }
        let welcome = other.identify(&format!("e\u{301} {wire:?}")).await;
        assert_eq!(welcome["user"], format!("\u{e9} {wire:?}"), "in one form");
    }
    drop((guest, user));
    server.stop().await;
}

#[tokio::test]
async fn a_name_that_looks_like_a_users_is_taken_for_ever() {
    let server = TestServer::with(|config| {
        config.store = StoreKind::Sqlite;
        config.limits.presence_grace_ms = 1;
    });
    let server = server.await;
    let token = server.token("Ann Lee", &[]);
    Client::with_token(&server, Wire::WebSocket, &token).await.goodbye().await;
    let server = server.restart().await;
    for wire in Wire::ALL {
        let mut guest = Client::open(&server, wire, Door::new()).await.ok().unwrap();
        for name in ["Ann Lee", "ann lee", "ANN\u{2003}LEE"] {
            assert_eq!(guest.refusal("new user", name).await, "name_taken", "{wire:?} {name}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_user_goes_before_the_guest_who_has_the_name() {
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
        let back = Client::open(&server, wire, Door::new().token(&old)).await;
        assert_eq!(back.err().unwrap().code, "name_taken");
        ann.post("it is me").await;
    }
    server.stop().await;
}

#[tokio::test]
async fn without_guests_nobody_enters_without_a_token_of_the_back_end() {
    let server = TestServer::with(|config| config.store = StoreKind::Sqlite).await;
    let guest = Client::named(&server, Wire::WebSocket, "guest").await;
    let old = guest.token.clone();
    drop(guest);
    let server = server.restart_with(|config| config.guests = Switch::Off).await;
    for wire in Wire::ALL {
        let refused = Client::open(&server, wire, Door::new().token(&old)).await;
        assert_eq!(refused.err().unwrap().code, "unauthorized", "a guest's token of before");
    }
    let mut nobody = Client::open(&server, Wire::WebSocket, Door::new()).await.ok().unwrap();
    let closing = nobody.next("closing").await;
    assert_eq!((&closing["code"], &closing["reconnect"]), (&"invalid_user".into(), &false.into()));
    assert_eq!(nobody.end().await, Some(4001));
    server.stop().await;
}
