//! Which certificates are served, and which are refused.

use std::os::unix::fs::PermissionsExt as _;

use time::OffsetDateTime;
use tokio::io::duplex;
use tokio_rustls::{TlsAcceptor, TlsConnector, rustls::ClientConfig};

use super::{test_support::TestAuthority, *};
use crate::{clock::SystemClock, tasks::Tasks};

fn open(files: &[&CertificateFiles]) -> Result<Arc<Certificates>, CertificateError> {
    Certificates::open(files.iter().map(|it| (*it).clone()).collect(), Arc::new(SystemClock))
}

/// The file name of the certificate that a client of `name` is served; the error of its handshake.
async fn served(
    certificates: &Arc<Certificates>,
    client: ClientConfig,
    name: &str,
) -> Result<Vec<u8>, String> {
    let (near, far) = duplex(1 << 16);
    let acceptor = TlsAcceptor::from(certificates.server_config());
    let connector = TlsConnector::from(Arc::new(client));
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let (accepted, connected) = tokio::join!(acceptor.accept(far), connector.connect(name, near));
    let stream = connected.map_err(|error| error.to_string())?;
    let accepted = accepted.map_err(|error| error.to_string())?;
    assert_eq!(accepted.get_ref().1.alpn_protocol(), stream.get_ref().1.alpn_protocol());
    Ok(stream.get_ref().1.peer_certificates().unwrap()[0].to_vec())
}

/// The bytes of a certificate.
fn der(files: &CertificateFiles) -> Vec<u8> {
    use tokio_rustls::rustls::pki_types::{CertificateDer, pem::PemObject as _};
    CertificateDer::from_pem_file(&files.cert).unwrap().to_vec()
}

#[tokio::test]
async fn the_name_that_a_client_asks_for_selects_the_certificate() {
    let authority = TestAuthority::new();
    let one = authority.issue("one", "DNS:one.example.com,IP:127.0.0.1");
    let many = authority.issue("many", "DNS:*.example.org,DNS:example.org");
    let certificates = open(&[&one, &many]).unwrap();
    for (name, files) in [
        ("one.example.com", &one),
        ("ONE.example.com", &one),
        ("127.0.0.1", &one),
        ("example.org", &many),
        ("a.example.org", &many),
    ] {
        let found = served(&certificates, authority.client(), name).await;
        assert_eq!(found.as_ref(), Ok(&der(files)), "{name}");
    }
    // The first one is served, which the client refuses.
    let refused = served(&certificates, authority.client(), "a.b.example.org").await;
    assert!(refused.unwrap_err().contains("not valid for name"));
}

#[tokio::test]
async fn both_versions_and_only_http_1_are_spoken() {
    let authority = TestAuthority::new();
    let certificates = open(&[&authority.issue("one", "DNS:localhost")]).unwrap();
    for version in [&TLS12, &TLS13] {
        let mut client = authority.client_with(&[version]);
        client.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        assert!(served(&certificates, client.clone(), "localhost").await.is_ok(), "{version:?}");
        client.alpn_protocols = vec![b"h2".to_vec()];
        assert!(served(&certificates, client, "localhost").await.is_err(), "{version:?}");
    }
}

#[test]
fn files_that_cannot_be_served_are_refused_with_the_reason() {
    let authority = TestAuthority::new();
    let (one, other) = (authority.issue("one", "DNS:a"), authority.issue("other", "DNS:b"));
    let path = |name: &str| authority.folder.path().join(name);
    let text = |name: &str| fs::read_to_string(path(name)).unwrap();
    let section = |edge| format!("-----{edge} ENCRYPTED PRIVATE KEY-----\n");
    let encrypted = format!("{}AA==\n{}", section("BEGIN"), section("END"));
    fs::write(path("empty"), "").unwrap();
    fs::write(path("encrypted"), encrypted).unwrap();
    fs::write(path("damaged"), text("one.crt").replace("MII", "AAA")).unwrap();
    fs::write(path("cut"), text("one.crt").get(..200).unwrap()).unwrap();
    fs::write(path("large"), vec![b'x'; (1 << 20) + 1]).unwrap();
    let files = |cert: &str, key: &str| CertificateFiles { cert: path(cert), key: path(key) };
    for (files, why) in [
        (files("none", "one.key"), "none failed: No such file"),
        (files("one.crt", "none"), "none failed: No such file"),
        (files("empty", "one.key"), "empty has no certificate in PEM form"),
        (files("one.key", "one.key"), "one.key has no certificate in PEM form"),
        (files("one.crt", "one.crt"), "one.crt has no private key in PEM form"),
        (files("one.crt", "encrypted"), "encrypted: the key is encrypted"),
        (files("damaged", "one.key"), "damaged: "),
        (files("cut", "one.key"), "cut: a PEM section is damaged"),
        (files("large", "one.key"), "large has more than 1048576 bytes"),
        (files("one.crt", "other.key"), "does not match the certificate in"),
    ] {
        let reason = open(&[&one, &files]).unwrap_err().to_string();
        assert!(reason.contains(why), "{files:?}: {reason}");
    }
    assert!(open(&[&one, &other]).is_ok());
}

/// A clock that is so many days off.
struct DaysOff(i64);

impl Clock for DaysOff {
    fn now(&self) -> OffsetDateTime {
        SystemClock.now() + time::Duration::days(self.0)
    }
}

#[test]
fn a_certificate_is_refused_before_and_after_its_time() {
    let authority = TestAuthority::new();
    let files = authority.issue("one", "DNS:a");
    for (days, why) in [(-1, "is not valid before"), (3, "has expired at")] {
        let opened = Certificates::open(vec![files.clone()], Arc::new(DaysOff(days)));
        let reason = opened.unwrap_err().to_string();
        assert!(reason.contains(why), "{reason}");
    }
    assert!(Certificates::open(vec![files], Arc::new(DaysOff(1))).is_ok());
}

#[tokio::test(start_paused = true)]
async fn changed_files_are_served_and_unusable_ones_are_not() {
    let authority = TestAuthority::new();
    let files = authority.issue("one", "DNS:localhost");
    let certificates = open(&[&files]).unwrap();
    let tasks = Tasks::new();
    let (watched, owner) = (Arc::clone(&certificates), tasks.clone());
    tasks.spawn("watch", async move {
        tokio::select! {
            () = watched.watch() => (),
            () = owner.draining() => (),
        }
    });
    let first = der(&files);
    // The key of another certificate: the old one stays.
    sleep(WATCH_INTERVAL / 2).await;
    let other = authority.issue("other", "DNS:localhost");
    fs::copy(&other.key, &files.key).unwrap();
    sleep(WATCH_INTERVAL * 5).await;
    assert_eq!(served(&certificates, authority.client(), "localhost").await, Ok(first.clone()));
    assert!(certificates.reload().is_err());
    fs::copy(&other.cert, &files.cert).unwrap();
    sleep(WATCH_INTERVAL * 5).await;
    let second = served(&certificates, authority.client(), "localhost").await;
    assert_eq!(second, Ok(der(&other)));
    assert_ne!(second, Ok(first));
    assert_eq!(tasks.finish(Duration::from_secs(1)).await, Ok(()));
}

#[test]
fn a_key_is_read_whatever_its_mode() {
    let authority = TestAuthority::new();
    let files = authority.issue("one", "DNS:a");
    fs::set_permissions(&files.key, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(open(&[&files]).is_ok(), "it is a warning");
}
