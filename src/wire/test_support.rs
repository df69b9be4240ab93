//! What tests of the wire share.

use std::sync::LazyLock;

use crate::{
    chat::RequestContext,
    domain::{EventRules, Limits, Space},
};

static EVENTS: LazyLock<EventRules> = LazyLock::new(EventRules::default);
static SPACE: LazyLock<Space> = LazyLock::new(Space::root);

/// The context of a connection to `/` without rules for events.
pub(super) fn context(limits: &Limits) -> RequestContext<'_> {
    RequestContext { limits, events: &EVENTS, space: &SPACE }
}
