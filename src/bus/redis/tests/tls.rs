//! TLS: verified by the trust store, or refused.

use std::{path::Path, process::Command};

use tempfile::TempDir;
use tokio_rustls::rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};

use super::harness::{Node, Server, free_port, options};
use crate::bus::redis::{
    ProblemCause, RedisBus, RedisFailure, RedisKind, check,
    server::{TlsConfig, client_config},
};

/// Creates a certificate authority and a certificate for this machine.
fn make_certificates(folder: &Path) {
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    std::fs::write(folder.join("names"), "subjectAltName=IP:127.0.0.1,DNS:localhost\n").unwrap();
    for command in [
        &format!("req -x509 {key} -keyout ca.key -out ca.crt -subj /CN=authority -days 2"),
        &format!("req {key} -keyout server.key -out server.csr -subj /CN=localhost"),
        "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out server.crt \
         -days 2 -extfile names",
    ] {
        let arguments = command.split_whitespace();
        let made = Command::new("openssl").args(arguments).current_dir(folder).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
}

/// A server with TLS, its address, and the directory with its certificates.
async fn start() -> (Server, String, TempDir) {
    let folder = TempDir::new().unwrap();
    make_certificates(folder.path());
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let port = free_port();
    let server = Server::start_with(&[
        "--tls-port",
        &port.to_string(),
        "--tls-cert-file",
        &path("server.crt"),
        "--tls-key-file",
        &path("server.key"),
        "--tls-auth-clients",
        "no",
    ])
    .await;
    (server, format!("rediss://127.0.0.1:{port}"), folder)
}

#[tokio::test]
async fn a_server_with_a_trusted_certificate_is_accepted() {
    let (_server, url, folder) = start().await;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(folder.path().join("ca.crt")).unwrap()).unwrap();
    let tls_config = TlsConfig::of(client_config(roots));
    let options = |name| options(name, RedisKind::Standalone, &[&url]);
    assert!(check::check(&options("me"), &tls_config).await.is_empty());
    let ann = Node::start_with_tls_config(&options("ann"), "ann", tls_config.clone());
    let bob = Node::start_with_tls_config(&options("bob"), "bob", tls_config);
    let bob = bob.listener();
    bob.listen([7]).await;
    ann.listener().wait_connected().await;
    ann.listener().publish(7, 1);
    assert_eq!(bob.receive().await, ("ann".to_owned(), 7, 1));
}

/// With the system's trust store, and without an installed rustls provider.
#[tokio::test]
async fn a_server_with_an_untrusted_certificate_is_refused() {
    let (_server, url, _folder) = start().await;
    let problems = RedisBus::check(&options("me", RedisKind::Standalone, &[&url])).await;
    let [problem] = problems.as_slice() else { panic!("{problems:?}") };
    let refused = matches!(
        problem.cause,
        ProblemCause::Failure(RedisFailure::Tls(_) | RedisFailure::NoTrustedRoots)
    );
    assert!(refused, "{problem}");
}
