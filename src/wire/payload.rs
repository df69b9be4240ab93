//! Outgoing data: a value to serialize, and the byte strings that its placeholders number.
//!
//! Each wire format serializes the same structs: JSON to text, `MessagePack` by way of
//! [`serde_json::Value`]. A wire struct borrows from the domain value and lives only as long as one
//! serialization.

use bytes::Bytes;
use serde::Serialize;
use time::{OffsetDateTime, UtcOffset, format_description::BorrowedFormatItem};

/// Why serialization of wire structs cannot fail.
pub(super) const SERIALIZES: &str = "wire structs have string keys, and bodies are valid JSON";

/// RFC 3339, UTC, milliseconds.
const FORMAT: &[BorrowedFormatItem<'_>] = time::macros::format_description!(
    "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z"
);

/// Data, and the byte strings beside it.
#[derive(Debug)]
pub(super) struct Payload<T> {
    pub(super) data: T,
    pub(super) attachments: Vec<Bytes>,
}

impl<T> Payload<T> {
    /// Data without byte strings.
    pub(super) fn without_attachments(data: T) -> Self {
        Self { data, attachments: Vec::new() }
    }

    /// Wraps the data and keeps the byte strings.
    pub(super) fn map<U>(self, wrap: impl FnOnce(T) -> U) -> Payload<U> {
        Payload { data: wrap(self.data), attachments: self.attachments }
    }
}

impl<T: Serialize> Payload<T> {
    /// The data as JSON text.
    pub(super) fn json(&self) -> String {
        json(&self.data)
    }
}

/// A wire struct as JSON text.
pub(super) fn json(data: &impl Serialize) -> String {
    serde_json::to_string(data).expect(SERIALIZES)
}

/// Appends a wire struct as JSON text.
pub(super) fn append_json(text: String, data: &impl Serialize) -> String {
    let mut bytes = text.into_bytes();
    serde_json::to_writer(&mut bytes, data).expect(SERIALIZES);
    String::from_utf8(bytes).expect(SERIALIZES)
}

/// A time, which serializes as RFC 3339 in UTC with milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timestamp(pub(super) OffsetDateTime);

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.0.to_offset(UtcOffset::UTC).format(FORMAT);
        serializer.serialize_str(&text.expect("a date has every component of the format"))
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_timestamp_is_utc_with_milliseconds() {
        let at = Timestamp(datetime!(2026-11-20 10:11:12.345678 +2));
        assert_eq!(json(&at), r#""2026-11-20T08:11:12.345Z""#);
    }

    #[test]
    fn fields_are_written_in_order_and_absent_ones_are_left_out() {
        #[derive(Serialize)]
        struct Data {
            a: &'static str,
            #[serde(skip_serializing_if = "Option::is_none")]
            b: Option<u64>,
            c: u64,
            #[serde(flatten)]
            rest: Rest,
        }
        #[derive(Serialize)]
        struct Rest {
            e: u64,
        }
        let data = Data { a: "x\"y", b: None, c: 3, rest: Rest { e: 5 } };
        assert_eq!(json(&data), r#"{"a":"x\"y","c":3,"e":5}"#);
    }
}
