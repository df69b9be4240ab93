//! Connections that begin with a header of the PROXY protocol.

use super::*;
use crate::domain::ForwardedHeader;

/// A server that trusts the loopback network, or another one, and expects the PROXY protocol.
fn behind(network: &str, limits: &Limits) -> Server {
    let router = Router::new().route("/", get(async || "hello"));
    let proxies =
        TrustedProxies::new(vec![network.parse().unwrap()], ForwardedHeader::XForwardedFor);
    let listener = Listener::bind(&[local()], 0o660, limits).unwrap();
    let listener = listener.with_proxies(proxies, ProxyProtocol::On);
    let (address, tasks) = (address_of(&listener), Tasks::new());
    tasks.spawn_vital("listener", listener.run(router, tasks.clone()));
    Server { address, tasks }
}

const ANNOUNCED: &str = "PROXY TCP4 203.0.113.7 127.0.0.1 4711 80\r\n";

#[tokio::test]
async fn a_trusted_proxy_must_announce_its_client() {
    let server = behind("127.0.0.0/8", &Limits::default());
    let mut client = server.connect().await;
    client.send(ANNOUNCED).await;
    assert_eq!((client.get().await, client.get().await), (200, 200));
    let mut silent = server.connect().await;
    silent.send("GET / HTTP/1.1\r\nHost: here\r\n\r\n").await;
    assert!(silent.is_closed().await);
    server.stop().await;
}

#[tokio::test]
async fn only_a_trusted_proxy_may_announce_a_client() {
    let server = behind("10.0.0.0/8", &Limits::default());
    let mut client = server.connect().await;
    assert_eq!(client.get().await, 200);
    let mut proxy = server.connect().await;
    proxy.send(ANNOUNCED).await;
    assert_eq!(proxy.status().await, Some(400));
    server.stop().await;
}

#[tokio::test]
async fn an_announcement_has_a_deadline_and_ends_with_the_drain() {
    let limits = Limits { request_head_wait_max: SHORT, ..Limits::default() };
    let server = behind("127.0.0.0/8", &limits);
    let mut slow = server.connect().await;
    slow.send("PROXY TCP4 203.0").await;
    assert!(slow.is_closed().await);
    server.stop().await;
    let server = behind("127.0.0.0/8", &Limits::default());
    let mut slow = server.connect().await;
    slow.send("PROXY TCP4 203.0").await;
    server.stop().await;
    assert!(slow.is_closed().await);
}
