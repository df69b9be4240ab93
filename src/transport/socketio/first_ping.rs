//! The first ping of a session, which the engine sends at once and the official server after its
//! interval.
//!
//! It does not reach the client: the pong of the engine is made here. So the client receives the
//! second one as its first, after the interval. Clients of version 3 send the pings.

use bytes::Bytes;
use socketioxide::socket::Sid;

use super::{
    engine, payload,
    request::{EngineRejection, Version},
    session::EngineSession,
};
use crate::transport::lanes::frame;

/// A ping.
const PING: &[u8] = b"2";
/// A pong of a client, as a frame whose mask changes nothing.
const PONG_FRAME: &[u8] = b"\x81\x81\0\0\0\x003";

/// The first ping of a session that begins on a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FirstPing {
    /// The engine has not sent it.
    Awaited,
    /// The engine waits for the pong.
    Sent,
    /// The engine has the pong, or no ping is answered here.
    Answered,
}

impl FirstPing {
    /// That of a session that begins.
    pub(super) fn of_websocket(version: Version) -> Self {
        match version {
            Version::V3 => Self::Answered,
            Version::V4 => Self::Awaited,
        }
    }

    /// Frames of the engine without the ping. `None` if it is not among them.
    pub(super) fn take_from(&mut self, frames: &[u8]) -> Option<Bytes> {
        let others = frame::without_text(frames, PING).filter(|_| *self == Self::Awaited)?;
        *self = Self::Sent;
        Some(others)
    }

    /// The pong for the engine, if it waits for it.
    pub(super) fn take_pong(&mut self) -> Option<Bytes> {
        if *self != Self::Sent {
            return None;
        }
        *self = Self::Answered;
        Some(Bytes::from_static(PONG_FRAME))
    }
}

/// Answers the first ping of a session that begins with polling. The engine sends it before all else.
pub(super) async fn answer(session: &EngineSession, sid: Sid) -> Result<(), EngineRejection> {
    if session.version() == Version::V4 {
        engine::poll(session.engine(), Version::V4, sid).await?;
        engine::post(session.engine(), Version::V4, sid, payload::pong()).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_ping_is_taken_and_answered_once() {
        let mut ping = FirstPing::of_websocket(Version::V4);
        let frames = [frame::text("40{}"), frame::text("2"), frame::text("44")].concat();
        assert_eq!((ping.take_pong(), ping.take_from(&frame::text("40{}"))), (None, None));
        let others = [frame::text("40{}"), frame::text("44")].concat();
        assert_eq!(ping.take_from(&frames).unwrap(), others);
        assert_eq!(ping.take_pong().unwrap(), PONG_FRAME);
        assert_eq!((ping.take_pong(), ping.take_from(&frames)), (None, None));
        assert_eq!(FirstPing::of_websocket(Version::V3).take_from(&frames), None);
    }
}
