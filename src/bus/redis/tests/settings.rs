//! Problems of settings are reported, without passwords.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinSet,
};

use super::harness::{Node, Server, free_port, options};
use crate::bus::redis::{
    ProblemCause, RedisAddressError, RedisBus, RedisFailure, RedisKind, RedisOptionsError,
    ServerProblem,
};

async fn check(kind: RedisKind, urls: &[&str]) -> Vec<ServerProblem> {
    RedisBus::check(&options("me", kind, urls)).await
}

#[test]
fn invalid_options_are_refused() {
    let refused = |kind, urls: &[&str]| RedisBus::new(&options("me", kind, urls)).err();
    let alone = RedisKind::Standalone;
    assert_eq!(refused(alone, &[]), Some(RedisOptionsError::NoServer));
    let two = ["redis://a", "redis://b"];
    assert_eq!(refused(alone, &two), Some(RedisOptionsError::ManyServers));
    assert_eq!(refused(RedisKind::Cluster, &two), None);
    for (url, cause) in [
        ("http://a", RedisAddressError::Form),
        ("", RedisAddressError::Form),
        ("redis+unix:///tmp/x", RedisAddressError::Form),
        ("rediss://a#insecure", RedisAddressError::Insecure),
    ] {
        assert_eq!(
            refused(alone, &[url]),
            Some(RedisOptionsError::Address { number: 1, cause }),
            "{url}"
        );
    }
    for prefix in ["", "a b", "a{b", "}", &"x".repeat(65)] {
        let mut options = options("me", alone, &["redis://a"]);
        prefix.clone_into(&mut options.prefix);
        assert_eq!(RedisBus::new(&options).err(), Some(RedisOptionsError::Prefix), "{prefix}");
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
async fn a_working_server_has_no_problem() {
    let server = Server::start().await;
    assert!(check(RedisKind::Standalone, &[&server.url()]).await.is_empty());
}

#[tokio::test]
async fn each_problem_names_its_server() {
    let server = Server::start().await;
    let unreachable = format!("redis://127.0.0.1:{}", free_port());
    let problems = check(RedisKind::Cluster, &[&server.url(), &unreachable, "nonsense"]).await;
    let [alone, unreachable, nonsense] = problems.as_slice() else { panic!("{problems:?}") };
    assert!(matches!(alone.cause, ProblemCause::Failure(RedisFailure::NoCluster)), "{alone}");
    assert!(
        matches!(unreachable.cause, ProblemCause::Failure(RedisFailure::Connect(_))),
        "{unreachable}"
    );
    assert!(matches!(nonsense.cause, ProblemCause::Address(RedisAddressError::Form)), "{nonsense}");
}

/// Redis before 6.0 has no `HELLO`.
#[tokio::test]
async fn an_old_server_is_reported_as_too_old() {
    let old = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("redis://127.0.0.1:{}", old.local_addr().unwrap().port());
    let mut answers = JoinSet::new();
    answers.spawn(async move {
        let (mut socket, _) = old.accept().await.unwrap();
        socket.readable().await.unwrap();
        socket.write_all(b"-ERR unknown command `HELLO`, with args\r\n").await.unwrap();
        drop(socket.read_to_end(&mut Vec::new()).await);
    });
    let problems = check(RedisKind::Standalone, &[&url]).await;
    let [problem] = problems.as_slice() else { panic!("{problems:?}") };
    assert!(
        matches!(problem.cause, ProblemCause::Failure(RedisFailure::TooOld { .. })),
        "{problem}"
    );
}

#[tokio::test]
async fn a_wrong_password_is_reported() {
    let server = Server::start_with(&["--requirepass", "geheim"]).await;
    let with = |password: &str| format!("redis://{password}127.0.0.1:{}", server.port);
    assert!(check(RedisKind::Standalone, &[&with(":geheim@")]).await.is_empty());
    for wrong in ["", ":falsch@", "ann:geheim@"] {
        let problems = check(RedisKind::Standalone, &[&with(wrong)]).await;
        let [problem] = problems.as_slice() else { panic!("{problems:?}") };
        assert!(
            matches!(problem.cause, ProblemCause::Failure(RedisFailure::Password(_))),
            "{problem}"
        );
        let said = problem.to_string();
        assert!(!said.contains("geheim") && !said.contains("falsch"), "{said}");
    }
    let node = Node::start("me", &with(":geheim@"));
    node.listener().listen([7]).await;
}
