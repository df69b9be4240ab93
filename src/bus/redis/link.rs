//! A link: the connection to one server for the groups that it serves, with reconnects.
//!
//! Each generation of a link connects, subscribes, then publishes the queue and a ping every
//! second, until the connection ends, the server returns an error, or pings time out.

use std::{sync::Arc, time::Duration};

use redis::{Pipeline, aio::MultiplexedConnection};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, sleep_until},
};

use super::{
    core::{BusCore, Generation},
    names::ChannelGroup,
    server::{RedisFailure, RedisServer, TlsConfig},
};

/// How often each group is pinged.
const PING_EVERY: Duration = Duration::from_secs(1);
/// The first delay before a reconnect, and the longest one.
const RETRY_FIRST: Duration = Duration::from_millis(50);
const RETRY_WAIT_MAX: Duration = Duration::from_secs(1);

/// The commands to publish and to subscribe.
#[derive(Clone, Copy, Debug)]
pub(super) struct PubSubCommands {
    publish: &'static str,
    subscribe: &'static str,
    unsubscribe: &'static str,
}

impl PubSubCommands {
    /// For a standalone server.
    pub(super) const PLAIN: Self =
        Self { publish: "PUBLISH", subscribe: "SUBSCRIBE", unsubscribe: "UNSUBSCRIBE" };
    /// For a cluster: only on the server that has the group's slot.
    pub(super) const SHARDED: Self =
        Self { publish: "SPUBLISH", subscribe: "SSUBSCRIBE", unsubscribe: "SUNSUBSCRIBE" };
}

/// See the module.
pub(super) struct ServerLink {
    pub(super) core: Arc<BusCore>,
    pub(super) tls_config: TlsConfig,
    pub(super) server: RedisServer,
    pub(super) groups: Vec<ChannelGroup>,
    pub(super) commands: PubSubCommands,
    /// Notified each time a generation has ended.
    pub(super) lost: Arc<Notify>,
}

impl ServerLink {
    /// Does not return. Cancel-safe.
    pub(super) async fn run_forever(self) {
        let mut backoff = RetryBackoff::default();
        loop {
            let generation = Generation::begin(&self.core, &self.groups);
            let failure = self.run_once(&generation).await;
            if generation.was_healthy() {
                backoff = RetryBackoff::default();
            }
            drop(generation);
            self.core.report_failure(&self.server.to_string(), &failure);
            self.lost.notify_one();
            sleep(backoff.next_delay()).await;
        }
    }

    async fn run_once(&self, generation: &Arc<Generation>) -> RedisFailure {
        let weak_generation = Arc::downgrade(generation);
        let on_push = move |push| {
            if let Some(generation) = weak_generation.upgrade() {
                generation.on_push(push);
            }
        };
        let (connection, driver) = match self.server.connect(&self.tls_config, on_push).await {
            Ok(connected) => connected,
            Err(failure) => return failure,
        };
        tokio::select! {
            () = driver => RedisFailure::Disconnected,
            failure = self.publish_loop(connection, generation) => failure,
            failure = generation.wait_until_over(Instant::now()) => failure,
        }
    }

    /// Publishes until a failure.
    async fn publish_loop(
        &self,
        mut connection: MultiplexedConnection,
        generation: &Generation,
    ) -> RedisFailure {
        let mut ping_due = Instant::now();
        let pings = self.groups.iter().map(|group| self.core.names.ping(*group));
        if let Err(failure) =
            self.send_for_each(&mut connection, self.commands.subscribe, pings).await
        {
            return failure;
        }
        loop {
            // Created before the check, so that a change in between wakes it.
            let changed = self.core.changed.notified();
            match self.publish_pending(&mut connection, generation, &mut ping_due).await {
                Ok(PublishProgress::Drained) => tokio::select! {
                    () = changed => (),
                    () = sleep_until(ping_due) => (),
                },
                Ok(PublishProgress::MoreQueued) => (),
                Err(failure) => return failure,
            }
        }
    }

    async fn publish_pending(
        &self,
        connection: &mut MultiplexedConnection,
        generation: &Generation,
        ping_due: &mut Instant,
    ) -> Result<PublishProgress, RedisFailure> {
        let missing = generation.missing();
        let missing = missing.iter().map(|channel| self.core.names.channel(*channel));
        self.send_for_each(connection, self.commands.subscribe, missing).await?;
        let in_flight = generation.take_outgoing();
        let mut pipeline = Pipeline::with_capacity(in_flight.messages.len() + self.groups.len());
        for message in &in_flight.messages {
            let name = self.core.names.channel(message.channel);
            pipeline.cmd(self.commands.publish).arg(name).arg(&message.payload);
        }
        if let Some((group, payload)) = generation.take_probe() {
            pipeline.cmd(self.commands.publish).arg(self.core.names.ping(group)).arg(payload);
        }
        let now = Instant::now();
        if *ping_due <= now {
            *ping_due = now + PING_EVERY;
            for group in &self.groups {
                let (name, ping) = (self.core.names.ping(*group), generation.ping());
                pipeline.cmd(self.commands.publish).arg(name).arg(ping);
            }
            let surplus = generation.take_surplus();
            for channel in surplus {
                pipeline.cmd(self.commands.unsubscribe).arg(self.core.names.channel(channel));
            }
        }
        let progress = if in_flight.messages.is_empty() {
            PublishProgress::Drained
        } else {
            PublishProgress::MoreQueued
        };
        send(connection, &pipeline).await?;
        Ok(progress)
    }

    /// Sends one command for each of these names.
    async fn send_for_each(
        &self,
        connection: &mut MultiplexedConnection,
        command: &str,
        names: impl Iterator<Item = String> + Send,
    ) -> Result<(), RedisFailure> {
        let mut pipeline = Pipeline::new();
        for name in names {
            pipeline.cmd(command).arg(name);
        }
        send(connection, &pipeline).await
    }
}

/// Whether the queue may hold more.
enum PublishProgress {
    Drained,
    MoreQueued,
}

/// Sends commands, each with a single reply. Fails when one of the replies is an error.
pub(super) async fn send(
    connection: &mut MultiplexedConnection,
    pipeline: &Pipeline,
) -> Result<(), RedisFailure> {
    if pipeline.is_empty() {
        return Ok(());
    }
    let answers = connection.send_packed_commands(pipeline, 0, pipeline.len()).await;
    RedisFailure::from_answers(&answers.map_err(RedisFailure::of)?).map_or(Ok(()), Err)
}

/// Growing delays, each at random between half and all of its value, so that nodes do not reconnect
/// at the same moment.
#[derive(Debug, Default)]
pub(super) struct RetryBackoff(u32);

impl RetryBackoff {
    pub(super) fn next_delay(&mut self) -> Duration {
        let delay = RETRY_FIRST.saturating_mul(1 << self.0.min(10)).min(RETRY_WAIT_MAX);
        self.0 = self.0.saturating_add(1);
        let chance = getrandom::u32().unwrap_or_default();
        delay / 2 + (delay / 2).mul_f64(f64::from(chance) / f64::from(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_a_second_with_jitter() {
        let mut backoff = RetryBackoff::default();
        let delays: Vec<_> = (0..40).map(|_| backoff.next_delay()).collect();
        assert!((RETRY_FIRST / 2..=RETRY_FIRST).contains(&delays[0]));
        let late = &delays[10..];
        assert!(late.iter().all(|it| (RETRY_WAIT_MAX / 2..=RETRY_WAIT_MAX).contains(it)));
        assert!(late.iter().any(|it| it != &late[0]));
    }
}
