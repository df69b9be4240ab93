//! Which rooms there are, and how long what is said in them is kept.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::domain::{RoomName, RoomPattern, RoomRules};

/// What a room looks like.
const FORM: &str = "1 to 64 letters, digits and - _ . : # + / ~";

/// Which rooms there are, and who may join them as what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoomSettings {
    /// Rooms that everybody joins on identifying.
    #[serde(serialize_with = "write", deserialize_with = "read_names")]
    pub auto_join: Vec<RoomName>,
    /// Rooms that anybody may join.
    #[serde(serialize_with = "write", deserialize_with = "read_patterns")]
    pub public: Vec<RoomPattern>,
    /// Rooms that one has to be invited to.
    #[serde(serialize_with = "write", deserialize_with = "read_patterns")]
    pub private: Vec<RoomPattern>,
    /// Rooms in which who joins may only read.
    #[serde(serialize_with = "write", deserialize_with = "read_patterns")]
    pub read_only: Vec<RoomPattern>,
}

/// How long messages are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetentionSettings {
    /// The newest entries of each conversation that are kept. 0: all.
    pub entries_max: u64,
    /// For how many days entries are kept. 0: for ever.
    pub age_days_max: u64,
    /// How often it is looked for what need not be kept any more.
    pub sweep_secs: u64,
}

impl RoomSettings {
    /// The rules, as the other layers take them.
    pub(super) fn to_domain(&self) -> RoomRules {
        let Self { auto_join, public, private, read_only } = self.clone();
        RoomRules { auto_join, public, private, read_only }
    }

    /// Why these cannot be the rooms that everybody joins.
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
    /// How many entries of each conversation are kept, where that is bounded.
    pub fn entries(&self) -> Option<u64> {
        (self.entries_max > 0).then_some(self.entries_max)
    }

    /// For how long entries are kept, where that is bounded.
    pub fn age(&self) -> Option<Duration> {
        let hours = self.age_days_max.saturating_mul(24);
        (hours > 0).then(|| Duration::from_hours(hours))
    }

    /// How often it is looked for what need not be kept any more.
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

/// Reads rooms, and says what one looks like.
fn read_names<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<RoomName>, D::Error> {
    let name = |text: String| match RoomName::parse(&text) {
        Ok(name) => Ok(name),
        Err(_) => Err(D::Error::custom(format!("{text:?} is not a room: {FORM}"))),
    };
    Vec::<String>::deserialize(input)?.into_iter().map(name).collect()
}

/// Reads patterns of rooms, and says what one looks like.
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
