//! What other programs publish on channels that match patterns, such as back ends that are no nodes.
//!
//! The subscription has a connection of its own, so that nothing that arrives on it delays the bus.
//! Redis repeats nothing: what is published while it is not connected is lost.

use std::{sync::Arc, time::Duration};

use redis::{Pipeline, PushInfo, PushKind, Value, aio::MultiplexedConnection};
use tokio::time::{sleep, timeout};
use tracing::{debug, info, warn};

use super::{
    RedisOptions, RedisOptionsError,
    link::{RetryBackoff, send},
    parse_servers,
    server::{RedisFailure, RedisServer, TlsConfig},
};

/// How often the connection is checked: a server that is gone without a word is noticed after this and
/// the timeout.
const PING_EVERY: Duration = Duration::from_secs(2);
/// The timeout of each answer.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(2);

/// Called with the channel and the content of each message, in order. Redis waits meanwhile.
type OnMessage = dyn Fn(&[u8], &[u8]) + Send + Sync;

/// See the module.
pub struct RedisPatterns {
    servers: Vec<RedisServer>,
    patterns: Vec<String>,
    tls_config: TlsConfig,
}

impl std::fmt::Debug for RedisPatterns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisPatterns").field("patterns", &self.patterns).finish_non_exhaustive()
    }
}

impl RedisPatterns {
    /// A subscription to these patterns, which is active while it [runs](Self::run). In a cluster one
    /// of the servers is enough: each has the messages of all. Opens no connection.
    pub fn new(
        options: &RedisOptions,
        patterns: impl IntoIterator<Item = String>,
    ) -> Result<Self, RedisOptionsError> {
        let servers = parse_servers(&options.servers)?;
        if servers.is_empty() {
            return Err(RedisOptionsError::NoServer);
        }
        let patterns = patterns.into_iter().collect();
        Ok(Self { servers, patterns, tls_config: TlsConfig::default() })
    }

    /// Calls `on_message` with each message. Connects, and reconnects when necessary, without end.
    /// Cancel-safe.
    pub async fn run(self, on_message: impl Fn(&[u8], &[u8]) + Send + Sync + 'static) {
        let on_message: Arc<OnMessage> = Arc::new(on_message);
        let mut log = SubscriptionLog::default();
        let mut backoff = RetryBackoff::default();
        for server in self.servers.iter().cycle() {
            let failure = self.run_once(server, &on_message, &mut log).await;
            if log.report_lost(server, &failure) == Lost::AfterSuccess {
                backoff = RetryBackoff::default();
            }
            sleep(backoff.next_delay()).await;
        }
    }

    async fn run_once(
        &self,
        server: &RedisServer,
        on_message: &Arc<OnMessage>,
        log: &mut SubscriptionLog,
    ) -> RedisFailure {
        let on_message = Arc::clone(on_message);
        let on_push = move |push: PushInfo| {
            if let Some((channel, payload)) = message(&push) {
                on_message(channel, payload);
            }
        };
        let (connection, driver) = match server.connect(&self.tls_config, on_push).await {
            Ok(connected) => connected,
            Err(failure) => return failure,
        };
        tokio::select! {
            () = driver => RedisFailure::Disconnected,
            failure = self.subscribe_and_ping(connection, log) => failure,
        }
    }

    async fn subscribe_and_ping(
        &self,
        mut connection: MultiplexedConnection,
        log: &mut SubscriptionLog,
    ) -> RedisFailure {
        let mut commands = Pipeline::new();
        for pattern in &self.patterns {
            commands.cmd("PSUBSCRIBE").arg(pattern);
        }
        loop {
            match timeout(ANSWER_WAIT_MAX, send(&mut connection, &commands)).await {
                Ok(Ok(())) => log.report_active(),
                Ok(Err(failure)) => return failure,
                Err(_elapsed) => return RedisFailure::PingTimedOut,
            }
            sleep(PING_EVERY).await;
            commands = Pipeline::new();
            commands.cmd("PING");
        }
    }
}

/// Channel and content of a pushed message. `None` for other pushes.
fn message(push: &PushInfo) -> Option<(&[u8], &[u8])> {
    match (&push.kind, &*push.data) {
        (PushKind::PMessage, [_, Value::BulkString(channel), Value::BulkString(payload)]) => {
            Some((channel, payload))
        }
        _ => None,
    }
}

/// Logs each change once.
#[derive(Default)]
struct SubscriptionLog {
    state: SubscriptionState,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum SubscriptionState {
    #[default]
    New,
    Active,
    Lost,
}

/// Whether the subscription was active before it was lost.
#[derive(PartialEq, Eq)]
enum Lost {
    AfterSuccess,
    Still,
}

impl SubscriptionLog {
    fn report_active(&mut self) {
        match std::mem::replace(&mut self.state, SubscriptionState::Active) {
            SubscriptionState::New => info!("redis pattern subscription active"),
            SubscriptionState::Lost => info!("redis pattern subscription restored"),
            SubscriptionState::Active => (),
        }
    }

    fn report_lost(&mut self, server: &RedisServer, failure: &RedisFailure) -> Lost {
        let (before, server) = (self.state, server.to_string());
        self.state = SubscriptionState::Lost;
        if before == SubscriptionState::Lost {
            debug!(server.address = server, error = %failure, "redis pattern subscription still lost");
        } else {
            warn!(server.address = server, error = %failure, "redis pattern subscription lost");
        }
        if before == SubscriptionState::Active { Lost::AfterSuccess } else { Lost::Still }
    }
}
