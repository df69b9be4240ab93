//! Paths that the settings tie to a dialect and a room, for clients that can change nothing but the
//! host.

use super::{dialect::DialectId, parameter, percent_decode};
use crate::domain::{Rejection, RoomName};

/// The segment that stands for the room.
const ROOM: &str = "{room}";
/// The begin of a room that a parameter names.
const QUERY: &str = "{query.";
/// Longest path of a rule, in bytes.
const PATH_BYTES_MAX: usize = 256;
/// The paths of Roomcast.
const OWN_PATHS: [&str; 6] =
    ["/api", "/assets", "/health", "/socket.io", "/socket.io-msgpack", "/ws"];

/// A path of the settings, and what its connections speak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathRule {
    /// The path. With a room, what stands before its segment, and what after.
    path: PathPattern,
    /// The dialect. `None` is the protocol of `/ws`.
    dialect: Option<DialectId>,
    /// Where the room is named. `None`: as on `/ws`.
    room: Option<RoomSource>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum PathPattern {
    Exact(Box<str>),
    WithRoom { before: Box<str>, after: Box<str> },
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum RoomSource {
    Fixed(RoomName),
    /// The segment of the path.
    Path,
    /// A parameter of the query.
    Query(Box<str>),
}

impl PathRule {
    /// Reads a rule, or says why it cannot work.
    pub fn parse(
        path: &str,
        dialect: Option<&str>,
        room: Option<&str>,
    ) -> Result<Self, &'static str> {
        let path = path_pattern(path)?;
        let dialect = match dialect.map(DialectId::named) {
            Some(None) => return Err("`dialect` is not one of docs/dialects.md"),
            dialect => dialect.flatten(),
        };
        let has_room = matches!(path, PathPattern::WithRoom { .. });
        let room = room.map(room_source).transpose()?;
        let room = match room {
            Some(RoomSource::Path) if !has_room => return Err("`path` has no {room}"),
            None | Some(RoomSource::Path) => has_room.then_some(RoomSource::Path),
            Some(_) if has_room => return Err("`path` has a {room}, and `room` is another one"),
            room => room,
        };
        Ok(Self { path, dialect, room })
    }

    /// Whether both rules are for the same paths.
    pub fn has_path_of(&self, other: &Self) -> bool {
        self.path == other.path
    }

    /// The dialect. `None` is the protocol of `/ws`.
    pub fn dialect(&self) -> Option<DialectId> {
        self.dialect
    }

    /// Whether the rule is for this path.
    pub fn matches(&self, path: &str) -> bool {
        match &self.path {
            PathPattern::Exact(exact) => without_last_slash(path) == &**exact,
            PathPattern::WithRoom { .. } => self.segment(path).is_some(),
        }
    }

    /// The room of a connection to a path that matches. `None`: as on `/ws`.
    pub fn room(&self, path: &str, query: &str) -> Result<Option<RoomName>, Rejection> {
        let Some(source) = &self.room else { return Ok(None) };
        let room = match source {
            RoomSource::Fixed(room) => return Ok(Some(room.clone())),
            RoomSource::Path => self.segment(path).and_then(percent_decode).map(Into::into),
            RoomSource::Query(name) => {
                let room = parameter(query, name)?;
                Some(room.ok_or(Rejection::BadRequest("the query does not name the room"))?)
            }
        };
        RoomName::parse(&room.ok_or(Rejection::RoomInvalid)?).map(Some)
    }

    /// The segment of a path that stands for the room.
    fn segment<'p>(&self, path: &'p str) -> Option<&'p str> {
        let PathPattern::WithRoom { before, after } = &self.path else { return None };
        let rest = without_last_slash(path).strip_prefix(&**before)?;
        let segment = rest.strip_suffix(&**after)?;
        (!segment.is_empty() && !segment.contains('/')).then_some(segment)
    }
}

fn path_pattern(path: &str) -> Result<PathPattern, &'static str> {
    let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, '?' | '#');
    if !path.starts_with('/') || path.len() > PATH_BYTES_MAX || !path.chars().all(is_plain) {
        return Err("`path` begins with `/` and has up to 256 ASCII characters, without ? and #");
    }
    let path = without_last_slash(path);
    let is_below = |rest: &str| rest.is_empty() || rest.starts_with('/');
    if OWN_PATHS.iter().any(|own| path.strip_prefix(own).is_some_and(is_below)) {
        return Err("`path` is one of Roomcast: /api, /assets, /health, /socket.io, \
                    /socket.io-msgpack or /ws");
    }
    let is_exact = |text: &str| !text.contains(['{', '}']);
    match path.split_once(ROOM) {
        None if is_exact(path) => Ok(PathPattern::Exact(path.into())),
        Some((before, after)) if before.ends_with('/') && is_exact(before) && is_exact(after) => {
            if !after.is_empty() && !after.starts_with('/') {
                return Err("{room} is a whole segment of `path`");
            }
            Ok(PathPattern::WithRoom { before: before.into(), after: after.into() })
        }
        _ => Err("{room} is a whole segment of `path`, once, and there are no other braces"),
    }
}

fn room_source(room: &str) -> Result<RoomSource, &'static str> {
    if room == ROOM {
        return Ok(RoomSource::Path);
    }
    let parameter = room.strip_prefix(QUERY).and_then(|rest| rest.strip_suffix('}'));
    match parameter {
        Some(name) if !name.is_empty() && !name.contains(['{', '}']) => {
            Ok(RoomSource::Query(name.into()))
        }
        _ if room.contains(['{', '}']) => Err("`room` is a name, {room} or {query.NAME}"),
        _ => RoomName::parse(room).map(RoomSource::Fixed).map_err(|_error| "`room` is not a room"),
    }
}

/// A last slash, as some proxies and clients add it, changes nothing.
fn without_last_slash(path: &str) -> &str {
    path.strip_suffix('/').filter(|it| !it.is_empty()).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(path: &str, room: Option<&str>) -> PathRule {
        PathRule::parse(path, Some("hello"), room).unwrap()
    }

    fn room(rule: &PathRule, path: &str, query: &str) -> Result<Option<String>, Rejection> {
        assert!(rule.matches(path), "{path}");
        Ok(rule.room(path, query)?.map(|it| it.as_raw().to_owned()))
    }

    #[test]
    fn a_path_matches_exactly_or_with_a_room() {
        let exact = rule("/channel/", None);
        assert_eq!(room(&exact, "/channel", ""), Ok(None));
        assert_eq!(room(&exact, "/channel/", ""), Ok(None));
        assert!(!exact.matches("/channels") && !exact.matches("/channel/1"));
        let root = rule("/", Some("news"));
        assert_eq!(room(&root, "/", ""), Ok(Some("news".to_owned())));
        assert!(!root.matches("/x"));
        let inside = rule("/chat/{room}/live", None);
        assert_eq!(room(&inside, "/chat/a%20b/live", ""), Ok(Some("a b".to_owned())));
        assert_eq!(inside.room("/chat/%ff/live", ""), Err(Rejection::RoomInvalid));
        for other in ["/chat//live", "/chat/a/b/live", "/chat/a", "/chat/a/lively"] {
            assert!(!inside.matches(other), "{other}");
        }
        let last = rule("/chat/{room}", Some("{room}"));
        assert_eq!(room(&last, "/chat/a/", ""), Ok(Some("a".to_owned())));
        assert!(!last.matches("/chat/") && !last.matches("/chat"));
    }

    #[test]
    fn a_parameter_names_the_room() {
        let rule = rule("/channel", Some("{query.id}"));
        assert_eq!(room(&rule, "/channel", "x=2&id=7"), Ok(Some("7".to_owned())));
        for query in ["", "id=1&id=2"] {
            assert!(matches!(rule.room("/channel", query), Err(Rejection::BadRequest(_))));
        }
        assert_eq!(rule.room("/channel", "id="), Err(Rejection::RoomInvalid));
    }

    #[test]
    fn rules_that_cannot_work_are_refused() {
        for (path, dialect, room) in [
            ("channel", None, None),
            ("/a b", None, None),
            ("/a?b", None, None),
            ("/ws", None, None),
            ("/socket.io/x", None, None),
            ("/api/", None, None),
            ("/a{room}", None, None),
            ("/{room}a", None, None),
            ("/{room}/{room}", None, None),
            ("/{id}", None, None),
            ("/a", Some("Hello"), None),
            ("/a", None, Some("{room}")),
            ("/{room}", None, Some("lobby")),
            ("/{room}", None, Some("{query.id}")),
            ("/a", None, Some("{query.}")),
            ("/a", None, Some("x{query.id}")),
            ("/a", None, Some("")),
        ] {
            assert!(PathRule::parse(path, dialect, room).is_err(), "{path} {dialect:?} {room:?}");
        }
        assert!(PathRule::parse("/wss", None, None).is_ok());
    }
}
