//! What back ends ask for, in their answers and through the API.

use tokio::sync::oneshot;

use super::{
    Answer, Chat, Receipt, Reply, ReplyCallback,
    fault::unavailable,
    hub::Cause,
    journal::{ChangeReply, MembershipRequest},
    ports::{Action, Change, ClusterCommand, DisconnectTarget, EmitTarget, MemberChange},
    posting::{Author, CheckedMessage},
    request::DraftReply,
};
use crate::domain::{
    AfterDisconnect, Channel, ConnectionId, Conversation, CustomTarget, DisplayName, EventStorage,
    MessageKind, Place, Rejection, RoomName, Space, UserName,
};

/// In whose name actions are performed.
pub(super) struct Actor<'a> {
    pub(super) space: &'a Space,
    /// The user of actions that name none.
    pub(super) user: Option<&'a UserName>,
    /// The guest session of `user`, if it is a guest.
    pub(super) guest_session: Option<&'a str>,
    /// The connection that the actions are about, [`ConnectionId::NONE`] if there is none.
    pub(super) connection: ConnectionId,
}

/// What became of an action.
#[derive(Clone, Debug)]
pub enum ActionResult {
    /// It was done.
    Done,
    /// It is stored.
    Stored(Receipt),
}

/// An action whose outcome may still be on its way from the journal.
type BegunAction = Result<Option<oneshot::Receiver<Reply>>, Rejection>;

impl Chat {
    /// Performs actions in their order, each with its own outcome. Messages do not wait for each
    /// other to be stored: the journal keeps their order.
    pub(super) async fn perform(
        &self,
        actor: &Actor<'_>,
        actions: Vec<Action>,
    ) -> Vec<Result<ActionResult, Rejection>> {
        let mut results = Vec::with_capacity(actions.len());
        let mut begun = Vec::new();
        for action in actions {
            if !is_stored(&action) {
                finish_all(&mut begun, &mut results).await;
            }
            begun.push(self.begin(actor, action).await);
        }
        finish_all(&mut begun, &mut results).await;
        results
    }

    async fn begin(&self, actor: &Actor<'_>, action: Action) -> BegunAction {
        match action {
            // The wire refuses it, too: the log of a room is the same for all who may read it.
            Action::Emit { storage: EventStorage::Kept { .. }, except: Some(_), .. } => {
                Err(Rejection::BadRequest("`kept` and `except` exclude each other"))
            }
            Action::Emit { event, to, except, storage, id } => match (storage, to) {
                (EventStorage::Kept { .. }, EmitTarget::Room(room)) => {
                    let place = Place::room(actor.space, &room);
                    let (kind, body) = (MessageKind::Custom(event.name), event.args);
                    self.submit(actor, None, CheckedMessage { place, kind, body, id, except: None })
                        .await
                }
                // The wire refuses other targets of events that are kept.
                (EventStorage::Kept { .. }, _) => Err(Rejection::RoomInvalid),
                (EventStorage::Passing(delivery), to) => {
                    let to = custom_target(actor.space, to);
                    self.hub.custom_events.send(&to, event, except.as_ref(), delivery);
                    Ok(None)
                }
            },
            Action::Message { room, user, body, id } => {
                let (place, kind) = (Place::room(actor.space, &room), MessageKind::Message);
                self.submit(actor, user, CheckedMessage { place, kind, body, id, except: None })
                    .await
            }
            Action::Notify { to, body, id } => {
                self.check_known(actor.space, &to).await?;
                let (place, kind) = (inbox(actor.space, to), MessageKind::Notification);
                self.submit(actor, None, CheckedMessage { place, kind, body, id, except: None })
                    .await
            }
            Action::Join { user, room, role } => {
                let role = role.unwrap_or_else(|| self.rules.rooms.get().default_role(&room));
                self.begin_change(actor, user, &room, MemberChange::Assign(role)).await
            }
            Action::Leave { user, room } => {
                self.begin_change(actor, user, &room, MemberChange::Leave).await
            }
            Action::Topic { user, room, topic } => {
                let place = Place::room(actor.space, &room);
                self.existing_log(&place).await?;
                let author = self.author(actor, Some(user)).await?;
                let (callback, stored) = waiting_callback();
                self.post_topic(author, (place, room), topic, callback).await;
                Ok(Some(stored))
            }
            Action::Disconnect(target, after) => {
                let (channel, command) = disconnect_command(actor.space, target, after);
                self.hub.apply_command(&command, self.clock.now());
                self.hub.publisher.publish_command(channel, command);
                Ok(None)
            }
        }
    }

    /// Hands a message to the journal, in the name of `user` or of the actor's user.
    async fn submit(
        &self,
        actor: &Actor<'_>,
        user: Option<UserName>,
        message: CheckedMessage,
    ) -> BegunAction {
        let author = self.author(actor, user).await?;
        let conversation = message.place.conversation.clone();
        let posted = |id, at| match conversation {
            Conversation::Room(room) => DraftReply::Posted { id, at, room },
            Conversation::Inbox(to) | Conversation::Direct(_, to) => {
                DraftReply::PostedTo { id, at, to, online: false }
            }
        };
        let (callback, stored) = waiting_callback();
        self.post(author, message, posted, callback).await;
        Ok(Some(stored))
    }

    /// The author of what `user` or the actor's user writes.
    async fn author(&self, actor: &Actor<'_>, user: Option<UserName>) -> Result<Author, Rejection> {
        let is_own = user.as_ref().is_none_or(|it| Some(it) == actor.user);
        let user = user.or_else(|| actor.user.cloned()).ok_or(Rejection::NotIdentified)?;
        let guest_session = actor.guest_session.filter(|_| is_own).map(Into::into);
        let name = self.author_name(actor.space, &user).await?;
        // The back end decides who may write, not the user's role.
        Ok(Author { user, name, guest_session, connection: actor.connection, needs: None })
    }

    /// The display name of an author who may be offline.
    async fn author_name(
        &self,
        space: &Space,
        user: &UserName,
    ) -> Result<Option<DisplayName>, Rejection> {
        if let Some(here) = self.hub.users.named_user(space, user) {
            return Ok(here.name);
        }
        let mut names = self.display_names(space, std::slice::from_ref(user)).await?;
        Ok(names.remove(user))
    }

    /// Changes the membership of `user`, or of the actor's user.
    async fn begin_change(
        &self,
        actor: &Actor<'_>,
        user: Option<UserName>,
        room: &RoomName,
        what: MemberChange,
    ) -> BegunAction {
        let user = user.or_else(|| actor.user.cloned()).ok_or(Rejection::NotIdentified)?;
        self.check_known(actor.space, &user).await?;
        let place = Place::room(actor.space, room);
        let change = Change { place, user, what, rooms_max: self.rooms_max() };
        let (callback, stored) = waiting_callback();
        let reply = ChangeReply::OfOtherUser(Answer::Acknowledged).pending(callback);
        let request = MembershipRequest { change, cause: Cause::default(), reply };
        self.journal.request_membership(request).await;
        Ok(Some(stored))
    }

    /// Changes the memberships of several users in a room, each with its own outcome.
    pub(super) async fn change_members(
        &self,
        (space, room): (&Space, &RoomName),
        users: Vec<UserName>,
        what: MemberChange,
    ) -> Vec<Result<ActionResult, Rejection>> {
        let connection = ConnectionId::NONE;
        let actor = Actor { space, user: None, guest_session: None, connection };
        let (mut begun, mut results) = (Vec::new(), Vec::with_capacity(users.len()));
        for user in users {
            begun.push(self.begin_change(&actor, Some(user), room, what).await);
        }
        finish_all(&mut begun, &mut results).await;
        results
    }

    /// Rejects a user who has never connected.
    pub(super) async fn check_known(
        &self,
        space: &Space,
        user: &UserName,
    ) -> Result<(), Rejection> {
        // A user of this node may not be in the store yet.
        if self.hub.users.is_present(space, user) {
            return Ok(());
        }
        let known = self.store.user_exists(space, user).await;
        let known = known.map_err(|fault| unavailable(&fault))?;
        if known { Ok(()) } else { Err(Rejection::NoSuchUser) }
    }
}

/// Whether the journal orders the action among the others.
fn is_stored(action: &Action) -> bool {
    match action {
        Action::Emit { storage, .. } => matches!(storage, EventStorage::Kept { .. }),
        Action::Message { .. } | Action::Notify { .. } => true,
        Action::Join { .. }
        | Action::Leave { .. }
        | Action::Topic { .. }
        | Action::Disconnect(..) => false,
    }
}

async fn finish_all(
    begun: &mut Vec<BegunAction>,
    results: &mut Vec<Result<ActionResult, Rejection>>,
) {
    for action in begun.drain(..) {
        results.push(match action {
            Err(rejection) => Err(rejection),
            Ok(None) => Ok(ActionResult::Done),
            Ok(Some(stored)) => {
                stored.await.unwrap_or(Err(Rejection::Draining)).map(|answer| match answer {
                    Answer::Posted { receipt, .. } | Answer::PostedTo { receipt, .. } => {
                        ActionResult::Stored(receipt)
                    }
                    _ => ActionResult::Done,
                })
            }
        });
    }
}

pub(super) fn custom_target(space: &Space, to: EmitTarget) -> CustomTarget {
    match to {
        EmitTarget::Room(room) => CustomTarget::Place(Place::room(space, &room)),
        EmitTarget::User(user) => CustomTarget::Place(inbox(space, user)),
        EmitTarget::Connection(address) => CustomTarget::Connection(space.clone(), address),
        EmitTarget::Space => CustomTarget::Space(space.clone()),
    }
}

fn inbox(space: &Space, user: UserName) -> Place {
    Place { space: space.clone(), conversation: Conversation::Inbox(user) }
}

fn disconnect_command(
    space: &Space,
    target: DisconnectTarget,
    after: AfterDisconnect,
) -> (Channel, ClusterCommand) {
    let of_user = |user: UserName, device| {
        let (channel, space) = (Channel::of_user(space, &user.key()), space.clone());
        (channel, ClusterCommand::DisconnectUser { space, user, device, after })
    };
    match target {
        DisconnectTarget::User(user) => of_user(user, None),
        DisconnectTarget::Device(user, device) => of_user(user, Some(device)),
        DisconnectTarget::Connection(address) => {
            let space = space.clone();
            (Channel::BROADCAST, ClusterCommand::DisconnectConnection { space, address, after })
        }
    }
}

/// A callback, and where its reply arrives.
pub(super) fn waiting_callback() -> (ReplyCallback, oneshot::Receiver<Reply>) {
    let (sender, receiver) = oneshot::channel();
    (Box::new(move |reply| drop(sender.send(reply))), receiver)
}
