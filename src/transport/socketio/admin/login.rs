//! Logins of the Admin UI, and how many of them may fail.
//!
//! A password is hashed on a thread for blocking work, one at a time, so that guesses take the time of
//! one thread at most. An address with too many failures is refused before anything is hashed.

use std::{collections::HashMap, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{sync::Semaphore, task::spawn_blocking, time::Instant};
use tracing::warn;

use crate::{
    chat::ports::AdminAccess,
    domain::{Rejection, Token},
    transport::client_address::ClientAddress,
    wire::admin_ui::AdminCredentials,
};

/// The failures of one address in a [`FAILURES_WINDOW`]. Further logins are refused until its end.
const FAILURES_MAX: u32 = 5;
/// How long failures count, from the first one on.
const FAILURES_WINDOW: Duration = Duration::from_mins(1);
/// The most addresses whose failures are counted. While there are so many, no other may log in.
const ADDRESSES_MAX: usize = 1000;
/// The most logins that wait for the thread.
const WAITING_MAX: usize = 8;

/// See the module.
pub(super) struct Logins {
    access: Option<Arc<dyn AdminAccess>>,
    failures: Mutex<HashMap<ClientAddress, Failures>>,
    waiting: Semaphore,
    hashing: Semaphore,
}

struct Failures {
    count: u32,
    first: Instant,
}

/// A completed login.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Login {
    /// The page has a session, or needs none.
    Known,
    /// The page receives this session.
    New(Token),
}

/// Why a login is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LoginRefusal {
    /// The name, the password or the session is wrong.
    InvalidCredentials,
    /// There are too many logins.
    Busy(Rejection),
}

impl Logins {
    pub(super) fn new(access: Option<Arc<dyn AdminAccess>>) -> Self {
        let (waiting, hashing) = (Semaphore::new(WAITING_MAX), Semaphore::new(1));
        Self { access, failures: Mutex::default(), waiting, hashing }
    }

    /// Checks credentials that come from an address.
    pub(super) async fn log_in(
        &self,
        address: ClientAddress,
        credentials: AdminCredentials,
    ) -> Result<Login, LoginRefusal> {
        let Some(access) = &self.access else { return Ok(Login::Known) };
        match credentials {
            AdminCredentials::Session(session) if access.check_session(&session) => {
                Ok(Login::Known)
            }
            // A session has too many bits to be guessed, so this is one that has expired.
            AdminCredentials::None | AdminCredentials::Session(_) => {
                Err(LoginRefusal::InvalidCredentials)
            }
            AdminCredentials::Password(username, password) => {
                self.check_pace(address)?;
                if self.check_password(access, username, password).await? {
                    self.failures.lock().remove(&address);
                    return Ok(Login::New(access.issue_session()));
                }
                self.record_failure(address);
                Err(LoginRefusal::InvalidCredentials)
            }
        }
    }

    async fn check_password(
        &self,
        access: &Arc<dyn AdminAccess>,
        username: Box<str>,
        password: Token,
    ) -> Result<bool, LoginRefusal> {
        let busy = LoginRefusal::Busy(Rejection::Unavailable);
        let Ok(_waiting) = self.waiting.try_acquire() else { return Err(busy) };
        let Ok(_hashing) = self.hashing.acquire().await else { return Err(busy) };
        let access = Arc::clone(access);
        let check = move || access.check_password(&username, password.expose());
        spawn_blocking(check).await.map_err(|_error| busy)
    }

    /// Refuses an address with too many failures, and a new one while too many addresses have some.
    fn check_pace(&self, address: ClientAddress) -> Result<(), LoginRefusal> {
        let now = Instant::now();
        let mut failures = self.failures.lock();
        if failures.len() >= ADDRESSES_MAX {
            failures.retain(|_, it| it.end() > now);
        }
        let too_fast = |end: Instant| {
            let retry_after = end.saturating_duration_since(now);
            Err(LoginRefusal::Busy(Rejection::TooFast { retry_after }))
        };
        match failures.get(&address) {
            Some(it) if it.end() > now && it.count >= FAILURES_MAX => too_fast(it.end()),
            None if failures.len() >= ADDRESSES_MAX => too_fast(now + FAILURES_WINDOW),
            _ => Ok(()),
        }
    }

    fn record_failure(&self, address: ClientAddress) {
        let now = Instant::now();
        let mut failures = self.failures.lock();
        let of_address = failures.entry(address).or_insert(Failures { count: 0, first: now });
        if of_address.end() <= now {
            *of_address = Failures { count: 0, first: now };
        }
        of_address.count += 1;
        let count = of_address.count;
        drop(failures);
        warn!(failures = count, "admin UI login failed");
    }
}

impl Failures {
    /// When they no longer count.
    fn end(&self) -> Instant {
        self.first + FAILURES_WINDOW
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use http::HeaderMap;
    use tokio::time::advance;

    use super::*;
    use crate::transport::client_address::{SocketPeer, TrustedProxies};

    /// Knows one password and one session.
    struct TestAccess;

    impl AdminAccess for TestAccess {
        fn check_password(&self, username: &str, password: &str) -> bool {
            (username, password) == ("admin", "right")
        }

        fn issue_session(&self) -> Token {
            Token::from_raw("session")
        }

        fn check_session(&self, session: &Token) -> bool {
            session.expose() == "session"
        }
    }

    fn address(last: u32) -> ClientAddress {
        let address = Some(IpAddr::V4(Ipv4Addr::from_bits(last)));
        let peer = SocketPeer { address, is_tls: false };
        ClientAddress::decide(peer, &HeaderMap::new(), &TrustedProxies::none())
    }

    fn password(text: &str) -> AdminCredentials {
        AdminCredentials::Password("admin".into(), Token::from_raw(text))
    }

    fn logins() -> Logins {
        Logins::new(Some(Arc::new(TestAccess)))
    }

    #[tokio::test(start_paused = true)]
    async fn a_password_gives_a_session_and_a_session_none() {
        let logins = logins();
        let session = |text| AdminCredentials::Session(Token::from_raw(text));
        let new = Login::New(Token::from_raw("session"));
        assert_eq!(logins.log_in(address(1), password("right")).await, Ok(new));
        assert_eq!(logins.log_in(address(1), session("session")).await, Ok(Login::Known));
        for wrong in [session("other"), password("wrong"), AdminCredentials::None] {
            let refused = logins.log_in(address(1), wrong).await;
            assert_eq!(refused, Err(LoginRefusal::InvalidCredentials));
        }
        let open = Logins::new(None);
        assert_eq!(open.log_in(address(1), AdminCredentials::None).await, Ok(Login::Known));
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_with_five_failures_is_refused_for_a_minute() {
        let logins = logins();
        for _ in 0..FAILURES_MAX {
            let refused = logins.log_in(address(1), password("wrong")).await;
            assert_eq!(refused, Err(LoginRefusal::InvalidCredentials));
        }
        let refused = logins.log_in(address(1), password("right")).await;
        let busy = Rejection::TooFast { retry_after: FAILURES_WINDOW };
        assert_eq!(refused, Err(LoginRefusal::Busy(busy)));
        assert!(logins.log_in(address(2), password("right")).await.is_ok(), "another address");
        advance(FAILURES_WINDOW).await;
        assert!(logins.log_in(address(1), password("right")).await.is_ok());
        assert!(logins.failures.lock().is_empty(), "a login ends the count");
    }

    #[tokio::test(start_paused = true)]
    async fn the_failures_of_a_bounded_number_of_addresses_are_counted() {
        let logins = logins();
        for number in 0..1000 {
            logins.log_in(address(number), password("wrong")).await.unwrap_err();
        }
        let refused = logins.log_in(address(9999), password("right")).await;
        assert!(matches!(refused, Err(LoginRefusal::Busy(Rejection::TooFast { .. }))));
        assert!(logins.log_in(address(5), password("right")).await.is_ok(), "a known address");
        advance(FAILURES_WINDOW).await;
        assert!(logins.log_in(address(9999), password("right")).await.is_ok());
        assert!(logins.failures.lock().len() < 1000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_bounded_number_of_logins_wait() {
        let logins = logins();
        let _hashing = logins.hashing.acquire().await.unwrap();
        let waiting = (0..8).map(|it| logins.log_in(address(it), password("right")));
        let mut waiting = Box::pin(futures_util::future::join_all(waiting));
        assert!(futures_util::FutureExt::now_or_never(&mut waiting).is_none());
        let refused = logins.log_in(address(9), password("right")).await;
        assert_eq!(refused, Err(LoginRefusal::Busy(Rejection::Unavailable)));
    }
}
