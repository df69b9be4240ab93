//! What is done about that which was not heard: the store is asked, and so are the other nodes.

use std::{collections::BTreeSet, mem, time::Duration};

use futures_util::future::join_all;
use tokio::time::sleep;
use tracing::{info, warn};

use super::{Relay, Stale, Suspects, pending::answer_all};
use crate::{
    chat::{
        event::{Delivery, Event},
        hub::Lag,
        journal::{Journal, Post, Refresh},
        ports::{Fault, News, Page, PageLimit, Range},
    },
    domain::{Channel, DeviceSet, Entry, Place, Position, Seq},
};

/// How often it is looked whether something is due, while there are other nodes.
const TICK: Duration = Duration::from_millis(250);
/// How often the store is compared with what is known here, while not everything is heard.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How often who has not answered is asked again.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// How long everything has to be heard before it is believed that somebody is nowhere.
const CALM: Duration = Duration::from_secs(2);
/// When it is tried again to read a store that could not be read.
const RETRY: Duration = Duration::from_millis(500);
/// Conversations and users that the store is asked about at once.
const LOOK_AT_MAX: usize = 1000;
/// Conversations that are caught up with at the same time.
const AT_ONCE_MAX: usize = 16;
/// Rooms that are asked about in one announcement.
const ASKED_MAX: usize = 100;
/// How much is read at once of what is missing.
const MISSING: PageLimit = PageLimit { messages: 500, bytes: 1 << 20, attachments: usize::MAX };
/// How many pages may lie between what was delivered here and what somebody has who comes back.
const REACH_MAX: u32 = 100;
/// How often it is tried to find out how much of a conversation somebody has.
const TRIES_MAX: u32 = 100;

/// When what was done last.
#[derive(Debug, Default)]
struct Done {
    looked: Duration,
    asked: Duration,
    doubted: Duration,
    /// When something was still to be heard last.
    disturbed: Duration,
    /// Whether the store could not be read.
    failed: bool,
}

impl Relay {
    /// Sees to it that nothing stays missed. Runs for ever.
    pub(crate) async fn mend(&self, journal: &Journal) {
        let mut done = Done::default();
        loop {
            tokio::select! {
                () = self.herald.awake() => (),
                () = self.tick() => (),
            }
            self.herald.listen();
            self.greet();
            self.look(&mut done).await;
            self.refresh(journal);
            self.catch_up().await;
            self.ask_again(&mut done);
            self.settle_doubts(&mut done).await;
        }
    }

    /// Waits until something may be due: for ever, if this node is alone and lacks nothing.
    async fn tick(&self) {
        let next = self.lock().pending.values().map(|it| it.due).min();
        let next = next.map(|due| due.saturating_sub(self.hub.now()));
        match next {
            Some(wait) => sleep(wait.min(TICK)).await,
            None if self.herald.is_alone() => std::future::pending().await,
            None => sleep(TICK).await,
        }
    }

    /// Asks about the rooms that were not looked after before. What is not heard yet is asked about as
    /// soon as it is.
    fn greet(&self) {
        let fresh = self.herald.take_fresh();
        let mut state = self.lock();
        let channel = |place: &Place| Channel::of(place).next();
        let heard = fresh
            .into_iter()
            .filter(|place| channel(place).is_some_and(|channel| state.open.contains(&channel)));
        let heard: Vec<_> = heard.collect();
        state.suspects.channels.extend(heard.iter().filter_map(channel));
        state.asks_anew |= !heard.is_empty();
        state.ask(heard, None);
    }

    /// Compares what is suspect with the store.
    async fn look(&self, done: &mut Done) {
        let now = self.hub.now();
        let is_due = now >= done.looked + LOOK_EVERY;
        if !self.herald.is_alone() && is_due && !self.is_whole() {
            self.lock().suspects.everywhere = true;
            done.looked = now;
        }
        if done.failed && now < done.looked + RETRY {
            return;
        }
        let suspects = mem::take(&mut self.lock().suspects);
        if suspects.is_empty() {
            return;
        }
        let channels = (!suspects.everywhere).then_some(&suspects.channels);
        let looked = async {
            self.look_at_rooms(channels).await?;
            self.look_at_users(channels).await
        };
        match looked.await {
            Ok(()) if mem::take(&mut done.failed) => {
                info!("the store is compared with what the other nodes say again");
            }
            Ok(()) => (),
            Err(fault) => {
                if !mem::replace(&mut done.failed, true) {
                    warn!(error = fault.chain(), "what other nodes stored cannot be read");
                }
                done.looked = self.hub.now();
                self.lock().suspects.extend(suspects);
            }
        }
    }

    async fn look_at_rooms(&self, channels: Option<&BTreeSet<Channel>>) -> Result<(), Fault> {
        let topics = self.hub.rooms_on(channels);
        for topics in topics.chunks(LOOK_AT_MAX) {
            let places: Vec<_> = topics.iter().map(|topic| topic.place().clone()).collect();
            let logs = self.store.logs(&places).await?;
            let mut behind = Vec::new();
            for (topic, log) in topics.iter().zip(logs) {
                topic.count_members(log.members);
                self.hub.trimmed(&[(topic.place().clone(), log.floor)]);
                if topic.log().head.seq < log.head.seq {
                    behind.push(topic.place().clone());
                }
            }
            self.is_behind(behind);
        }
        Ok(())
    }

    async fn look_at_users(&self, channels: Option<&BTreeSet<Channel>>) -> Result<(), Fault> {
        let users = self.hub.users_on(channels);
        for users in users.chunks(LOOK_AT_MAX) {
            let names: Vec<_> = users.iter().map(|(user, _)| user.clone()).collect();
            let revisions = self.store.revisions(&names).await?;
            for ((user, known), revision) in users.iter().zip(revisions) {
                if *known != Some(revision) {
                    let stale = Stale { by: Vec::new(), revision: Some(revision) };
                    self.is_stale(&user.0, &user.1, stale);
                }
            }
        }
        Ok(())
    }

    /// Has read again where users are members of whom that is not known any more, in the order of all
    /// that this node stores.
    fn refresh(&self, journal: &Journal) {
        let stale = mem::take(&mut self.lock().stale);
        for ((space, user), stale) in stale {
            let refresh = Refresh { space, user, stale, done: None };
            if let Err(Refresh { space, user, stale, done: _ }) = journal.try_refresh(refresh) {
                self.lock().stale.entry((space, user)).or_default().merge(stale);
            }
        }
    }

    /// Reads what is missing in the conversations that have waited long enough.
    async fn catch_up(&self) {
        loop {
            let due = self.due_places();
            if due.is_empty() {
                return;
            }
            // Whoever stores has handed over by now what this node itself has said.
            drop(self.turn().await);
            join_all(due.iter().map(|place| self.catch_up_with(place))).await;
        }
    }

    /// The conversations that have waited long enough, as many as are caught up with at once.
    fn due_places(&self) -> Vec<Place> {
        let now = self.hub.now();
        let state = self.lock();
        let due = state.pending.iter().filter(|(_, pending)| pending.due <= now);
        due.map(|(place, _)| place.clone()).take(AT_ONCE_MAX).collect()
    }

    /// Has a conversation delivered here up to `seq`, if it goes so far. Answers whether it does.
    pub(crate) async fn reach(&self, place: &Place, seq: Seq) -> Result<bool, Fault> {
        if self.store.log(place).await?.head.seq < seq {
            return Ok(false);
        }
        for _ in 0..REACH_MAX {
            if self.hub.lag(place).delivered.is_none_or(|delivered| delivered >= seq) {
                return Ok(true);
            }
            self.is_behind(vec![place.clone()]);
            drop(self.turn().await);
            self.catch_up_with(place).await;
        }
        Ok(false)
    }

    async fn catch_up_with(&self, place: &Place) {
        let Lag { delivered, unsure } = self.hub.lag(place);
        if !unsure.is_empty() && self.may_wait(place) {
            for (space, user) in unsure {
                self.is_stale(&space, &user, Stale::default());
            }
            return;
        }
        let Some(delivered) = delivered else {
            // Nobody is here any more whom it concerns.
            let pending = self.lock().pending.remove(place);
            let answers = pending.map(|mut it| it.answers());
            return answer_all(answers.unwrap_or_default());
        };
        match self.store.page(place, Range::After(delivered), MISSING).await {
            Ok(page) => {
                drop(self.turn().await);
                self.fill(place, delivered, page);
            }
            Err(_) => self.put_off(place),
        }
    }

    /// Tries later. Who has said something is answered: it is stored, whenever it can be sent on.
    fn put_off(&self, place: &Place) {
        let mut state = self.lock();
        let Some(pending) = state.pending.get_mut(place) else { return };
        pending.due = self.hub.now() + RETRY;
        let answers = pending.answers();
        drop(state);
        answer_all(answers);
    }

    /// Whether it may be waited until it is known how much of a conversation somebody has.
    fn may_wait(&self, place: &Place) -> bool {
        let now = self.hub.now();
        let mut state = self.lock();
        let Some(pending) = state.pending.get_mut(place) else { return false };
        pending.tries += 1;
        pending.due = now + super::PATIENCE;
        pending.tries <= TRIES_MAX
    }

    /// Sends on what was read after `delivered`.
    fn fill(&self, place: &Place, delivered: Seq, page: Page) {
        let Page { entries, more } = page;
        let first = entries.first().map(|first| {
            let messages = first.position.messages - u64::from(first.is_message());
            Position::from_raw(first.seq().as_raw() - 1, messages)
        });
        let mut state = self.lock();
        let Some(pending) = state.pending.get_mut(place) else { return };
        pending.add(&entries.into_iter().map(read).collect::<Vec<_>>(), Vec::new());
        let before =
            first.or_else(|| Some(Position { seq: pending.first()?.previous()?, messages: 0 }));
        pending.due = self.hub.now() + if more { Duration::ZERO } else { super::PATIENCE };
        let is_empty = pending.first().is_none();
        if is_empty {
            // What was ahead is not there: a store that was replaced, or a head that moves on.
            state.pending.remove(place);
            return;
        }
        // What comes next is not kept any more, or was never there.
        if let Some(before) = before.filter(|before| before.seq > delivered) {
            self.hub.skip(place, before);
        }
        let sent = self.send(&mut state, place);
        drop(state);
        answer_all(sent);
    }

    /// Lets those go whose grace is over, once it is known whether they are on another node: by what
    /// the others say, or while they are not heard by what they told the store.
    async fn settle_doubts(&self, done: &mut Done) {
        let unanswered = self.lock().asked.len();
        let now = self.hub.now();
        if unanswered > 0 || !self.is_whole() {
            done.disturbed = now;
        }
        // The other nodes, too, are to have heard each other: they would take this one's word for it.
        let lacks = usize::from(now < done.disturbed + CALM);
        self.herald.lacks(lacks);
        if lacks > 0 && now < done.doubted + ASK_EVERY {
            return;
        }
        done.doubted = now;
        self.settle(lacks).await;
    }

    /// The same now: `lacks` says how much is still to be heard of the others.
    pub(super) async fn settle(&self, lacks: usize) {
        for (place, user) in self.hub.take_doubtful() {
            let online = match lacks {
                0 => Ok(vec![DeviceSet::default()]),
                _ => self.nodes.online(&place.space, std::slice::from_ref(&user)).await,
            };
            match online {
                Ok(devices) if devices.iter().all(DeviceSet::is_empty) => {
                    self.hub.expire_in_room(&place, &user);
                }
                // They are there, or nobody knows.
                Ok(_) | Err(_) => self.hub.doubt(vec![(place, user)]),
            }
        }
    }

    /// Asks those who have not answered, and for what was missed, not all the time.
    fn ask_again(&self, done: &mut Done) {
        let now = self.hub.now();
        let mut state = self.lock();
        let is_due = now >= done.asked + ASK_EVERY;
        if !mem::take(&mut state.asks_anew) && !is_due {
            return;
        }
        done.asked = now;
        // Rooms that nobody here is in any more are not asked about.
        state.asked.retain(|place, _| self.hub.lag(place).delivered.is_some());
        let is_heard = |place: &&Place| Channel::of(place).all(|it| state.open.contains(&it));
        let asked: Vec<_> = state.asked.keys().filter(is_heard).cloned().collect();
        let missed = mem::take(&mut state.missed);
        drop(state);
        // Everybody hears it, and answers: also those of whom nobody is there.
        for places in asked.chunks(ASKED_MAX) {
            self.herald.say(Channel::EVERYBODY, News::Ask(places.to_vec()));
        }
        for ((of, channel), numbers) in missed {
            let (from, to) = numbers.into_inner();
            self.herald.say(channel, News::Missed { of, from, to });
        }
    }
}

impl Suspects {
    fn is_empty(&self) -> bool {
        !self.everywhere && self.channels.is_empty()
    }

    fn extend(&mut self, other: Self) {
        self.everywhere |= other.everywhere;
        self.channels.extend(other.channels);
    }
}

/// An entry that was read.
fn read(entry: Entry) -> Post {
    Post { delivery: Delivery::new(Event::Entry(entry)), except: None }
}
