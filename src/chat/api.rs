//! What back ends ask for on their own, with an API key.

use std::sync::Arc;

use super::{
    ActionResult, AskRequest, Chat, Reply,
    actions::Actor,
    ports::{Action, ApiKey, PageRange},
};
use crate::domain::{
    ApiScope, AskOutcome, ConnectionId, Conversation, Place, Rejection, Seq, Space, Token, UserName,
};

/// A list of actions for the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiRequest {
    /// The space that they are about.
    pub space: Space,
    /// The user in whose name they are, where they name none.
    pub user: Option<UserName>,
    /// The actions, in order.
    pub actions: Vec<Action>,
}

/// A question of the API about a space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiQuestion {
    /// The space.
    pub space: Space,
    /// What is asked.
    pub topic: ApiTopic,
}

/// See [`ApiQuestion`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApiTopic {
    /// A page of a conversation's log.
    History {
        /// The conversation.
        of: Conversation,
        /// The part of the log.
        range: PageRange,
        /// The most entries. `None`: as many as clients get.
        limit: Option<u32>,
    },
    /// Which users are online.
    Presence(Vec<UserName>),
}

impl Chat {
    /// The API key with this text.
    pub fn api_key(&self, key: Option<&Token>) -> Result<Arc<ApiKey>, Rejection> {
        key.and_then(|key| self.api_keys.find(key)).ok_or(Rejection::Unauthorized)
    }

    /// Performs actions, each with its own outcome, or none of them: if the key is not for the space
    /// or for one of them.
    pub async fn perform_for_api(
        &self,
        key: &ApiKey,
        request: ApiRequest,
    ) -> Result<Vec<Result<ActionResult, Rejection>>, Rejection> {
        let ApiRequest { space, user, actions } = request;
        self.check_api_key(key, &space, actions.iter().map(Action::scope))?;
        let connection = ConnectionId::NONE;
        let actor = Actor { space: &space, user: user.as_ref(), guest_session: None, connection };
        Ok(self.perform(&actor, actions).await)
    }

    /// Asks connections, and returns their answers.
    pub async fn ask_for_api(
        &self,
        key: &ApiKey,
        request: AskRequest,
    ) -> Result<AskOutcome, Rejection> {
        self.check_api_key(key, &request.space, [ApiScope::Publish])?;
        self.ask(request).await
    }

    /// Answers a question.
    pub async fn answer_for_api(&self, key: &ApiKey, question: ApiQuestion) -> Reply {
        let ApiQuestion { space, topic } = question;
        self.check_api_key(key, &space, [ApiScope::Read])?;
        match topic {
            ApiTopic::History { of: conversation, range, limit } => {
                self.page(&Place { space, conversation }, (range, limit), Seq::ZERO).await
            }
            ApiTopic::Presence(users) => self.presences(&space, users).await,
        }
    }

    pub(super) fn check_api_key(
        &self,
        key: &ApiKey,
        space: &Space,
        scopes: impl IntoIterator<Item = ApiScope>,
    ) -> Result<(), Rejection> {
        if self.is_draining() {
            Err(Rejection::Draining)
        } else if !self.has_space(space) {
            Err(Rejection::UnknownSpace)
        } else if !key.opens(space) {
            Err(Rejection::SpaceForbidden)
        } else if !scopes.into_iter().all(|scope| key.scopes.contains(&scope)) {
            Err(Rejection::Forbidden)
        } else {
            Ok(())
        }
    }
}
