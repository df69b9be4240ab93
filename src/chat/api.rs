//! What back ends ask for on their own, with an API key.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    ActionResult, Answer, AskRequest, Chat,
    actions::Actor,
    lists::{ConnectionPage, ListPage, ListedMember, ListedRoom, ListedUser, RoomDetails},
    ports::{Action, ApiKey, PageRange},
    request::ListRange,
    room_changes::RoomChange,
};
use crate::domain::{
    ApiScope, AskOutcome, ConnectionAddress, ConnectionId, Conversation, DisplayNames,
    KeyRejection, NameQuery, Place, Rejection, RoomName, Seq, Space, Token, UserName,
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
    /// Which of these users are online.
    Presence(Vec<UserName>),
    /// The users who are online.
    Users(ListRange<UserName>),
    /// The connections of all nodes.
    Connections {
        /// The user whose connections are listed. `None`: those of all, and anonymous ones.
        user: Option<UserName>,
        /// The part of the list.
        range: ListRange<ConnectionAddress>,
    },
    /// The rooms that have members or entries.
    Rooms {
        /// How a word of the name or of the topic begins.
        query: Option<NameQuery>,
        /// The part of the list.
        range: ListRange<RoomName>,
    },
    /// One of them.
    Room(RoomName),
    /// The members of a room.
    Members {
        /// The room.
        room: RoomName,
        /// How a word of the name or of the display name begins.
        query: Option<NameQuery>,
        /// The part of the list.
        range: ListRange<UserName>,
    },
}

/// The answer to an [`ApiQuestion`].
#[derive(Clone, Debug)]
pub enum ApiAnswer {
    /// As clients get it.
    Client(Answer),
    /// The users who are online.
    Users(ListPage<ListedUser>),
    /// The connections of all nodes.
    Connections(ConnectionPage),
    /// Rooms.
    Rooms(ListPage<ListedRoom, RoomName>),
    /// One room.
    Room(RoomDetails),
    /// The members of a room.
    Members(ListPage<ListedMember>),
}

impl Chat {
    /// The API key with this text.
    pub fn api_key(&self, key: Option<&Token>) -> Result<Arc<ApiKey>, Rejection> {
        key.and_then(|key| self.api_keys.find(key)).ok_or(Rejection::Key(KeyRejection::Unknown))
    }

    /// Performs actions, each with its own outcome, or none of them: if the key is not for the space
    /// or for one of them.
    pub async fn perform_for_api(
        &self,
        key: &ApiKey,
        request: ApiRequest,
    ) -> Result<Vec<Result<ActionResult, Rejection>>, Rejection> {
        let ApiRequest { space, user, actions } = request;
        let scopes = actions.iter().map(Action::scope);
        self.admit_api_request(key, &space, scopes, actions.len().max(1))?;
        let connection = ConnectionId::NONE;
        let actor = Actor { space: &space, user: user.as_ref(), guest_session: None, connection };
        Ok(self.perform(&actor, actions).await)
    }

    /// Asks connections, and returns their answers and the display names of their users. Answers are
    /// not lost with the store: there are no names then.
    pub async fn ask_for_api(
        &self,
        key: &ApiKey,
        request: AskRequest,
    ) -> Result<(AskOutcome, DisplayNames), Rejection> {
        let space = request.space.clone();
        self.admit_api_request(key, &space, [ApiScope::Publish], 1)?;
        let outcome = self.ask(request).await?;
        let users: BTreeSet<_> = outcome.answers.iter().filter_map(|it| it.user.clone()).collect();
        let users: Vec<_> = users.into_iter().collect();
        let names = self.display_names(&space, &users).await.unwrap_or_default();
        Ok((outcome, names))
    }

    /// Empties or deletes a room.
    pub async fn change_room_for_api(
        &self,
        key: &ApiKey,
        (space, room): (&Space, &RoomName),
        what: RoomChange,
    ) -> Result<(), Rejection> {
        self.admit_api_request(key, space, [ApiScope::Manage], 1)?;
        self.change_room(space, room, what).await
    }

    /// Answers a question.
    pub async fn answer_for_api(
        &self,
        key: &ApiKey,
        question: ApiQuestion,
    ) -> Result<ApiAnswer, Rejection> {
        let ApiQuestion { space, topic } = question;
        self.admit_api_request(key, &space, [ApiScope::Read], 1)?;
        match topic {
            ApiTopic::History { of: conversation, range, limit } => {
                let place = Place { space, conversation };
                let page = self.page(&place, (range, limit), Seq::ZERO).await;
                page.map(ApiAnswer::Client)
            }
            ApiTopic::Presence(users) => self.presences(&space, users).await.map(ApiAnswer::Client),
            ApiTopic::Users(range) => self.list_users(&space, range).await.map(ApiAnswer::Users),
            ApiTopic::Connections { user, range } => {
                let page = self.list_connections(space, user, range).await;
                page.map(ApiAnswer::Connections)
            }
            ApiTopic::Rooms { query, range } => {
                let page = self.list_rooms(&space, query.as_ref(), range).await;
                page.map(ApiAnswer::Rooms)
            }
            ApiTopic::Room(room) => self.room_details(&space, room).await.map(ApiAnswer::Room),
            ApiTopic::Members { room, query, range } => {
                let place = Place::room(&space, &room);
                self.list_members(&place, query.as_ref(), range).await.map(ApiAnswer::Members)
            }
        }
    }

    /// Checks that a key is for a space and has these scopes, and counts `items` against its pace.
    pub(super) fn admit_api_request(
        &self,
        key: &ApiKey,
        space: &Space,
        scopes: impl IntoIterator<Item = ApiScope>,
        items: usize,
    ) -> Result<(), Rejection> {
        if self.is_refusing() {
            Err(Rejection::Draining)
        } else if !self.has_space(space) {
            Err(Rejection::UnknownSpace)
        } else if !key.opens(space) {
            Err(Rejection::Key(KeyRejection::Space))
        } else if let Some(missing) = scopes.into_iter().find(|it| !key.scopes.contains(it)) {
            Err(Rejection::Key(KeyRejection::Scope(missing)))
        } else {
            self.api_paces.acquire(key, self.hub.now(), items)
        }
    }

    /// The same for a request that is about all spaces: the key must be for all of them.
    pub(super) fn admit_api_request_for_all(
        &self,
        key: &ApiKey,
        scope: ApiScope,
    ) -> Result<(), Rejection> {
        if !key.spaces.is_empty() {
            return Err(Rejection::Key(KeyRejection::AllSpaces));
        }
        self.admit_api_request(key, &Space::root(), [scope], 1)
    }
}
