//! The task of an open page: what it is told, and what its user asks for.

use std::{sync::Arc, time::Duration};

use socketioxide::handler::Value;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{debug, info};

use super::{connection::AdminConnection, login::Login};
use crate::{
    chat::{AdminSnapshot, AdminView, Chat},
    domain::{AdminUiRights, CloseReason, Rejection},
    transport::socketio::inbox::QueuedRequest,
    wire::admin_ui,
};

/// The time between two lists. The page shows a server as failed after ten seconds of silence.
const LIST_INTERVAL: Duration = Duration::from_secs(2);

/// What happens next.
enum Input {
    Command(QueuedRequest),
    ListDue,
    Drain,
    Closed,
}

/// Serves a page, from the answer to CONNECT to the end.
pub(super) async fn run(
    connection: &Arc<AdminConnection>,
    login: Login,
    chat: &Chat,
    rights: AdminUiRights,
) {
    if connection.inbox().wait_open().await {
        info!("admin UI page connected");
        serve(connection, login, chat, rights).await;
        info!("admin UI page disconnected");
    }
    connection.inbox().close();
    while let Some(queued) = connection.inbox().next().await {
        connection.session().release_requests(1, queued.bytes());
    }
    connection.session().detach(&**connection);
}

async fn serve(
    connection: &Arc<AdminConnection>,
    login: Login,
    chat: &Chat,
    rights: AdminUiRights,
) {
    // After the answer to CONNECT. The official server sends it before, and the page, which begins to
    // listen with that answer, does not receive it.
    if let Login::New(session) = login {
        connection.send(&admin_ui::session(&session));
    }
    connection.send(&admin_ui::config(rights));
    let tasks = connection.session().tasks().clone();
    let mut page = Page { connection, chat, view: None, is_cut: false };
    let mut due = interval(LIST_INTERVAL);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        // All of them are cancel-safe: a command is either returned or left in the inbox.
        let input = tokio::select! {
            queued = connection.inbox().next() => queued.map_or(Input::Closed, Input::Command),
            _ = due.tick() => Input::ListDue,
            () = tasks.draining() => Input::Drain,
        };
        match input {
            Input::Command(queued) => {
                connection.session().release_requests(1, queued.bytes());
                page.handle(queued, rights).await;
                // The page shows at once what the command has done.
                due.reset_immediately();
            }
            Input::ListDue => page.refresh().await,
            Input::Drain => return connection.session().close(CloseReason::DRAINING),
            Input::Closed => return,
        }
    }
}

/// An open page.
struct Page<'a> {
    connection: &'a AdminConnection,
    chat: &'a Chat,
    /// What it was told; nothing at first.
    view: Option<AdminView>,
    /// Whether it was told that its lists are not complete.
    is_cut: bool,
}

impl Page<'_> {
    async fn handle(&self, queued: QueuedRequest, rights: AdminUiRights) {
        let QueuedRequest { value, ack: _, unanswered } = queued;
        let Value::Str(text, _attachments) = value else { return };
        let request = admin_ui::request(&text, &self.chat.limits());
        let performed = match (request, rights) {
            (Ok(_), AdminUiRights::ReadOnly) => Err(Rejection::Forbidden),
            (Ok(request), AdminUiRights::Commands) => self.chat.perform_for_admin(request).await,
            (Err(rejection), _) => Err(rejection),
        };
        // The page expects no answer.
        if let Err(rejection) = performed {
            info!(reason = %rejection, "admin UI command refused");
        }
        drop(unanswered);
    }

    /// Lists the connections, and tells the page what differs from the last time.
    async fn refresh(&mut self) {
        match self.chat.admin_snapshot().await {
            Ok(snapshot) => self.tell(&snapshot),
            Err(rejection) => debug!(reason = %rejection, "admin UI list not read"),
        }
    }

    fn tell(&mut self, snapshot: &AdminSnapshot) {
        let now = self.chat.now();
        let is_first = self.view.is_none();
        let view = self.view.get_or_insert_default();
        let changes = view.update(snapshot);
        if is_first {
            self.connection.send(&admin_ui::all_sockets(&snapshot.sockets));
        } else {
            let events = changes.iter().flat_map(|it| admin_ui::change(it, now));
            events.for_each(|event| self.connection.send(&event));
        }
        for stats in &snapshot.nodes {
            let counts = view.count(stats);
            self.connection.send(&admin_ui::server_stats(stats, &counts, now));
        }
        if snapshot.is_cut() && !self.is_cut {
            let shown = snapshot.sockets.len();
            self.connection.send(&admin_ui::list_is_cut(shown, snapshot.total, now));
        }
        self.is_cut = snapshot.is_cut();
    }
}
