//! The name and the `ack` of a frame that is refused.

use rmp::Marker;

use super::read::MsgPackReader;
use crate::{domain::Rejection, wire::request::RequestKind};

/// What can be read of a frame.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct FramePeek {
    pub(super) event: Option<String>,
    pub(super) ack: Option<u64>,
}

impl FramePeek {
    /// Reads up to the first error. Values of other fields are skipped, however deep they are.
    pub(super) fn read(frame: &[u8]) -> Self {
        let mut peek = Self::default();
        peek.fill(&mut MsgPackReader::new(frame, 0)).ok();
        peek
    }

    /// The request of the frame.
    pub(super) fn kind(&self) -> RequestKind {
        self.event.as_deref().map_or(RequestKind::Unknown(None), RequestKind::of)
    }

    fn fill(&mut self, reader: &mut MsgPackReader<'_>) -> Result<(), Rejection> {
        let map = reader.marker()?;
        if !matches!(map, Marker::FixMap(_) | Marker::Map16 | Marker::Map32) {
            return Ok(());
        }
        for _ in 0..reader.length(map)? {
            let marker = reader.marker()?;
            let key = reader.text(marker)?;
            let marker = reader.marker()?;
            match &*key {
                "event" if self.event.is_none() => {
                    self.event = Some(reader.text(marker)?.into_owned());
                }
                "ack" if self.ack.is_none() => self.ack = reader.unsigned(marker)?,
                _ => reader.skip(marker)?,
            }
        }
        Ok(())
    }
}

impl MsgPackReader<'_> {
    /// Reads the integer that `marker` begins. Other values are skipped.
    #[expect(clippy::wildcard_enum_match_arm, reason = "only integers are read")]
    pub(super) fn unsigned(&mut self, marker: Marker) -> Result<Option<u64>, Rejection> {
        let bytes = match marker {
            Marker::FixPos(number) => return Ok(Some(number.into())),
            Marker::U8 => self.take(1)?,
            Marker::U16 => self.take(2)?,
            Marker::U32 => self.take(4)?,
            Marker::U64 => self.take(8)?,
            other => return self.skip(other).map(|()| None),
        };
        Ok(Some(bytes.iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte))))
    }

    /// Skips the value that `marker` begins, without recursion.
    pub(super) fn skip(&mut self, marker: Marker) -> Result<(), Rejection> {
        let (mut values, mut next) = (0_usize, Some(marker));
        while let Some(marker) = next {
            values = values.saturating_add(self.skip_one(marker)?);
            next = if values > 0 { Some(self.marker()?) } else { None };
            values = values.saturating_sub(1);
        }
        Ok(())
    }

    /// Skips a value but not those in it. Returns how many these are.
    fn skip_one(&mut self, marker: Marker) -> Result<usize, Rejection> {
        let bytes = match marker {
            Marker::FixArray(_) | Marker::Array16 | Marker::Array32 => return self.length(marker),
            Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => {
                return Ok(self.length(marker)?.saturating_mul(2));
            }
            Marker::FixStr(_)
            | Marker::Str8
            | Marker::Str16
            | Marker::Str32
            | Marker::Bin8
            | Marker::Bin16
            | Marker::Bin32 => self.length(marker)?,
            Marker::Ext8 => self.length(Marker::Str8)?.saturating_add(1),
            Marker::Ext16 => self.length(Marker::Str16)?.saturating_add(1),
            Marker::Ext32 => self.length(Marker::Str32)?.saturating_add(1),
            Marker::U8 | Marker::I8 => 1,
            Marker::U16 | Marker::I16 | Marker::FixExt1 => 2,
            Marker::FixExt2 => 3,
            Marker::U32 | Marker::I32 | Marker::F32 => 4,
            Marker::FixExt4 => 5,
            Marker::U64 | Marker::I64 | Marker::F64 => 8,
            Marker::FixExt8 => 9,
            Marker::FixExt16 => 17,
            Marker::Null
            | Marker::True
            | Marker::False
            | Marker::FixPos(_)
            | Marker::FixNeg(_)
            | Marker::Reserved => 0,
        };
        self.take(bytes)?;
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame whose first value is `data`.
    fn frame(data: &[u8]) -> Vec<u8> {
        [&b"\x83\xa4data"[..], data, b"\xa3ack\xcd\x01\x00\xa5event\xa4join"].concat()
    }

    #[test]
    fn every_value_is_skipped() {
        let deep = [vec![0x91; 100_000], vec![0xc0]].concat();
        for data in [
            &deep[..],
            b"\xc7\x01\x05x",
            b"\xd4\x05x",
            b"\xd8\x050123456789abcdef",
            b"\xde\x00\x01\xc0\x92\x01\xcb01234567",
            b"\xd9\x02\xff\xff",
            b"\xc4\x01\0",
        ] {
            let expected = FramePeek { event: Some("join".to_owned()), ack: Some(256) };
            assert_eq!(FramePeek::read(&frame(data)), expected);
        }
    }

    #[test]
    fn what_precedes_an_error_is_kept() {
        let whole = b"\x82\xa3ack\x07\xa5event\xa4join";
        let ack = FramePeek { event: None, ack: Some(7) };
        assert_eq!(FramePeek::read(&whole[..12]), ack);
        assert_eq!(FramePeek::read(b"\x93\x01\x02\x03"), FramePeek::default());
        assert_eq!(FramePeek::read(b""), FramePeek::default());
        assert_eq!(FramePeek::read(b"\x81\xa1x\xdd\xff\xff\xff\xff"), FramePeek::default());
    }
}
