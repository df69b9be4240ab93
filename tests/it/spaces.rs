//! Spaces: isolated from each other, also on one connection.

use serde_json::{Value, json};

use crate::{
    clients::{
        Client, ConnectOptions, Wire,
        engine::{Engine, Packet},
    },
    harness::{TestServer, wait_for},
};

async fn server() -> TestServer {
    let spaces = ["/shop", "/team-*"].map(|it| roomcast::domain::SpacePattern::parse(it).unwrap());
    TestServer::with(|config| config.spaces = spaces.to_vec()).await
}

#[tokio::test]
async fn the_same_name_in_two_spaces_is_two_users() {
    let server = server().await;
    let spaces = ["/", "/shop", "/team-red", "/team-blue"];
    for wire in Wire::ALL {
        let name = format!("ann {wire:?}");
        let mut clients = Vec::new();
        for space in spaces {
            let options = ConnectOptions::new().space(space);
            clients.push(Client::named_at(&server, wire, &name, options).await);
        }
        let mut seqs = Vec::new();
        for (client, space) in clients.iter_mut().zip(spaces) {
            seqs.push(client.post(space).await);
            assert_eq!(client.next("new message").await["msg"], space);
        }
        assert!(seqs.iter().all(|seq| *seq == seqs[0]), "each space has its own seq: {seqs:?}");
        for (client, space) in clients.iter_mut().zip(spaces) {
            assert!(!client.has_received("new message").await, "{space}");
            let users = client.ask("GroupList", Value::Null).await["users"].clone();
            assert!(users.as_array().unwrap().contains(&json!(name)));
            assert_eq!(users.as_array().unwrap().iter().filter(|it| **it == name).count(), 1);
            let page = client.ask("history", json!({ "limit": 1 })).await;
            assert_eq!(page["messages"][0]["msg"], space);
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_direct_message_does_not_leave_its_space() {
    let server = server().await;
    for wire in Wire::ALL {
        let bob_name = format!("bob {wire:?}");
        let mut ann = Client::named(&server, wire, &format!("ann {wire:?}")).await;
        let other_space = ConnectOptions::new().space("/shop");
        let mut bob = Client::named_at(&server, wire, &bob_name, other_space).await;
        let said = json!({ "to": bob_name, "data": 1 });
        assert_eq!(ann.refusal("SingleChat", said).await, "no_such_user");
        assert!(!bob.has_received("SingleChat").await);
    }
    server.stop().await;
}

#[tokio::test]
async fn an_unknown_space_is_refused() {
    let server = server().await;
    for space in ["/nope", "/shop2", "/team-", "/team-a/b", "/teams"] {
        let options = ConnectOptions::new().space(space);
        let refused = Client::open(&server, Wire::WebSocket, options.clone()).await.err().unwrap();
        assert_eq!((refused.status, &*refused.code), (Some(404), "unknown_space"), "{space}");
        for wire in [Wire::SocketIo, Wire::Polling] {
            let refused = Client::open(&server, wire, options.clone()).await.err().unwrap();
            assert_eq!(refused.code, "Invalid namespace", "{space}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_token_opens_the_spaces_that_it_names() {
    let server = server().await;
    let token = server.token("ann", &["/shop", "/team-*"]);
    for wire in Wire::ALL {
        for space in ["/shop", "/team-red"] {
            let options = ConnectOptions::new().space(space).token(&token);
            let mut ann = Client::open(&server, wire, options).await.ok().unwrap();
            assert_eq!(ann.next("welcome").await["user"], "ann");
        }
        let refused =
            Client::open(&server, wire, ConnectOptions::new().token(&token)).await.err().unwrap();
        assert_eq!(refused.code, "space_forbidden");
        let guest = Client::named(&server, wire, &format!("guest {wire:?}")).await;
        let options = ConnectOptions::new().space("/shop").token(&guest.token);
        let refused = Client::open(&server, wire, options).await.err().unwrap();
        assert_eq!(
            refused.code, "space_forbidden",
            "a guest is one in the space that they came to"
        );
    }
    server.stop().await;
}

/// The next packet with this prefix. Other packets are kept in `received`.
async fn next(engine: &mut Engine, received: &mut Vec<String>, begin: &str) -> String {
    wait_for(begin, async {
        loop {
            if let Some(place) = received.iter().position(|it| it.starts_with(begin)) {
                return received.remove(place);
            }
            match engine.next().await {
                Some(Packet::Text(text)) => received.push(text),
                other => panic!("{other:?} before {begin}"),
            }
        }
    })
    .await
}

async fn send(engine: &mut Engine, packets: &[&str]) {
    engine.send(packets.iter().map(|it| Packet::Text((*it).to_owned())).collect()).await;
}

#[tokio::test]
async fn one_connection_in_two_spaces_keeps_them_isolated() {
    for wire in [Wire::SocketIo, Wire::Polling] {
        let server = server().await;
        let mut engine = match wire {
            Wire::Polling => Engine::polling(&server).await,
            Wire::SocketIo | Wire::WebSocket => Engine::websocket(&server).await,
        };
        let mut received = Vec::new();
        send(&mut engine, &["0", "0/shop,", "0/nope,"]).await;
        next(&mut engine, &mut received, "0{").await;
        next(&mut engine, &mut received, "0/shop,{").await;
        assert!(next(&mut engine, &mut received, "4/nope,").await.contains("Invalid namespace"));
        send(&mut engine, &[r#"20["new user","ann"]"#, r#"2/shop,0["new user","ann"]"#]).await;
        next(&mut engine, &mut received, "30[true,").await;
        next(&mut engine, &mut received, "3/shop,0[true,").await;
        let mut bob = Client::named(&server, Wire::WebSocket, "bob").await;
        let options = ConnectOptions::new().space("/shop");
        let mut cleo = Client::named_at(&server, Wire::WebSocket, "cleo", options).await;
        send(&mut engine, &[r#"2["send message","in root"]"#]).await;
        send(&mut engine, &[r#"2/shop,["send message","in shop"]"#]).await;
        assert!(next(&mut engine, &mut received, r#"2["new message""#).await.contains("in root"));
        assert!(
            next(&mut engine, &mut received, r#"2/shop,["new message""#).await.contains("in shop")
        );
        assert_eq!(bob.next("new message").await["msg"], "in root");
        assert_eq!(cleo.next("new message").await["msg"], "in shop");
        // The connection stays in the other space.
        send(&mut engine, &["1/shop,", r#"21["send message","still here"]"#]).await;
        assert!(next(&mut engine, &mut received, "31[").await.contains(r#""ok":true"#));
        assert_eq!(bob.next("new message").await["seq"], 2);
        assert!(!cleo.has_received("new message").await);
        drop((engine, bob, cleo));
        server.stop().await;
    }
}
