//! Start and stop: what a stop waits for, and for how long.

use std::time::Duration;

use roomcast::app::{AppError, Server};
use serde_json::json;
use tokio::{net::TcpStream, time::Instant};

use crate::{
    clients::{
        Client, Wire,
        engine::Polling,
        raw::{self, Raw},
    },
    harness::TestServer,
};

#[tokio::test]
async fn two_servers_run_in_one_process() {
    let (first, second) = (TestServer::start().await, TestServer::start().await);
    assert_ne!(first.address(), second.address());
    let mut ann = Client::named(&first, Wire::WebSocket, "ann").await;
    let mut same = Client::named(&second, Wire::WebSocket, "ann").await;
    assert_eq!((ann.post("here").await, same.post("there").await), (1, 1));
    for (client, said) in [(&mut ann, "here"), (&mut same, "there")] {
        assert_eq!(client.next("new message").await["msg"], said);
        assert!(!client.has_received("new message").await);
    }
    drop(ann);
    first.stop().await;
    assert_eq!(same.post("alone").await, 2);
    drop(same);
    second.stop().await;
}

#[tokio::test]
async fn a_second_server_on_the_same_data_directory_is_refused() {
    let server = TestServer::on_disk().await;
    match Server::start(server.config()).await {
        Err(AppError::Setting { key, reason }) => assert_eq!(key, "data", "{reason}"),
        other => panic!("{other:?}"),
    }
    let mut ann = Client::named(&server, Wire::WebSocket, "ann").await;
    assert_eq!(ann.post("undisturbed").await, 1);
    drop(ann);
    server.restart().await.stop().await;
}

#[tokio::test]
async fn a_port_in_use_is_reported_as_an_error_of_listen() {
    let server = TestServer::start().await;
    let other = TestServer::start().await;
    let mut config = other.config().clone();
    config.listen = vec![server.address().into()];
    match Server::start(&config).await {
        Err(AppError::Setting { key, reason }) => assert_eq!(key, "listen", "{reason}"),
        other => panic!("{other:?}"),
    }
    server.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn all_clients_receive_closing_before_the_server_stops() {
    let server = TestServer::start().await;
    let mut clients = Vec::new();
    for wire in Wire::ALL {
        clients.push(Client::named(&server, wire, &format!("ann {wire:?}")).await);
    }
    let mut clients: [Client; 3] = clients.try_into().ok().unwrap();
    for client in &mut clients {
        while client.next("get users").await.as_array().map(Vec::len) != Some(3) {}
    }
    let [plain, socketio, polling] = clients;
    let stop = async {
        // The answer to another client shows that the server has received the poll.
        assert_eq!(Raw::connect(&server).await.get("/health/ready").await.status, 200);
        server.drain().await;
    };
    let ((), plain, socketio, polling) = tokio::join!(
        stop,
        receives_closing(plain),
        receives_closing(socketio),
        receives_closing(polling)
    );
    assert_eq!((plain, socketio, polling), (Some(1001), None, None));
}

/// Receives `closing`, and then the end of the connection.
async fn receives_closing(mut client: Client) -> Option<u16> {
    let closing = client.next("closing").await;
    assert_eq!((&closing["code"], &closing["reconnect"]), (&json!("draining"), &json!(true)));
    assert!(closing["afterMs"].is_u64());
    client.end().await
}

#[tokio::test]
async fn acknowledged_messages_survive_a_stop() {
    let server = TestServer::on_disk().await;
    let mut clients = Vec::new();
    for wire in Wire::ALL {
        clients.push(Client::named(&server, wire, &format!("ann {wire:?}")).await);
    }
    for client in &mut clients {
        for number in 0..200 {
            client.send("send message", json!({ "msg": number })).await;
        }
    }
    let count = async {
        let mut stored = 0;
        for mut client in clients {
            stored += client.count_stored(200).await;
        }
        stored
    };
    let (server, stored) = tokio::join!(server.restart(), count);
    let mut reader = Client::named(&server, Wire::WebSocket, "reader").await;
    let head = reader.ask("join", "lobby").await["seq"].as_u64().unwrap();
    assert!(head >= stored, "{stored} acknowledged, {head} there");
    drop(reader);
    server.drain().await;
}

#[tokio::test]
async fn a_stop_does_not_wait_for_clients_that_do_not_read() {
    let server = TestServer::with(|config| config.drain_ms_max = 4000).await;
    let mut plain = Raw::with_small_buffer(&server).await;
    plain.handshake("/ws", "").await;
    plain.send(raw::text(r#"{"event":"new user","data":"plain"}"#)).await;
    let mut socketio = Raw::with_small_buffer(&server).await;
    socketio.handshake("/socket.io/?EIO=4&transport=websocket", "").await;
    socketio.send(raw::text("40")).await;
    socketio.read_until("40{").await;
    socketio.send(raw::text(r#"42["new user","socketio"]"#)).await;
    server.has_connections(2).await;
    let mut ann = Client::named(&server, Wire::WebSocket, "ann").await;
    while ann.ask("GroupList", json!({})).await["count"] != 3 {}
    // More than all buffers on the path can hold.
    let large = "x".repeat(400 << 10);
    for _ in 0..30 {
        ann.post(&large).await;
        ann.next("new message").await;
    }
    drop(ann);
    let began = Instant::now();
    server.drain().await;
    assert!(began.elapsed() < Duration::from_millis(4500), "{:?}", began.elapsed());
    for mut raw in [plain, socketio] {
        raw.wait_for_close().await;
    }
}

#[tokio::test]
async fn a_stop_answers_a_pending_poll() {
    let server = TestServer::start().await;
    let mut polling = Polling::open(&server).await;
    let began = Instant::now();
    let stop = async {
        assert_eq!(Raw::connect(&server).await.get("/health/ready").await.status, 200);
        server.drain().await;
    };
    let (answer, ()) = tokio::join!(polling.poll(), stop);
    let answer = answer.unwrap().text();
    assert!(matches!(&*answer, "1" | "6"), "no event for an anonymous session: {answer}");
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_stop_does_not_wait_for_silent_connections() {
    let server = TestServer::start().await;
    let silent = Raw::connect(&server).await;
    let mut idle = Raw::connect(&server).await;
    assert_eq!(idle.get("/health/ready").await.status, 200);
    let mut open = Raw::connect(&server).await;
    assert_eq!(open.handshake("/socket.io/?EIO=4&transport=websocket", "").await.status, 101);
    let mut upgraded = Raw::connect(&server).await;
    assert_eq!(upgraded.handshake("/ws", "").await.status, 101);
    server.has_connections(1).await;
    let began = Instant::now();
    server.drain().await;
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    for mut raw in [silent, idle, open, upgraded] {
        raw.wait_for_close().await;
    }
}

#[tokio::test]
async fn an_unfinished_request_is_cut_off_after_the_drain_timeout() {
    let server = TestServer::with(|config| config.drain_ms_max = 1000).await;
    let mut head = Raw::connect(&server).await;
    head.send("GET /ws HTTP/1.1\r\nHost: he").await;
    let polling = Polling::open(&server).await;
    let mut body = Raw::connect(&server).await;
    let line = format!("POST {} HTTP/1.1", polling.path());
    body.send(format!("{line}\r\nHost: here\r\nContent-Length: 9\r\n\r\n4")).await;
    // The answer to another client shows that the server has read both.
    assert_eq!(Raw::connect(&server).await.get("/health/ready").await.status, 200);
    server.drain().await;
    head.wait_for_close().await;
    body.wait_for_close().await;
}

#[tokio::test]
async fn new_connections_are_refused_during_a_drain_and_polling_clients_receive_closing() {
    let server = TestServer::start().await;
    let address = server.address();
    let mut ann = Client::named(&server, Wire::WebSocket, "ann").await;
    // This client is between two polls, which is why the listener stays open for a while.
    let mut polly = Client::named(&server, Wire::Polling, "polly").await;
    let attempts = async {
        ann.next("closing").await;
        let ready = Raw::to(address).await.get("/health/ready").await;
        assert_eq!((ready.status, ready.header("retry-after")), (503, Some("1")));
        for path in ["/ws", "/socket.io/?EIO=4&transport=websocket"] {
            let refused = Raw::to(address).await.handshake(path, "").await;
            assert_eq!((refused.status, refused.code()), (503, json!("draining")), "{path}");
            assert_eq!(refused.header("retry-after"), Some("1"), "{path}");
        }
        let refused = Raw::to(address).await.get("/socket.io/?EIO=4&transport=polling").await;
        assert_eq!((refused.status, refused.code()), (503, json!("draining")));
        assert_eq!(polly.next("closing").await["code"], "draining");
    };
    tokio::join!(server.drain(), attempts);
    assert!(TcpStream::connect(address).await.is_err(), "the port is closed");
}
