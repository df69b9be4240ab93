//! The refusal of a client that polls and whose parser is not supported.

use bytes::Bytes;

use super::EngineSession;
use crate::transport::socketio::polling_state::PollingState;

impl EngineSession {
    /// Answers the pending poll, or the next one, with this payload.
    pub(in crate::transport::socketio) fn refuse_polling(&self, payload: Bytes) {
        self.with_polling(|it| it.refuse(payload));
        self.changed.notify_waiters();
    }

    /// Waits until the client is refused. Returns the payload for it. Cancel-safe.
    pub(in crate::transport::socketio) async fn wait_refused(&self) -> Bytes {
        let is_refused = |it: &PollingState| it.refusal().is_some();
        self.wait_until(|it| it.polling().is_some_and(is_refused)).await;
        self.with_polling(|it| it.refusal()).flatten().unwrap_or_default()
    }
}
