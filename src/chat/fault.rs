//! Faults of the store, as clients see them.

use tracing::error;

use super::ports::Fault;
use crate::domain::Rejection;

/// Logs a fault of the store on a read and converts it into a rejection.
pub(super) fn unavailable(fault: &Fault) -> Rejection {
    error!(error = fault.chain(), "store read failed");
    Rejection::Unavailable
}
