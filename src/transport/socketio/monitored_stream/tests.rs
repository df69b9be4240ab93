//! The monitored stream over an in-memory stream, with a paused clock.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    time::{Instant, advance, timeout},
};

use super::*;
use crate::{
    domain::{CloseReason, Limits},
    tasks::Tasks,
    transport::lanes::{LaneStream, Lanes, QueueFull, test_support},
    transport::socketio::{
        engine,
        registry::SessionRegistry,
        request::{Parser, Version},
        session::{ClosePhase, FLUSH_WAIT_MAX, Handshake, SessionResources},
        test_support::local,
    },
};

/// A session on a WebSocket.
fn session_with_limits(limits: Limits) -> Arc<EngineSession> {
    let handshake = Handshake {
        version: Version::V4,
        parser: Parser::Json,
        query: "".into(),
        request_token: Ok(None),
        client: None,
        address: local(),
    };
    let (engine, _io) = engine::build(&limits);
    let (limits, tasks) = (Arc::new(limits), Tasks::new());
    let lanes = Lanes::start(&tasks);
    let resources = SessionResources { tasks, engine, lanes };
    SessionRegistry::new().create_session(handshake, (Arc::new(resources), limits), None)
}

const SOON: Duration = Duration::from_millis(10);

/// A frame of the engine, of two bytes.
const PING: &[u8] = b"\x89\0";

fn monitored(buffer: usize) -> (MonitoredStream<LaneStream>, DuplexStream, Arc<EngineSession>) {
    let (server, client) = duplex(buffer);
    let session = session_with_limits(Limits::default());
    let stream = test_support::lane_stream(server, b"", Arc::clone(session.writer()));
    (MonitoredStream::new(stream, Arc::clone(&session)), client, session)
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_accepts_nothing_ends_the_session_at_the_deadline() {
    let (mut server, _client, session) = monitored(8);
    let begin = Instant::now();
    server.write_all(&PING.repeat(5)).await.unwrap();
    server.read_u8().await.unwrap_err();
    let max = session.limits().write_stall_max;
    assert!((max..max + SOON).contains(&begin.elapsed()), "{:?}", begin.elapsed());
    assert_eq!(session.close_phase(), ClosePhase::Aborted);
}

#[tokio::test(start_paused = true)]
async fn closing_fails_reads_and_what_is_queued_is_written() {
    let (mut server, mut client, session) = monitored(8);
    server.write_all(&PING.repeat(8)).await.unwrap();
    session.close(CloseReason::DRAINING);
    assert_eq!(server.read_u8().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    drop(server);
    assert_eq!(session.close_phase(), ClosePhase::Aborted);
    let mut received = Vec::new();
    client.read_to_end(&mut received).await.unwrap();
    assert_eq!(received, PING.repeat(8));
}

#[tokio::test(start_paused = true)]
async fn closing_has_a_deadline() {
    let (mut server, mut client, session) = monitored(8);
    server.write_all(&PING.repeat(2048)).await.unwrap();
    let begin = Instant::now();
    session.close(CloseReason::SlowReader);
    drop(server);
    // The write never stalls and never completes.
    while !session.writer().has_ended() {
        advance(FLUSH_WAIT_MAX / 4).await;
        timeout(SOON, client.read(&mut [0; 8])).await.ok();
    }
    assert!(begin.elapsed() <= FLUSH_WAIT_MAX * 2, "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_abort_wakes_a_pending_read_and_ends_the_queue() {
    let (mut server, _client, session) = monitored(8);
    let cutting = async {
        tokio::task::yield_now().await;
        session.abort();
    };
    let (read, ()) = tokio::join!(server.read_u8(), cutting);
    read.unwrap_err();
    assert!(session.writer().has_ended());
}

#[tokio::test]
async fn events_stand_between_the_frames_of_the_engine() {
    let (mut server, mut client, session) = monitored(1 << 10);
    let connect = frame::text("40{}");
    server.write_all(&connect).await.unwrap();
    session.writer().push(frame::text("42[]")).unwrap();
    server.write_all(PING).await.unwrap();
    let expected = [&connect[..], &frame::text("42[]"), PING].concat();
    let mut received = vec![0; expected.len()];
    client.read_exact(&mut received).await.unwrap();
    assert_eq!(received, expected);
}

#[tokio::test]
async fn a_close_packet_of_the_engine_is_noted() {
    let (mut server, _client, session) = monitored(1 << 10);
    server.write_all(&frame::text("41")).await.unwrap();
    assert!(!session.is_closed_by_engine(), "the namespace is left, the session goes on");
    server.write_all(&frame::text("1")).await.unwrap();
    assert!(session.is_closed_by_engine());
}

#[tokio::test]
async fn an_engine_that_writes_more_than_the_queue_holds_ends_its_session() {
    let (mut server, _client, session) = monitored(8);
    let error = loop {
        if let Err(error) = server.write_all(&frame::text(&"x".repeat(1 << 20))).await {
            break error;
        }
    };
    assert!(error.get_ref().unwrap().is::<QueueFull>());
    assert_eq!(session.close_phase(), ClosePhase::Aborted);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_read_while_the_inbox_is_full() {
    let (mut server, mut client, session) = monitored(64);
    let max = session.limits().inbox_requests_max.get();
    let waiting = max / 2 + 1;
    for _ in 0..waiting {
        session.reserve_request(1).unwrap();
    }
    client.write_all(b"\x81\x85\0\0\0\x003late").await.unwrap();
    let mut received = [0; 11];
    let early = timeout(Duration::from_mins(1), server.read_exact(&mut received)).await;
    assert!(early.is_err(), "bytes were read while the inbox was full");
    let resuming = async {
        tokio::task::yield_now().await;
        session.release_requests(waiting, waiting);
    };
    let (read, ()) = tokio::join!(server.read_exact(&mut received), resuming);
    read.unwrap();
    assert_eq!(&received, b"\x81\x85\0\0\0\x003late");
}

#[tokio::test]
async fn the_engine_reads_the_whole_upgrade_even_while_closing() {
    let (stream, mut client) = duplex(64);
    let session = session_with_limits(Limits::default());
    let stream = test_support::lane_stream(stream, b"", Arc::clone(session.writer()));
    let replay = b"\x81\x81\0\0\0\x005";
    let probed = ProbedBytes {
        probe: replay.to_vec(),
        after: b"\x81\x84\0\0\0\0late".to_vec(),
        inflation: None,
    };
    let mut server = MonitoredStream::resume(stream, Arc::clone(&session), probed);
    session.close(CloseReason::DRAINING);
    let mut seen = [0; 7];
    server.read_exact(&mut seen).await.unwrap();
    assert_eq!(&seen, replay);
    server.write_all(probe::PROBE_RESPONSE).await.unwrap();
    server.write_all(PING).await.unwrap();
    assert_eq!(client.read_u16().await.unwrap(), 0x8900);
    server.read_u8().await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn the_first_ping_is_answered_between_two_messages_of_the_client() {
    let (mut server, mut client, _session) = monitored(100);
    client.write_all(b"\x02\x82\0\0\0\x0042").await.unwrap();
    let mut begun = [0; 8];
    server.read_exact(&mut begun).await.unwrap();
    server.write_all(&frame::text("2")).await.unwrap();
    let early = timeout(SOON, server.read_u8()).await;
    assert!(early.is_err(), "the message of the client is not complete");
    client.write_all(b"\x80\x82\0\0\0\x00[]").await.unwrap();
    let mut received = [0; 15];
    server.read_exact(&mut received).await.unwrap();
    assert_eq!(&received, b"\x80\x82\0\0\0\x00[]\x81\x81\0\0\0\x003");
    server.write_all(&frame::text("2")).await.unwrap();
    let mut second = [0; 3];
    client.read_exact(&mut second).await.unwrap();
    assert_eq!(&second, b"\x81\x012", "the next ping is for the client");
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
