//! The reference engine: keeps in memory, for tests and for trying things out.
//!
//! It shares no logic with the others on purpose: where two engines disagree, one of them is wrong,
//! and this one is plain enough to be believed.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use time::OffsetDateTime;

use crate::{
    chat::ports::{
        Batch, DEVICES_PER_USER_MAX, Draft, Fault, Outcome, Page, PageLimit, Range, Seen, Store,
        Voucher,
    },
    domain::{DeviceId, Message, MessageId, NameKey, Place, Seq, Space, UserName},
};

/// Keeps until it is dropped.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

impl MemoryStore {
    /// An engine in which nothing was ever said.
    pub fn new() -> Self {
        Self::default()
    }

    /// Poisoning is ignored: nothing below can panic between two changes that belong together.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn commit(&self, batch: &Batch) -> Result<Vec<Outcome>, Fault> {
        Ok(self.lock().commit(batch))
    }

    async fn head(&self, place: &Place) -> Result<Seq, Fault> {
        Ok(self.lock().logs.get(place).map_or(Seq::ZERO, Log::head))
    }

    async fn page(&self, place: &Place, range: Range, limit: PageLimit) -> Result<Page, Fault> {
        Ok(self.lock().logs.get(place).map_or_else(Page::default, |log| log.page(range, limit)))
    }

    async fn knows(&self, space: &Space, user: &UserName) -> Result<bool, Fault> {
        Ok(self.lock().users.contains_key(&(space.clone(), user.clone())))
    }

    async fn is_vouched(&self, space: &Space, key: &NameKey) -> Result<bool, Fault> {
        Ok(self.lock().vouched.contains(&(space.clone(), key.clone())))
    }

    async fn last_seen(
        &self,
        space: &Space,
        user: &UserName,
        device: &DeviceId,
    ) -> Result<Option<OffsetDateTime>, Fault> {
        let state = self.lock();
        let devices = state.users.get(&(space.clone(), user.clone()));
        Ok(devices.and_then(|devices| devices.get(device)).copied())
    }

    async fn close(&self) {}
}

#[derive(Debug, Default)]
struct State {
    logs: HashMap<Place, Log>,
    /// The users who ever came, with their devices.
    users: HashMap<(Space, UserName), HashMap<DeviceId, OffsetDateTime>>,
    vouched: HashSet<(Space, NameKey)>,
}

impl State {
    fn commit(&mut self, batch: &Batch) -> Vec<Outcome> {
        batch.seen.iter().for_each(|seen| self.see(seen));
        let store = |draft: &Draft| self.logs.entry(draft.place.clone()).or_default().store(draft);
        batch.drafts.iter().map(store).collect()
    }

    fn see(&mut self, seen: &Seen) {
        let Seen { space, user, voucher, device, at } = seen;
        let devices = self.users.entry((space.clone(), user.clone())).or_default();
        if let Some(device) = device {
            let last = devices.entry(device.clone()).or_insert(OffsetDateTime::UNIX_EPOCH);
            *last = at.truncate_to_millisecond().max(*last);
        }
        while devices.len() > DEVICES_PER_USER_MAX {
            let first = devices.iter().min_by_key(|(_, at)| **at).map(|(id, _)| id.clone());
            first.map(|id| devices.remove(&id));
        }
        if *voucher == Voucher::BackEnd {
            self.vouched.insert((space.clone(), user.key()));
        }
    }
}

/// What was said in one place.
#[derive(Debug, Default)]
struct Log {
    /// The message with `seq` n is at n - 1.
    messages: Vec<Message>,
    ids: HashMap<(UserName, MessageId), Seq>,
}

impl Log {
    fn head(&self) -> Seq {
        self.messages.last().map_or(Seq::ZERO, |message| message.seq)
    }

    fn store(&mut self, draft: &Draft) -> Outcome {
        let Draft { place, id, kind, author, body, at } = draft.clone();
        let identity = (author.clone(), id.clone());
        if let Some(first) = self.ids.get(&identity).and_then(|seq| self.get(*seq)) {
            let same = first.kind == kind && first.body == body;
            let duplicate = Outcome::Duplicate { seq: first.seq, at: first.at };
            return if same { duplicate } else { Outcome::Conflict };
        }
        let seq = self.head().next();
        // As on disk: what came back a little different after a restart would not be the same.
        let at = at.truncate_to_millisecond();
        self.ids.insert(identity, seq);
        self.messages.push(Message { place, seq, id, kind, author, body, at });
        Outcome::Stored(seq)
    }

    fn get(&self, seq: Seq) -> Option<&Message> {
        self.messages.get(index(seq.as_raw().checked_sub(1)?))
    }

    fn page(&self, range: Range, limit: PageLimit) -> Page {
        let mut page = Page::default();
        let mut used = PageLimit::NOTHING;
        let mut fits = |message: &Message| {
            let fits = limit.admits(&mut used, &message.body);
            page.more |= !fits;
            fits
        };
        let before = |end: Seq| self.messages.iter().rev().skip_while(move |it| it.seq >= end);
        match range {
            Range::After(seq) => {
                let after = self.messages.iter().skip(index(seq.as_raw()));
                page.messages = after.take_while(|it| fits(it)).cloned().collect();
                return page;
            }
            Range::Newest => {
                page.messages = before(Seq::MAX).take_while(|it| fits(it)).cloned().collect();
            }
            Range::Before(seq) => {
                page.messages = before(seq).take_while(|it| fits(it)).cloned().collect();
            }
        }
        page.messages.reverse();
        page
    }
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::contract::store_contract;

    #[tokio::test]
    async fn memory_keeps_the_contract() {
        store_contract(async || MemoryStore::new()).await;
    }
}
