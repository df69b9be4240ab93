//! Asks of back ends: an event to connections of all nodes, and their answers.

use std::{sync::Arc, time::Duration};

use super::{
    Chat,
    actions::custom_target,
    ports::{AskedEvent, EmitTarget},
};
use crate::domain::{AskOutcome, ConnectionAddress, CustomEvent, Rejection, Space};

/// An event that connections answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskRequest {
    /// The space.
    pub space: Space,
    /// The event.
    pub event: CustomEvent,
    /// The connections. Those in another space are not asked.
    pub to: EmitTarget,
    /// The connection that is not asked.
    pub except: Option<ConnectionAddress>,
    /// How long answers are awaited.
    pub wait: Duration,
}

impl Chat {
    /// Sends an event to connections of all nodes, and returns their answers once all have answered
    /// or closed, `wait` is over, or the node drains. Dropping the future ends the wait.
    ///
    /// Fails with [`Rejection::Unavailable`] while too many answers are awaited.
    pub async fn ask(&self, request: AskRequest) -> Result<AskOutcome, Rejection> {
        let AskRequest { space, event, to, except, wait } = request;
        let to = custom_target(&space, to);
        let asked = Arc::new(AskedEvent { space, to, except, event, wait });
        let pending = self.hub.asks.begin(&asked, self.cluster.serving_peers())?;
        // A drain ends the waits of all asks, and has perhaps done so before this one began.
        if self.is_draining() {
            self.hub.asks.end_waits();
        }
        Ok(pending.outcome(wait).await)
    }
}
