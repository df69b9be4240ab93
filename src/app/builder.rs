//! For programs that embed the server.

use std::sync::Arc;

use super::{AppError, Engines, Server, backends, random_node_id, webhooks};
use crate::{chat::ports::Backend, config::Config, domain::BackendName};

/// The name of a back end that is given without one.
const OWN: &str = "own";

/// A server that is not started yet.
#[must_use = "the server does not run before `start`"]
pub struct ServerBuilder {
    config: Config,
    backends: Vec<(BackendName, Arc<dyn Backend>)>,
}

impl std::fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerBuilder").field("config", &self.config).finish_non_exhaustive()
    }
}

impl ServerBuilder {
    pub(super) fn new(config: Config) -> Self {
        Self { config, backends: Vec::new() }
    }

    /// Answers events with `to = "backend"` in this process. Rules may name it `own`.
    pub fn backend(mut self, backend: impl Backend) -> Self {
        self.backends.push((BackendName::from_raw(OWN), Arc::new(backend)));
        self
    }

    /// Opens the engines and starts to listen.
    pub async fn start(self) -> Result<Server, AppError> {
        let Self { config, backends } = self;
        let node = random_node_id();
        // Checked before the engines create anything.
        let receivers = (backends::open(&config, backends)?, webhooks::targets(&config)?);
        let engines = Engines::open(&config, &node).await?;
        Server::with_parts(&config, node, engines, receivers)
    }
}
