//! Socket.IO version 5 over an Engine.IO session, for one space.
//!
//! Bytes are `{"base64": "…"}` here as on `/ws`, so that a test has the same values for both.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::{
    ConnectError, ConnectOptions, Received,
    engine::{Engine, Packet},
};
use crate::harness::wait_for;

/// A connection to one space.
pub(crate) struct SioClient {
    engine: Engine,
    space: String,
}

/// A parsed packet.
struct Parsed {
    kind: char,
    space: String,
    ack: Option<u64>,
    data: Value,
    attachments: usize,
}

impl SioClient {
    /// Connects to a space with these options.
    pub(crate) async fn open(
        mut engine: Engine,
        options: &ConnectOptions,
    ) -> Result<Self, ConnectError> {
        let space = options.space.clone().filter(|it| it != "/").unwrap_or_default();
        let comma = if space.is_empty() { "" } else { "," };
        engine.send(vec![Packet::Text(format!("0{space}{comma}{}", options.auth()))]).await;
        let answer = wait_for("the answer to CONNECT", engine.next()).await;
        let Some(Packet::Text(text)) = answer else { panic!("no answer to CONNECT: {answer:?}") };
        let answer = parse(&text);
        assert_eq!(answer.space, space);
        match answer.kind {
            '0' => Ok(Self { engine, space }),
            '4' => {
                let code = answer.data["message"].as_str().unwrap().to_owned();
                Err(ConnectError { status: None, code })
            }
            other => panic!("a packet of type {other} answers CONNECT"),
        }
    }

    /// Sends an event.
    pub(crate) async fn send(&mut self, event: &str, data: Value, ack: Option<u64>) {
        let array = match data {
            Value::Null => json!([event]),
            data => json!([event, data]),
        };
        self.send_array(("2", "5"), ack, array).await;
    }

    /// Answers an event that has a number.
    pub(crate) async fn acknowledge(&mut self, number: u64, args: Value) {
        self.send_array(("3", "6"), Some(number), args).await;
    }

    /// Sends a packet, of the second kind if it has bytes.
    async fn send_array(
        &mut self,
        (text_kind, binary_kind): (&str, &str),
        ack: Option<u64>,
        mut array: Value,
    ) {
        let mut attachments = Vec::new();
        take_bytes(&mut array, &mut attachments);
        let kind = match attachments.len() {
            0 => text_kind.to_owned(),
            count => format!("{binary_kind}{count}-"),
        };
        let comma = if self.space.is_empty() { "" } else { "," };
        let ack = ack.map(|it| it.to_string()).unwrap_or_default();
        let text = format!("{kind}{}{comma}{ack}{array}", self.space);
        let mut packets = vec![Packet::Text(text)];
        packets.extend(attachments.into_iter().map(Packet::Binary));
        self.engine.send(packets).await;
    }

    /// Ends the session.
    pub(crate) async fn close(self) {
        self.engine.close().await;
    }

    /// The next event.
    pub(crate) async fn next(&mut self) -> Received {
        let text = match self.engine.next().await {
            Some(Packet::Text(text)) => text,
            Some(Packet::Binary(_)) => panic!("an attachment without its packet"),
            None => return Received::End(None),
        };
        let mut packet = parse(&text);
        let mut attachments = Vec::new();
        for _ in 0..packet.attachments {
            match self.engine.next().await {
                Some(Packet::Binary(bytes)) => attachments.push(bytes),
                other => panic!("{other:?} in place of an attachment"),
            }
        }
        put_bytes(&mut packet.data, &attachments);
        assert_eq!(packet.space, self.space);
        received(packet)
    }
}

fn received(packet: Parsed) -> Received {
    let Parsed { kind, ack, mut data, .. } = packet;
    match kind {
        '2' | '5' if ack.is_some() => {
            Received::Ask(ack.unwrap(), data[0].as_str().unwrap().to_owned())
        }
        '1' => Received::End(None),
        '2' | '5' => {
            let name = data[0].as_str().unwrap().to_owned();
            Received::Event(name, data.get_mut(1).map(Value::take).unwrap_or_default())
        }
        '3' | '6' => Received::Answer(ack.unwrap(), answer(data)),
        other => panic!("a packet of type {other}: {data}"),
    }
}

/// The argument of an answer; the two of `new user` in the form of `/ws`.
fn answer(mut arguments: Value) -> Value {
    match arguments.as_array().unwrap().len() {
        1 => arguments[0].take(),
        2 => {
            let mut object = arguments[1].take();
            object["ok"] = arguments[0].take();
            object
        }
        other => panic!("{other} arguments"),
    }
}

/// Parses the text of a packet.
fn parse(text: &str) -> Parsed {
    let (kind, mut rest) = text.split_at(1);
    let kind = kind.chars().next().unwrap();
    let mut attachments = 0;
    if matches!(kind, '5' | '6') {
        let (count, after) = rest.split_once('-').unwrap();
        (attachments, rest) = (count.parse().unwrap(), after);
    }
    let mut space = String::new();
    if rest.starts_with('/') {
        let (name, after) = rest.split_once(',').unwrap_or((rest, ""));
        (space, rest) = (name.to_owned(), after);
    }
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (ack, rest) = rest.split_at(digits);
    let data = serde_json::from_str(rest).unwrap_or_default();
    Parsed { kind, space, ack: ack.parse().ok(), data, attachments }
}

/// Replaces bytes in a value by placeholders.
fn take_bytes(value: &mut Value, taken: &mut Vec<Vec<u8>>) {
    if let Some(text) = single_member(value, "base64").and_then(Value::as_str) {
        let bytes = BASE64_STANDARD.decode(text).unwrap();
        *value = json!({ "_placeholder": true, "num": taken.len() });
        taken.push(bytes);
        return;
    }
    for it in children(value) {
        take_bytes(it, taken);
    }
}

/// Replaces placeholders by bytes.
fn put_bytes(value: &mut Value, attachments: &[Vec<u8>]) {
    if value.get("_placeholder").is_some() {
        let number = usize::try_from(value["num"].as_u64().unwrap()).unwrap();
        *value = json!({ "base64": BASE64_STANDARD.encode(&attachments[number]) });
        return;
    }
    for it in children(value) {
        put_bytes(it, attachments);
    }
}

/// The only member of an object, if it has this name.
fn single_member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    value.as_object().filter(|it| it.len() == 1)?.get(name)
}

fn children(value: &mut Value) -> Vec<&mut Value> {
    match value {
        Value::Array(items) => items.iter_mut().collect(),
        Value::Object(members) => members.values_mut().collect(),
        _ => Vec::new(),
    }
}
