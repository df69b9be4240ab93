//! Payloads as JSON Schema (2020-12), also for AsyncAPI and OpenAPI.

use std::collections::BTreeMap;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::{
    definitions::{CONNECT_PARAMETERS, IDENTIFIED, REFUSAL},
    events::EVENT_ROWS,
    requests::{REQUEST_ROWS, RequestArgument},
    types::{Definition, Field, Member, Type},
};
use crate::domain::BUILT_IN_EVENTS;

/// Whether objects may have keys that are not described.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::wire) enum UnknownKeys {
    /// They may: a later version adds some.
    Accepted,
    /// They may not: what this version writes.
    #[cfg(test)]
    Refused,
}

/// Writes schemas.
#[derive(Clone, Copy, Debug)]
pub(super) struct SchemaWriter {
    /// Where the document has the definitions, `#/$defs/` for example.
    pub(super) definitions: &'static str,
    pub(super) unknown_keys: UnknownKeys,
}

/// The frames of `/ws` and all payloads, as one schema.
pub(super) fn document(unknown_keys: UnknownKeys) -> Value {
    let writer = SchemaWriter { definitions: "#/$defs/", unknown_keys };
    let mut definitions = writer.definitions();
    for (name, about, schemas) in [
        ("Requests", "The data of requests, by name.", writer.requests()),
        (
            "Answers",
            "The answers to requests that succeeded, by the request's name.",
            writer.answers(),
        ),
        ("Events", "The data of the server's events, by name.", writer.events()),
    ] {
        let schema = json!({ "type": "object", "description": about, "properties": schemas });
        definitions.insert(name.to_owned(), schema);
    }
    definitions.insert("ClientFrame".to_owned(), client_frame());
    definitions.insert("ServerFrame".to_owned(), server_frame());
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": concat!("Roomcast ", env!("CARGO_PKG_VERSION")),
        "description": "The frames of plain WebSocket clients, and the payloads that they share with Socket.IO.",
        "anyOf": [{ "$ref": "#/$defs/ClientFrame" }, { "$ref": "#/$defs/ServerFrame" }],
        "$defs": definitions,
    })
}

impl SchemaWriter {
    /// All definitions that the tables name.
    pub(super) fn definitions(self) -> Map<String, Value> {
        let write = |definition: &Definition| {
            let mut schema = self.schema(definition.of);
            describe(&mut schema, definition.about);
            schema
        };
        definitions().into_iter().map(|(name, it)| (name.to_owned(), write(it))).collect()
    }

    /// The data of requests, by name.
    pub(super) fn requests(self) -> Map<String, Value> {
        let rows = REQUEST_ROWS.iter();
        rows.map(|row| (row.name.to_owned(), self.described(row.data.type_of(), row.about)))
            .collect()
    }

    /// The answers to requests, by name.
    pub(super) fn answers(self) -> Map<String, Value> {
        REQUEST_ROWS.iter().map(|row| (row.name.to_owned(), self.answer(row.answer))).collect()
    }

    /// The data of events, by name.
    pub(super) fn events(self) -> Map<String, Value> {
        let rows = EVENT_ROWS.iter();
        rows.map(|row| (row.name.to_owned(), self.described(row.data, row.about))).collect()
    }

    fn answer(self, members: &[Member]) -> Value {
        let mut schema = self.object(members);
        if let Some(Value::Object(properties)) = schema.get_mut("properties") {
            properties.insert("ok".to_owned(), json!({ "const": true }));
        }
        if let Some(Value::Array(required)) = schema.get_mut("required") {
            required.insert(0, json!("ok"));
        }
        schema
    }

    fn described(self, of: Type, about: &str) -> Value {
        let mut schema = self.schema(of);
        describe(&mut schema, about);
        schema
    }

    /// The schema of a type.
    pub(super) fn schema(self, of: Type) -> Value {
        match of {
            Type::Any => json!({}),
            Type::Text => json!({ "type": "string" }),
            Type::Literal(text) => json!({ "const": text }),
            Type::OneOfTexts(texts) => json!({ "type": "string", "enum": texts }),
            Type::OpenTexts(texts) => json!({ "type": "string", "examples": texts }),
            Type::Time => json!({ "type": "string", "format": "date-time" }),
            Type::Count => {
                json!({ "type": "integer", "minimum": 0, "maximum": 9_007_199_254_740_991_u64 })
            }
            Type::Boolean => json!({ "type": "boolean" }),
            Type::True => json!({ "const": true }),
            Type::False => json!({ "const": false }),
            Type::Null => json!({ "type": "null" }),
            Type::Bytes => json!({
                "type": "object",
                "properties": { "base64": { "type": "string", "contentEncoding": "base64" } },
                "required": ["base64"],
                "additionalProperties": false,
            }),
            Type::Body => json!({ "anyOf": [
                { "type": "string", "pattern": "\\S" },
                { "type": ["number", "boolean", "object", "array"] },
            ] }),
            Type::List(of) => json!({ "type": "array", "items": self.schema(*of) }),
            Type::Map(of) => {
                json!({ "type": "object", "additionalProperties": self.schema(*of) })
            }
            Type::Object(members) => self.object(members),
            Type::Either(types) => {
                json!({ "anyOf": types.iter().map(|it| self.schema(*it)).collect::<Vec<_>>() })
            }
            Type::Named(definition) => {
                json!({ "$ref": format!("{}{}", self.definitions, definition.name) })
            }
        }
    }

    fn object(self, members: &[Member]) -> Value {
        let mut parts = ObjectParts::default();
        self.collect(members, &mut parts);
        let ObjectParts { properties, required, choices } = parts;
        let mut schema =
            json!({ "type": "object", "properties": properties, "required": required });
        if let Value::Object(keys) = &mut schema {
            if self.unknown_keys != UnknownKeys::Accepted {
                keys.insert("additionalProperties".to_owned(), json!(false));
            }
            if !choices.is_empty() {
                keys.insert("allOf".to_owned(), Value::Array(choices));
            }
        }
        schema
    }

    fn collect(self, members: &[Member], parts: &mut ObjectParts) {
        for member in members {
            match member {
                Member::Required(field) => {
                    parts.required.push(field.name);
                    self.property(field, parts);
                }
                Member::Optional(field) => self.property(field, parts),
                Member::OneOf(fields) | Member::AtMostOneOf(fields) => {
                    fields.iter().for_each(|it| self.property(it, parts));
                    let has = |field: &Field| json!({ "required": [field.name] });
                    let mut choices: Vec<_> = fields.iter().map(has).collect();
                    if matches!(member, Member::AtMostOneOf(_)) {
                        choices.push(json!({ "not": { "anyOf": choices.clone() } }));
                    }
                    parts.choices.push(json!({ "oneOf": choices }));
                }
                Member::All(members) => self.collect(members, parts),
            }
        }
    }

    fn property(self, field: &Field, parts: &mut ObjectParts) {
        parts.properties.insert(field.name.to_owned(), self.described(field.of, field.about));
    }
}

#[derive(Default)]
struct ObjectParts {
    properties: Map<String, Value>,
    required: Vec<&'static str>,
    choices: Vec<Value>,
}

/// Every definition that the tables name, and those that only people name.
pub(super) fn definitions() -> BTreeMap<&'static str, &'static Definition> {
    let mut all = BTreeMap::new();
    let mut rest: Vec<&'static Definition> = vec![&CONNECT_PARAMETERS, &IDENTIFIED, &REFUSAL];
    let data = REQUEST_ROWS.iter().map(|row| row.data.type_of());
    let answers = REQUEST_ROWS.iter().map(|row| Type::Object(row.answer));
    for of in data.chain(answers).chain(EVENT_ROWS.iter().map(|row| row.data)) {
        of.for_each_named(&mut |it| rest.push(it));
    }
    while let Some(definition) = rest.pop() {
        if all.insert(definition.name, definition).is_none() {
            definition.of.for_each_named(&mut |it| rest.push(it));
        }
    }
    all
}

/// What a client sends on `/ws`.
fn client_frame() -> Value {
    let ack = number();
    let frames = REQUEST_ROWS.iter().map(|row| {
        let required: &[_] = match row.data {
            RequestArgument::Required(_) => &["event", "data"],
            RequestArgument::Optional(_) => &["event"],
        };
        let data = reference("Requests", row.name);
        let properties = json!({ "event": { "const": row.name }, "data": data, "ack": ack });
        json!({ "type": "object", "properties": properties, "required": required })
    });
    let properties =
        json!({ "event": own_event(), "args": { "type": "array" }, "data": {}, "ack": ack });
    let own = json!({ "type": "object", "properties": properties, "required": ["event"] });
    let mut answer_to_ask = answer_to_ask();
    if let Value::Object(keys) = &mut answer_to_ask {
        // A frame with both is a request.
        keys.insert("not".to_owned(), json!({ "required": ["event"] }));
    }
    json!({ "oneOf": frames.chain([own, answer_to_ask]).collect::<Vec<_>>() })
}

/// What a client receives on `/ws`.
fn server_frame() -> Value {
    let frames = EVENT_ROWS.iter().map(|row| {
        let properties =
            json!({ "event": { "const": row.name }, "data": reference("Events", row.name) });
        json!({ "type": "object", "properties": properties, "required": ["event", "data"] })
    });
    let properties =
        json!({ "event": emitted_event(), "args": { "type": "array" }, "ask": number() });
    let own = json!({ "type": "object", "properties": properties, "required": ["event", "args"] });
    let done = json!({ "properties": { "ok": { "const": true } } });
    let refused = json!({
        "properties": { "ok": { "const": false } },
        "allOf": [{ "$ref": "#/$defs/Refusal" }],
    });
    let answer = json!({
        "type": "object",
        "properties": { "ack": { "type": "integer" }, "ok": { "type": "boolean" } },
        "required": ["ack", "ok"],
        "oneOf": [done, refused],
    });
    json!({ "oneOf": frames.chain([own, answer]).collect::<Vec<_>>() })
}

/// What a client answers to an event with `ask`.
pub(super) fn answer_to_ask() -> Value {
    let properties = json!({ "answer": number(), "args": { "type": "array" }, "data": {} });
    json!({ "type": "object", "properties": properties, "required": ["answer"] })
}

/// What relates an answer to its request or to its event.
pub(super) fn number() -> Value {
    SchemaWriter { definitions: "", unknown_keys: UnknownKeys::Accepted }.schema(Type::Count)
}

/// The name of an event of the application that a client receives.
pub(super) fn emitted_event() -> Value {
    let names: Vec<_> = EVENT_ROWS.iter().map(|row| row.name).collect();
    json!({ "type": "string", "not": { "enum": names } })
}

/// The name of an event that a client sends and that is none of the protocol's.
pub(super) fn own_event() -> Value {
    json!({ "type": "string", "not": { "enum": &BUILT_IN_EVENTS[..] } })
}

/// A reference to a payload in [`document`]. Names have spaces, which a reference encodes.
fn reference(table: &str, name: &str) -> Value {
    let name = utf8_percent_encode(name, NON_ALPHANUMERIC);
    json!({ "$ref": format!("#/$defs/{table}/properties/{name}") })
}

fn describe(schema: &mut Value, about: &str) {
    if let (Value::Object(keys), false) = (schema, about.is_empty()) {
        keys.insert("description".to_owned(), json!(about));
    }
}
