//! Connections that were found in several ways.

use std::{collections::HashMap, sync::Arc};

use crate::{chat::ports::Outbox, domain::ConnectionId};

/// Connections of this node, each once.
pub(super) type ConnectionMap = HashMap<ConnectionId, Arc<dyn Outbox>>;
