//! The back ends of the settings, by name.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use tracing::debug;

use super::ports::{Backend, BackendFailure};
use crate::domain::{BackendName, Hook, Rejection};

/// The back ends that rules and hooks name.
#[derive(Clone, Debug, Default)]
pub struct Backends(BTreeMap<BackendName, RegisteredBackend>);

/// A back end, and what its failures mean.
#[derive(Clone)]
pub struct RegisteredBackend {
    /// The engine.
    pub backend: Arc<dyn Backend>,
    /// What its failures mean.
    pub on_failure: OnFailure,
    /// What it is asked about.
    pub hooks: BTreeSet<Hook>,
    /// The headers that it receives about connections, in lower case.
    pub headers: Arc<[Box<str>]>,
}

/// What happens to what a back end does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// It is refused, as if the store had failed.
    Refuse,
    /// It is taken as if there were no back end.
    Allow,
}

impl Backends {
    /// These back ends.
    pub fn new(all: impl IntoIterator<Item = (BackendName, RegisteredBackend)>) -> Self {
        Self(all.into_iter().collect())
    }

    /// The same, each with another engine.
    #[must_use]
    pub fn map(
        mut self,
        engine: impl Fn(&BackendName, Arc<dyn Backend>) -> Arc<dyn Backend>,
    ) -> Self {
        for (name, registered) in &mut self.0 {
            registered.backend = engine(name, Arc::clone(&registered.backend));
        }
        self
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether there is a back end of this name; with no name, whether there is exactly one.
    pub fn has(&self, name: Option<&BackendName>) -> bool {
        self.get(name).is_some()
    }

    /// The back end that is asked about this.
    pub(super) fn for_hook(&self, hook: Hook) -> Option<&RegisteredBackend> {
        self.0.values().find(|it| it.hooks.contains(&hook))
    }

    /// The headers that the back end that decides about connections receives. `None` if there is none.
    pub(super) fn connect_headers(&self) -> Option<&[Box<str>]> {
        self.for_hook(Hook::Connect).map(|it| &*it.headers)
    }

    /// The back end of this name; the only one, if no name is given.
    pub(super) fn get(&self, name: Option<&BackendName>) -> Option<&RegisteredBackend> {
        match name {
            Some(name) => self.0.get(name),
            None => self.0.values().next().filter(|_| self.0.len() == 1),
        }
    }
}

impl RegisteredBackend {
    /// What the outcome of a call means: an answer, or `None` where what was not answered is allowed.
    pub(super) fn settle<T>(
        &self,
        outcome: Result<T, BackendFailure>,
    ) -> Result<Option<T>, Rejection> {
        let failure = match outcome {
            Ok(answer) => return Ok(Some(answer)),
            Err(failure) => failure,
        };
        debug!(error = %failure, "back end failed");
        match self.on_failure {
            OnFailure::Refuse => Err(Rejection::Unavailable),
            OnFailure::Allow => Ok(None),
        }
    }
}

impl fmt::Debug for RegisteredBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegisteredBackend")
            .field("on_failure", &self.on_failure)
            .finish_non_exhaustive()
    }
}
