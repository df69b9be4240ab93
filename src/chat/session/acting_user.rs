//! The user in whose name a session acts, also before it is identified.

use super::{ClaimedIdentity, Session, SessionIdentity};
use crate::{
    chat::{
        hub::NameClaim,
        ports::{CallingUser, CallingUserKind},
    },
    domain::{DisplayName, GlobalRole, UserName},
};

/// The user that a session has, or is about to have.
#[derive(Clone, Copy, Debug)]
pub(super) struct ActingUser<'a> {
    pub(super) name: &'a UserName,
    /// The guest session, for a guest.
    pub(super) guest_session: Option<&'a str>,
    global_role: GlobalRole,
    display_name: NameSource<'a>,
}

/// Where the display name of an acting user is: it is looked up only for a back end.
#[derive(Clone, Copy, Debug)]
enum NameSource<'a> {
    /// In the claims of a connection that is not attached yet.
    Claims(Option<&'a DisplayName>),
    /// With the online user.
    Online(&'a NameClaim),
}

impl ActingUser<'_> {
    /// The user, as back ends see it.
    pub(super) fn calling_user(&self) -> CallingUser {
        let kind = match self.guest_session {
            Some(_) => CallingUserKind::Guest,
            None => CallingUserKind::Registered,
        };
        let display_name = match self.display_name {
            NameSource::Claims(name) => name.cloned(),
            NameSource::Online(name_claim) => name_claim.display_name(),
        };
        CallingUser { name: self.name.clone(), display_name, kind, global_role: self.global_role }
    }
}

impl ClaimedIdentity {
    /// The user whom the claims prove.
    pub(super) fn acting_user(&self) -> ActingUser<'_> {
        ActingUser {
            name: self.name_claim.user(),
            guest_session: self.claims.guest.as_deref(),
            global_role: self.claims.global_role(),
            display_name: NameSource::Claims(self.claims.name.as_ref()),
        }
    }
}

impl SessionIdentity {
    /// The user.
    pub(super) fn acting_user(&self) -> ActingUser<'_> {
        ActingUser {
            name: self.user(),
            guest_session: self.rights.guest.as_deref(),
            global_role: self.rights.global_role,
            display_name: NameSource::Online(&self.name_claim),
        }
    }
}

impl Session {
    /// The user of this session. `None` while it is anonymous.
    pub(super) fn acting_user(&self) -> Option<ActingUser<'_>> {
        self.identity.as_ref().map(SessionIdentity::acting_user)
    }
}
