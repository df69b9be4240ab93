//! Rooms that a back end empties or deletes.

use super::{
    Answer, Chat,
    actions::waiting_callback,
    fault::unavailable,
    hub::Cause,
    journal::{ChangeReply, MembershipRequest, More},
    ports::{Change, MemberChange, MemberRow},
};
use crate::domain::{Place, Rejection, RoomName, Space, UserName};

/// Memberships that are ended at the same time.
const MEMBERS_AT_ONCE: usize = 100;

/// What becomes of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoomChange {
    /// The entries that it has are removed. Members stay.
    Empty,
    /// The memberships end, and the entries are removed.
    Delete,
}

impl Chat {
    /// Changes a room that has members or entries. Numbers of entries are never used again. If it
    /// fails, a part may have happened: a repetition does the rest.
    pub(super) async fn change_room(
        &self,
        space: &Space,
        room: &RoomName,
        what: RoomChange,
    ) -> Result<(), Rejection> {
        let place = Place::room(space, room);
        self.existing_log(&place).await?;
        if what == RoomChange::Delete {
            self.end_memberships(&place).await?;
        }
        // After the memberships, because members may have sent until then.
        let log = self.store.log(&place).await.map_err(|fault| unavailable(&fault))?;
        while self.journal.erase(place.clone(), log.head.seq).await? == More::Yes {}
        Ok(())
    }

    /// Ends all memberships of a place, by name.
    async fn end_memberships(&self, place: &Place) -> Result<(), Rejection> {
        let mut after: Option<UserName> = None;
        loop {
            let members = self.store.members(place, after.as_ref(), MEMBERS_AT_ONCE).await;
            let members = members.map_err(|fault| unavailable(&fault))?;
            let Some(last) = members.last() else { return Ok(()) };
            after = Some(last.user.clone());
            let mut begun = Vec::with_capacity(members.len());
            for MemberRow { user, .. } in members {
                let (place, what) = (place.clone(), MemberChange::Leave);
                let change = Change { place, user, what, rooms_max: None };
                let (callback, ended) = waiting_callback();
                let reply = ChangeReply::OfOtherUser(Answer::Acknowledged).pending(callback);
                let request = MembershipRequest { change, cause: Cause::default(), reply };
                self.journal.request_membership(request).await;
                begun.push(ended);
            }
            for ended in begun {
                match ended.await.unwrap_or(Err(Rejection::Draining)) {
                    // Whoever left meanwhile is no member any more.
                    Ok(_) | Err(Rejection::NoSuchUser) => (),
                    Err(rejection) => return Err(rejection),
                }
            }
        }
    }
}
