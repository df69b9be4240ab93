//! Events that a back end answers, and what it asks for.

use tokio::sync::oneshot;
use tracing::debug;

use super::{Author, Session, post::CheckedMessage};
use crate::{
    chat::{
        Answer, Reply, ReplyCallback,
        hub::Cause,
        journal::{ChangeReply, MembershipRequest},
        ports::{
            Action, BackendAnswer, Caller, CallingUser, CallingUserKind, Change, ClusterCommand,
            DisconnectTarget, EmitTarget, EventCall, MemberChange,
        },
        request::{CustomPost, DraftReply},
    },
    domain::{
        BackendName, Channel, Conversation, CustomTarget, EventStorage, MessageKind, Place,
        Rejection, UserName,
    },
};

impl Session {
    /// Has a back end answer an event. The next request waits for it, so that a back end receives the
    /// events of a connection in their order.
    pub(super) async fn ask_backend(
        &mut self,
        post: CustomPost,
        name: Option<&BackendName>,
        answer: ReplyCallback,
    ) {
        let reply = self.backend_reply(post, name).await;
        answer(reply);
    }

    async fn backend_reply(&mut self, post: CustomPost, name: Option<&BackendName>) -> Reply {
        self.check_event_rate(post.number, &post.rule)?;
        // `config` checks that rules name back ends that exist.
        let registered = self.chat.backends.get(name).cloned().ok_or(Rejection::Unavailable)?;
        let call = EventCall { caller: self.caller(), event: post.event };
        match registered.settle(registered.backend.event(call).await)? {
            None => Ok(Answer::Acknowledged),
            Some(BackendAnswer::Accepted { ack, actions }) => {
                self.perform(actions).await;
                Ok(ack.map_or(Answer::Acknowledged, |ack| Answer::Custom { ack }))
            }
            Some(BackendAnswer::Refused(refusal)) => Err(Rejection::Refused(Box::new(refusal))),
        }
    }

    /// This connection, as back ends see it.
    pub(super) fn caller(&self) -> Caller {
        let user = self.identity.as_ref().map(|identity| CallingUser {
            name: identity.user().clone(),
            kind: match identity.rights.guest {
                Some(_) => CallingUserKind::Guest,
                None => CallingUserKind::Registered,
            },
            global_role: identity.rights.global_role,
        });
        Caller {
            space: self.origin.space.clone(),
            connection: self.address(),
            room: self.origin.default_room(),
            user,
            data: self.origin.data.clone(),
        }
    }

    /// Does what a back end asks for. What is not possible is left out: the back end decides with
    /// what it knows, and a user may have left meanwhile.
    pub(in crate::chat) async fn perform(&self, actions: Vec<Action>) {
        for action in actions {
            if let Err(rejection) = self.try_perform(action).await {
                debug!(?rejection, "an action of a back end is not possible");
            }
        }
    }

    async fn try_perform(&self, action: Action) -> Result<(), Rejection> {
        match action {
            Action::Emit { event, to, except, storage } => {
                let delivery = match (storage, &to) {
                    (EventStorage::Kept { .. }, EmitTarget::Room(room)) => {
                        let place = Place::room(&self.origin.space, room);
                        let (kind, body) = (MessageKind::Custom(event.name), event.args);
                        let message = CheckedMessage { place, kind, body, id: None, except: None };
                        return self.post_for_backend(message, None).await;
                    }
                    // The wire refuses other targets of events that are kept.
                    (EventStorage::Kept { .. }, _) => return Err(Rejection::RoomInvalid),
                    (EventStorage::Passing(delivery), _) => delivery,
                };
                let to = self.custom_target(to);
                self.chat.hub.custom_events.send(&to, event, except.as_ref(), delivery);
                Ok(())
            }
            Action::Message { room, user, body, id } => {
                let place = Place::room(&self.origin.space, &room);
                let kind = MessageKind::Message;
                let message = CheckedMessage { place, kind, body, id, except: None };
                self.post_for_backend(message, user).await
            }
            Action::Notify { to, body, id } => {
                self.check_known(&to).await?;
                let place = self.place_of(Conversation::Inbox(to));
                let kind = MessageKind::Notification;
                let message = CheckedMessage { place, kind, body, id, except: None };
                self.post_for_backend(message, None).await
            }
            Action::Join { user, room, role } => {
                let role = role.unwrap_or_else(|| self.chat.rules.rooms.default_role(&room));
                let place = Place::room(&self.origin.space, &room);
                self.change_for_backend(place, user, MemberChange::Assign(role)).await
            }
            Action::Leave { user, room } => {
                let place = Place::room(&self.origin.space, &room);
                self.change_for_backend(place, user, MemberChange::Leave).await
            }
            Action::Disconnect(target) => {
                let (channel, command) = self.disconnect_command(target);
                self.chat.hub.apply_command(&command);
                self.chat.hub.publisher.publish_command(channel, command);
                Ok(())
            }
        }
    }

    fn custom_target(&self, to: EmitTarget) -> CustomTarget {
        match to {
            EmitTarget::Room(room) => CustomTarget::Place(Place::room(&self.origin.space, &room)),
            EmitTarget::User(user) => CustomTarget::Place(self.place_of(Conversation::Inbox(user))),
            EmitTarget::Connection(address) => CustomTarget::Connection(address),
            EmitTarget::Space => CustomTarget::Space(self.origin.space.clone()),
        }
    }

    fn disconnect_command(&self, target: DisconnectTarget) -> (Channel, ClusterCommand) {
        match target {
            DisconnectTarget::User(user) => {
                let space = self.origin.space.clone();
                let channel = Channel::of_user(&space, &user.key());
                (channel, ClusterCommand::DisconnectUser { space, user })
            }
            DisconnectTarget::Connection(address) => {
                (Channel::BROADCAST, ClusterCommand::DisconnectConnection(address))
            }
        }
    }

    /// Posts a message of a back end, in the name of `user` or of this session's user, and waits until
    /// it is stored.
    async fn post_for_backend(
        &self,
        message: CheckedMessage,
        user: Option<UserName>,
    ) -> Result<(), Rejection> {
        let own = self.identity.as_ref();
        let user = user.or_else(|| own.map(|it| it.user().clone()));
        let user = user.ok_or(Rejection::NotIdentified)?;
        let guest_session =
            own.filter(|it| *it.user() == user).and_then(|it| it.rights.guest.clone());
        // The back end decides who may write, not the user's role.
        let author = Author { user, guest_session, needs: None };
        let conversation = message.place.conversation.clone();
        let posted = |id, at| match conversation {
            Conversation::Room(room) => DraftReply::Posted { id, at, room },
            Conversation::Inbox(to) | Conversation::Direct(_, to) => {
                DraftReply::PostedTo { id, at, to, online: false }
            }
        };
        let (callback, stored) = waiting_callback();
        self.append(author, message, posted, callback).await;
        stored.await.unwrap_or(Err(Rejection::Draining)).map(drop)
    }

    /// Changes the membership of a user, or of this session's user, and waits until it is stored.
    async fn change_for_backend(
        &self,
        place: Place,
        user: Option<UserName>,
        what: MemberChange,
    ) -> Result<(), Rejection> {
        let own = self.identity.as_ref().map(|it| it.user().clone());
        let user = user.or(own).ok_or(Rejection::NotIdentified)?;
        self.check_known(&user).await?;
        let change = Change { place, user, what, rooms_max: self.chat.rooms_max() };
        let (callback, stored) = waiting_callback();
        let reply = ChangeReply::OfOtherUser(Answer::Acknowledged).pending(callback);
        let request = MembershipRequest { change, cause: Cause::default(), reply };
        self.chat.journal.request_membership(request).await;
        stored.await.unwrap_or(Err(Rejection::Draining)).map(drop)
    }
}

/// A callback, and where its reply arrives.
fn waiting_callback() -> (ReplyCallback, oneshot::Receiver<Reply>) {
    let (sender, receiver) = oneshot::channel();
    (Box::new(move |reply| drop(sender.send(reply))), receiver)
}
