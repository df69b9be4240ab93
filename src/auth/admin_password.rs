//! The password of the Admin UI, and its sessions.
//!
//! A session is a time and a signature of it with a key that is derived from the server's own. So it is
//! valid on all nodes and after a restart. The hash of the password is signed, too: another password ends
//! all sessions.

use std::{fmt, ops::RangeInclusive, sync::Arc};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::hmac;
use time::{Duration, OffsetDateTime};

use crate::{
    chat::ports::{AdminAccess, Clock},
    domain::{Secret, Token},
};

/// How long a session lasts.
const SESSION_LIFETIME: Duration = Duration::hours(12);
/// The costs that are accepted. One more doubles the time, and 16 takes several seconds.
const COSTS: RangeInclusive<u32> = 4..=15;
/// The size of a hash in bytes.
const HASH_BYTES: usize = 60;
/// The name of the derived key.
const KEY_NAME: &[u8] = b"roomcast admin ui session";
/// The size of the time in a session in bytes.
const TIME_BYTES: usize = 8;

/// The bcrypt hash of a password. `Debug` prints `***`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswordHash(Token);

/// Why a text is no hash. It does not repeat the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPasswordHash {
    /// It has another form.
    #[error(
        "this is no bcrypt hash, which has {HASH_BYTES} characters and begins with $2y$, $2b$ or $2a$"
    )]
    Form,
    /// Its cost is too low or too high.
    #[error("a bcrypt hash has a cost of {} to {} here", COSTS.start(), COSTS.end())]
    Cost,
}

impl PasswordHash {
    /// Accepts a hash as `htpasswd -B` and the libraries of other languages write it.
    pub fn parse(text: &str) -> Result<Self, InvalidPasswordHash> {
        let parts: bcrypt::HashParts = text.parse().map_err(|_error| InvalidPasswordHash::Form)?;
        let has_version = ["$2a$", "$2b$", "$2y$"].iter().any(|it| text.starts_with(it));
        if text.len() != HASH_BYTES || !has_version {
            return Err(InvalidPasswordHash::Form);
        }
        if !COSTS.contains(&parts.get_cost()) {
            return Err(InvalidPasswordHash::Cost);
        }
        Ok(Self(Token::from_raw(text)))
    }

    /// Whether this is the hash of the password. Takes long on purpose.
    fn is_of(&self, password: &str) -> bool {
        let Self(hash) = self;
        bcrypt::verify(password, hash.expose()).unwrap_or(false)
    }
}

/// The only user of the Admin UI.
pub struct AdminPassword {
    username: Token,
    hash: PasswordHash,
    key: hmac::Key,
    clock: Arc<dyn Clock>,
}

impl AdminPassword {
    /// A user with this name and password. Sessions are signed with what is derived from `own`, the
    /// server's own key.
    pub(super) fn new(
        username: &str,
        hash: PasswordHash,
        own: &Secret,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let own = hmac::Key::new(hmac::HMAC_SHA256, own.expose());
        let key = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&own, KEY_NAME).as_ref());
        Self { username: Token::from_raw(username), hash, key, clock }
    }

    /// What is signed of a session that ends at this time.
    fn content(&self, expires_at: &[u8]) -> Vec<u8> {
        let Self { username, hash: PasswordHash(hash), .. } = self;
        // The time and the hash have fixed sizes, so no two sessions are signed in one way.
        [expires_at, hash.expose().as_bytes(), username.expose().as_bytes()].concat()
    }
}

impl AdminAccess for AdminPassword {
    fn check_password(&self, username: &str, password: &str) -> bool {
        let is_password = self.hash.is_of(password);
        Token::from_raw(username) == self.username && is_password
    }

    fn issue_session(&self) -> Token {
        let expires_at = (self.clock.now() + SESSION_LIFETIME).unix_timestamp().to_be_bytes();
        let signature = hmac::sign(&self.key, &self.content(&expires_at));
        let session = [expires_at.as_slice(), signature.as_ref()].concat();
        Token::from_raw(&BASE64_URL_SAFE_NO_PAD.encode(session))
    }

    fn check_session(&self, session: &Token) -> bool {
        let Ok(session) = BASE64_URL_SAFE_NO_PAD.decode(session.expose()) else { return false };
        let Some((expires_at, signature)) = session.split_first_chunk::<TIME_BYTES>() else {
            return false;
        };
        let is_signed = hmac::verify(&self.key, &self.content(expires_at), signature).is_ok();
        let end = OffsetDateTime::from_unix_timestamp(i64::from_be_bytes(*expires_at));
        is_signed && end.is_ok_and(|end| self.clock.now() < end)
    }
}

impl fmt::Debug for AdminPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminPassword").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;

    use super::*;

    /// A clock that the tests set.
    struct TestClock(Mutex<OffsetDateTime>);

    impl Clock for TestClock {
        fn now(&self) -> OffsetDateTime {
            *self.0.lock()
        }
    }

    /// The hash of `secret` with the lowest cost, as `htpasswd -nbBC 4` writes it.
    const HASH: &str = "$2y$04$vyBj7A47d8YPKlxMjh/xSORLMt8x25LeWR.4UNl1OYrBOjQxgsnXW";
    /// The same by another library, for another password.
    const OTHER_HASH: &str = "$2a$04$wc4JWKBvi4GQLoCrlX7QauH0fUFXHqcZHCb3FDoaPe1nUfrxkAsfa";

    fn password(hash: &str, key: &[u8]) -> (AdminPassword, Arc<TestClock>) {
        let clock = Arc::new(TestClock(Mutex::new(OffsetDateTime::UNIX_EPOCH)));
        let hash = PasswordHash::parse(hash).unwrap();
        let own = Secret::from_raw(key);
        (AdminPassword::new("root", hash, &own, Arc::<TestClock>::clone(&clock)), clock)
    }

    #[test]
    fn a_user_has_one_name_and_one_password() {
        let (admin, _) = password(HASH, &[7; 32]);
        assert!(admin.check_password("root", "secret"));
        for (username, given) in [
            ("root", "Secret"),
            ("root", ""),
            ("Root", "secret"),
            ("", "secret"),
            ("root", "secret\0"),
        ] {
            assert!(!admin.check_password(username, given), "{username} {given}");
        }
        let (admin, _) = password(OTHER_HASH, &[7; 32]);
        assert!(admin.check_password("root", "other"));
    }

    #[test]
    fn other_texts_are_no_hashes_and_are_not_repeated() {
        let is_form = |text: &str| PasswordHash::parse(text) == Err(InvalidPasswordHash::Form);
        let cut = HASH.get(..59).unwrap();
        let longer = format!("{HASH}a");
        for text in ["", "secret", "$2y$", cut, &longer, &HASH.replace("$2y$", "$2x$")] {
            assert!(is_form(text), "{text}");
        }
        for cost in ["03", "16", "31"] {
            let hash = HASH.replace("$04$", &format!("${cost}$"));
            assert!(PasswordHash::parse(&hash).is_err(), "{cost}");
        }
        let shown = format!("{:?}", PasswordHash::parse(HASH).unwrap());
        assert_eq!(shown, "PasswordHash(***)");
    }

    #[test]
    fn a_session_is_valid_on_all_nodes_until_it_expires() {
        let (admin, clock) = password(HASH, &[7; 32]);
        let session = admin.issue_session();
        let (other_node, _) = password(HASH, &[7; 32]);
        assert!(admin.check_session(&session) && other_node.check_session(&session));
        *clock.0.lock() += SESSION_LIFETIME - Duration::SECOND;
        assert!(admin.check_session(&session));
        *clock.0.lock() += Duration::SECOND;
        assert!(!admin.check_session(&session));
    }

    #[test]
    fn a_session_of_another_key_or_password_or_a_changed_one_is_refused() {
        let (admin, _) = password(HASH, &[7; 32]);
        let session = admin.issue_session();
        let (other_key, _) = password(HASH, &[8; 32]);
        let (other_password, _) = password(OTHER_HASH, &[7; 32]);
        assert!(!other_key.check_session(&session) && !other_password.check_session(&session));
        let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(session.expose()).unwrap();
        bytes[TIME_BYTES - 1] ^= 1;
        let later = BASE64_URL_SAFE_NO_PAD.encode(bytes);
        for text in ["", "a", "AAAA", session.expose().get(..20).unwrap(), &later] {
            assert!(!admin.check_session(&Token::from_raw(text)), "{text}");
        }
    }
}
