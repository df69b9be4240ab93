//! The display names of the users whom events name.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    chat::ports::{Fault, NewOutboxEvent, SentEvent, Store},
    domain::{DisplayNames, Space, UserName},
};

/// Adds the present display names of the users that the events name.
pub(super) async fn add_names(store: &dyn Store, events: &mut [SentEvent]) -> Result<(), Fault> {
    let names = names_by_space(store, events.iter().map(|it| &it.event)).await?;
    for sent in events {
        let Some(names) = names.get(&sent.event.space) else { continue };
        let (user, by) = sent.event.event.user_and_by();
        let told = user.into_iter().chain(by).filter_map(|it| names.get_key_value(it));
        sent.names = told.map(|(user, name)| (user.clone(), name.clone())).collect();
    }
    Ok(())
}

/// The present display names of the users that the events name, with one query per space.
pub(in crate::chat) async fn names_by_space(
    store: &dyn Store,
    events: impl Iterator<Item = &NewOutboxEvent>,
) -> Result<BTreeMap<Space, DisplayNames>, Fault> {
    let mut users: BTreeMap<Space, BTreeSet<UserName>> = BTreeMap::new();
    for event in events {
        let (user, by) = event.event.user_and_by();
        let named = user.into_iter().chain(by).cloned();
        users.entry(event.space.clone()).or_default().extend(named);
    }
    let mut names = BTreeMap::new();
    for (space, users) in users.into_iter().filter(|(_, users)| !users.is_empty()) {
        let users: Vec<_> = users.into_iter().collect();
        let of_users = store.display_names(&space, &users).await?;
        names.insert(space, of_users);
    }
    Ok(names)
}
