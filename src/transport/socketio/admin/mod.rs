//! The namespace of the official Admin UI (`@socket.io/admin-ui`).
//!
//! A connection to it is none of the chat: it is in no space, is not counted, and takes no message. Its
//! task lists the connections of all nodes every two seconds and tells the page what differs.

mod connection;
mod login;
mod namespace;
mod serving;

use std::{fmt, sync::Arc};

use tokio::sync::Semaphore;

use self::login::Logins;
pub(super) use self::namespace::open;
use crate::{chat::ports::AdminAccess, domain::AdminUiRights};

/// The most open pages of a node: each lists the connections of all nodes.
const PAGES_MAX: usize = 16;

/// Who may use the Admin UI of a node, and how.
pub struct AdminUi {
    logins: Logins,
    rights: AdminUiRights,
    pages: Arc<Semaphore>,
}

impl AdminUi {
    /// An Admin UI for those whom `access` lets in. `None`: for everybody.
    pub fn new(access: Option<Arc<dyn AdminAccess>>, rights: AdminUiRights) -> Self {
        Self { logins: Logins::new(access), rights, pages: Arc::new(Semaphore::new(PAGES_MAX)) }
    }
}

impl fmt::Debug for AdminUi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminUi").field("rights", &self.rights).finish_non_exhaustive()
    }
}
