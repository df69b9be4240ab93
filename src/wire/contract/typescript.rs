//! The contract as TypeScript declarations, for the official Socket.IO client and for `/ws`.

use std::fmt::Write as _;

use super::{
    events::EVENT_ROWS,
    json_schema::definitions,
    requests::{REQUEST_ROWS, RequestArgument},
    types::{Definition, Field, Member, Type},
};
use crate::wire::{REQUESTS, ReplyForm};

const BEGIN: &str = include_str!("begin.d.ts");
const END: &str = include_str!("end.d.ts");

/// The text of the declarations.
pub(super) fn document() -> String {
    let mut text = BEGIN.replace("VERSION", env!("CARGO_PKG_VERSION"));
    for definition in definitions().values() {
        comment(&mut text, definition.about, 0);
        append(
            &mut text,
            format_args!("export type {} = {};\n\n", definition.name, named(definition)),
        );
    }
    let requests = REQUEST_ROWS.iter().map(|row| (row.name, row.about, row.data.type_of()));
    interface(&mut text, "Requests", "What requests say, by name.", requests);
    let answers = REQUEST_ROWS.iter().map(|row| (row.name, "", Type::Object(row.answer)));
    interface(&mut text, "Answers", "The answers to requests, beside `ok: true`.", answers);
    let events = EVENT_ROWS.iter().map(|row| (row.name, row.about, row.data));
    interface(&mut text, "Events", "What the events of the server say, by name.", events);
    client_to_server(&mut text);
    server_to_client(&mut text);
    text.push_str(END);
    text
}

/// An interface with a key per row: name, comment and type.
fn interface(
    text: &mut String,
    name: &str,
    about: &str,
    rows: impl Iterator<Item = (&'static str, &'static str, Type)>,
) {
    comment(text, about, 0);
    append(text, format_args!("export interface {name} {{\n"));
    for (name, about, of) in rows {
        comment(text, about, 1);
        append(text, format_args!("  {}: {};\n", key(name), type_text(of, 1)));
    }
    text.push_str("}\n\n");
}

fn client_to_server(text: &mut String) {
    comment(text, "What a client emits. Extend it with events of your own.", 0);
    text.push_str("export interface ClientToServerEvents {\n");
    for row in &REQUEST_ROWS {
        comment(text, row.about, 1);
        let (key, name) = (key(row.name), literal(row.name));
        let has_two = |it: &&crate::wire::RequestSpec| it.reply == ReplyForm::UserAndToken;
        let ack = match REQUESTS.iter().find(|it| it.name == row.name).filter(has_two) {
            Some(_) => {
                "(...answer: [ok: true, identified: Identified] | [ok: false, refusal: Refusal]) => void"
                    .to_owned()
            }
            None => format!("(answer: Answer<Answers[{name}]>) => void"),
        };
        let arguments = match row.data {
            RequestArgument::Required(_) => format!("data: Requests[{name}], ack: {ack}"),
            RequestArgument::Optional(_) => {
                format!("...args: [ack: {ack}] | [data: Requests[{name}], ack: {ack}]")
            }
        };
        append(text, format_args!("  {key}: ({arguments}) => void;\n"));
    }
    text.push_str("}\n\n");
}

fn server_to_client(text: &mut String) {
    comment(text, "What a client listens to. Extend it with events of your own.", 0);
    text.push_str("export interface ServerToClientEvents {\n");
    for row in &EVENT_ROWS {
        comment(text, row.about, 1);
        let (key, name) = (key(row.name), literal(row.name));
        append(text, format_args!("  {key}: (data: Events[{name}]) => void;\n"));
    }
    text.push_str("}\n\n");
}

/// The type of a definition. What your own events keep is known to you alone.
fn named(definition: &Definition) -> String {
    if definition.name == "KeptEntry" {
        return "{ [E in keyof KeptEvents]: KeptEntryOf<E, KeptEvents[E]> }[keyof KeptEvents]"
            .to_owned();
    }
    type_text(definition.of, 0)
}

fn type_text(of: Type, depth: usize) -> String {
    match of {
        Type::Any => "unknown".to_owned(),
        Type::Text | Type::Time => "string".to_owned(),
        Type::Literal(text) => literal(text),
        Type::OneOfTexts(texts) => alternatives(texts.iter().map(|it| literal(it))),
        // `string & {}` keeps the known texts for completion.
        Type::OpenTexts(texts) => {
            alternatives(texts.iter().map(|it| literal(it)).chain(["(string & {})".to_owned()]))
        }
        Type::Count => "number".to_owned(),
        Type::Boolean => "boolean".to_owned(),
        Type::True => "true".to_owned(),
        Type::False => "false".to_owned(),
        Type::Null => "null".to_owned(),
        Type::Bytes => "Bytes".to_owned(),
        Type::Body => "Body".to_owned(),
        Type::List(of) => format!("Array<{}>", type_text(*of, depth)),
        Type::Map(of) => format!("Record<string, {}>", type_text(*of, depth)),
        Type::Object(members) => object(members, depth),
        Type::Either(types) => alternatives(types.iter().map(|it| type_text(*it, depth))),
        Type::Named(definition) => definition.name.to_owned(),
    }
}

fn alternatives(types: impl Iterator<Item = String>) -> String {
    types.collect::<Vec<_>>().join(" | ")
}

/// The keys in braces, and `& (… | …)` for each choice among keys.
fn object(members: &[Member], depth: usize) -> String {
    let (mut keys, mut choices) = (String::new(), Vec::new());
    collect(members, depth + 1, &mut keys, &mut choices);
    let mut text = match (keys.is_empty(), choices.is_empty()) {
        // `{}` would be any value.
        (true, true) => "object".to_owned(),
        (true, false) => String::new(),
        (false, _) => format!("{{\n{keys}{}}}", "  ".repeat(depth)),
    };
    for choice in choices {
        let and = if text.is_empty() { "" } else { " & " };
        append(&mut text, format_args!("{and}({choice})"));
    }
    text
}

fn collect(members: &[Member], depth: usize, keys: &mut String, choices: &mut Vec<String>) {
    for member in members {
        match member {
            Member::Required(field) => line(keys, field, "", depth),
            Member::Optional(field) => line(keys, field, "?", depth),
            Member::OneOf(fields) => choices.push(choice(fields, depth)),
            Member::AtMostOneOf(fields) => {
                let none = fields.iter().map(|it| format!("{}?: never", key(it.name)));
                let none = none.collect::<Vec<_>>().join("; ");
                choices.push(format!("{} | {{ {none} }}", choice(fields, depth)));
            }
            Member::All(members) => collect(members, depth, keys, choices),
        }
    }
}

fn line(keys: &mut String, field: &Field, mark: &str, depth: usize) {
    comment(keys, field.about, depth);
    let (indent, of) = ("  ".repeat(depth), type_text(field.of, depth));
    append(keys, format_args!("{indent}{}{mark}: {of};\n", key(field.name)));
}

/// An object for each key, which excludes the others.
fn choice(fields: &[Field], depth: usize) -> String {
    let object = |chosen: &Field| {
        let keys = fields.iter().map(|it| {
            if it.name == chosen.name {
                format!("{}: {}", key(it.name), type_text(it.of, depth))
            } else {
                format!("{}?: never", key(it.name))
            }
        });
        format!("{{ {} }}", keys.collect::<Vec<_>>().join("; "))
    };
    alternatives(fields.iter().map(object))
}

/// A key of an object, in quotation marks where it is no identifier.
fn key(name: &str) -> String {
    let is_plain = name.chars().all(|it| it.is_ascii_alphanumeric());
    if is_plain { name.to_owned() } else { literal(name) }
}

/// A text of the tables, which needs no escapes.
fn literal(text: &str) -> String {
    format!("\"{text}\"")
}

fn comment(text: &mut String, about: &str, depth: usize) {
    if !about.is_empty() {
        append(text, format_args!("{}/** {about} */\n", "  ".repeat(depth)));
    }
}

fn append(text: &mut String, part: std::fmt::Arguments<'_>) {
    text.write_fmt(part).expect("a string takes any text");
}
