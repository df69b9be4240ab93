//! Answers to asks of back ends.

use super::Session;
use crate::{
    chat::Answer,
    domain::{AskAnswer, AskId, Body, Rejection},
};

impl Session {
    /// An answer. One that nobody waits for, because it is late, repeated or made up, is ignored.
    /// Each counts as a message against the pace of the connection.
    pub(super) fn answer_ask(&mut self, ask: AskId, args: Body) -> Result<Answer, Rejection> {
        let paced = self.check_rate();
        let connection = self.address();
        let asks = &self.chat.hub.asks;
        if asks.awaits(ask, connection.connection) {
            paced?;
            let user = self.identity.as_ref().map(|it| it.user().clone());
            asks.answer(ask, AskAnswer { connection, user, args });
        }
        Ok(Answer::Acknowledged)
    }
}
