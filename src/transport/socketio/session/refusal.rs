//! The end of a session whose client sends what it may not send.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use tokio::time::timeout;
use tracing::debug;

use super::{ClosePhase, EngineSession, state::State};
use crate::{
    domain::CloseReason,
    transport::socketio::{frames::FrameError, polling_state::PollingState},
};

/// The longest time from the end of a session in the engine to its report, which it makes at once.
const REPORT_WAIT_MAX: Duration = Duration::from_secs(1);

impl EngineSession {
    /// Ends the session because of a packet. A client that polls is told so with its next poll.
    pub(in crate::transport::socketio) fn refuse_packet(self: &Arc<Self>) {
        debug!("session ended: a packet of its client breaks the protocol");
        self.is_protocol_broken.store(true, Ordering::Release);
        self.finish(CloseReason::Fault);
        self.abort_if_told();
    }

    /// The client, which polls, is told that the session has ended.
    pub(in crate::transport::socketio) fn tell_end(self: &Arc<Self>) {
        self.with_polling(PollingState::tell_end);
        if self.close_phase() >= ClosePhase::Closing {
            self.abort_if_told();
        }
    }

    fn abort_if_told(self: &Arc<Self>) {
        if self.with_polling(|it| it.is_end_told()) == Some(true) {
            self.abort();
        }
    }

    /// The engine reports that it has ended the session.
    pub(in crate::transport::socketio) fn on_engine_end(&self) {
        self.with_polling(PollingState::report_end);
        self.changed.notify_waiters();
    }

    /// Waits for the report of the engine, which has ended the session, if anything waits for it. Returns
    /// whether the client has to be told of the end.
    pub(in crate::transport::socketio) async fn wait_engine_end(&self) -> bool {
        let is_reported = |it: &State| {
            it.phase() > ClosePhase::Open || it.polling().is_none_or(PollingState::is_ended)
        };
        if !self.connections().is_empty() {
            timeout(REPORT_WAIT_MAX, self.wait_until(is_reported)).await.ok();
        }
        self.close_phase() > ClosePhase::Open
    }

    /// Whether a packet of the client ended the session.
    pub(in crate::transport::socketio) fn is_protocol_broken(&self) -> bool {
        self.is_protocol_broken.load(Ordering::Acquire)
    }

    /// Ends the session of a client that polls and whose parser is not supported, after `refusal`.
    ///
    /// The queue carries it, not the answer to a poll: a client that upgrades may have no poll any
    /// more, and receives the rest of the queue on its WebSocket.
    pub(in crate::transport::socketio) fn refuse_parser(self: &Arc<Self>, refusal: Bytes) {
        debug!("session ended: its client uses another parser");
        self.writer().push_last(FrameError::ForeignParser(refusal).last_frames());
        self.finish(CloseReason::Fault);
    }
}
