//! The port of the keys of the HTTP API.

use std::{collections::BTreeSet, sync::Arc};

use crate::domain::{ApiScope, Pace, Space, SpacePattern, Token};

/// Finds API keys.
///
/// # Guarantees
/// - The text of a key is never part of the log.
pub trait ApiKeys: Send + Sync + 'static {
    /// The key with this text.
    fn find(&self, key: &Token) -> Option<Arc<ApiKey>>;
}

/// No keys: the API is closed.
#[derive(Clone, Copy, Debug)]
pub struct NoApiKeys;

impl ApiKeys for NoApiKeys {
    fn find(&self, _key: &Token) -> Option<Arc<ApiKey>> {
        None
    }
}

/// What an API key permits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Its name in the settings.
    pub name: Box<str>,
    /// What it permits.
    pub scopes: BTreeSet<ApiScope>,
    /// The spaces that it is valid for. Empty means all.
    pub spaces: Vec<SpacePattern>,
    /// How many items it may send and ask for. `None`: any number.
    pub pace: Option<Pace>,
}

impl ApiKey {
    /// Whether it is valid for this space.
    pub fn opens(&self, space: &Space) -> bool {
        self.spaces.is_empty() || self.spaces.iter().any(|it| it.matches(space))
    }
}
