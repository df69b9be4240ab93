//! What requests are judged by.

use std::sync::Arc;

use crate::domain::{EventRules, Limits};

/// What requests are judged by. A reload of the settings replaces it as a whole.
#[derive(Clone, Debug, Default)]
pub struct RequestRules {
    /// The size limits.
    pub limits: Arc<Limits>,
    /// What happens to events that are not in the built-in vocabulary.
    pub events: EventRules,
}
