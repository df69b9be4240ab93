//! The guarded stream over an in-memory one, with time that the tests move.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    time::{advance, timeout},
};

use super::*;
use crate::{
    domain::{CloseReason, Limits},
    tasks::Tasks,
    transport::socketio::{FLUSH_WAIT_MAX, gate::Version, link::Words, links::Links},
};

/// A link of a session on a WebSocket.
fn link_within(limits: Limits) -> Arc<Link> {
    let words = Words { version: Version::V4, query: "".into(), carried: Ok(None) };
    Links::new().begin(words, (Arc::new(limits), Tasks::new()), None)
}

const SOON: Duration = Duration::from_millis(10);

fn guarded(buffer: usize) -> (Guarded<DuplexStream>, DuplexStream, Arc<Link>) {
    let (server, client) = duplex(buffer);
    let link = link_within(Limits::default());
    (Guarded::new(server, Arc::clone(&link)), client, link)
}

#[tokio::test]
async fn what_is_written_relieves_the_outbox() {
    let (mut server, mut client, link) = guarded(64);
    link.charge(10).unwrap();
    server.write_all(b"twelve bytes").await.unwrap();
    link.flushed().await;
    let mut heard = [0; 12];
    client.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"twelve bytes");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_is_cut_at_the_deadline() {
    let (mut server, _client, link) = guarded(8);
    let begin = Instant::now();
    let error = server.write_all(&[0; 9]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    let max = link.limits().write_stall_max;
    assert!((max..max + SOON).contains(&begin.elapsed()), "{:?}", begin.elapsed());
    assert_eq!(link.fate(), Fate::Cut);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_a_little_now_and_then_is_not_cut() {
    let (mut server, mut client, link) = guarded(8);
    let almost = link.limits().write_stall_max.saturating_sub(SOON);
    let reading = async {
        for _ in 0..4 {
            advance(almost).await;
            client.read_exact(&mut [0; 8]).await.unwrap();
        }
    };
    let (written, ()) = tokio::join!(server.write_all(&[0; 32]), reading);
    written.unwrap();
    assert_eq!(link.fate(), Fate::Open);
}

#[tokio::test(start_paused = true)]
async fn closing_fails_reads_and_lets_writes_finish() {
    let (mut server, mut client, link) = guarded(8);
    let (mut reader, mut writer) = tokio::io::split(&mut server);
    let closing = async {
        tokio::task::yield_now().await;
        link.close(CloseReason::Draining);
        client.read_exact(&mut [0; 16]).await.unwrap();
    };
    let mut nothing = [0; 1];
    let (read, written, ()) =
        tokio::join!(reader.read(&mut nothing), writer.write_all(&[0; 16]), closing);
    assert_eq!(read.unwrap_err().kind(), io::ErrorKind::TimedOut);
    written.unwrap();
}

#[tokio::test(start_paused = true)]
async fn closing_does_not_wait_for_ever() {
    let (mut server, mut client, link) = guarded(8);
    let begin = Instant::now();
    let slow = async {
        link.close(CloseReason::SlowReader);
        // Never stalled, and never done.
        while link.fate() < Fate::Cut {
            advance(FLUSH_WAIT_MAX / 4).await;
            timeout(SOON, client.read(&mut [0; 8])).await.ok();
        }
    };
    let (written, ()) = tokio::join!(server.write_all(&[0; 4096]), slow);
    written.unwrap_err();
    assert!(begin.elapsed() <= FLUSH_WAIT_MAX * 2, "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_cut_wakes_who_waits() {
    let (mut server, _client, link) = guarded(8);
    let (mut reader, mut writer) = tokio::io::split(&mut server);
    let cutting = async {
        tokio::task::yield_now().await;
        link.cut();
    };
    let mut nothing = [0; 1];
    let (read, written, ()) =
        tokio::join!(reader.read(&mut nothing), writer.write_all(&[0; 16]), cutting);
    read.unwrap_err();
    written.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn nothing_is_read_while_the_inbox_is_full() {
    let (mut server, mut client, link) = guarded(64);
    let max = link.limits().inbox_requests_max.get();
    let waiting = max / 2 + 1;
    for _ in 0..waiting {
        link.incoming().take(1).unwrap();
    }
    client.write_all(b"later").await.unwrap();
    let mut heard = [0; 5];
    let early = timeout(Duration::from_mins(1), server.read_exact(&mut heard)).await;
    assert!(early.is_err(), "it was read");
    let resuming = async {
        tokio::task::yield_now().await;
        link.taken(waiting, waiting);
    };
    let (read, ()) = tokio::join!(server.read_exact(&mut heard), resuming);
    read.unwrap();
    assert_eq!(&heard, b"later");
}

#[tokio::test]
async fn the_engine_reads_the_whole_change_over_even_when_the_end_has_begun() {
    let (stream, mut client) = duplex(64);
    let link = link_within(Limits::default());
    let mut server = Guarded::resume(stream, Arc::clone(&link), b"seen".to_vec());
    link.close(CloseReason::Draining);
    let mut seen = [0; 4];
    server.read_exact(&mut seen).await.unwrap();
    assert_eq!(&seen, b"seen");
    server.write_all(probe::ANSWER).await.unwrap();
    server.write_all(b"x").await.unwrap();
    assert_eq!(client.read_u8().await.unwrap(), b'x');
    server.read_u8().await.unwrap_err();
}

#[tokio::test]
async fn much_is_read_in_order() {
    let (mut server, mut client, _link) = guarded(100_000);
    let sent: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
    let expected = sent.clone();
    let writing = async {
        client.write_all(&sent).await.unwrap();
        drop(client);
    };
    let reading = async {
        let (mut heard, mut buffer) = (Vec::new(), [0; 256]);
        loop {
            match server.read(&mut buffer).await.unwrap() {
                0 => break heard,
                length => heard.extend_from_slice(&buffer[..length]),
            }
        }
    };
    let (heard, ()) = tokio::join!(reading, writing);
    assert!(heard == expected);
}

#[tokio::test]
async fn dropping_the_stream_ends_the_session() {
    let (server, _client, link) = guarded(8);
    drop(server);
    assert_eq!(link.fate(), Fate::Cut);
    link.ended().await;
}
