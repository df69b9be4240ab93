//! The close of a session: answers, `closing`, what is queued, the end.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use super::{
    ClosePhase, EngineSession,
    state::{CloseStep, State, Transition},
};
use crate::{
    domain::CloseReason,
    transport::socketio::{engine, payload},
};

impl EngineSession {
    /// The phase of the close.
    pub(in crate::transport::socketio) fn close_phase(&self) -> ClosePhase {
        self.state.lock().phase()
    }

    /// The reason of the close, once the session closes.
    pub(in crate::transport::socketio) fn close_reason(&self) -> Option<CloseReason> {
        self.state.lock().reason()
    }

    /// Sends `closing` with the reason to the client and closes the session, after the answers to
    /// its requests if the reason permits that. The second call does nothing.
    pub(in crate::transport::socketio) fn close(self: &Arc<Self>, reason: CloseReason) {
        let step = self.state.lock().begin_close(reason);
        self.take_step(step, reason);
    }

    fn take_step(self: &Arc<Self>, step: CloseStep, reason: CloseReason) {
        match step {
            CloseStep::Answer(connections) => {
                for connection in connections {
                    connection.close_inbox();
                }
                self.changed.notify_waiters();
                self.tasks().spawn("socketio answers", Arc::clone(self).close_answered(reason));
            }
            CloseStep::Notify(connections) => {
                self.writer.seal();
                if reason == CloseReason::SlowReader {
                    // A slow reader would not read these. It receives them after it reconnects.
                    self.writer.drop_waiting();
                }
                for connection in connections {
                    connection.send_closing(reason);
                }
                self.finish(reason);
            }
            CloseStep::Begun => {}
        }
    }

    /// Waits for the answers, and closes the session.
    async fn close_answered(self: Arc<Self>, reason: CloseReason) {
        let answered = self.wait_until(State::is_answered);
        timeout(CloseReason::ANSWER_WAIT_MAX, answered).await.ok();
        let step = self.state.lock().begin_notifying();
        self.take_step(step, reason);
    }

    /// Closes the session after `closing` was sent.
    pub(in crate::transport::socketio) fn finish(self: &Arc<Self>, reason: CloseReason) {
        self.writer.seal();
        let transition = self.state.lock().finish(reason);
        self.apply(transition);
    }

    /// Ends the session at once. What is queued is dropped.
    pub(in crate::transport::socketio) fn abort(self: &Arc<Self>) {
        if self.end() {
            self.writer.abort();
        }
    }

    /// Ends the session. What is queued may still be written. Returns whether it had not ended before.
    pub(in crate::transport::socketio) fn end(self: &Arc<Self>) -> bool {
        let transition = self.state.lock().abort();
        let ends = transition.is_some();
        if ends {
            self.registration.end();
        }
        self.apply(transition);
        ends
    }

    fn apply(self: &Arc<Self>, transition: Option<Transition>) {
        let Some(Transition { wake, connections, close_in_engine }) = transition else { return };
        for connection in connections {
            connection.close_inbox();
        }
        self.wake(wake);
        let (phase, is_prompt) = (self.close_phase(), self.state.lock().is_prompt());
        if close_in_engine {
            self.tasks().spawn("socketio close", Arc::clone(self).close_in_engine());
        } else if phase == ClosePhase::Closing && is_prompt {
            self.tasks().spawn("socketio flush", Arc::clone(self).abort_unflushed());
        }
    }

    /// Aborts the queue of a session that closes for an urgent reason and whose client does not read.
    async fn abort_unflushed(self: Arc<Self>) {
        if timeout(self.flush_wait(), self.writer.ended()).await.is_err() {
            self.writer.abort();
        }
    }

    /// Closes a session that its stream does not end. A polling session receives a close packet as
    /// if from its client, because then the engine runs all disconnect handlers.
    pub(in crate::transport::socketio) async fn close_in_engine(self: Arc<Self>) {
        let delivered = async {
            self.writer.flushed().await;
            self.wait_until(State::is_close_received).await;
        };
        timeout(self.flush_wait(), delivered).await.ok();
        self.end_in_engine().await;
    }

    /// Closes the session in the engine now.
    pub(in crate::transport::socketio) async fn end_in_engine(self: &Arc<Self>) {
        if let Some(sid) = self.sid() {
            let packet = payload::close(self.version());
            engine::post(self.engine(), self.version(), sid, packet).await.ok();
        }
        self.abort();
    }

    /// The longest time for queued events once the close has begun.
    pub(in crate::transport::socketio) fn flush_wait(&self) -> Duration {
        self.state.lock().flush_wait()
    }

    /// Waits until `closing` was sent, or the session is aborted.
    pub(in crate::transport::socketio) async fn wait_closing(&self) {
        self.wait_until(|it| it.phase() >= ClosePhase::Closing).await;
    }

    /// Waits until the session is aborted.
    pub(in crate::transport::socketio) async fn wait_aborted(&self) {
        self.wait_until(|it| it.phase() == ClosePhase::Aborted).await;
    }

    /// Waits until nothing more is written, if the close has begun.
    pub(in crate::transport::socketio) async fn wait_output_finished(&self) {
        let closes = |it: &State| it.accepts_no_requests() && it.phase() < ClosePhase::Aborted;
        self.wait_until(|it| !closes(it)).await;
        if self.close_phase() == ClosePhase::Aborted {
            self.writer.ended().await;
        }
    }
}
