//! Validates what `wire` serializes against the contract, for the tests beside the serializers.

use std::sync::LazyLock;

use serde_json::{Value, json};

use super::json_schema::{self, UnknownKeys};

/// The schema, with refusal of every key that it does not describe.
static STRICT: LazyLock<Value> = LazyLock::new(|| json_schema::document(UnknownKeys::Refused));

/// Checks the data of an event.
pub(in crate::wire) fn assert_event(name: &str, json: &str) {
    assert_valid("Events", name, json);
}

/// Checks the answer to a request that succeeded, with `ok` and without `ack`.
pub(in crate::wire) fn assert_answer(request: &str, json: &str) {
    assert_valid("Answers", request, json);
}

fn assert_valid(table: &str, name: &str, json: &str) {
    let errors = errors(table, name, json);
    assert!(errors.is_empty(), "the contract does not permit {json} as {name:?}: {errors:?}");
}

/// Why a frame of `/ws` is not valid; nothing when it is.
pub(super) fn frame_errors(table: &str, frame: &Value) -> Vec<String> {
    static SCHEMA: LazyLock<Value> = LazyLock::new(|| json_schema::document(UnknownKeys::Accepted));
    let schema = json!({ "$ref": format!("#/$defs/{table}"), "$defs": SCHEMA["$defs"] });
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    validator.iter_errors(frame).map(|it| it.to_string()).collect()
}

/// Why a text is not valid as the payload of this name; nothing when it is.
pub(super) fn errors(table: &str, name: &str, json: &str) -> Vec<String> {
    let payload = &STRICT["$defs"][table]["properties"][name];
    assert!(payload.is_object(), "{name:?} is not in {table} of the contract");
    let schema = json!({ "allOf": [payload], "$defs": STRICT["$defs"] });
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    let value = serde_json::from_str(json).unwrap();
    validator.iter_errors(&value).map(|it| it.to_string()).collect()
}
