//! The tasks that the tasks of clients depend on.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{engines::BoxedTask, supervisor};
use crate::{
    auth::KeyTokens,
    chat::{Chat, JournalWriter},
    emitter::RedisEmitters,
    tasks::Tasks,
    tls::Certificates,
};

/// What runs beside the chat.
pub(super) struct Services {
    pub(super) writer: JournalWriter,
    pub(super) bus_task: Option<BoxedTask>,
    pub(super) emitters: Option<RedisEmitters>,
    pub(super) tokens: Arc<KeyTokens>,
    pub(super) certificates: Option<Arc<Certificates>>,
}

impl Services {
    /// Starts all tasks. The journal and the recorder of webhooks end with `finish`, the bus when it is
    /// closed, all others when `tasks` drain.
    pub(super) fn start(self, chat: &Arc<Chat>, tasks: &Tasks, finish: &CancellationToken) {
        let Self { writer, bus_task, emitters, tokens, certificates } = self;
        tasks.spawn_vital("journal", writer.run(finish.clone()));
        if let Some(recorder) = chat.presence_recorder(finish.clone()) {
            tasks.spawn_vital("webhook presence", recorder);
        }
        let spawn = |name, task: BoxedTask| {
            tasks.spawn_vital(name, until_drain(tasks.clone(), task));
        };
        spawn("retention", Box::pin(Arc::clone(chat).sweep()));
        spawn("denials", Box::pin(Arc::clone(chat).run_denials()));
        spawn("readiness", Box::pin(Arc::clone(chat).run_probes()));
        spawn("hub timers", Box::pin(Arc::clone(chat).run_timers()));
        spawn("cluster receiver", Box::pin(Arc::clone(chat).receive()));
        spawn("cluster repair", Box::pin(Arc::clone(chat).repair()));
        spawn("cluster heartbeat", Box::pin(Arc::clone(chat).publish_heartbeats()));
        spawn("node lease", Box::pin(Arc::clone(chat).maintain_lease()));
        for sender in chat.webhook_senders() {
            spawn("webhook", Box::pin(sender.run()));
        }
        if let Some(bus_task) = bus_task {
            // It ends when the bus is closed, after the last announcements were sent. The end of the
            // journal would end it before.
            tasks.spawn_vital("bus", bus_task);
        }
        if let Some(emitters) = emitters {
            spawn("emitters", Box::pin(emitters.run(Arc::clone(chat))));
        }
        if let Some(certificates) = certificates {
            spawn("certificates", Box::pin(certificates.watch()));
        }
        spawn("keys", Box::pin(async move { match tokens.fetch_sets().await {} }));
        if let Some(limit) = supervisor::watchdog() {
            let signs = async move { match supervisor::give_signs_of_life(limit).await {} };
            spawn("watchdog", Box::pin(signs));
        }
    }
}

/// Runs `task` until its group of tasks drains.
async fn until_drain(tasks: Tasks, task: impl Future<Output = ()>) {
    tokio::select! {
        () = task => (),
        () = tasks.draining() => (),
    }
}
