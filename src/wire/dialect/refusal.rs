//! Refusals in dialects that have no form for them: the reason of a close.

use crate::domain::{CloseReason, Rejection};

/// The reason that says most of a rejection.
pub(super) fn close_reason(rejection: &Rejection) -> CloseReason {
    if let Rejection::Banned { until } = rejection {
        return CloseReason::Banned { until: *until };
    }
    let reasons = [
        (matches!(rejection, Rejection::Unavailable | Rejection::Internal), CloseReason::Fault),
        (matches!(rejection, Rejection::Draining), CloseReason::DRAINING),
        (matches!(rejection, Rejection::TooFast { .. }), CloseReason::Flood),
        (matches!(rejection, Rejection::NameTaken), CloseReason::NameTaken),
        (matches!(rejection, Rejection::TokenExpired), CloseReason::TokenExpired),
        (matches!(rejection, Rejection::TokenRevoked), CloseReason::TokenRevoked),
        (is_about_identity(rejection), CloseReason::InvalidUser),
    ];
    let found = reasons.into_iter().find_map(|(applies, reason)| applies.then_some(reason));
    found.unwrap_or(CloseReason::Disconnected)
}

/// Whether a rejection says that the client has not proved who it is.
pub(super) fn is_about_identity(rejection: &Rejection) -> bool {
    matches!(
        rejection,
        Rejection::Unauthorized
            | Rejection::TokenExpired
            | Rejection::TokenRequired
            | Rejection::TokenRevoked
            | Rejection::NotIdentified
            | Rejection::NameInvalid
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_close_says_whether_to_come_back() {
        let too_fast = Rejection::TooFast { retry_after: Duration::ZERO };
        for (rejection, reason) in [
            (Rejection::Unavailable, CloseReason::Fault),
            (too_fast, CloseReason::Flood),
            (Rejection::TokenRequired, CloseReason::InvalidUser),
            (Rejection::NotMember, CloseReason::Disconnected),
            (Rejection::Banned { until: None }, CloseReason::Banned { until: None }),
        ] {
            assert_eq!(close_reason(&rejection), reason, "{rejection:?}");
        }
    }
}
