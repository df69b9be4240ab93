//! The contract as AsyncAPI 3.0: the frames of `/ws`, from the server's point of view.
//!
//! Over Socket.IO the events have the same names, `data` is their argument, and the answer is the
//! acknowledgement.

use serde_json::{Map, Value, json};

use super::{
    events::EVENT_ROWS,
    json_schema::{SchemaWriter, UnknownKeys, answer_to_ask, emitted_event, number},
    requests::{REQUEST_ROWS, RequestArgument, RequestRow},
};

const CHANNEL: &str = "#/channels/conversation";
const ABOUT: &str = "Live conversations over plain WebSocket. Over Socket.IO the events have the same \
    names, `data` is their argument, and the answer is the acknowledgement, without `ack`.";
const ASK_ABOUT: &str = "An event of your own that your back end asks the client about.";

/// The document.
pub(super) fn document() -> Value {
    let writer =
        SchemaWriter { definitions: "#/components/schemas/", unknown_keys: UnknownKeys::Accepted };
    let (requests, answers, events) = (writer.requests(), writer.answers(), writer.events());
    let mut document = Parts { schemas: writer.definitions(), ..Parts::default() };
    for row in &REQUEST_ROWS {
        document.request(row, (requests.get(row.name), answers.get(row.name)));
    }
    for row in &EVENT_ROWS {
        document.event(row.name, row.about, events.get(row.name));
    }
    document.ask();
    document.refusal();
    let Parts { messages, operations, schemas } = document;
    let references: Map<_, _> = messages
        .keys()
        .map(|it| (it.clone(), json!({ "$ref": format!("#/components/messages/{it}") })))
        .collect();
    json!({
        "asyncapi": "3.0.0",
        "info": { "title": "Roomcast", "version": env!("CARGO_PKG_VERSION"), "description": ABOUT },
        "defaultContentType": "application/json",
        "servers": { "local": { "host": "127.0.0.1:3000", "protocol": "ws", "description": "A server with its defaults." } },
        "channels": { "conversation": {
            "address": "/ws",
            "description": "One connection: requests, their answers, and events.",
            "messages": references,
        } },
        "operations": operations,
        "components": { "messages": messages, "schemas": schemas },
    })
}

#[derive(Default)]
struct Parts {
    messages: Map<String, Value>,
    operations: Map<String, Value>,
    schemas: Map<String, Value>,
}

impl Parts {
    fn request(&mut self, row: &RequestRow, (data, answer): (Option<&Value>, Option<&Value>)) {
        let id = identifier(row.name);
        let (request, answered) = (format!("{id}Request"), format!("{id}Answer"));
        let required: &[_] = match row.data {
            RequestArgument::Required(_) => &["event", "data"],
            RequestArgument::Optional(_) => &["event"],
        };
        let payload = json!({
            "type": "object",
            "properties": { "event": { "const": row.name }, "data": data, "ack": number() },
            "required": required,
        });
        self.message(&request, row.name, &payload, row.about);
        let mut payload = answer.cloned().unwrap_or_default();
        if let Some(properties) = payload.get_mut("properties").and_then(Value::as_object_mut) {
            properties.insert("ack".to_owned(), number());
        }
        self.message(&answered, row.name, &payload, "The answer, with the number of the request.");
        let operation = json!({
            "action": "receive",
            "channel": { "$ref": CHANNEL },
            "summary": row.about,
            "messages": [in_channel(&request)],
            "reply": {
                "channel": { "$ref": CHANNEL },
                "messages": [in_channel(&answered), in_channel("refusal")],
            },
        });
        self.operations.insert(id, operation);
    }

    fn event(&mut self, name: &str, about: &str, data: Option<&Value>) {
        let id = identifier(name);
        let message = format!("{id}Event");
        let payload = json!({
            "type": "object",
            "properties": { "event": { "const": name }, "data": data },
            "required": ["event", "data"],
        });
        self.message(&message, name, &payload, about);
        let operation = json!({
            "action": "send",
            "channel": { "$ref": CHANNEL },
            "summary": about,
            "messages": [in_channel(&message)],
        });
        self.operations.insert(message, operation);
    }

    /// An event of the application that a back end asks about, and its answer.
    fn ask(&mut self) {
        let properties =
            json!({ "event": emitted_event(), "args": { "type": "array" }, "ask": number() });
        let required = ["event", "args", "ask"];
        let payload = json!({ "type": "object", "properties": properties, "required": required });
        self.message("ask", "ask", &payload, ASK_ABOUT);
        let about = "The answer, with the number of the event: any arguments.";
        self.message("askAnswer", "ask", &answer_to_ask(), about);
        let operation = json!({
            "action": "send",
            "channel": { "$ref": CHANNEL },
            "summary": ASK_ABOUT,
            "messages": [in_channel("ask")],
            "reply": { "channel": { "$ref": CHANNEL }, "messages": [in_channel("askAnswer")] },
        });
        self.operations.insert("ask".to_owned(), operation);
    }

    fn refusal(&mut self) {
        let payload = json!({
            "type": "object",
            "properties": { "ack": number(), "ok": { "const": false } },
            "required": ["ack", "ok"],
            "allOf": [{ "$ref": "#/components/schemas/Refusal" }],
        });
        self.message("refusal", "refusal", &payload, "The answer to a request that is refused.");
    }

    fn message(&mut self, id: &str, name: &str, payload: &Value, about: &str) {
        let mut message = json!({ "name": name, "summary": about, "payload": payload });
        let numbers = ["ack", "ask", "answer"];
        let has = |key: &&&str| payload.pointer(&format!("/properties/{key}")).is_some();
        let number = numbers.iter().find(has);
        if let (Some(message), Some(key)) = (message.as_object_mut(), number) {
            let by_number = json!({ "location": format!("$message.payload#/{key}") });
            message.insert("correlationId".to_owned(), by_number);
        }
        self.messages.insert(id.to_owned(), message);
    }
}

fn in_channel(message: &str) -> Value {
    json!({ "$ref": format!("{CHANNEL}/messages/{message}") })
}

/// A name as a key of the document, which has no spaces: `send message` is `sendMessage`.
fn identifier(name: &str) -> String {
    let mut words = name.split(' ');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |text, word| {
        let mut letters = word.chars();
        let head = letters.next().map(|it| it.to_ascii_uppercase());
        text.chars().chain(head).chain(letters).collect()
    })
}
