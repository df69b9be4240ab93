//! The display names of online users. A user has one, whatever the tokens of several connections say:
//! that of the token which identified or renewed a connection last.

use super::{OnlineUserId, OnlineUsers, membership::LogSource, user::OnlineUser};
use crate::{
    chat::hub::vec_map::VecMap,
    domain::{Conversation, DisplayName, NamedUser, Space, UserName},
};

impl OnlineUsers {
    /// The display name of an online user.
    pub(crate) fn display_name(&self, id: &OnlineUserId) -> Option<DisplayName> {
        self.lock().of(id)?.display_name.clone()
    }

    /// Whoever has the name on this node, if anyone has.
    pub(crate) fn named_user(&self, space: &Space, user: &UserName) -> Option<NamedUser> {
        let name = self.lock().get(space, user)?.display_name.clone();
        Some(NamedUser { user: user.clone(), name })
    }

    /// The users with whom an online user has direct conversations.
    pub(in crate::chat::hub) fn direct_partners(&self, id: &OnlineUserId) -> Vec<UserName> {
        let state = self.lock();
        let memberships = state.of(id).and_then(|it| it.memberships.as_ref());
        let conversations = memberships.into_iter().flat_map(VecMap::iter);
        let partner = |(conversation, _): (&Conversation, _)| match conversation {
            Conversation::Direct(one, other) if *one == id.user => Some(other.clone()),
            Conversation::Direct(one, _) => Some(one.clone()),
            Conversation::Room(_) | Conversation::Inbox(_) => None,
        };
        conversations.filter_map(partner).collect()
    }

    /// Applies the display name of a renewed token.
    pub(in crate::chat::hub) fn rename(&self, id: &OnlineUserId, name: Option<&DisplayName>) {
        if let Some(online_user) = self.lock().of_mut(id) {
            online_user.rename(&id.user, name);
        }
    }

    /// Applies the display name that a user has on another node.
    pub(crate) fn apply_remote_name(&self, space: &Space, who: &NamedUser) {
        if let Some(online_user) = self.lock().get_mut(space, &who.user) {
            online_user.display_name.clone_from(&who.name);
        }
    }
}

impl OnlineUser {
    /// Sets the display name, and publishes another one in the rooms that the user is in.
    pub(super) fn rename(&mut self, user: &UserName, name: Option<&DisplayName>) {
        if self.display_name.as_ref() == name {
            return;
        }
        self.display_name = name.cloned();
        for cached in self.memberships.iter().flat_map(VecMap::values) {
            if let LogSource::LiveRoom(live_room) = &cached.log_source {
                live_room.rename(user, name);
            }
        }
    }
}
