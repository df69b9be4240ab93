//! Time, chance and identity as arguments.

use time::OffsetDateTime;

use crate::domain::MessageId;

/// What time it is.
pub trait Clock: Send + Sync + 'static {
    /// Now, in UTC.
    fn now(&self) -> OffsetDateTime;
}

/// Makes identities that nobody else makes.
pub trait IdSource: Send + Sync + 'static {
    /// An id for a message whose sender chose none.
    fn message_id(&self) -> MessageId;

    /// A random text of visible ASCII characters with at least 122 bits of chance.
    fn secret(&self) -> String;
}
