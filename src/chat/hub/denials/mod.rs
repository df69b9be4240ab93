//! Who is refused: the whole list of the store, on every node, so that no connection costs a query.
//!
//! Changes have numbers without gaps. One that arrives before an earlier one waits, and the list is
//! read from the store if the earlier one does not come: see `cluster/repair`.

mod list;

use std::collections::BTreeMap;

use parking_lot::Mutex;
use time::OffsetDateTime;

use self::list::DenialList;
use crate::{
    chat::ports::{DenialChange, DenialSnapshot, IdentityKind},
    domain::{Credentials, Denial, DenialSubject, Denied, RevocationSubject, Space, UserName},
};

/// Bans and revocations in the list. A further one is rejected.
const OPERATOR_DENIALS_MAX: usize = 100_000;
/// Ended sign-ins in the list. A further one removes the one that expires first: users end
/// sign-ins, and one user must not use up the space of all.
const SIGN_INS_MAX: usize = 1 << 16;
/// Changes that wait for an earlier one. Further ones are dropped: the list has to be read anyway.
const AHEAD_MAX: usize = 1024;

/// See the module. Its lock is taken last: under it, no other is.
#[derive(Debug, Default)]
pub(crate) struct Denials {
    state: Mutex<DenialsState>,
}

#[derive(Debug, Default)]
struct DenialsState {
    /// The number of the last change: this one and all before are in the list.
    number: u64,
    /// Later changes, by number. Not the next one.
    ahead: BTreeMap<u64, DenialChange>,
    list: DenialList,
}

/// Whether there is room in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DenialRoom {
    /// There is.
    Free,
    /// There is after this one was removed.
    FreeWithout(DenialSubject),
    /// There is none.
    Full,
}

impl Denials {
    /// Refuses a user who is banned from the space, or from all, at `now`; a guest also if the name
    /// looks like that of a banned user.
    pub(crate) fn check_user(
        &self,
        (space, user): (&Space, &UserName),
        identity_kind: &IdentityKind,
        now: OffsetDateTime,
    ) -> Result<(), Denied> {
        let state = self.state.lock();
        let ban = match identity_kind {
            IdentityKind::Registered => state.list.ban(space, user, now),
            IdentityKind::Guest(_) => state.list.ban_of_similar(space, &user.key(), now),
        };
        ban.map_or(Ok(()), |ban| Err(Denied::Banned { until: ban.until }))
    }

    /// Refuses credentials that are revoked or have ended at `now`.
    pub(crate) fn check_credentials(
        &self,
        user: &UserName,
        credentials: &Credentials,
        now: OffsetDateTime,
    ) -> Result<(), Denied> {
        self.state.lock().list.check_credentials(user, credentials, now)
    }

    /// The number of the last change in the list.
    pub(crate) fn number(&self) -> u64 {
        self.state.lock().number
    }

    /// Whether later changes have arrived and an earlier one is missing.
    pub(crate) fn is_behind(&self) -> bool {
        !self.state.lock().ahead.is_empty()
    }

    /// Applies a change, unless the list has it. Returns the subjects that are refused from now on.
    pub(super) fn apply(
        &self,
        number: u64,
        change: &DenialChange,
        now: OffsetDateTime,
    ) -> Vec<DenialSubject> {
        let mut state = self.state.lock();
        if number <= state.number {
            return Vec::new();
        }
        if state.ahead.len() < AHEAD_MAX {
            state.ahead.insert(number, change.clone());
        }
        state.list.remove_over(now);
        state.apply_next()
    }

    /// Replaces the list by that of the store. `known` is the number before it was read: if both
    /// are older than the list by now, the list stays.
    pub(super) fn replace(&self, known: u64, snapshot: DenialSnapshot, now: OffsetDateTime) {
        let DenialSnapshot { number, denials } = snapshot;
        let mut state = self.state.lock();
        if state.number != known && number < state.number {
            return;
        }
        state.number = number;
        state.ahead.retain(|it, _| *it > number);
        state.list = DenialList::default();
        for denial in denials {
            state.list.insert(denial);
        }
        state.list.remove_over(now);
        state.apply_next();
    }

    /// Whether a denial of this subject has room at `now`.
    pub(crate) fn room_for(&self, subject: &DenialSubject, now: OffsetDateTime) -> DenialRoom {
        let mut state = self.state.lock();
        state.list.remove_over(now);
        let list = &state.list;
        if list.get(subject).is_some() {
            return DenialRoom::Free;
        }
        match subject {
            DenialSubject::SignIn(_) if list.sign_ins() >= SIGN_INS_MAX => {
                list.first_sign_in().map_or(DenialRoom::Full, DenialRoom::FreeWithout)
            }
            DenialSubject::SignIn(_) => DenialRoom::Free,
            DenialSubject::User(..) | DenialSubject::Token(_) | DenialSubject::TokensOf(_)
                if list.len() - list.sign_ins() >= OPERATOR_DENIALS_MAX =>
            {
                DenialRoom::Full
            }
            DenialSubject::User(..) | DenialSubject::Token(_) | DenialSubject::TokensOf(_) => {
                DenialRoom::Free
            }
        }
    }

    /// The denial of a subject, perhaps one that is over.
    pub(crate) fn get(&self, subject: &DenialSubject) -> Option<Denial> {
        self.state.lock().list.get(subject).cloned()
    }

    /// The bans of a space, or those of all spaces, that are not over at `now`, in the order of the
    /// names: at most `limit` after the name `after`, and whether there are more.
    pub(crate) fn bans(
        &self,
        space: Option<&Space>,
        (after, limit): (Option<&UserName>, usize),
        now: OffsetDateTime,
    ) -> (Vec<(UserName, Denial)>, bool) {
        self.state.lock().list.bans(space, (after, limit), now)
    }

    /// The same of revocations: of single tokens in the order of their ids, then of users.
    pub(crate) fn revocations(
        &self,
        (after, limit): (Option<RevocationSubject>, usize),
        now: OffsetDateTime,
    ) -> (Vec<(RevocationSubject, Denial)>, bool) {
        self.state.lock().list.revocations((after, limit), now)
    }
}

impl DenialsState {
    /// Applies the waiting changes that are next. Returns the subjects that are refused from now on.
    fn apply_next(&mut self) -> Vec<DenialSubject> {
        let mut refused = Vec::new();
        while let Some(change) = self.ahead.remove(&(self.number + 1)) {
            self.number += 1;
            match change {
                DenialChange::Deny(denial) => {
                    refused.push(denial.subject.clone());
                    self.list.insert(denial);
                }
                DenialChange::Allow(subject) => self.list.remove(&subject),
            }
        }
        refused
    }
}

#[cfg(test)]
mod tests;
