//! Membership changes by a room's admins, and presence queries.

use super::{Session, SessionIdentity, unavailable};
use crate::{
    chat::{
        Answer, Reply, ReplyCallback,
        hub::Cause,
        journal::{ChangeReply, MembershipRequest},
        ports::{Change, MemberChange},
    },
    domain::{Member, Place, Rejection, Role, RoomName, UserName},
};

impl Session {
    /// `invite`: makes a user a member, or changes a member's role.
    pub(super) async fn invite(
        &mut self,
        room: Option<RoomName>,
        user: UserName,
        role: Option<Role>,
        answer: ReplyCallback,
    ) {
        let room = self.room_or_default(room);
        let role = role.unwrap_or_else(|| self.chat.rules.rooms.get().default_role(&room));
        let role = match self.may_invite(&room, &user, role).await {
            Ok(role) => role,
            Err(rejection) => return answer(Err(rejection)),
        };
        let answered = Answer::Invited { room: room.clone(), user: user.clone(), role };
        let place = Place::room(&self.origin.space, &room);
        // Invitations fill at most half of a user's rooms; the rest is left for the user's own
        // joins.
        let rooms_max = self.chat.rooms_max().map(|max| max.div_ceil(2));
        let change = Change { place, user, what: MemberChange::Assign(role), rooms_max };
        self.submit_change(change, answered, answer).await;
    }

    /// Checks an invitation. Returns the role that it gives.
    async fn may_invite(
        &mut self,
        room: &RoomName,
        user: &UserName,
        role: Role,
    ) -> Result<Role, Rejection> {
        self.may_change(room, user, Some(role)).await?;
        // An offline guest cannot be invited: the next guest of that name is another user.
        let space = &self.origin.space;
        let exists = self.chat.hub.users.is_present(space, user)
            || self.chat.is_registered_user(space, user).await?
            || self.is_online_remotely(user).await?;
        if !exists {
            return Err(Rejection::NoSuchUser);
        }
        self.approve_invitation(room, user, role).await
    }

    /// Whether a user is online on another node.
    pub(super) async fn is_online_remotely(&self, user: &UserName) -> Result<bool, Rejection> {
        let user = std::slice::from_ref(user);
        let devices = self.chat.cluster.remote_devices(&self.origin.space, user).await;
        Ok(devices.map_err(|fault| unavailable(&fault))?.iter().any(|it| !it.is_empty()))
    }

    /// `kick`: removes a member.
    pub(super) async fn kick(
        &mut self,
        room: Option<RoomName>,
        user: UserName,
        answer: ReplyCallback,
    ) {
        let room = self.room_or_default(room);
        match self.may_change(&room, &user, None).await {
            Err(rejection) => answer(Err(rejection)),
            Ok(None) => answer(Err(Rejection::NoSuchUser)),
            Ok(Some(_)) => {
                let answered = Answer::Kicked { room: room.clone(), user: user.clone() };
                let place = Place::room(&self.origin.space, &room);
                let change = Change { place, user, what: MemberChange::Leave, rooms_max: None };
                self.submit_change(change, answered, answer).await;
            }
        }
    }

    /// Checks whether this session's user may give a user a role in a room, or remove the user.
    /// Returns the current membership.
    async fn may_change(
        &mut self,
        room: &RoomName,
        user: &UserName,
        role: Option<Role>,
    ) -> Result<Option<Member>, Rejection> {
        let (live_room, own_role) = self.room(room)?;
        self.check_rate()?;
        if !own_role.may_moderate() {
            return Err(Rejection::Forbidden);
        }
        let member = self.chat.store.member(live_room.place(), user).await;
        let member = member.map_err(|fault| unavailable(&fault))?;
        if own_role.may_change(member.map(|it| it.role), role) {
            Ok(member)
        } else {
            Err(Rejection::Forbidden)
        }
    }

    /// Changes another user's membership.
    async fn submit_change(&self, change: Change, answered: Answer, answer: ReplyCallback) {
        let by = self.identity.as_ref().map(SessionIdentity::named_user);
        let cause = Cause { by, ..Cause::default() };
        let reply = ChangeReply::OfOtherUser(answered).pending(answer);
        self.chat.journal.request_membership(MembershipRequest { change, cause, reply }).await;
    }

    /// `presence`: which of these users are online.
    pub(super) async fn presence(&self, users: Vec<UserName>) -> Reply {
        self.identity()?;
        self.chat.presences(&self.origin.space, users).await
    }
}
