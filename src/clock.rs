//! The system's clock and random source.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    chat::ports::{Clock, IdSource},
    domain::MessageId,
};

/// Random bytes in a secret: 144 bits, 24 characters.
const SECRET_BYTES: usize = 18;

/// The system clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the only use of the system clock")]
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }
}

/// Random ids. Message ids are UUIDs of version 7, which sort by creation time.
#[derive(Clone, Copy, Debug, Default)]
pub struct RandomIds;

impl IdSource for RandomIds {
    #[expect(clippy::disallowed_methods, reason = "the only source of random ids")]
    fn message_id(&self) -> MessageId {
        MessageId::from_raw(Uuid::now_v7().hyphenated().encode_lower(&mut Uuid::encode_buffer()))
    }

    fn secret(&self) -> String {
        let mut bytes = [0; SECRET_BYTES];
        getrandom::fill(&mut bytes).expect("the system has random bytes after its start");
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_message_id_is_valid_as_a_client_chosen_id() {
        let (first, second) = (RandomIds.message_id(), RandomIds.message_id());
        assert_ne!(first, second);
        assert_eq!(MessageId::parse(first.as_raw()), Ok(first));
    }

    #[test]
    fn a_secret_is_printable_ascii_and_unique() {
        let (first, second) = (RandomIds.secret(), RandomIds.secret());
        assert_ne!(first, second);
        assert_eq!(first.len(), 24);
        assert!(first.bytes().all(|byte| byte.is_ascii_graphic()));
    }
}
