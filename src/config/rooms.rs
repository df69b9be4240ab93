//! Settings of rooms and of retention.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::domain::{RoomName, RoomPattern, RoomRules};

/// The form of a room name.
const FORM: &str = "1 to 64 characters, all of which can be seen";

/// Rules for rooms and for joining them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoomSettings {
    /// Rooms that all users join when they identify.
    #[serde(serialize_with = "write", deserialize_with = "read_names")]
    pub auto_join: Vec<RoomName>,
    /// Rooms that all users may join.
    #[serde(serialize_with = "write", deserialize_with = "read_patterns")]
    pub public: Vec<RoomPattern>,
    /// Rooms that require an invitation.
    #[serde(serialize_with = "write", deserialize_with = "read_patterns")]
    pub private: Vec<RoomPattern>,
    /// Rooms in which new members may only read.
    #[serde(serialize_with = "write", deserialize_with = "read_patterns")]
    pub read_only: Vec<RoomPattern>,
}

/// How long messages are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetentionSettings {
    /// The number of newest entries of each conversation that are kept. 0: all.
    pub entries_max: u64,
    /// For how many days entries are kept. 0: without limit.
    pub age_days_max: u64,
    /// The interval between searches for expired entries.
    pub sweep_secs: u64,
}

impl RoomSettings {
    /// The rules in the form of the other layers.
    pub(super) fn to_domain(&self) -> RoomRules {
        let Self { auto_join, public, private, read_only } = self.clone();
        RoomRules { auto_join, public, private, read_only }
    }

    /// Why these rooms cannot be joined automatically.
    pub(super) fn problem(&self, rooms_max: usize) -> Option<String> {
        if self.auto_join.len() > rooms_max {
            let count = self.auto_join.len();
            return Some(format!(
                "these are {count}, and limits.rooms_per_user_max is {rooms_max}"
            ));
        }
        self.auto_join.iter().enumerate().find_map(|(place, room)| {
            let is_in = |patterns: &[RoomPattern]| patterns.iter().any(|it| it.matches(room));
            if is_in(&self.private) {
                Some(format!("{:?} is private (rooms.private)", room.as_raw()))
            } else if !is_in(&self.public) {
                Some(format!("{:?} is not public (rooms.public)", room.as_raw()))
            } else if self.auto_join.iter().take(place).any(|earlier| earlier == room) {
                Some(format!("{:?} is there twice", room.as_raw()))
            } else {
                None
            }
        })
    }
}

impl RetentionSettings {
    /// The number of entries of each conversation that are kept, if it is bounded.
    pub fn entries(&self) -> Option<u64> {
        (self.entries_max > 0).then_some(self.entries_max)
    }

    /// How long entries are kept, if that is bounded.
    pub fn age(&self) -> Option<Duration> {
        let hours = self.age_days_max.saturating_mul(24);
        (hours > 0).then(|| Duration::from_hours(hours))
    }

    /// The interval between searches for expired entries.
    pub fn sweep(&self) -> Duration {
        Duration::from_secs(self.sweep_secs)
    }
}

impl Default for RoomSettings {
    fn default() -> Self {
        let RoomRules { auto_join, public, private, read_only } = RoomRules::default();
        Self { auto_join, public, private, read_only }
    }
}

impl Default for RetentionSettings {
    fn default() -> Self {
        Self { entries_max: 0, age_days_max: 0, sweep_secs: 60 }
    }
}

/// Parses rooms, with the form in the error.
fn read_names<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<RoomName>, D::Error> {
    let name = |text: String| match RoomName::parse(&text) {
        Ok(name) if !text.ends_with('*') => Ok(name),
        // A room may have this name, but here it is a pattern in the wrong place.
        Ok(_) => Err(D::Error::custom(format!("{text:?} is not a room but a pattern"))),
        Err(_) => Err(D::Error::custom(format!("{text:?} is not a room: {FORM}"))),
    };
    Vec::<String>::deserialize(input)?.into_iter().map(name).collect()
}

/// Parses patterns of rooms, with the form in the error.
fn read_patterns<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<RoomPattern>, D::Error> {
    let pattern = |text: String| match RoomPattern::parse(&text) {
        Ok(pattern) => Ok(pattern),
        Err(_) => Err(D::Error::custom(format!(
            "{text:?} is not a room: {FORM}, perhaps with a `*` at the end"
        ))),
    };
    Vec::<String>::deserialize(input)?.into_iter().map(pattern).collect()
}

fn write<S: Serializer>(names: &[impl ToString], output: S) -> Result<S::Ok, S::Error> {
    output.collect_seq(names.iter().map(ToString::to_string))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Problems};

    fn config(text: &str) -> Result<Config, Problems> {
        Config::from_toml(text)
    }

    #[test]
    fn the_defaults_equal_the_domain_defaults() {
        assert_eq!(RoomSettings::default().to_domain(), RoomRules::default());
    }

    #[test]
    fn zero_means_unbounded() {
        let kept = RetentionSettings::default();
        assert_eq!((kept.entries(), kept.age()), (None, None));
        let kept = RetentionSettings { entries_max: 7, age_days_max: 2, ..kept };
        assert_eq!(kept.entries(), Some(7));
        assert_eq!(kept.age(), Some(Duration::from_hours(48)));
        assert_eq!(kept.sweep(), Duration::from_mins(1));
    }

    #[test]
    fn room_lists_become_room_rules() {
        let text = "[rooms]\nauto_join = ['news']\npublic = ['news', 'pub-*']\n\
                    private = ['team-*', 'board']\nread_only = ['news']";
        let rules = config(text).unwrap().rooms();
        let names = |all: &[RoomPattern]| all.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(rules.auto_join, [RoomName::from_raw("news")]);
        assert_eq!(names(&rules.public), ["news", "pub-*"]);
        assert_eq!(names(&rules.private), ["team-*", "board"]);
        assert_eq!(names(&rules.read_only), ["news"]);
    }

    #[test]
    fn auto_join_rooms_must_be_public() {
        for (text, why) in [
            ("[rooms]\npublic = ['news']", "`rooms.auto_join` by default: \"lobby\" is not public"),
            ("[rooms]\nprivate = ['*']", "`rooms.auto_join` by default: \"lobby\" is private"),
            (
                "[rooms]\nauto_join = ['a']\nprivate = ['a']",
                "`rooms.auto_join` in roomcast.toml: \"a\" is private",
            ),
            (
                "[rooms]\nauto_join = ['a', 'b']\n[limits]\nrooms_per_user_max = 1",
                "these are 2, and limits.rooms_per_user_max is 1",
            ),
        ] {
            let said = config(text).unwrap_err().to_string();
            assert!(said.contains(why), "{why} in {said}");
        }
        assert!(config("[rooms]\nauto_join = []\npublic = []").is_ok());
    }
}
