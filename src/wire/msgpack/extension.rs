//! The extension types that JavaScript libraries write by themselves: times and, of `notepack.io`, with
//! which official Socket.IO packages encode, `undefined`, `Date` and `ArrayBuffer`.

use rmp::Marker;
use time::{Duration, OffsetDateTime};

use super::read::{ForeignValues, MsgPackReader};
use crate::{
    domain::Rejection,
    wire::{json::UNSUPPORTED_VALUE, payload::Timestamp},
};

/// The type of what `notepack.io` writes; the length tells what it is.
const NOTEPACK: u8 = 0;
/// The type of times.
const TIMESTAMP: u8 = 0xff;
/// The bits of the seconds in a time of 64 bits; the others are nanoseconds.
const SECONDS_BITS: u32 = 34;
/// The years that `Date` writes with four digits.
const YEARS: std::ops::RangeInclusive<i32> = 0..=9999;

impl<'a> MsgPackReader<'a> {
    /// Reads the extension that `marker` begins. A time becomes the text that `JSON.stringify` makes of
    /// a `Date`, where values like this are wanted; everything else is refused.
    pub(super) fn extension(&mut self, marker: Marker) -> Result<(), Rejection> {
        if self.foreign_values == ForeignValues::Refused {
            return Err(UNSUPPORTED_VALUE);
        }
        let (kind, data) = self.extension_parts(marker)?;
        let time = match (kind, marker) {
            (NOTEPACK, Marker::FixExt1) => {
                self.write_raw("null");
                return Ok(());
            }
            (NOTEPACK, Marker::Ext8 | Marker::Ext16 | Marker::Ext32) => {
                self.attach(data);
                return Ok(());
            }
            (NOTEPACK, Marker::FixExt8) => date(data),
            (TIMESTAMP, _) => timestamp(data),
            _ => None,
        };
        if let Some(time) = time.filter(|it| YEARS.contains(&it.year())) {
            self.write(&Timestamp(time));
        } else {
            self.write_raw("null");
            self.reject(UNSUPPORTED_VALUE);
        }
        Ok(())
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "extensions have these lengths")]
    fn extension_parts(&mut self, marker: Marker) -> Result<(u8, &'a [u8]), Rejection> {
        let length = match marker {
            Marker::FixExt1 => 1,
            Marker::FixExt2 => 2,
            Marker::FixExt4 => 4,
            Marker::FixExt8 => 8,
            Marker::FixExt16 => 16,
            Marker::Ext8 => self.length(Marker::Str8)?,
            Marker::Ext16 => self.length(Marker::Str16)?,
            _ => self.length(Marker::Str32)?,
        };
        let kind = self.take(1)?.first().copied().unwrap_or_default();
        Ok((kind, self.take(length)?))
    }
}

/// The time of a `Date` of `notepack.io`, in milliseconds.
fn date(data: &[u8]) -> Option<OffsetDateTime> {
    let milliseconds = i64::from_be_bytes(data.try_into().ok()?);
    OffsetDateTime::UNIX_EPOCH.checked_add(Duration::milliseconds(milliseconds))
}

/// The time in the data of an extension.
fn timestamp(data: &[u8]) -> Option<OffsetDateTime> {
    let (seconds, nanoseconds) = match data.len() {
        4 => (i64::from(u32::from_be_bytes(data.try_into().ok()?)), 0),
        8 => {
            let packed = u64::from_be_bytes(data.try_into().ok()?);
            let seconds = packed & ((1 << SECONDS_BITS) - 1);
            (i64::try_from(seconds).ok()?, i64::try_from(packed >> SECONDS_BITS).ok()?)
        }
        12 => {
            let (nanoseconds, seconds) = data.split_first_chunk()?;
            let nanoseconds = i64::from(u32::from_be_bytes(*nanoseconds));
            (i64::from_be_bytes(seconds.try_into().ok()?), nanoseconds)
        }
        _ => return None,
    };
    let whole = OffsetDateTime::from_unix_timestamp(seconds).ok()?;
    whole.checked_add(Duration::nanoseconds(nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::super::read::unpack;
    use super::*;
    use crate::domain::Limits;

    fn text(frame: &[u8], foreign_values: ForeignValues) -> Result<String, Rejection> {
        let unpacked = unpack(frame, 1, foreign_values, &Limits::default())?;
        unpacked.rejection.map_or(Ok(unpacked.text), Err)
    }

    #[test]
    fn a_time_becomes_the_text_of_a_date() {
        for (frame, expected) in [
            (&b"\xd6\xff\x00\x00\x00\x01"[..], "\"1970-01-01T00:00:01.000Z\""),
            // 2^32 seconds and 123 ms.
            (b"\xd7\xff\x1d\x53\x6c\xc1\x00\x00\x00\x00", "\"2106-02-07T06:28:16.123Z\""),
            (
                b"\xc7\x0c\xff\x07\x54\xd4\xc0\xff\xff\xff\xff\xff\xff\xff\xff",
                "\"1969-12-31T23:59:59.123Z\"",
            ),
            // 2^32 + 123 ms, and 1 ms before 1970, as `notepack.io` writes them.
            (b"\xd7\x00\x00\x00\x00\x01\x00\x00\x00\x7b", "\"1970-02-19T17:02:47.419Z\""),
            (b"\xd7\x00\xff\xff\xff\xff\xff\xff\xff\xff", "\"1969-12-31T23:59:59.999Z\""),
            (b"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00", "null"),
        ] {
            assert_eq!(text(frame, ForeignValues::AsJavaScript).as_deref(), Ok(expected));
            assert_eq!(text(frame, ForeignValues::Refused), Err(UNSUPPORTED_VALUE));
        }
    }

    #[test]
    fn undefined_is_left_out_of_maps_and_array_buffers_are_bytes() {
        let unpacked = |frame| unpack(frame, 2, ForeignValues::AsJavaScript, &Limits::default());
        let map = b"\x84\xa1a\xd4\x00\x00\xa1b\x01\xa1c\xd4\x00\x00\xa1d\x91\xd4\x00\x00";
        assert_eq!(unpacked(map).unwrap().text, r#"{"b":1,"d":[null]}"#);
        let buffer = unpacked(b"\x91\xc7\x03\x00xyz").unwrap();
        assert_eq!(buffer.text, r#"[{"_placeholder":true,"num":0}]"#);
        assert_eq!(buffer.attachments, [&b"xyz"[..]]);
        for broken in [&b"\xc7\x04\x00xyz"[..], b"\xc9\xff\xff\xff\xff\x00x", b"\xd7\x00\x00"] {
            assert!(unpacked(broken).is_err(), "{broken:?}");
        }
    }

    #[test]
    fn other_extensions_are_refused() {
        for frame in [
            &b"\xd6\x01\x00\x00\x00\x01"[..],
            b"\xd4\xff\x00",
            b"\xc7\x03\xff\x00\x00\x00",
            b"\xc7\x0c\xff\x00\x00\x00\x00\x7f\xff\xff\xff\xff\xff\xff\xff",
            b"\xc7\x0c\xff\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff\xff",
            b"\xd6\xff\x00",
            b"\xd5\x00\x00\x00",
            b"\xd7\x00\x7f\xff\xff\xff\xff\xff\xff\xff",
            b"\xd8\x05\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
        ] {
            assert!(text(frame, ForeignValues::AsJavaScript).is_err(), "{frame:?}");
        }
    }
}
