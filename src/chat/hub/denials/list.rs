//! The denials by subject, by names that look the same, and by end.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::Bound,
};

use time::OffsetDateTime;

use crate::domain::{
    Credentials, Denial, DenialSubject, Denied, NameKey, RevocationSubject, SignInId, Space,
    TokenId, UserName,
};

#[derive(Debug, Default)]
pub(super) struct DenialList {
    by_subject: BTreeMap<DenialSubject, Denial>,
    /// The banned names by the key that names which look the same share.
    names: HashMap<(Option<Space>, NameKey), BTreeSet<UserName>>,
    /// The bans and revocations that end.
    ends: BTreeSet<(OffsetDateTime, DenialSubject)>,
    /// The ended sign-ins. All of them have an end: that of their token.
    sign_in_ends: BTreeSet<(Option<OffsetDateTime>, SignInId)>,
}

impl DenialList {
    pub(super) fn len(&self) -> usize {
        self.by_subject.len()
    }

    /// The number of ended sign-ins.
    pub(super) fn sign_ins(&self) -> usize {
        self.sign_in_ends.len()
    }

    /// The sign-in whose token expires first.
    pub(super) fn first_sign_in(&self) -> Option<DenialSubject> {
        self.sign_in_ends.first().map(|(_, sign_in)| DenialSubject::SignIn(sign_in.clone()))
    }

    pub(super) fn get(&self, subject: &DenialSubject) -> Option<&Denial> {
        self.by_subject.get(subject)
    }

    pub(super) fn insert(&mut self, denial: Denial) {
        let subject = denial.subject.clone();
        self.remove(&subject);
        match &subject {
            DenialSubject::SignIn(sign_in) => {
                self.sign_in_ends.insert((denial.until, sign_in.clone()));
            }
            DenialSubject::User(space, user) => {
                let names = self.names.entry((space.clone(), user.key())).or_default();
                names.insert(user.clone());
            }
            DenialSubject::Token(_) | DenialSubject::TokensOf(_) => (),
        }
        if let Some(until) = denial.until {
            self.ends.insert((until, subject.clone()));
        }
        self.by_subject.insert(subject, denial);
    }

    pub(super) fn remove(&mut self, subject: &DenialSubject) {
        let Some(denial) = self.by_subject.remove(subject) else { return };
        if let Some(until) = denial.until {
            self.ends.remove(&(until, denial.subject));
        }
        match subject {
            DenialSubject::SignIn(sign_in) => {
                self.sign_in_ends.remove(&(denial.until, sign_in.clone()));
            }
            DenialSubject::User(space, user) => {
                let key = (space.clone(), user.key());
                if let Some(names) = self.names.get_mut(&key) {
                    names.remove(user);
                    if names.is_empty() {
                        self.names.remove(&key);
                    }
                }
            }
            DenialSubject::Token(_) | DenialSubject::TokensOf(_) => (),
        }
    }

    /// Removes what is over at `now`.
    pub(super) fn remove_over(&mut self, now: OffsetDateTime) {
        while let Some((until, subject)) = self.ends.first()
            && *until <= now
        {
            let subject = subject.clone();
            self.remove(&subject);
        }
    }

    /// The denial of a subject at `now`.
    fn current(&self, subject: &DenialSubject, now: OffsetDateTime) -> Option<&Denial> {
        self.by_subject.get(subject).filter(|denial| !denial.is_over(now))
    }

    /// The ban of a user of the back end: of the space, or of all.
    pub(super) fn ban(
        &self,
        space: &Space,
        user: &UserName,
        now: OffsetDateTime,
    ) -> Option<&Denial> {
        // Almost always there is none, so no key is made.
        if self.names.is_empty() {
            return None;
        }
        let subjects = [Some(space.clone()), None].map(|it| DenialSubject::User(it, user.clone()));
        last_to_end(subjects.iter().filter_map(|it| self.current(it, now)))
    }

    /// Of the bans of users whose names look like a guest's, the one that ends last.
    pub(super) fn ban_of_similar(
        &self,
        space: &Space,
        key: &NameKey,
        now: OffsetDateTime,
    ) -> Option<&Denial> {
        let spaces = [Some(space.clone()), None].into_iter();
        let bans = spaces.flat_map(|space| {
            let names = self.names.get(&(space.clone(), key.clone())).into_iter().flatten();
            names.filter_map(move |user| {
                self.current(&DenialSubject::User(space.clone(), user.clone()), now)
            })
        });
        last_to_end(bans)
    }

    /// See [`Denials::check_credentials`](super::Denials::check_credentials).
    pub(super) fn check_credentials(
        &self,
        user: &UserName,
        credentials: &Credentials,
        now: OffsetDateTime,
    ) -> Result<(), Denied> {
        if self.by_subject.is_empty() {
            return Ok(());
        }
        let Credentials { token, issued_at, sign_in } = credentials;
        let sign_in = sign_in.clone().map(DenialSubject::SignIn);
        if sign_in.is_some_and(|it| self.current(&it, now).is_some()) {
            return Err(Denied::SignedOut);
        }
        let token = token.clone().map(DenialSubject::Token);
        let is_revoked = token.is_some_and(|it| self.current(&it, now).is_some());
        let of_user = self.current(&DenialSubject::TokensOf(user.clone()), now);
        // A token that does not say when it was issued counts as an old one.
        let is_old = |denial: &Denial| issued_at.is_none_or(|issued_at| issued_at < denial.at);
        if is_revoked || of_user.is_some_and(is_old) {
            return Err(Denied::TokenRevoked);
        }
        Ok(())
    }

    /// See [`Denials::bans`](super::Denials::bans).
    pub(super) fn bans(
        &self,
        space: Option<&Space>,
        (after, limit): (Option<&UserName>, usize),
        now: OffsetDateTime,
    ) -> (Vec<(UserName, Denial)>, bool) {
        let begin = |user| DenialSubject::User(space.cloned(), user);
        let begin = match after {
            Some(user) => Bound::Excluded(begin(user.clone())),
            None => Bound::Included(begin(UserName::from_raw(""))),
        };
        self.page(begin, limit, now, |subject| match subject {
            DenialSubject::User(it, user) if it.as_ref() == space => Some(user.clone()),
            _ => None,
        })
    }

    /// See [`Denials::revocations`](super::Denials::revocations).
    pub(super) fn revocations(
        &self,
        (after, limit): (Option<RevocationSubject>, usize),
        now: OffsetDateTime,
    ) -> (Vec<(RevocationSubject, Denial)>, bool) {
        let begin = match after {
            Some(after) => Bound::Excluded(after.into()),
            None => Bound::Included(DenialSubject::Token(TokenId::from_raw(""))),
        };
        self.page(begin, limit, now, |subject| match subject {
            DenialSubject::Token(token) => Some(RevocationSubject::Token(token.clone())),
            DenialSubject::TokensOf(user) => Some(RevocationSubject::User(user.clone())),
            DenialSubject::User(..) | DenialSubject::SignIn(_) => None,
        })
    }

    /// The first `limit` denials that are not over, as long as `item` knows their subjects, and
    /// whether there are more of them.
    fn page<T>(
        &self,
        begin: Bound<DenialSubject>,
        limit: usize,
        now: OffsetDateTime,
        item: impl Fn(&DenialSubject) -> Option<T>,
    ) -> (Vec<(T, Denial)>, bool) {
        let denials = self.by_subject.range((begin, Bound::Unbounded));
        let items = denials.map_while(|(subject, it)| Some((item(subject)?, it)));
        let mut items = items.filter(|(_, denial)| !denial.is_over(now));
        let page = items.by_ref().take(limit).map(|(item, it)| (item, it.clone())).collect();
        (page, items.next().is_some())
    }
}

fn last_to_end<'a>(bans: impl Iterator<Item = &'a Denial>) -> Option<&'a Denial> {
    bans.max_by_key(|ban| (ban.until.is_none(), ban.until))
}
