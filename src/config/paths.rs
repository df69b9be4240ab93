//! Paths with a dialect and a room: `[[paths]]`.

use serde::{Deserialize, Deserializer, Serializer, de::Error as _};
use toml::Value;

use crate::wire::PathRule;

/// A path as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PathTable {
    path: String,
    dialect: Option<String>,
    room: Option<String>,
}

impl PathTable {
    fn rule(self) -> Result<PathRule, String> {
        let Self { path, dialect, room } = self;
        let rule = PathRule::parse(&path, dialect.as_deref(), room.as_deref());
        rule.map_err(|reason| format!("{path:?}: {reason}"))
    }
}

/// Parses the list of paths.
pub(super) fn read<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<PathRule>, D::Error> {
    let mut rules: Vec<PathRule> = Vec::new();
    for (place, value) in Vec::<Value>::deserialize(input)?.into_iter().enumerate() {
        let number = place + 1;
        let table = match value {
            Value::Table(_) => {
                PathTable::deserialize(value).map_err(|error| error.message().to_owned())
            }
            _ => {
                Err("must be a table, such as { path = \"/chat\", dialect = \"json\" }".to_owned())
            }
        };
        let rule = table.and_then(PathTable::rule);
        let rule = rule.map_err(|reason| D::Error::custom(format!("path {number}: {reason}")))?;
        if rules.iter().any(|other| other.has_path_of(&rule)) {
            return Err(D::Error::custom(format!("path {number}: its path is there twice")));
        }
        rules.push(rule);
    }
    Ok(rules)
}

/// Settings are serialized only to list the valid keys, and there are no paths by default.
pub(super) fn write<S: Serializer>(rules: &[PathRule], output: S) -> Result<S::Ok, S::Error> {
    debug_assert!(rules.is_empty(), "only defaults are written");
    output.collect_seq(std::iter::empty::<&str>())
}

#[cfg(test)]
mod tests {
    use crate::{config::Config, wire::PathRule};

    fn paths(text: &str) -> Result<Vec<PathRule>, String> {
        Config::from_toml(text).map(|it| it.paths).map_err(|problems| problems.to_string())
    }

    #[test]
    fn every_key_is_read() {
        let text = "[[paths]]\npath = '/channel'\ndialect = 'hello'\nroom = '{query.id}'\n\
            [[paths]]\npath = '/room/{room}'";
        let expected = [
            PathRule::parse("/channel", Some("hello"), Some("{query.id}")).unwrap(),
            PathRule::parse("/room/{room}", None, None).unwrap(),
        ];
        assert_eq!(paths(text).unwrap(), expected);
    }

    #[test]
    fn a_path_that_cannot_work_is_refused_with_the_reason() {
        for (rules, why) in [
            ("'/x'", "path 1: must be a table"),
            ("{ dialect = 'hello' }", "missing field `path`"),
            ("{ path = '/a', rooms = 'x' }", "unknown field `rooms`"),
            ("{ path = '/a', dialect = 'chat' }", "path 1: \"/a\": `dialect` is not one of"),
            ("{ path = '/ws/a' }", "is one of Roomcast"),
            ("{ path = '/a' }, { path = '/a/' }", "path 2: its path is there twice"),
        ] {
            let reason = paths(&format!("paths = [{rules}]")).unwrap_err();
            assert!(reason.contains(why), "{rules}: {reason}");
        }
        let reason = paths("paths = 'x'").unwrap_err();
        assert!(reason.contains("a list of tables"), "{reason}");
    }
}
