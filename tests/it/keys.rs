//! Keys of a whole server: configured ones, and those of a site that rotates its keys, fails and
//! recovers.

use std::sync::{Arc, Mutex};

use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, encode,
    jwk::{Jwk, JwkSet},
};
use roomcast::{
    auth::{KeyLocation, KeyOptions},
    chat::ports::Clock as _,
    clock::SystemClock,
    config::Config,
    domain::Secret,
    tasks::Tasks,
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
};

use crate::{
    clients::{Client, ConnectOptions, Wire},
    harness::{TestServer, WAIT_MAX, wait_for},
};

const OLD: KeyPair = KeyPair {
    kid: "old",
    private: include_bytes!("../keys/p256.pem"),
    public: include_bytes!("../keys/p256.pub.pem"),
};
const NEW: KeyPair = KeyPair {
    kid: "new",
    private: include_bytes!("../keys/p256-new.pem"),
    public: include_bytes!("../keys/p256-new.pub.pem"),
};

/// A key of a back end.
#[derive(Clone, Copy)]
struct KeyPair {
    kid: &'static str,
    private: &'static [u8],
    public: &'static [u8],
}

impl KeyPair {
    /// A token for `user` that expires in a minute.
    fn token(self, user: &str) -> String {
        let header = Header { kid: Some(self.kid.to_owned()), ..Header::new(Algorithm::ES256) };
        let exp = SystemClock.now().unix_timestamp() + 60;
        let key = EncodingKey::from_ec_pem(self.private).unwrap();
        encode(&header, &json!({ "sub": user, "exp": exp }), &key).unwrap()
    }

    fn jwk(self) -> Jwk {
        let key = DecodingKey::from_ec_pem(self.public).unwrap();
        let mut jwk = Jwk::from_decoding_key(&key, Some(Algorithm::ES256)).unwrap();
        jwk.common.key_id = Some(self.kid.to_owned());
        jwk
    }
}

/// A site that publishes keys.
struct JwksServer {
    url: String,
    /// Its response; `None` while it is down.
    answer: Arc<Mutex<Option<String>>>,
    /// The number of requests.
    requests: watch::Receiver<usize>,
    tasks: Tasks,
}

impl JwksServer {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys?secret=hunter2", listener.local_addr().unwrap());
        let (count, requests) = watch::channel(0);
        let answer = Arc::<Mutex<Option<String>>>::default();
        let (tasks, published) = (Tasks::new(), Arc::clone(&answer));
        let ending = tasks.clone();
        tasks.spawn("site", async move {
            let serve = async {
                loop {
                    let (socket, _) = listener.accept().await.unwrap();
                    let text = published.lock().unwrap().clone();
                    serve(socket, text).await;
                    count.send_modify(|count| *count += 1);
                }
            };
            tokio::select! {
                () = serve => (),
                () = ending.draining() => (),
            }
        });
        Self { url, answer, requests, tasks }
    }

    fn publish(&self, keys: &[KeyPair]) {
        let set = JwkSet { keys: keys.iter().map(|it| it.jwk()).collect() };
        *self.answer.lock().unwrap() = Some(serde_json::to_string(&set).unwrap());
    }

    fn take_down(&self) {
        *self.answer.lock().unwrap() = None;
    }

    async fn wait_for_requests(&self, times: usize) {
        let mut asked = self.requests.clone();
        let event = asked.wait_for(|count| *count >= times);
        wait_for("a request for keys", event).await.unwrap();
    }

    fn configure(&self, config: &mut Config) {
        let source = KeyLocation::JwksUrl(self.url.parse().unwrap());
        config.token.keys = vec![KeyOptions { location: source, id: None }];
    }

    async fn stop(self) {
        self.tasks.finish(WAIT_MAX).await.unwrap();
    }
}

async fn serve(mut socket: TcpStream, text: Option<String>) {
    let mut asked = Vec::new();
    while !asked.ends_with(b"\r\n\r\n") {
        asked.push(socket.read_u8().await.unwrap());
    }
    if let Some(text) = text {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", text.len());
        socket.write_all(format!("{head}{text}").as_bytes()).await.unwrap();
    }
}

/// Whether a user with this token can connect.
async fn can_connect(server: &TestServer, wire: Wire, token: &str) -> bool {
    match Client::open(server, wire, ConnectOptions::new().token(token)).await {
        Ok(mut client) => client.next("welcome").await["user"] == "ann",
        Err(refused) => {
            assert_eq!(refused.code, "unauthorized");
            false
        }
    }
}

#[tokio::test]
async fn a_reload_takes_over_another_site() {
    let (one, two) = (JwksServer::start().await, JwksServer::start().await);
    one.publish(&[OLD]);
    two.publish(&[NEW]);
    let server = TestServer::with(|config| one.configure(config)).await;
    assert!(can_connect(&server, Wire::WebSocket, &OLD.token("ann")).await);
    assert!(!can_connect(&server, Wire::WebSocket, &NEW.token("ann")).await);
    let changes = server
        .reload(|config| {
            one.configure(config);
            let keys = config.token.keys.clone();
            two.configure(config);
            config.token.keys.extend(keys);
        })
        .unwrap();
    assert_eq!((changes.live, changes.restart), (vec!["token.keys"], vec![]));
    for key in [OLD, NEW] {
        assert!(can_connect(&server, Wire::SocketIo, &key.token("ann")).await);
    }
    server.reload(|config| two.configure(config)).unwrap();
    assert!(!can_connect(&server, Wire::WebSocket, &OLD.token("ann")).await);
    assert!(can_connect(&server, Wire::WebSocket, &NEW.token("ann")).await);
    server.stop().await;
    one.stop().await;
    two.stop().await;
}

#[tokio::test]
async fn the_first_connection_waits_for_the_keys() {
    let site = JwksServer::start().await;
    site.publish(&[OLD]);
    let server = TestServer::with(|config| site.configure(config)).await;
    for wire in Wire::ALL {
        assert!(can_connect(&server, wire, &OLD.token("ann")).await, "{wire:?}");
        assert!(
            can_connect(&server, wire, &server.token("ann", &[])).await,
            "the own key, {wire:?}"
        );
    }
    server.stop().await;
    site.stop().await;
}

#[tokio::test]
async fn keys_rotate_without_a_gap_and_stay_valid_while_the_site_is_down() {
    let site = JwksServer::start().await;
    site.publish(&[OLD]);
    let server = TestServer::with(|config| site.configure(config)).await;
    assert!(can_connect(&server, Wire::WebSocket, &OLD.token("ann")).await);
    site.publish(&[OLD, NEW]);
    assert!(can_connect(&server, Wire::WebSocket, &NEW.token("ann")).await);
    assert!(can_connect(&server, Wire::WebSocket, &OLD.token("ann")).await);
    let asked = *site.requests.borrow();
    assert_eq!(asked, 2);
    site.take_down();
    let stranger = KeyPair { kid: "stranger", ..NEW };
    assert!(!can_connect(&server, Wire::WebSocket, &stranger.token("ann")).await);
    assert!(can_connect(&server, Wire::WebSocket, &NEW.token("ann")).await);
    assert_eq!(*site.requests.borrow(), 2, "at most once a minute");
    server.stop().await;
    site.stop().await;
}

#[tokio::test]
async fn a_server_starts_while_the_site_is_down_and_retries() {
    let site = JwksServer::start().await;
    let server = TestServer::with(|config| site.configure(config)).await;
    assert!(can_connect(&server, Wire::WebSocket, &server.token("ann", &[])).await);
    site.wait_for_requests(1).await;
    site.publish(&[OLD]);
    site.wait_for_requests(2).await;
    assert!(can_connect(&server, Wire::WebSocket, &OLD.token("ann")).await);
    server.stop().await;
    site.stop().await;
}

#[tokio::test]
async fn a_secret_in_the_settings_replaces_the_key_in_the_data_directory() {
    let secret = b"a secret of at least thirty-two bytes";
    let server = TestServer::with(|config| config.token.secret = Secret::from_raw(secret)).await;
    let exp = SystemClock.now().unix_timestamp() + 60;
    let header = Header::new(Algorithm::HS256);
    let key = EncodingKey::from_secret(secret);
    let token = encode(&header, &json!({ "sub": "ann", "exp": exp }), &key).unwrap();
    assert!(can_connect(&server, Wire::WebSocket, &token).await);
    assert!(!server.config().data.join("token.key").exists());
    let mut guest =
        Client::open(&server, Wire::WebSocket, ConnectOptions::new()).await.ok().unwrap();
    guest.identify("bob").await;
    let again = ConnectOptions::new().token(&guest.token);
    assert!(Client::open(&server, Wire::WebSocket, again).await.is_ok());
    drop(guest);
    server.stop().await;
}

#[tokio::test]
async fn an_invalid_key_prevents_the_server_from_starting() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("private.pem");
    std::fs::write(&path, OLD.private).unwrap();
    let algorithm = Algorithm::ES256;
    let config = Config {
        data: home.path().to_owned(),
        token: roomcast::config::TokenSettings {
            keys: vec![KeyOptions { location: KeyLocation::PemFile(path, algorithm), id: None }],
            ..Config::default().token
        },
        ..Config::default()
    };
    let failure = roomcast::app::Server::start(&config).await.unwrap_err().to_string();
    for part in ["`token.keys`", "key 1", "private.pem", "private key"] {
        assert!(failure.contains(part), "{part} in {failure}");
    }
}
