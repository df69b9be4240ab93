//! The probe of an upgrade: proves that a WebSocket works before the engine knows it.
//!
//! In the engine a session upgrades as soon as a WebSocket opens: polls are answered with noops, and
//! any failure ends the session. But some proxies accept a WebSocket and drop its frames. So the
//! first frames are exchanged here: the client's `2probe`, the server's `3probe`, the client's `5`.
//! Until the last one arrives, polling continues unchanged, and no failure affects the session.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::{frames::Inflation, polling_state::UpgradeState, session::EngineSession};

/// The server's `3probe` as one text frame. The engine writes the same frame later; it is skipped.
pub(super) const PROBE_RESPONSE: &[u8] = b"\x81\x063probe";

/// The longest text in a frame with a short header.
const TEXT_BYTES_MAX: usize = 125;

/// What a client sent during a probe, without compression. The engine reads it again.
#[derive(Debug)]
pub(super) struct ProbedBytes {
    /// The frames of the probe.
    pub(super) probe: Vec<u8>,
    /// What follows them.
    pub(super) after: Vec<u8>,
    /// What inflates the rest, if the client may compress its messages. It may hold some bytes.
    pub(super) inflation: Option<Box<Inflation>>,
}

/// What was received, without compression.
#[derive(Debug, Default)]
struct ReceivedFrames {
    bytes: Vec<u8>,
    inflation: Option<Box<Inflation>>,
}

/// The attempt of a session to upgrade. A session has one at a time.
///
/// Dropping it before success leaves the session on polling.
#[derive(Debug)]
pub(super) struct Probe {
    session: Arc<EngineSession>,
}

impl Probe {
    /// Begins the attempt, if the session polls and no other attempt is in progress.
    pub(super) fn begin(session: Arc<EngineSession>) -> Option<Self> {
        let begun = session.change_upgrade(UpgradeState::Polling, UpgradeState::Probing);
        begun.then(|| Self { session })
    }

    /// The session that upgrades.
    pub(super) fn session(&self) -> &Arc<EngineSession> {
        &self.session
    }

    /// Exchanges the first frames. Returns nothing when the WebSocket does not work.
    pub(super) async fn run(
        &self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
        inflation: Option<Box<Inflation>>,
    ) -> Option<ProbedBytes> {
        let mut seen = ReceivedFrames { bytes: Vec::new(), inflation };
        let probed = expect(stream, &mut seen, 0, b"2probe").await?;
        stream.write_all(PROBE_RESPONSE).await.ok()?;
        stream.flush().await.ok()?;
        self.session.change_upgrade(UpgradeState::Probing, UpgradeState::Switching);
        let end = expect(stream, &mut seen, probed, b"5").await?;
        let ReceivedFrames { bytes: mut probe, inflation } = seen;
        let after = probe.split_off(end);
        Some(ProbedBytes { probe, after, inflation })
    }

    /// Makes the WebSocket carry the session.
    pub(super) fn succeed(self) {
        self.session.change_upgrade(UpgradeState::Switching, UpgradeState::WebSocket);
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.session.change_upgrade(UpgradeState::Probing, UpgradeState::Polling);
        self.session.change_upgrade(UpgradeState::Switching, UpgradeState::Polling);
    }
}

/// Reads into `seen` until the frame that begins at `from` is complete. Returns its end, if it is a
/// text frame that holds `text`.
async fn expect(
    stream: &mut (impl AsyncRead + Unpin),
    seen: &mut ReceivedFrames,
    from: usize,
    text: &[u8],
) -> Option<usize> {
    loop {
        match frame(seen.bytes.get(from..)?) {
            ProbeFrame::Text(received) if received == text => return Some(from + 6 + text.len()),
            ProbeFrame::Text(_) | ProbeFrame::Other => return None,
            ProbeFrame::Unfinished => {}
        }
        seen.receive(stream).await?;
    }
}

impl ReceivedFrames {
    /// Receives more: up to the end of a frame, if the client may compress its messages.
    async fn receive(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> Option<()> {
        if let Some(inflation) = &mut self.inflation
            && inflation.next(&mut self.bytes).ok()?
        {
            return Some(());
        }
        let mut buffer = [0; 64];
        let read = stream.read(&mut buffer).await.ok().filter(|it| *it > 0)?;
        let received = buffer.get(..read)?;
        match &mut self.inflation {
            Some(inflation) => inflation.receive(received),
            None => self.bytes.extend_from_slice(received),
        }
        Some(())
    }
}

/// The first frame in some bytes of a client.
#[derive(Debug, PartialEq, Eq)]
enum ProbeFrame {
    /// A complete, masked, short text frame.
    Text(Vec<u8>),
    /// The beginning of such a frame.
    Unfinished,
    /// Anything else.
    Other,
}

fn frame(bytes: &[u8]) -> ProbeFrame {
    match bytes {
        [] | [0x81] => return ProbeFrame::Unfinished,
        [0x81, length, ..] if length & 0x80 != 0 => {}
        _ => return ProbeFrame::Other,
    }
    let length = usize::from(bytes.get(1).copied().unwrap_or_default() & 0x7f);
    if length > TEXT_BYTES_MAX {
        return ProbeFrame::Other;
    }
    match (bytes.get(2..6), bytes.get(6..6 + length)) {
        (Some(mask), Some(text)) => ProbeFrame::Text(
            text.iter().zip(mask.iter().cycle()).map(|(it, key)| it ^ key).collect(),
        ),
        _ => ProbeFrame::Unfinished,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client's text frame.
    fn masked(text: &[u8]) -> Vec<u8> {
        let mask = [0x11, 0x22, 0x33, 0x44];
        let mut frame = vec![0x81, 0x80 | u8::try_from(text.len()).unwrap()];
        frame.extend(mask);
        frame.extend(text.iter().zip(mask.iter().cycle()).map(|(it, key)| it ^ key));
        frame
    }

    #[test]
    fn a_masked_text_frame_is_read() {
        assert_eq!(frame(&masked(b"2probe")), ProbeFrame::Text(b"2probe".to_vec()));
        assert_eq!(frame(&masked(b"")), ProbeFrame::Text(Vec::new()));
    }

    #[test]
    fn every_prefix_of_a_frame_is_unfinished() {
        let whole = masked(b"2probe");
        for length in 0..whole.len() {
            assert_eq!(frame(&whole[..length]), ProbeFrame::Unfinished, "{length} bytes");
        }
    }

    #[test]
    fn other_frames_are_not_a_probe() {
        for other in [
            &b"test"[..],                // RSV bits
            b"\x81\x062probe",           // not masked
            b"\x01\x86aaaa2probe",       // not the last fragment
            b"\x82\x86aaaa2probe",       // binary
            b"\x89\x80aaaa",             // a ping
            b"\x88\x80aaaa",             // a close
            b"\x81\xfe\xff\xffaaaa",     // long
            b"\x81\xff\x80\0\0\0\0\0\0", // the longest length
        ] {
            assert_eq!(frame(other), ProbeFrame::Other, "{other:?}");
        }
    }

    #[tokio::test]
    async fn frames_are_found_when_bytes_arrive_one_by_one() {
        let (mut client, mut server) = tokio::io::duplex(256);
        let mut sent = masked(b"2probe");
        sent.extend(masked(b"5"));
        sent.extend(masked(b"42[\"early\"]"));
        let bytes = sent.clone();
        let writing = async {
            for byte in bytes {
                client.write_all(&[byte]).await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        let reading = async {
            let mut seen = ReceivedFrames::default();
            let probed = expect(&mut server, &mut seen, 0, b"2probe").await.unwrap();
            let done = expect(&mut server, &mut seen, probed, b"5").await.unwrap();
            (seen.bytes, done)
        };
        let ((seen, done), ()) = tokio::join!(reading, writing);
        assert_eq!(done, 12 + 7);
        assert_eq!(seen, sent[..seen.len()]);
    }

    #[tokio::test]
    async fn a_stream_that_ends_fails_the_probe() {
        let (mut client, mut server) = tokio::io::duplex(256);
        client.write_all(&masked(b"2probe")[..5]).await.unwrap();
        drop(client);
        assert_eq!(expect(&mut server, &mut ReceivedFrames::default(), 0, b"2probe").await, None);
    }
}
