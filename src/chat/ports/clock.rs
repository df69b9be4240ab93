//! Time and ids as arguments, so that tests control them.

use time::OffsetDateTime;

use crate::domain::MessageId;

/// The source of the current time.
pub trait Clock: Send + Sync + 'static {
    /// The current time in UTC.
    fn now(&self) -> OffsetDateTime;
}

/// Generates unique ids.
pub trait IdSource: Send + Sync + 'static {
    /// An id for a message that was sent without one.
    fn message_id(&self) -> MessageId;

    /// A random text of visible ASCII characters with at least 122 bits of entropy.
    fn secret(&self) -> String;

    /// A random number from 0 to 1, to spread what would otherwise happen at the same time.
    fn fraction(&self) -> f64 {
        let secret = self.secret();
        let bits = secret.bytes().fold(0_u32, |bits, byte| bits.wrapping_mul(31) ^ u32::from(byte));
        f64::from(bits) / f64::from(u32::MAX)
    }
}
