//! A chat in the terminal with rust_socketio. Each line that you type is a message, `/bytes 00ff` is
//! an event with bytes, and everything that happens is printed as a line of JSON.
//!
//! ```sh
//! cd examples/clients/rust
//! cargo run -- http://127.0.0.1:3000 --name ann
//! ```

use std::{
    env, process,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures_util::FutureExt as _;
use rust_socketio::{
    Event, Payload, TransportType,
    asynchronous::{Client, ClientBuilder, ReconnectSettings},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, stdin},
    sync::{Notify, oneshot},
    time::{sleep, timeout},
};

const RETRY: Duration = Duration::from_secs(1);
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// The codes of refusals after which it helps to try again: docs/protocol.md "Codes".
const TRY_AGAIN: [&str; 4] = ["draining", "internal", "too_fast", "unavailable"];

/// What all handlers share.
#[derive(Default)]
struct Chat {
    /// What the next connection says: who it is, and the last entry that it has of each room.
    handshake: Mutex<Value>,
    connected: Notify,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let args: Vec<_> = env::args().skip(1).collect();
    let (url, option, who) = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [url, option @ ("--name" | "--token"), who, ..] => (url, option, who),
        _ => fail("URL (--name NAME | --token TOKEN) [polling | websocket]"),
    };
    let transport = match args.get(3).map(String::as_str) {
        Some("polling") => TransportType::Polling,
        Some("websocket") => TransportType::Websocket,
        _ => TransportType::Any,
    };
    let chat = Arc::<Chat>::default();
    *chat.handshake() = json!({ "since": {} });
    if option == "--token" {
        chat.handshake()["token"] = json!(who);
    }
    let client = connect(&chat, url, transport).await;
    chat.connected.notified().await;
    if option == "--name" {
        // The acknowledgement has two arguments; `welcome` has the token, too.
        if let Some([Value::Bool(false), refusal]) =
            ask(&client, "new user", json!(who)).await.as_deref()
        {
            fail(&refusal.to_string());
        }
    }
    let mut lines = BufReader::new(stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        match line.strip_prefix("/bytes ") {
            // The library cannot send bytes with an acknowledgement.
            Some(hex) => client.emit("picture", bytes_of(hex)).await.unwrap_or_default(),
            None => send(&client, who, &line).await,
        }
    }
    let _ = client.disconnect().await;
}

/// A client that comes back by itself, each time with the newest handshake.
async fn connect(chat: &Arc<Chat>, url: &str, transport: TransportType) -> Client {
    let [on_any, on_open, on_reconnect] = [(); 3].map(|()| Arc::clone(chat));
    ClientBuilder::new(url)
        .transport_type(transport)
        .auth(chat.handshake().clone())
        .on_reconnect(move || {
            let mut settings = ReconnectSettings::new();
            settings.auth(on_reconnect.handshake().clone());
            async { settings }.boxed()
        })
        .reconnect_delay(200, 5_000)
        .on(Event::Connect, move |_, _| {
            on_open.connected.notify_one();
            async {}.boxed()
        })
        .on(Event::Error, |payload, _| {
            fail_if_refused(&payload);
            async {}.boxed()
        })
        .on_any(move |event, payload, _| {
            on_any.take(event.as_str(), payload);
            async {}.boxed()
        })
        .connect()
        .await
        .unwrap_or_else(|error| fail(&error.to_string()))
}

impl Chat {
    fn handshake(&self) -> std::sync::MutexGuard<'_, Value> {
        self.handshake.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what the next connection needs of an event.
    fn take(&self, event: &str, payload: Payload) {
        let data = match payload {
            Payload::Text(args) => args.into_iter().next().unwrap_or_default(),
            Payload::Binary(bytes) => json!({ "hex": hex_of(&bytes) }),
            _ => return,
        };
        let mut handshake = self.handshake();
        let mut seen = |room: &Value, seq: &Value| {
            handshake["since"][room.as_str().unwrap_or_default()] = seq.clone();
        };
        let list = |key| data[key].as_array().into_iter().flatten();
        match event {
            "new message" => seen(&data["room"], &data["seq"]),
            // If it was not recovered, `history` has what was missed, page by page.
            "missed" if data["recovered"] == false => seen(&data["room"], &data["head"]),
            "missed" => list("messages").for_each(|it| seen(&data["room"], &it["seq"])),
            "welcome" => {
                handshake["epoch"] = data["epoch"].clone();
                if data["token"].is_string() {
                    // A guest's: with it the next connection is the same guest.
                    handshake["token"] = data["token"].clone();
                }
                for it in list("rooms") {
                    let since = &mut handshake["since"][it["room"].as_str().unwrap_or_default()];
                    if since.is_null() {
                        *since = it["seq"].clone();
                    }
                }
            }
            _ => {}
        }
        show(event, &data);
    }
}

/// Sends a message until it is stored. A repetition has the same id, which is stored only once.
async fn send(client: &Client, who: &str, text: &str) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let sender: String = who.chars().filter(char::is_ascii_alphanumeric).take(20).collect();
    let id = format!("{sender}-{}", now.as_nanos());
    let message = json!({ "msg": text, "id": id });
    loop {
        match ask(client, "send message", message.clone()).await.as_deref() {
            Some([answer, ..]) => return show("stored", answer),
            _ => sleep(RETRY).await,
        }
    }
}

/// The arguments of an acknowledgement, unless the connection is lost.
async fn ask(client: &Client, event: &str, data: Value) -> Option<Vec<Value>> {
    let (answered, answer) = oneshot::channel();
    let mut answered = Some(answered);
    let callback = move |payload, _| {
        if let (Payload::Text(args), Some(answered)) = (payload, answered.take()) {
            let _ = answered.send(args);
        }
        async {}.boxed()
    };
    client.emit_with_ack(event, data, ANSWER_MAX, callback).await.ok()?;
    // The library hands over one value: the array of all arguments.
    match timeout(ANSWER_MAX, answer).await.ok()?.ok()?.into_iter().next()? {
        Value::Array(args) => Some(args),
        _ => None,
    }
}

/// Gives up after a refusal that no later attempt changes. Other errors are those of a network.
fn fail_if_refused(payload: &Payload) {
    let Payload::Text(args) = payload else { return };
    let text = args.iter().filter_map(Value::as_str).collect::<String>();
    let Some(at) = text.find('{').filter(|_| text.contains("ConnectError")) else { return };
    let refusal: Value = serde_json::from_str(&text[at..]).unwrap_or_default();
    if !TRY_AGAIN.iter().any(|it| refusal["message"] == **it) {
        fail(&refusal.to_string());
    }
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits: Vec<_> = hex.chars().filter_map(|it| it.to_digit(16)).collect();
    digits.chunks_exact(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()
}

fn hex_of(bytes: &[u8]) -> String {
    bytes.iter().map(|it| format!("{it:02x}")).collect()
}

fn show(event: &str, data: &Value) {
    println!("{}", json!({ "event": event, "data": data }));
}

fn fail(why: &str) -> ! {
    eprintln!("{why}");
    process::exit(1)
}
