//! Events of the application, as their rules say.

use std::sync::Arc;

use super::Session;
use crate::{
    chat::{
        Answer, ReplyCallback,
        posting::CheckedMessage,
        request::{CustomPost, DraftReply},
    },
    domain::{
        ConnectionAddress, ConnectionId, Conversation, CustomTarget, EmitterMode, EventAction,
        EventRule, EventStorage, GlobalRole, Grant, Guests, JoinMode, MessageKind, PassingDelivery,
        Place, RateLimiter, Receivers, Rejection, Role, RoomAction, RoomName, RuleNumber,
    },
};

impl Session {
    /// An event of the application.
    pub(super) async fn custom(&mut self, post: CustomPost, answer: ReplyCallback) {
        let rule = Arc::clone(&post.rule);
        match &rule.action {
            EventAction::ToRoom(action) => match &action.storage {
                EventStorage::Kept { .. } => self.keep(post, action, answer).await,
                EventStorage::Passing(delivery) => {
                    answer(self.pass_to_room(post, action, *delivery));
                }
            },
            EventAction::ToUser { delivery, .. } => {
                answer(self.pass_to_user(post, *delivery).await);
            }
            EventAction::ToBackend(backend) => {
                self.ask_backend(post, backend.as_ref(), answer).await;
            }
            EventAction::Acknowledge => {
                let paced = self.check_event_rate(post.number, &rule);
                answer(paced.map(|()| Answer::Acknowledged));
            }
        }
    }

    /// Stores an event in the log of a room.
    async fn keep(&mut self, post: CustomPost, action: &RoomAction, answer: ReplyCallback) {
        let room = match self.check_room_event(&post, action) {
            Ok(room) => room,
            Err(rejection) => return answer(Err(rejection)),
        };
        let place = Place::room(&self.origin.space, &room);
        let kind = MessageKind::Custom(post.event.name);
        let body = match self.approve_message(&place, &kind, post.event.args).await {
            Ok(body) => body,
            Err(rejection) => return answer(Err(rejection)),
        };
        let except = self.sender_without(action.receivers);
        let message = CheckedMessage { place, kind, body, id: post.id, except };
        let posted = |id, at| DraftReply::Posted { id, at, room };
        let least = action.role;
        self.submit_message(message, |role| role >= least, posted, answer).await;
    }

    /// Sends an event to the connections in a room, without storing it.
    fn pass_to_room(
        &mut self,
        post: CustomPost,
        action: &RoomAction,
        delivery: PassingDelivery,
    ) -> Result<Answer, Rejection> {
        let room = self.check_room_event(&post, action)?;
        let to = CustomTarget::Place(Place::room(&self.origin.space, &room));
        let except = self.sender_without(action.receivers).map(|_| self.address());
        self.chat.hub.custom_events.send(&to, post.event, except.as_ref(), delivery);
        Ok(Answer::Acknowledged)
    }

    /// Sends an event to the connections of a user, without storing it.
    async fn pass_to_user(
        &mut self,
        post: CustomPost,
        delivery: PassingDelivery,
    ) -> Result<Answer, Rejection> {
        let to = post.to.ok_or(Rejection::NoSuchUser)?;
        self.identity()?;
        self.check_event_rate(post.number, &post.rule)?;
        self.chat.check_known(&self.origin.space, &to).await?;
        let to = CustomTarget::Place(self.place_of(Conversation::Inbox(to)));
        self.chat.hub.custom_events.send(&to, post.event, None, delivery);
        Ok(Answer::Acknowledged)
    }

    /// The room of an event, if this session may send it there.
    fn check_room_event(
        &mut self,
        post: &CustomPost,
        action: &RoomAction,
    ) -> Result<RoomName, Rejection> {
        let room = self.room_or_default(post.room.clone());
        let role = if self.identity.is_some() {
            self.room(&room)?.1
        } else {
            let is_receiver = self.listener.is_some() && room == self.origin.default_room();
            self.anonymous_role(&room)
                .filter(|_| is_receiver && !post.needs_identity())
                .ok_or(Rejection::NotIdentified)?
        };
        self.check_event_rate(post.number, &post.rule)?;
        match role >= action.role {
            true => Ok(room),
            false if action.role <= Role::Member => Err(Rejection::ReadOnly),
            false => Err(Rejection::Forbidden),
        }
    }

    /// The role that a new guest would have in a room. `None` if guests may not join it.
    fn anonymous_role(&self, room: &RoomName) -> Option<Role> {
        let rooms = self.chat.rules.rooms.get();
        match rooms.join_mode(room, Grant::Open, GlobalRole::User)? {
            JoinMode::As(role) | JoinMode::OwnerIfFirst(role) => Some(role),
            JoinMode::FounderOnly => None,
        }
    }

    /// An anonymous session receives the events that pass by in its default room, if guests may join
    /// it.
    pub(in crate::chat) fn listen(&mut self) {
        let (rules, room) = (&self.chat.rules, self.origin.default_room());
        if rules.guests == Guests::On
            && (rules.emitters == EmitterMode::On
                || rules.requests.get().events.have_passing_events(&self.origin.space))
            && self.anonymous_role(&room).is_some()
        {
            let place = Place::room(&self.origin.space, &room);
            let (connection, outbox) = (self.registration.id(), Arc::clone(&self.outbox));
            self.listener = Some(self.chat.hub.custom_events.listen(place, connection, outbox));
        }
    }

    /// Checks the pace of the rule, or that of messages where it has none.
    pub(super) fn check_event_rate(
        &mut self,
        number: RuleNumber,
        rule: &EventRule,
    ) -> Result<(), Rejection> {
        let Some(pace) = rule.pace else { return self.check_rate() };
        let now = self.chat.hub.now();
        let limiters = &mut self.event_rate_limiters;
        if let Some((_, limiter)) = limiters.iter_mut().find(|(it, _)| *it == number) {
            return limiter.acquire(now, pace);
        }
        let mut limiter = RateLimiter::default();
        let acquired = limiter.acquire(now, pace);
        limiters.push((number, limiter));
        acquired
    }

    /// The address of this connection.
    pub(super) fn address(&self) -> ConnectionAddress {
        let (node, connection) = (self.chat.rules.node.clone(), self.registration.id());
        ConnectionAddress { node, connection }
    }

    /// This connection, if it does not receive what it sends.
    fn sender_without(&self, receivers: Receivers) -> Option<ConnectionId> {
        match receivers {
            Receivers::All => None,
            Receivers::Others => Some(self.registration.id()),
        }
    }
}
