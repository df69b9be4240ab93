//! What happens to events that are not in the built-in vocabulary.

use std::sync::Arc;

use super::{
    Body, ConnectionAddress, EventName, EventPattern, Pace, Place, Role, Space, SpacePattern,
};

/// An event of the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomEvent {
    /// Its name.
    pub name: EventName,
    /// Its arguments: a JSON array.
    pub args: Body,
}

/// The operator's rules for events, in order. The first one that matches counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventRules(Vec<Arc<EventRule>>);

/// The number of a rule among the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleNumber(usize);

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRule {
    /// The events that it is for.
    pub name: EventPattern,
    /// The spaces that it is for. `None`: all.
    pub space: Option<SpacePattern>,
    /// What happens to the event.
    pub action: EventAction,
    /// How fast one connection may send these events. `None`: they count as messages.
    pub pace: Option<Pace>,
}

/// What happens to an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventAction {
    /// A room receives it.
    ToRoom(RoomAction),
    /// The connections of a user receive it.
    ToUser {
        /// The field of the first argument that names the user.
        field: Box<str>,
        /// How it is delivered.
        delivery: PassingDelivery,
    },
    /// A back end answers it: the one of this name, or the only one.
    ToBackend(Option<BackendName>),
    /// It is acknowledged, and nobody receives it.
    Acknowledge,
}

/// The name of a back end in the settings.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BackendName(Box<str>);

impl BackendName {
    /// The name with this text.
    pub fn from_raw(raw: &str) -> Self {
        Self(raw.into())
    }

    /// The text in the settings.
    pub fn as_raw(&self) -> &str {
        &self.0
    }
}

/// Who receives an event that passes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CustomTarget {
    /// The connections in a room, or those of the user of an inbox.
    Place(Place),
    /// All connections in a space.
    Space(Space),
    /// One connection, if it is in the space.
    Connection(Space, ConnectionAddress),
}

/// How a room receives an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomAction {
    /// The field of the first argument that names the room. `None`, or where the argument has none:
    /// the default room of the connection.
    pub room_field: Option<Box<str>>,
    /// Who of the room receives it.
    pub receivers: Receivers,
    /// The least role that may send it.
    pub role: Role,
    /// Whether it is stored.
    pub storage: EventStorage,
}

/// Who of a room receives an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receivers {
    /// All connections.
    All,
    /// All but the one that sent it.
    Others,
}

/// Whether an event is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventStorage {
    /// It is an entry of the room's log, as a message is.
    Kept {
        /// The field of the first argument that has the client's id, so that a repetition is stored
        /// once.
        id_field: Option<Box<str>>,
    },
    /// It passes by.
    Passing(PassingDelivery),
}

/// How an event that is not stored is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassingDelivery {
    /// In order. A reader that is too slow is disconnected.
    Reliable,
    /// A reader that is too slow misses it.
    Volatile,
}

impl EventRules {
    /// The rules in this order.
    pub fn new(rules: impl IntoIterator<Item = EventRule>) -> Self {
        Self(rules.into_iter().map(Arc::new).collect())
    }

    /// Whether there are no rules.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The rule for an event in a space, and its number.
    pub fn find(&self, space: &Space, name: &EventName) -> Option<(RuleNumber, &Arc<EventRule>)> {
        let mut rules = self.0.iter().enumerate().filter(|(_, rule)| rule.is_for_space(space));
        let (number, rule) = rules.find(|(_, rule)| rule.name.matches(name))?;
        Some((RuleNumber(number), rule))
    }

    /// The back ends that the rules name; `None` is the only one there is.
    pub fn backends(&self) -> impl Iterator<Item = Option<&BackendName>> {
        self.0.iter().filter_map(|rule| match &rule.action {
            EventAction::ToBackend(name) => Some(name.as_ref()),
            EventAction::ToRoom(_) | EventAction::ToUser { .. } | EventAction::Acknowledge => None,
        })
    }

    /// Whether events pass by in rooms of a space.
    pub fn have_passing_events(&self, space: &Space) -> bool {
        self.0.iter().any(|rule| {
            let EventAction::ToRoom(action) = &rule.action else { return false };
            rule.is_for_space(space) && matches!(action.storage, EventStorage::Passing(_))
        })
    }
}

impl EventRule {
    fn is_for_space(&self, space: &Space) -> bool {
        self.space.as_ref().is_none_or(|it| it.matches(space))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(name: &str, space: Option<&str>) -> EventRule {
        EventRule {
            name: EventPattern::parse(name).unwrap(),
            space: space.map(|it| SpacePattern::parse(it).unwrap()),
            action: EventAction::Acknowledge,
            pace: None,
        }
    }

    #[test]
    fn the_first_rule_that_matches_counts() {
        let rules = [
            rule("game:move", Some("/chess")),
            rule("game:*", Some("/chess")),
            rule("game:*", Some("/team-*")),
            rule("hello", None),
        ];
        let rules = EventRules::new(rules);
        let find = |space: &str, name: &str| {
            let (space, name) = (Space::parse(space).unwrap(), EventName::parse(name).unwrap());
            rules.find(&space, &name).map(|(RuleNumber(number), _)| number)
        };
        assert_eq!(find("/chess", "game:move"), Some(0));
        assert_eq!(find("/chess", "game:end"), Some(1));
        assert_eq!(find("/team-a", "game:move"), Some(2));
        assert_eq!(find("/", "game:move"), None);
        assert_eq!(find("/", "hello"), Some(3));
        assert_eq!(find("/chess", "hello"), Some(3));
    }
}
