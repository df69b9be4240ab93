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
}
