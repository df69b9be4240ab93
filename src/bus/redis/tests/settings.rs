//! What is wrong with settings is said, and passwords are not.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinSet,
};

use super::harness::{Node, Server, free_port, options};
use crate::bus::redis::{BadAddress, BadOptions, Complaint, RedisBus, RedisKind, Trouble, Why};

async fn check(kind: RedisKind, urls: &[&str]) -> Vec<Complaint> {
    RedisBus::check(&options("me", kind, urls)).await
}

#[test]
fn options_that_cannot_work_are_refused() {
    let refused = |kind, urls: &[&str]| RedisBus::new(&options("me", kind, urls)).err();
    let alone = RedisKind::Standalone;
    assert_eq!(refused(alone, &[]), Some(BadOptions::NoServer));
    let two = ["redis://a", "redis://b"];
    assert_eq!(refused(alone, &two), Some(BadOptions::ManyServers));
    assert_eq!(refused(RedisKind::Cluster, &two), None);
    for (url, why) in [
        ("http://a", BadAddress::Form),
        ("", BadAddress::Form),
        ("redis+unix:///tmp/x", BadAddress::Form),
        ("rediss://a#insecure", BadAddress::Insecure),
    ] {
        assert_eq!(refused(alone, &[url]), Some(BadOptions::Address { number: 1, why }), "{url}");
    }
    for prefix in ["", "a b", "a{b", "}", &"x".repeat(65)] {
        let mut options = options("me", alone, &["redis://a"]);
        prefix.clone_into(&mut options.prefix);
        assert_eq!(RedisBus::new(&options).err(), Some(BadOptions::Prefix), "{prefix}");
    }
}

#[test]
fn passwords_do_not_print() {
    let options = options("me", RedisKind::Standalone, &["redis://ann:geheim@a:1"]);
    let bus = RedisBus::new(&options).unwrap();
    let shown = format!("{options:?} {bus:?}");
    assert!(!shown.contains("geheim") && shown.contains("a:1"), "{shown}");
}

#[tokio::test]
async fn a_server_that_serves_gets_no_complaint() {
    let server = Server::start().await;
    assert!(check(RedisKind::Standalone, &[&server.url()]).await.is_empty());
}

#[tokio::test]
async fn each_server_is_said_what_is_wrong_with() {
    let server = Server::start().await;
    let nobody = format!("redis://127.0.0.1:{}", free_port());
    let complaints = check(RedisKind::Cluster, &[&server.url(), &nobody, "nonsense"]).await;
    let [alone, nobody, nonsense] = complaints.as_slice() else { panic!("{complaints:?}") };
    assert!(matches!(alone.why, Why::Trouble(Trouble::NoCluster)), "{alone}");
    assert!(matches!(nobody.why, Why::Trouble(Trouble::Connect(_))), "{nobody}");
    assert!(matches!(nonsense.why, Why::Address(BadAddress::Form)), "{nonsense}");
}

/// Before 6.0 there was no greeting.
#[tokio::test]
async fn a_server_that_is_too_old_is_said_to_be() {
    let old = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("redis://127.0.0.1:{}", old.local_addr().unwrap().port());
    let mut answers = JoinSet::new();
    answers.spawn(async move {
        let (mut socket, _) = old.accept().await.unwrap();
        socket.readable().await.unwrap();
        socket.write_all(b"-ERR unknown command `HELLO`, with args\r\n").await.unwrap();
        drop(socket.read_to_end(&mut Vec::new()).await);
    });
    let complaints = check(RedisKind::Standalone, &[&url]).await;
    let [complaint] = complaints.as_slice() else { panic!("{complaints:?}") };
    assert!(matches!(complaint.why, Why::Trouble(Trouble::TooOld { .. })), "{complaint}");
}

#[tokio::test]
async fn a_password_is_right_or_it_is_said_that_it_is_not() {
    let server = Server::start_with(&["--requirepass", "geheim"]).await;
    let with = |password: &str| format!("redis://{password}127.0.0.1:{}", server.port);
    assert!(check(RedisKind::Standalone, &[&with(":geheim@")]).await.is_empty());
    for wrong in ["", ":falsch@", "ann:geheim@"] {
        let complaints = check(RedisKind::Standalone, &[&with(wrong)]).await;
        let [complaint] = complaints.as_slice() else { panic!("{complaints:?}") };
        assert!(matches!(complaint.why, Why::Trouble(Trouble::Password(_))), "{complaint}");
        let said = complaint.to_string();
        assert!(!said.contains("geheim") && !said.contains("falsch"), "{said}");
    }
    let node = Node::start("me", &with(":geheim@"));
    node.ear().listen([7]).await;
}
