//! Times, the one extension type of `MessagePack` that JavaScript libraries write by themselves.

use rmp::Marker;
use time::{Duration, OffsetDateTime};

use super::read::{ForeignValues, MsgPackReader, UNSUPPORTED_VALUE};
use crate::{domain::Rejection, wire::payload::Timestamp};

/// The type of times.
const TIMESTAMP: u8 = 0xff;
/// The bits of the seconds in a time of 64 bits; the others are nanoseconds.
const SECONDS_BITS: u32 = 34;
/// The years that `Date` writes with four digits.
const YEARS: std::ops::RangeInclusive<i32> = 0..=9999;

impl MsgPackReader<'_> {
    /// Reads the extension that `marker` begins. A time becomes the text that `JSON.stringify` makes of
    /// a `Date`, where values like this are wanted; everything else is refused.
    pub(super) fn extension(&mut self, marker: Marker) -> Result<(), Rejection> {
        if self.foreign_values == ForeignValues::Refused {
            return Err(UNSUPPORTED_VALUE);
        }
        let length = self.extension_length(marker)?;
        let (kind, data) = (self.take(1)?, self.take(length)?);
        let time = timestamp(data).filter(|it| kind == [TIMESTAMP] && YEARS.contains(&it.year()));
        self.write(&Timestamp(time.ok_or(UNSUPPORTED_VALUE)?));
        Ok(())
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "times have these three lengths")]
    fn extension_length(&mut self, marker: Marker) -> Result<usize, Rejection> {
        match marker {
            Marker::FixExt4 => Ok(4),
            Marker::FixExt8 => Ok(8),
            Marker::Ext8 => self.length(Marker::Str8),
            _ => Err(UNSUPPORTED_VALUE),
        }
    }
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
        unpack(frame, 1, foreign_values, &Limits::default()).map(|it| it.text)
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
            (b"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00", "null"),
        ] {
            assert_eq!(text(frame, ForeignValues::AsJavaScript).as_deref(), Ok(expected));
            assert_eq!(text(frame, ForeignValues::Refused), Err(UNSUPPORTED_VALUE));
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
        ] {
            assert!(text(frame, ForeignValues::AsJavaScript).is_err(), "{frame:?}");
        }
    }
}
