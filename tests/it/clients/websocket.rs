//! A plain WebSocket client.

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};

use super::{ConnectError, ConnectOptions, Received, raw::Raw};
use crate::{harness::TestServer, sockets::ClientSocket};

/// A connection to `/ws`.
pub(crate) struct WsClient(WebSocketStream<ClientSocket>);

impl WsClient {
    /// Connects with these options.
    pub(crate) async fn open(
        server: &TestServer,
        options: &ConnectOptions,
    ) -> Result<Self, ConnectError> {
        Self::open_at(server, &format!("/ws?{}", options.query()), "").await
    }

    /// Connects to an address, with headers.
    pub(crate) async fn open_at(
        server: &TestServer,
        path: &str,
        headers: &str,
    ) -> Result<Self, ConnectError> {
        let mut raw = Raw::connect(server).await;
        let answer = raw.handshake(path, headers).await;
        match answer.status {
            101 => Ok(Self(raw.into_websocket().await)),
            status => {
                let code = answer.code().as_str().unwrap_or_default().to_owned();
                Err(ConnectError { status: Some(status), code })
            }
        }
    }

    /// Sends a request.
    pub(crate) async fn send(&mut self, event: &str, data: Value, ack: Option<u64>) {
        let mut frame = json!({ "event": event });
        if !data.is_null() {
            frame["data"] = data;
        }
        if let Some(ack) = ack {
            frame["ack"] = ack.into();
        }
        self.send_text(frame.to_string()).await;
    }

    /// Sends any text.
    pub(crate) async fn send_text(&mut self, text: String) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    /// Closes, and waits for the server's close frame.
    pub(crate) async fn close(mut self) {
        self.0.close(None).await.ok();
        while self.0.next().await.is_some_and(|it| it.is_ok()) {}
    }

    /// The next event.
    pub(crate) async fn next(&mut self) -> Received {
        loop {
            let text = match self.0.next().await {
                Some(Ok(Message::Text(text))) => text,
                Some(Ok(Message::Close(frame))) => {
                    return Received::End(frame.map(|it| it.code.into()));
                }
                Some(Err(_)) | None => return Received::End(None),
                Some(Ok(_)) => continue,
            };
            let mut frame: Value = serde_json::from_str(&text).unwrap();
            if let Some(ask) = frame["ask"].as_u64() {
                return Received::Ask(ask, frame["event"].as_str().unwrap().to_owned());
            }
            let ack = frame.as_object_mut().unwrap().remove("ack");
            return if let Some(ack) = ack {
                Received::Answer(ack.as_u64().unwrap(), frame)
            } else {
                let name = frame["event"].as_str().unwrap().to_owned();
                Received::Event(name, frame["data"].take())
            };
        }
    }
}
