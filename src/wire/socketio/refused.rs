//! Requests that are refused before the engine reads them, because their packet cannot be translated.
//!
//! The engine passes them on as all others, so that the reply comes in its turn and names the request.

use crate::{
    domain::Rejection,
    wire::{
        body::FOREIGN_PLACEHOLDER,
        json::{TOO_DEEP, UNSUPPORTED_VALUE},
    },
};

/// What stands before the number of the reason and the rest of the array. An event of a client with
/// this name has [`NAME_MARKER`](super::NAME_MARKER) before.
pub const REFUSED_NAME: &str = "\"refused\"";

/// The most bytes by which a packet grows: the name, a digit and two commas.
pub const REFUSED_BYTES_MAX: usize = REFUSED_NAME.len() + 3;

/// The reasons, by their numbers.
const REASONS: [Rejection; 4] =
    [Rejection::TooManyAttachments, FOREIGN_PLACEHOLDER, TOO_DEEP, UNSUPPORTED_VALUE];

/// Refuses the request in a packet whose array begins at `json_at`.
pub fn refuse(packet: &str, json_at: usize, rejection: &Rejection) -> Option<String> {
    let reason = REASONS.iter().position(|it| it == rejection)?;
    let (head, array) = packet.split_at_checked(json_at)?;
    let items = array.strip_prefix('[')?;
    Some(format!("{head}[{REFUSED_NAME},{reason},{items}"))
}

/// The array without what [`refuse`] added, and the reason.
pub(super) fn read(array: &str) -> Option<(String, Rejection)> {
    let marked = array.strip_prefix('[')?.strip_prefix(REFUSED_NAME)?.strip_prefix(',')?;
    let (reason, items) = marked.split_once(',')?;
    let reason: usize = reason.parse().ok()?;
    Some((format!("[{items}"), REASONS.get(reason)?.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::Limits,
        wire::{
            request::RequestKind,
            socketio::{Received, ReceivedPacket, received},
            test_support::context,
        },
    };

    #[test]
    fn a_refused_request_is_named_in_its_reply() {
        let limits = Limits::default();
        for (array, kind) in [
            (r#"["send message",[null]]"#, RequestKind::of("send message")),
            (r#"["","q\"",1]"#, RequestKind::of("q\"")),
            (r#"["ack",1]"#, RequestKind::Unknown(None)),
        ] {
            for rejection in &REASONS {
                let packet = refuse(&format!("42/shop,7{array}"), 9, rejection).unwrap();
                assert!(packet.len() <= 9 + array.len() + REFUSED_BYTES_MAX);
                let packet = packet.strip_prefix("42/shop,7").unwrap();
                let received = received(packet, Some(7), &[], context(&limits));
                let Received::Packet(ReceivedPacket { kind: named, request, .. }) = received else {
                    panic!("{packet}");
                };
                assert_eq!((named, request.unwrap_err()), (kind.clone(), rejection.clone()));
            }
        }
        assert_eq!(refuse("42[]", 2, &Rejection::NotMember), None);
    }

    #[test]
    fn other_arrays_are_not_refused() {
        for array in ["[]", r#"["refused"]"#, r#"["refused",9,"x"]"#, r#"["","refused",0,"x"]"#] {
            assert_eq!(read(array), None, "{array}");
        }
    }
}
