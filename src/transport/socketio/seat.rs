//! A client's seat in a space: what it asks there and what it is told, in order.
//!
//! The engine calls our handlers from the task that reads the connection, so they only put things into
//! the inbox. One task per seat takes them out again and lives as long as the session does:
//! dropping the session is leaving.

use std::{
    fmt,
    sync::{Arc, Weak, atomic::AtomicBool},
    time::Duration,
};

use socketioxide::handler::Value;
use tokio::{task::coop::consume_budget, time::sleep};

use super::{
    engine::Socket,
    inbox::{Arrival, Inbox},
    link::Link,
    spaces::Claim,
};
use crate::{
    chat::{Admission, Session, ports::Outbox},
    wire::socketio as wire,
};

/// How long a socket that the engine has lost is left alone before it is taken apart.
const LOST_WAIT: Duration = Duration::from_secs(5);

/// See the module.
pub(super) struct Seat {
    link: Arc<Link>,
    // Weak, because the socket's handlers hold the seat.
    socket: Weak<Socket>,
    inbox: Inbox,
    /// What still comes from the client is not taken.
    pub(super) revoked: AtomicBool,
}

impl Seat {
    /// A seat that has not begun.
    pub(super) fn new(link: Arc<Link>, socket: &Arc<Socket>) -> Arc<Self> {
        let socket = Arc::downgrade(socket);
        Arc::new(Self { link, socket, inbox: Inbox::default(), revoked: AtomicBool::new(false) })
    }

    /// The session that carries it.
    pub(super) fn link(&self) -> &Arc<Link> {
        &self.link
    }

    /// The engine's side of it, while there is one.
    pub(super) fn socket(&self) -> Option<Arc<Socket>> {
        self.socket.upgrade()
    }

    /// What waits to be taken.
    pub(super) fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// Whether this is the seat on `socket`.
    pub(super) fn is_on(&self, socket: &Arc<Socket>) -> bool {
        std::ptr::eq(self.socket.as_ptr(), Arc::as_ptr(socket))
    }

    /// The client says nothing more.
    pub(super) fn end(&self) {
        self.inbox.end();
    }

    /// Holds the seat, from the answer to CONNECT to the end.
    ///
    /// Everything that is not waiting for the next request is boxed: this task is as large as its
    /// largest step, and most of the time nobody says anything.
    pub(super) async fn hold(self: Arc<Self>, admission: Box<Admission>, claim: Option<Claim>) {
        if self.inbox.begun().await {
            let outbox: Arc<dyn Outbox> = Arc::<Self>::clone(&self);
            let mut session = Box::pin(admission.enter(outbox)).await;
            while let Some(arrival) = self.inbox.next().await {
                self.link.taken(1, arrival.bytes());
                Box::pin(self.take(&mut session, arrival)).await;
            }
            let departure = session.depart();
            self.link.over().await;
            drop(departure);
        } else {
            drop(admission);
            while let Some(arrival) = self.inbox.next().await {
                self.link.taken(1, arrival.bytes());
            }
        }
        self.link.detach(&self);
        if claim.is_some() {
            drop(claim);
            Box::pin(self.unhinge()).await;
        }
    }

    /// Takes one request.
    async fn take(self: &Arc<Self>, session: &mut Session, arrival: Arrival) {
        // A client with a full inbox must not keep the others waiting.
        consume_budget().await;
        let Arrival { value, ack } = arrival;
        let Value::Str(text, attachments) = value else { return };
        let attachments = attachments.map(Vec::from).unwrap_or_default();
        let (asked, request) = wire::request(&text, &attachments, self.link.limits());
        drop(text);
        match request {
            Ok(request) => {
                let here = Arc::clone(self);
                session.on(request, Box::new(move |reply| here.answer(ack, asked, &reply))).await;
            }
            Err(rejection) => self.answer(ack, asked, &Err(rejection)),
        }
    }

    /// Takes a socket apart that the engine has lost: it may make a namespace of a pattern twice, and
    /// forgets the first. Not before its client is gone, who would take the packet for a reason to
    /// stay away.
    async fn unhinge(&self) {
        let lost = || self.socket().filter(|it| it.connected());
        if lost().is_none() {
            return;
        }
        tokio::select! {
            () = sleep(LOST_WAIT) => {}
            () = self.link.tasks().draining() => return,
        }
        if let Some(socket) = lost() {
            socket.disconnect().ok();
        }
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat").field("inbox", &self.inbox).finish_non_exhaustive()
    }
}
