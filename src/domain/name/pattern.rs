//! Patterns for rooms and spaces, in settings and tokens.

use std::{borrow::Cow, fmt};

use super::{ROOM_CHARS_MAX, RoomName, SPACE_CHARS_MAX, Space, text};
use crate::domain::Rejection;

/// Stands for what the `*` of a pattern matches.
const ANY: char = 'x';

/// A pattern for spaces: an exact name, or a prefix that ends with `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpacePattern {
    prefix: Box<str>,
    is_prefix: bool,
}

impl SpacePattern {
    /// Accepts a space, or the beginning of a space with one `*` after it.
    pub fn parse(raw: &str) -> Result<Self, Rejection> {
        let parse = |raw: &str, extra| text::parse_path(raw, SPACE_CHARS_MAX + extra).map(own);
        let (prefix, is_prefix) = split(raw, parse).ok_or(Rejection::UnknownSpace)?;
        Ok(Self { prefix, is_prefix })
    }

    /// Whether `space` matches. The `*` matches one or more characters, none of them `/`.
    pub fn matches(&self, space: &Space) -> bool {
        match space.as_raw().strip_prefix(&*self.prefix) {
            Some(rest) if self.is_prefix => !rest.is_empty() && !rest.contains('/'),
            Some(rest) => rest.is_empty(),
            None => false,
        }
    }

    /// The space of an exact pattern.
    pub fn exact(&self) -> Option<Space> {
        (!self.is_prefix).then(|| Space::from_raw(&self.prefix))
    }

    /// The prefix of a pattern that ends with `*`.
    pub fn prefix(&self) -> Option<&str> {
        self.is_prefix.then_some(&*self.prefix)
    }
}

impl fmt::Display for SpacePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.prefix, if self.is_prefix { "*" } else { "" })
    }
}

/// A pattern for rooms: an exact name, or a prefix that ends with `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomPattern {
    prefix: Box<str>,
    is_prefix: bool,
}

impl RoomPattern {
    /// Accepts a room, the beginning of a room with one `*` after it, or `*` alone.
    pub fn parse(raw: &str) -> Result<Self, Rejection> {
        let parse = |raw: &str, extra| text::parse(raw, ROOM_CHARS_MAX + extra).map(own);
        let (prefix, is_prefix) = split(raw, parse).ok_or(Rejection::RoomInvalid)?;
        Ok(Self { prefix, is_prefix })
    }

    /// Whether `room` matches. The `*` matches zero or more characters.
    pub fn matches(&self, room: &RoomName) -> bool {
        match room.as_raw().strip_prefix(&*self.prefix) {
            Some(rest) => self.is_prefix || rest.is_empty(),
            None => false,
        }
    }
}

impl fmt::Display for RoomPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.prefix, if self.is_prefix { "*" } else { "" })
    }
}

/// Splits a pattern into its normalized text and whether it ends with `*`. `parse` is given the
/// number of characters that are allowed in addition.
///
/// A `*` at another place is refused, though a room may hold one: it is most likely meant to match
/// something. The `*` at the end is parsed as a letter, so that the space in `team *` stays.
fn split(raw: &str, parse: impl FnOnce(&str, usize) -> Option<String>) -> Option<(Box<str>, bool)> {
    let prefix = raw.strip_suffix('*');
    if prefix.unwrap_or(raw).contains('*') {
        return None;
    }
    let text = match prefix {
        Some(prefix) => {
            let mut text = parse(&format!("{prefix}{ANY}"), 1)?;
            text.pop();
            text
        }
        None => parse(raw, 0)?,
    };
    Some((text.into(), prefix.is_some()))
}

fn own(text: Cow<'_, str>) -> String {
    text.into_owned()
}
