//! Webhooks: which programs are told of which events.

use std::collections::BTreeSet;

use super::{Space, SpacePattern};

/// The name of a webhook in the settings.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WebhookName(Box<str>);

impl WebhookName {
    /// The name with this text.
    pub fn from_raw(raw: &str) -> Self {
        Self(raw.into())
    }

    /// The text in the settings and in the store.
    pub fn as_raw(&self) -> &str {
        &self.0
    }
}

/// A kind of event that webhooks are told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WebhookEventKind {
    /// A user's first connection in the cluster.
    UserOnline,
    /// The end of a user's last connection and of its grace period.
    UserOffline,
    /// The first connection in a room.
    RoomOccupied,
    /// The end of the last connection in a room and of its grace period.
    RoomVacated,
    /// A user became a member of a room.
    MemberJoined,
    /// A user is no longer a member of a room.
    MemberLeft,
    /// A room has another topic, or none any more.
    RoomTopic,
    /// A message, a notification or a kept event of the application was stored.
    MessageStored,
    /// A message was edited.
    MessageEdited,
    /// A message was deleted.
    MessageDeleted,
    /// A connection ended.
    ConnectionClosed,
}

impl WebhookEventKind {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::UserOnline,
        Self::UserOffline,
        Self::RoomOccupied,
        Self::RoomVacated,
        Self::MemberJoined,
        Self::MemberLeft,
        Self::RoomTopic,
        Self::MessageStored,
        Self::MessageEdited,
        Self::MessageDeleted,
        Self::ConnectionClosed,
    ];

    /// The kind with this name, if there is one.
    pub fn from_raw(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_raw() == name)
    }

    /// The name in the settings, in the store, and in `type`.
    pub fn as_raw(self) -> &'static str {
        match self {
            Self::UserOnline => "user.online",
            Self::UserOffline => "user.offline",
            Self::RoomOccupied => "room.occupied",
            Self::RoomVacated => "room.vacated",
            Self::MemberJoined => "member.joined",
            Self::MemberLeft => "member.left",
            Self::RoomTopic => "room.topic",
            Self::MessageStored => "message.stored",
            Self::MessageEdited => "message.edited",
            Self::MessageDeleted => "message.deleted",
            Self::ConnectionClosed => "connection.closed",
        }
    }
}

/// What a webhook is told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookRule {
    /// Its name.
    pub name: WebhookName,
    /// The kinds of events.
    pub kinds: BTreeSet<WebhookEventKind>,
    /// The spaces that they are in. Empty means all.
    pub spaces: Vec<SpacePattern>,
}

impl WebhookRule {
    /// Whether it is told of events of this kind in this space.
    pub fn wants(&self, kind: WebhookEventKind, space: &Space) -> bool {
        self.kinds.contains(&kind)
            && (self.spaces.is_empty() || self.spaces.iter().any(|it| it.matches(space)))
    }
}

/// The rules of all webhooks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebhookRules(Vec<WebhookRule>);

impl WebhookRules {
    /// The rules of these webhooks.
    pub fn new(rules: Vec<WebhookRule>) -> Self {
        Self(rules)
    }

    /// The webhooks that are told of events of this kind in this space.
    pub fn wanting(
        &self,
        kind: WebhookEventKind,
        space: &Space,
    ) -> impl Iterator<Item = &WebhookName> {
        self.0.iter().filter(move |rule| rule.wants(kind, space)).map(|rule| &rule.name)
    }

    /// Whether a webhook is told of one of these kinds in this space.
    pub fn want_any(&self, kinds: &[WebhookEventKind], space: &Space) -> bool {
        self.0.iter().any(|rule| kinds.iter().any(|kind| rule.wants(*kind, space)))
    }

    /// Whether a webhook is told of one of these kinds in any space.
    pub fn want_anywhere(&self, kinds: &[WebhookEventKind]) -> bool {
        self.0.iter().any(|rule| kinds.iter().any(|kind| rule.kinds.contains(kind)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_round_trips_through_its_name() {
        for kind in WebhookEventKind::ALL {
            assert_eq!(WebhookEventKind::from_raw(kind.as_raw()), Some(kind));
        }
        assert_eq!(WebhookEventKind::from_raw("user"), None);
    }

    #[test]
    fn a_rule_wants_its_kinds_in_its_spaces() {
        use WebhookEventKind::{UserOffline, UserOnline};
        let rule = |name: &str, spaces: &[&str]| WebhookRule {
            name: WebhookName::from_raw(name),
            kinds: [UserOnline].into(),
            spaces: spaces.iter().map(|it| SpacePattern::parse(it).unwrap()).collect(),
        };
        let rules = WebhookRules::new(vec![rule("all", &[]), rule("shops", &["/shop-*"])]);
        let names = |kind, space: &str| -> Vec<_> {
            let space = Space::from_raw(space);
            rules.wanting(kind, &space).map(|it| it.as_raw().to_owned()).collect()
        };
        assert_eq!(names(UserOnline, "/"), ["all"]);
        assert_eq!(names(UserOnline, "/shop-1"), ["all", "shops"]);
        assert!(names(UserOffline, "/").is_empty());
        assert!(rules.want_any(&[UserOffline, UserOnline], &Space::root()));
        assert!(!rules.want_anywhere(&[UserOffline]));
    }
}
