//! A link: the connection to one server for the groups that it serves, made again and again.
//!
//! One life of it: connect, subscribe, then publish what waits and a ping every second, until the
//! connection ends, the server refuses something, or a ping was not heard for too long.

use std::{sync::Arc, time::Duration};

use redis::{Pipeline, aio::MultiplexedConnection};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, sleep_until},
};

use super::{
    core::{Core, Life},
    names::Group,
    server::{Server, Trouble, Trust},
};

/// How often each group is proved.
const PING_EVERY: Duration = Duration::from_secs(1);
/// The pause before a new try, and what it grows to.
const RETRY_FIRST: Duration = Duration::from_millis(50);
const RETRY_WAIT_MAX: Duration = Duration::from_secs(1);

/// How channels are published and subscribed to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words {
    publish: &'static str,
    subscribe: &'static str,
    unsubscribe: &'static str,
}

impl Words {
    /// At one server.
    pub(super) const PLAIN: Self =
        Self { publish: "PUBLISH", subscribe: "SUBSCRIBE", unsubscribe: "UNSUBSCRIBE" };
    /// In a cluster: at the server of a group's slot alone.
    pub(super) const SHARDED: Self =
        Self { publish: "SPUBLISH", subscribe: "SSUBSCRIBE", unsubscribe: "SUNSUBSCRIBE" };
}

/// See the module.
pub(super) struct Link {
    pub(super) core: Arc<Core>,
    pub(super) trust: Trust,
    pub(super) server: Server,
    pub(super) groups: Vec<Group>,
    pub(super) words: Words,
    /// Told each time a life has ended.
    pub(super) lost: Arc<Notify>,
}

impl Link {
    /// Does not end; may be dropped at any time.
    pub(super) async fn keep(self) {
        let mut tries = Tries::default();
        loop {
            let life = Life::begin(&self.core, &self.groups);
            let trouble = self.live(&life).await;
            if life.was_well() {
                tries = Tries::default();
            }
            drop(life);
            self.core.tell(&self.server.to_string(), &trouble);
            self.lost.notify_one();
            sleep(tries.pause()).await;
        }
    }

    async fn live(&self, life: &Arc<Life>) -> Trouble {
        let ear = Arc::downgrade(life);
        let hear = move |push| {
            if let Some(life) = ear.upgrade() {
                life.hear(push);
            }
        };
        let (connection, driver) = match self.server.connect(&self.trust, hear).await {
            Ok(connected) => connected,
            Err(trouble) => return trouble,
        };
        tokio::select! {
            () = driver => Trouble::Ended,
            trouble = self.speak(connection, life) => trouble,
            trouble = life.is_over(Instant::now()) => trouble,
        }
    }

    /// Says what is to be said until something goes wrong.
    async fn speak(&self, mut connection: MultiplexedConnection, life: &Life) -> Trouble {
        let mut ping_due = Instant::now();
        let pings = self.groups.iter().map(|group| self.core.names.ping(*group));
        if let Err(trouble) = self.order(&mut connection, self.words.subscribe, pings).await {
            return trouble;
        }
        loop {
            // Made before the look, so that what comes in between wakes it.
            let changed = self.core.changed.notified();
            match self.say(&mut connection, life, &mut ping_due).await {
                Ok(Said::All) => tokio::select! {
                    () = changed => (),
                    () = sleep_until(ping_due) => (),
                },
                Ok(Said::Some) => (),
                Err(trouble) => return trouble,
            }
        }
    }

    async fn say(
        &self,
        connection: &mut MultiplexedConnection,
        life: &Life,
        ping_due: &mut Instant,
    ) -> Result<Said, Trouble> {
        let missing = life.missing();
        let missing = missing.iter().map(|channel| self.core.names.channel(*channel));
        self.order(connection, self.words.subscribe, missing).await?;
        let under_way = life.take();
        let mut pipeline = Pipeline::with_capacity(under_way.letters.len() + self.groups.len());
        for letter in &under_way.letters {
            let name = self.core.names.channel(letter.channel);
            pipeline.cmd(self.words.publish).arg(name).arg(&letter.payload);
        }
        let now = Instant::now();
        if *ping_due <= now {
            *ping_due = now + PING_EVERY;
            for group in &self.groups {
                let (name, ping) = (self.core.names.ping(*group), life.ping());
                pipeline.cmd(self.words.publish).arg(name).arg(ping);
            }
            let surplus = life.take_surplus();
            for channel in surplus {
                pipeline.cmd(self.words.unsubscribe).arg(self.core.names.channel(channel));
            }
        }
        let said = if under_way.letters.is_empty() { Said::All } else { Said::Some };
        send(connection, &pipeline).await?;
        Ok(said)
    }

    /// Orders one thing for each of these names.
    async fn order(
        &self,
        connection: &mut MultiplexedConnection,
        word: &str,
        names: impl Iterator<Item = String> + Send,
    ) -> Result<(), Trouble> {
        let mut pipeline = Pipeline::new();
        for name in names {
            pipeline.cmd(word).arg(name);
        }
        send(connection, &pipeline).await
    }
}

/// Whether something may be left to say.
enum Said {
    All,
    Some,
}

/// Sends commands that are answered with one word each. No answer may be an error.
async fn send(connection: &mut MultiplexedConnection, pipeline: &Pipeline) -> Result<(), Trouble> {
    if pipeline.is_empty() {
        return Ok(());
    }
    let answers = connection.send_packed_commands(pipeline, 0, pipeline.len()).await;
    Trouble::in_answers(&answers.map_err(Trouble::of)?).map_or(Ok(()), Err)
}

/// Pauses that grow, each by chance between its half and its whole, so that nodes do not come together.
#[derive(Debug, Default)]
pub(super) struct Tries(u32);

impl Tries {
    pub(super) fn pause(&mut self) -> Duration {
        let pause = RETRY_FIRST.saturating_mul(1 << self.0.min(10)).min(RETRY_WAIT_MAX);
        self.0 = self.0.saturating_add(1);
        let chance = getrandom::u32().unwrap_or_default();
        pause / 2 + (pause / 2).mul_f64(f64::from(chance) / f64::from(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_second_and_are_not_the_same() {
        let mut tries = Tries::default();
        let pauses: Vec<_> = (0..40).map(|_| tries.pause()).collect();
        assert!((RETRY_FIRST / 2..=RETRY_FIRST).contains(&pauses[0]));
        let late = &pauses[10..];
        assert!(late.iter().all(|it| (RETRY_WAIT_MAX / 2..=RETRY_WAIT_MAX).contains(it)));
        assert!(late.iter().any(|it| it != &late[0]));
    }
}
