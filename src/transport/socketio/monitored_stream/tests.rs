//! The monitored stream over an in-memory stream, with a paused clock.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    time::{advance, timeout},
};

use super::*;
use crate::{
    domain::{CloseReason, Limits},
    tasks::Tasks,
    transport::socketio::{
        engine,
        registry::SessionRegistry,
        request::Version,
        session::{ClosePhase, FLUSH_WAIT_MAX, Handshake, SessionResources},
    },
};

/// A session on a WebSocket.
fn session_with_limits(limits: Limits) -> Arc<EngineSession> {
    let handshake = Handshake { version: Version::V4, query: "".into(), request_token: Ok(None) };
    let (engine, _io) = engine::build(&limits);
    let resources = SessionResources { limits: Arc::new(limits), tasks: Tasks::new(), engine };
    SessionRegistry::new().create_session(handshake, Arc::new(resources), None)
}

const SOON: Duration = Duration::from_millis(10);

fn monitored(buffer: usize) -> (MonitoredStream<DuplexStream>, DuplexStream, Arc<EngineSession>) {
    let (server, client) = duplex(buffer);
    let session = session_with_limits(Limits::default());
    (MonitoredStream::new(server, Arc::clone(&session)), client, session)
}

#[tokio::test]
async fn written_bytes_release_outbox_capacity() {
    let (mut server, mut client, session) = monitored(64);
    session.reserve_bytes(10).unwrap();
    server.write_all(b"twelve bytes").await.unwrap();
    session.wait_flushed().await;
    let mut received = [0; 12];
    client.read_exact(&mut received).await.unwrap();
    assert_eq!(&received, b"twelve bytes");
}

#[tokio::test(start_paused = true)]
async fn a_stalled_write_is_aborted_at_the_deadline() {
    let (mut server, _client, session) = monitored(8);
    let begin = Instant::now();
    let error = server.write_all(&[0; 9]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    let max = session.limits().write_stall_max;
    assert!((max..max + SOON).contains(&begin.elapsed()), "{:?}", begin.elapsed());
    assert_eq!(session.close_phase(), ClosePhase::Aborted);
}

#[tokio::test(start_paused = true)]
async fn a_slow_but_progressing_write_is_not_aborted() {
    let (mut server, mut client, session) = monitored(8);
    let almost = session.limits().write_stall_max.saturating_sub(SOON);
    let reading = async {
        for _ in 0..4 {
            advance(almost).await;
            client.read_exact(&mut [0; 8]).await.unwrap();
        }
    };
    let (written, ()) = tokio::join!(server.write_all(&[0; 32]), reading);
    written.unwrap();
    assert_eq!(session.close_phase(), ClosePhase::Open);
}

#[tokio::test(start_paused = true)]
async fn closing_fails_reads_and_lets_writes_finish() {
    let (mut server, mut client, session) = monitored(8);
    let (mut reader, mut writer) = tokio::io::split(&mut server);
    let closing = async {
        tokio::task::yield_now().await;
        session.close(CloseReason::Draining);
        client.read_exact(&mut [0; 16]).await.unwrap();
    };
    let mut nothing = [0; 1];
    let (read, written, ()) =
        tokio::join!(reader.read(&mut nothing), writer.write_all(&[0; 16]), closing);
    assert_eq!(read.unwrap_err().kind(), io::ErrorKind::TimedOut);
    written.unwrap();
}

#[tokio::test(start_paused = true)]
async fn closing_has_a_deadline() {
    let (mut server, mut client, session) = monitored(8);
    let begin = Instant::now();
    let slow = async {
        session.close(CloseReason::SlowReader);
        // The write never stalls and never completes.
        while session.close_phase() < ClosePhase::Aborted {
            advance(FLUSH_WAIT_MAX / 4).await;
            timeout(SOON, client.read(&mut [0; 8])).await.ok();
        }
    };
    let (written, ()) = tokio::join!(server.write_all(&[0; 4096]), slow);
    written.unwrap_err();
    assert!(begin.elapsed() <= FLUSH_WAIT_MAX * 2, "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_abort_wakes_pending_reads_and_writes() {
    let (mut server, _client, session) = monitored(8);
    let (mut reader, mut writer) = tokio::io::split(&mut server);
    let cutting = async {
        tokio::task::yield_now().await;
        session.abort();
    };
    let mut nothing = [0; 1];
    let (read, written, ()) =
        tokio::join!(reader.read(&mut nothing), writer.write_all(&[0; 16]), cutting);
    read.unwrap_err();
    written.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn nothing_is_read_while_the_inbox_is_full() {
    let (mut server, mut client, session) = monitored(64);
    let max = session.limits().inbox_requests_max.get();
    let waiting = max / 2 + 1;
    for _ in 0..waiting {
        session.reserve_request(1).unwrap();
    }
    client.write_all(b"\x81\x85\0\0\0\0later").await.unwrap();
    let mut received = [0; 11];
    let early = timeout(Duration::from_mins(1), server.read_exact(&mut received)).await;
    assert!(early.is_err(), "bytes were read while the inbox was full");
    let resuming = async {
        tokio::task::yield_now().await;
        session.release_requests(waiting, waiting);
    };
    let (read, ()) = tokio::join!(server.read_exact(&mut received), resuming);
    read.unwrap();
    assert_eq!(&received, b"\x81\x85\0\0\0\0later");
}

#[tokio::test]
async fn the_engine_reads_the_whole_upgrade_even_while_closing() {
    let (stream, mut client) = duplex(64);
    let session = session_with_limits(Limits::default());
    let replay = b"\x81\x84\0\0\0\0seen";
    let mut server = MonitoredStream::resume(stream, Arc::clone(&session), replay);
    session.close(CloseReason::Draining);
    let mut seen = [0; 10];
    server.read_exact(&mut seen).await.unwrap();
    assert_eq!(&seen, replay);
    server.write_all(probe::PROBE_RESPONSE).await.unwrap();
    server.write_all(b"x").await.unwrap();
    assert_eq!(client.read_u8().await.unwrap(), b'x');
    server.read_u8().await.unwrap_err();
}

#[tokio::test]
async fn large_reads_keep_their_order() {
    let (mut server, mut client, _session) = monitored(100_000);
    let head = b"\x82\xff\0\0\0\0\0\x0c\x35\0\0\0\0\0";
    let payload = (0..200_000_u32).flat_map(u32::to_le_bytes);
    let sent: Vec<u8> = head.iter().copied().chain(payload).collect();
    let expected = sent.clone();
    let writing = async {
        client.write_all(&sent).await.unwrap();
        drop(client);
    };
    let reading = async {
        let (mut received, mut buffer) = (Vec::new(), [0; 256]);
        loop {
            match server.read(&mut buffer).await.unwrap() {
                0 => break received,
                length => received.extend_from_slice(&buffer[..length]),
            }
        }
    };
    let (received, ()) = tokio::join!(reading, writing);
    assert!(received == expected);
}

#[tokio::test]
async fn dropping_the_stream_ends_the_session() {
    let (server, _client, session) = monitored(8);
    drop(server);
    assert_eq!(session.close_phase(), ClosePhase::Aborted);
    session.wait_closing().await;
}
