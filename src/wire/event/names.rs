//! Display names beside a list: one object, so that each name is there once.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::domain::{DisplayName, DisplayNames, Entry, UserName};

/// Display names by user. It is left out where it is empty.
#[derive(Debug, Default, Serialize)]
pub(in crate::wire) struct NamesData<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> NamesData<'a> {
    /// Those of the users who have one.
    pub(in crate::wire) fn of(
        users: impl IntoIterator<Item = (&'a UserName, Option<&'a DisplayName>)>,
    ) -> Self {
        let named =
            users.into_iter().filter_map(|(user, name)| Some((user.as_raw(), name?.as_raw())));
        Self(named.collect())
    }

    /// Those of the authors of entries. Of several the last one counts, which is the newest.
    pub(in crate::wire) fn of_authors(entries: impl IntoIterator<Item = &'a Entry>) -> Self {
        let authors: BTreeMap<_, _> =
            entries.into_iter().map(|it| (&it.author, it.author_name.as_ref())).collect();
        Self::of(authors)
    }

    pub(in crate::wire) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> From<&'a DisplayNames> for NamesData<'a> {
    fn from(names: &'a DisplayNames) -> Self {
        Self::of(names.iter().map(|(user, name)| (user, Some(name))))
    }
}
