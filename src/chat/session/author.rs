//! The author of drafts.

use time::OffsetDateTime;

use crate::{
    chat::ports::{Draft, DraftAct},
    domain::{MessageId, Place, Role, UserName},
};

/// The user of a session as the author of a draft.
pub(super) struct Author {
    pub(super) user: UserName,
    /// The guest session, for a guest.
    pub(super) guest_session: Option<Box<str>>,
    /// The role that the draft needs when it is stored, in a room.
    pub(super) needs: Option<Role>,
}

impl Author {
    /// A draft of this author.
    pub(super) fn draft(
        self,
        place: Place,
        id: MessageId,
        at: OffsetDateTime,
        act: DraftAct,
    ) -> Draft {
        let Self { user: author, guest_session, needs } = self;
        Draft { place, id, author, guest_session, needs, at, act }
    }
}
