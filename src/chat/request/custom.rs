//! Events of the application.

use std::sync::Arc;

use crate::domain::{
    CustomEvent, EventAction, EventRule, EventStorage, MessageId, RoomName, RuleNumber, UserName,
};

/// An event of the application.
#[derive(Clone, Debug)]
pub struct CustomPost {
    /// The event.
    pub event: CustomEvent,
    /// Its rule.
    pub rule: Arc<EventRule>,
    /// The number of the rule.
    pub number: RuleNumber,
    /// The room that the first argument names, if the rule has such a field.
    pub room: Option<RoomName>,
    /// The user that the first argument names, if the rule has such a field.
    pub to: Option<UserName>,
    /// The client's id of the event, if the rule has such a field.
    pub id: Option<MessageId>,
}

impl CustomPost {
    /// Whether only an identified connection may send it: somebody has to be its author, or to be
    /// answerable for what a user receives.
    pub(in crate::chat) fn needs_identity(&self) -> bool {
        match &self.rule.action {
            EventAction::ToRoom(action) => matches!(action.storage, EventStorage::Kept { .. }),
            EventAction::ToUser { .. } => true,
            EventAction::ToBackend(_) | EventAction::Acknowledge => false,
        }
    }
}
