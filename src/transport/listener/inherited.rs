//! The sockets that a supervisor has opened for this process: `LISTEN_FDS` and `LISTEN_FDNAMES`.
//!
//! They are taken from the environment once, and divided by their names.

use std::{env, io};

use listenfd::ListenFd;
use tokio::net::{TcpListener, UnixListener};

use super::socket::ListenSocket;

/// The name (`FileDescriptorName=` of systemd) of the sockets for `admin.listen`.
const ADMIN: &str = "admin";

/// See the module.
#[derive(Debug, Default)]
pub struct InheritedSockets {
    of_clients: Vec<ListenSocket>,
    of_admin: Vec<ListenSocket>,
}

/// What a listener is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenPurpose {
    /// `listen`.
    Clients,
    /// `admin.listen`.
    Admin,
}

impl InheritedSockets {
    /// Takes those of this process.
    #[expect(
        clippy::disallowed_methods,
        reason = "no setting: the supervisor names the sockets that `listenfd` finds in LISTEN_FDS"
    )]
    pub fn take() -> io::Result<Self> {
        // Before the sockets are taken, which removes their variables.
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        Self::of(ListenFd::from_env(), &names)
    }

    fn of(mut passed: ListenFd, names: &str) -> io::Result<Self> {
        let mut names = names.split(':');
        let mut sockets = Self::default();
        for place in 0..passed.len() {
            let all = match names.next() {
                Some(ADMIN) => &mut sockets.of_admin,
                _ => &mut sockets.of_clients,
            };
            if let Ok(Some(socket)) = passed.take_tcp_listener(place) {
                socket.set_nonblocking(true)?;
                all.push(ListenSocket::Tcp(TcpListener::from_std(socket)?));
            } else if let Some(socket) = passed.take_unix_listener(place)? {
                socket.set_nonblocking(true)?;
                all.push(ListenSocket::Unix(UnixListener::from_std(socket)?, None));
            }
        }
        Ok(sockets)
    }

    /// Those for a listener, once.
    pub(super) fn of_listener(&mut self, purpose: ListenPurpose) -> Vec<ListenSocket> {
        std::mem::take(match purpose {
            ListenPurpose::Clients => &mut self.of_clients,
            ListenPurpose::Admin => &mut self.of_admin,
        })
    }

    /// Whether sockets are left that no listener has taken: clients would wait there for ever.
    pub fn has_left(&self) -> bool {
        !self.of_clients.is_empty() || !self.of_admin.is_empty()
    }
}
