//! Rules for events of the application: `[[events]]`.

use std::num::NonZeroU32;

use serde::{Deserialize, Deserializer, Serializer, de::Error as _};
use toml::Value;

use super::pace;
use crate::domain::{
    BUILT_IN_EVENTS, BackendName, EventAction, EventPattern, EventRule, EventRules, EventStorage,
    PassingDelivery, Receivers, Role, RoomAction, SpacePattern,
};

/// A rule as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "these are the keys")]
struct RuleTable {
    name: String,
    space: Option<String>,
    to: String,
    room_field: Option<String>,
    to_field: Option<String>,
    id_field: Option<String>,
    backend: Option<String>,
    #[serde(default)]
    kept: bool,
    #[serde(default)]
    volatile: bool,
    roles: Option<String>,
    per_second_max: Option<NonZeroU32>,
    burst_max: Option<NonZeroU32>,
}

impl RuleTable {
    fn rule(self) -> Result<EventRule, String> {
        if BUILT_IN_EVENTS.contains(&&*self.name) {
            return Err(format!("{:?} is an event of the protocol", self.name));
        }
        let name = EventPattern::parse(&self.name);
        let name = name.map_err(|_rejection| {
            format!("{:?} is not an event: 1 to 128 characters that can be seen", self.name)
        })?;
        let space = self.space.as_deref().map(space).transpose()?;
        Ok(EventRule {
            name,
            space,
            pace: pace::pace(self.per_second_max, self.burst_max)?,
            action: self.action()?,
        })
    }

    fn action(self) -> Result<EventAction, String> {
        if self.backend.is_some() && self.to != "backend" {
            return Err("`backend` needs `to = \"backend\"`".to_owned());
        }
        match &*self.to {
            "others" => self.room_action(Receivers::Others),
            "room" => self.room_action(Receivers::All),
            "user" => {
                self.refuse_fields("user", &[Field::Room, Field::Id, Field::Kept, Field::Roles])?;
                let delivery = self.passing();
                let field = self.to_field.filter(|it| !it.is_empty());
                let field = field.ok_or("`to = \"user\"` needs `to_field`")?.into();
                Ok(EventAction::ToUser { field, delivery })
            }
            "backend" => {
                let all = [Field::Room, Field::To, Field::Id, Field::Kept, Field::Volatile];
                self.refuse_fields("backend", &all)?;
                self.refuse_fields("backend", &[Field::Roles])?;
                Ok(EventAction::ToBackend(self.backend.as_deref().map(BackendName::from_raw)))
            }
            "nobody" => {
                let all =
                    [Field::Room, Field::To, Field::Id, Field::Kept, Field::Volatile, Field::Roles];
                self.refuse_fields("nobody", &all)?;
                Ok(EventAction::Acknowledge)
            }
            to => Err(format!("`to` must be others, room, user, backend or nobody, and is {to:?}")),
        }
    }

    fn room_action(self, receivers: Receivers) -> Result<EventAction, String> {
        self.refuse_fields("others\" or \"room", &[Field::To])?;
        let storage = if self.kept {
            if self.volatile {
                return Err("`volatile` and `kept` exclude each other".to_owned());
            }
            EventStorage::Kept { id_field: self.id_field.map(Into::into) }
        } else if self.id_field.is_some() {
            return Err("`id_field` needs `kept`".to_owned());
        } else {
            EventStorage::Passing(self.passing())
        };
        let role = match self.roles {
            None => Role::Member,
            Some(word) => Role::from_raw(&word).ok_or_else(|| {
                format!("`roles` must be reader, member, admin or owner, and is {word:?}")
            })?,
        };
        let room_field = self.room_field.map(Into::into);
        Ok(EventAction::ToRoom(RoomAction { room_field, receivers, role, storage }))
    }

    fn passing(&self) -> PassingDelivery {
        if self.volatile { PassingDelivery::Volatile } else { PassingDelivery::Reliable }
    }

    /// Refuses fields that mean nothing in a rule with this `to`.
    fn refuse_fields(&self, to: &str, fields: &[Field]) -> Result<(), String> {
        match fields.iter().find(|field| self.has(**field)) {
            Some(field) => {
                Err(format!("`{}` means nothing with `to = \"{to}\"`; leave it out", field.name()))
            }
            None => Ok(()),
        }
    }

    fn has(&self, field: Field) -> bool {
        match field {
            Field::Room => self.room_field.is_some(),
            Field::To => self.to_field.is_some(),
            Field::Id => self.id_field.is_some(),
            Field::Kept => self.kept,
            Field::Volatile => self.volatile,
            Field::Roles => self.roles.is_some(),
        }
    }
}

/// A field that some rules may not have.
#[derive(Clone, Copy)]
enum Field {
    Room,
    To,
    Id,
    Kept,
    Volatile,
    Roles,
}

impl Field {
    fn name(self) -> &'static str {
        match self {
            Self::Room => "room_field",
            Self::To => "to_field",
            Self::Id => "id_field",
            Self::Kept => "kept",
            Self::Volatile => "volatile",
            Self::Roles => "roles",
        }
    }
}

fn space(text: &str) -> Result<SpacePattern, String> {
    let form = "`/` and up to 63 characters that can be seen, perhaps with a `*` at the end";
    SpacePattern::parse(text).map_err(|_rejection| format!("{text:?} is not a space: {form}"))
}

/// Parses the list of rules.
pub(super) fn read<'de, D: Deserializer<'de>>(input: D) -> Result<EventRules, D::Error> {
    let list = Vec::<Value>::deserialize(input)?;
    let rules = list.into_iter().enumerate().map(|(place, value)| {
        let rule = match value {
            Value::Table(_) => RuleTable::deserialize(value)
                .map_err(|error| error.message().to_owned())
                .and_then(RuleTable::rule),
            _ => Err("must be a table, such as { name = \"*\", to = \"others\" }".to_owned()),
        };
        rule.map_err(|reason| D::Error::custom(format!("rule {}: {reason}", place + 1)))
    });
    rules.collect::<Result<Vec<_>, _>>().map(EventRules::new)
}

/// Settings are serialized only to list the valid keys, and there are no rules by default.
pub(super) fn write<S: Serializer>(rules: &EventRules, output: S) -> Result<S::Ok, S::Error> {
    debug_assert!(rules.is_empty(), "only defaults are written");
    output.collect_seq(std::iter::empty::<&str>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::Config,
        domain::{EventName, Pace, Space},
    };

    fn rules(text: &str) -> Result<EventRules, String> {
        Config::from_toml(text).map(|it| it.events).map_err(|problems| problems.to_string())
    }

    #[test]
    fn the_shortest_rule_relays_to_the_others_in_the_room() {
        let rules = rules("events = [{ name = '*', to = 'others' }]").unwrap();
        let name = EventName::parse("drawing").unwrap();
        let (_, rule) = rules.find(&Space::root(), &name).unwrap();
        let passing = EventStorage::Passing(PassingDelivery::Reliable);
        let action = RoomAction {
            room_field: None,
            receivers: Receivers::Others,
            role: Role::Member,
            storage: passing,
        };
        assert_eq!(rule.action, EventAction::ToRoom(action));
        assert_eq!(rule.pace, None);
    }

    #[test]
    fn every_key_is_read() {
        let text = "[[events]]\nname = 'move'\nspace = '/chess-*'\nto = 'room'\nroom_field = 'game'\n\
            kept = true\nid_field = 'id'\nroles = 'admin'\nper_second_max = 5\nburst_max = 9\n\
            [[events]]\nname = 'ring'\nto = 'user'\nto_field = 'callee'\nvolatile = true\n\
            per_second_max = 2";
        let rules = rules(text).unwrap();
        let find = |space: &str, name: &str| {
            let (space, name) = (Space::parse(space).unwrap(), EventName::parse(name).unwrap());
            rules.find(&space, &name).map(|(_, rule)| EventRule::clone(rule))
        };
        assert_eq!(find("/", "move"), None);
        let bound = |number| NonZeroU32::new(number).unwrap();
        let action = RoomAction {
            room_field: Some("game".into()),
            receivers: Receivers::All,
            role: Role::Admin,
            storage: EventStorage::Kept { id_field: Some("id".into()) },
        };
        let expected = EventRule {
            name: EventPattern::parse("move").unwrap(),
            space: Some(SpacePattern::parse("/chess-*").unwrap()),
            action: EventAction::ToRoom(action),
            pace: Some(Pace { per_second_max: bound(5), burst_max: bound(9) }),
        };
        assert_eq!(find("/chess-1", "move"), Some(expected));
        let ring = find("/", "ring").unwrap();
        let volatile = PassingDelivery::Volatile;
        let action = EventAction::ToUser { field: "callee".into(), delivery: volatile };
        assert_eq!(ring.action, action);
        let pace = Pace { per_second_max: bound(2), burst_max: bound(2) };
        assert_eq!(ring.pace, Some(pace));
    }

    #[test]
    fn a_rule_that_cannot_work_is_refused_with_the_reason() {
        for (rule, why) in [
            ("'x'", "rule 1: must be a table"),
            ("{ name = 'a' }", "missing field `to`"),
            ("{ to = 'room' }", "missing field `name`"),
            ("{ name = 'a', to = 'all' }", "`to` must be others, room, user, backend or nobody"),
            ("{ name = 'a', to = 'room', rooms = 'x' }", "unknown field `rooms`"),
            (
                "{ name = 'new message', to = 'room' }",
                "\"new message\" is an event of the protocol",
            ),
            ("{ name = 'disconnect', to = 'room' }", "\"disconnect\" is not an event"),
            ("{ name = '', to = 'room' }", "\"\" is not an event"),
            ("{ name = 'a', to = 'room', space = 'x' }", "\"x\" is not a space"),
            ("{ name = 'a', to = 'room', roles = 'king' }", "`roles` must be reader, member"),
            ("{ name = 'a', to = 'room', kept = true, volatile = true }", "exclude each other"),
            ("{ name = 'a', to = 'room', id_field = 'id' }", "`id_field` needs `kept`"),
            ("{ name = 'a', to = 'room', to_field = 'x' }", "`to_field` means nothing with"),
            ("{ name = 'a', to = 'room', backend = 'shop' }", "`backend` needs"),
            ("{ name = 'a', to = 'backend', kept = true }", "`kept` means nothing"),
            ("{ name = 'a', to = 'user' }", "needs `to_field`"),
            ("{ name = 'a', to = 'user', to_field = 'x', kept = true }", "`kept` means nothing"),
            ("{ name = 'a', to = 'nobody', roles = 'admin' }", "`roles` means nothing with"),
            ("{ name = 'a', to = 'room', per_second_max = 0 }", "a whole number from 1"),
            ("{ name = 'a', to = 'room', burst_max = 1 }", "`burst_max` needs `per_second_max`"),
        ] {
            let reason = rules(&format!("events = [{rule}]")).unwrap_err();
            assert!(reason.contains(why), "{rule}: {reason}");
        }
        let reason = rules("events = 'x'").unwrap_err();
        assert!(reason.contains("a list of tables"), "{reason}");
    }
}
