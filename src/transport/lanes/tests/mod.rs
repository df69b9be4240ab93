//! The promises of the writer, and lanes with several connections.

mod property;

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, duplex},
    time::{Instant, timeout},
};

use super::{
    frame,
    lane::Lanes,
    output::TURN_BYTES_MAX,
    queue::QueueFull,
    test_support::{TestPeer, lane_stream, writer, writer_on},
    writer::LaneWriter,
};
use crate::{
    chat::ports::{Traffic, TrafficMeter as _},
    domain::Limits,
    tasks::Tasks,
};

const WAIT: Duration = Duration::from_secs(30);
const EVENTS_MAX: usize = 6;
const BYTES_MAX: usize = 2000;

fn limits() -> Arc<Limits> {
    Arc::new(Limits {
        outbox_events_max: NonZeroUsize::new(EVENTS_MAX).unwrap(),
        outbox_bytes_max: NonZeroUsize::new(BYTES_MAX).unwrap(),
        ..Limits::default()
    })
}

fn bytes(length: usize) -> Bytes {
    frame::text(&"x".repeat(length))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn frames_of_several_threads_are_whole_and_in_the_order_of_each() {
    const AUTHORS: u8 = 4;
    const FRAMES: u16 = 500;
    let tasks = Tasks::new();
    let lanes = Lanes::start_some(2, &tasks);
    let (writer, peer) = writer_on(&lanes, &Arc::new(Limits::default()));
    let authors = Tasks::new();
    for author in 0..AUTHORS {
        let writer = Arc::clone(&writer);
        authors.spawn("author", async move {
            for number in 0..FRAMES {
                let content = [&[author][..], &number.to_be_bytes()].concat();
                writer.push(frame::binary(&content)).unwrap();
                tokio::task::yield_now().await;
            }
        });
    }
    let mut accepts = (0..23).cycle();
    while authors.count() > 0 {
        peer.accept(accepts.next().unwrap());
        tokio::task::yield_now().await;
    }
    peer.accept(usize::MAX);
    writer.flushed().await;
    let received = peer.received();
    for author in 0..AUTHORS {
        let expected = (0..FRAMES).map(u16::to_be_bytes);
        let frames = received.chunks(5).filter(|it| it[..3] == [0x82, 3, author]);
        assert!(frames.map(|it| [it[3], it[4]]).eq(expected), "author {author}");
    }
    assert_eq!(received.len(), usize::from(AUTHORS) * usize::from(FRAMES) * 5);
    drop(writer);
    assert_eq!(tasks.finish(WAIT).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_blocked_connection_does_not_delay_the_others() {
    let lanes = Lanes::start_some(1, &Tasks::new());
    let (slow, slow_peer) = writer_on(&lanes, &limits());
    let (quick, quick_peer) = writer_on(&lanes, &limits());
    slow_peer.accept(3);
    slow.push(bytes(10)).unwrap();
    quick.push(bytes(20)).unwrap();
    quick.flushed().await;
    assert_eq!(quick_peer.received(), bytes(20));
    assert_eq!(slow_peer.received(), bytes(10)[..3]);
    slow_peer.accept(usize::MAX);
    slow.flushed().await;
    assert_eq!(slow_peer.received(), bytes(10));
}

#[tokio::test(start_paused = true)]
async fn the_traffic_of_all_lanes_is_counted_once() {
    let lanes = Lanes::start_some(2, &Tasks::new());
    let (one, peer) = writer_on(&lanes, &limits());
    peer.accept(7);
    for length in [10, 20] {
        one.push(bytes(length)).unwrap();
    }
    let other = Arc::new(LaneWriter::new(&lanes, limits()));
    let (server, mut client) = duplex(1 << 10);
    let mut stream = lane_stream(server, b"ahead", Arc::clone(&other));
    other.push(bytes(30)).unwrap();
    client.write_all(b"later").await.unwrap();
    stream.read_exact(&mut [0; 10]).await.unwrap();
    other.flushed().await;
    peer.accept(usize::MAX);
    one.flushed().await;
    other.traffic().request_received();
    let expected = Traffic { packets_in: 1, bytes_in: 10, packets_out: 3, bytes_out: 66 };
    assert_eq!(lanes.traffic(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_connection_with_much_to_write_takes_turns_with_the_others() {
    let lanes = Lanes::start_some(1, &Tasks::new());
    let (busy, busy_peer) = writer_on(&lanes, &Arc::new(Limits::default()));
    let (other, _other_peer) = writer_on(&lanes, &limits());
    let block = bytes(TURN_BYTES_MAX);
    for _ in 0..3 {
        busy.push(block.clone()).unwrap();
    }
    other.push(bytes(1)).unwrap();
    other.flushed().await;
    assert!(busy_peer.received().len() <= 2 * block.len());
    busy.flushed().await;
    assert_eq!(busy_peer.received().len(), 3 * block.len());
}

/// A lane on which a frame waits for each of 1,000 connections.
fn busy_lane() -> (Lanes, Vec<(Arc<LaneWriter>, TestPeer)>) {
    let (lanes, limits) = (Lanes::start_some(1, &Tasks::new()), limits());
    let receivers: Vec<_> = (0..1000).map(|_| writer_on(&lanes, &limits)).collect();
    for (writer, _) in &receivers {
        writer.push_later(bytes(1)).unwrap();
    }
    (lanes, receivers)
}

fn count_served(receivers: &[(Arc<LaneWriter>, TestPeer)]) -> usize {
    receivers.iter().filter(|(_, peer)| peer.writes() > 0).count()
}

#[tokio::test(start_paused = true)]
async fn an_event_does_not_wait_for_one_with_very_many_receivers() {
    let (lanes, receivers) = busy_lane();
    let (other, peer) = writer_on(&lanes, &limits());
    other.push(bytes(2)).unwrap();
    other.flushed().await;
    assert_eq!(peer.received(), bytes(2));
    assert!(count_served(&receivers) < 100, "the others wait");
    for (writer, _) in &receivers {
        writer.flushed().await;
    }
    assert_eq!(count_served(&receivers), receivers.len());
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_connection_moves_ahead_with_an_event_behind_it() {
    let (_lanes, receivers) = busy_lane();
    let (last, peer) = receivers.last().unwrap();
    last.push(bytes(2)).unwrap();
    last.push_later(bytes(3)).unwrap();
    last.flushed().await;
    assert_eq!(peer.received(), [bytes(1), bytes(2), bytes(3)].concat());
    assert!(count_served(&receivers) < 100, "the others wait");
}

#[tokio::test(start_paused = true)]
async fn frames_that_fall_together_are_one_write() {
    let (writer, peer) = writer(&limits());
    for _ in 0..3 {
        writer.push(bytes(10)).unwrap();
    }
    writer.flushed().await;
    assert_eq!((peer.received().len(), peer.writes()), (3 * bytes(10).len(), 1));
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_accepts_nothing_ends_the_writer() {
    let (limits, begin) = (limits(), Instant::now());
    let (writer, peer) = writer(&limits);
    peer.accept(3);
    writer.push(bytes(10)).unwrap();
    writer.ended().await;
    assert!(begin.elapsed().abs_diff(limits.write_stall_max) <= Duration::from_millis(2));
    assert!(peer.has_ended());
    assert_eq!(writer.push(bytes(10)), Ok(()), "it is ignored");
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_accepts_a_byte_in_time_is_kept() {
    let limits = limits();
    let (writer, peer) = writer(&limits);
    peer.accept(1);
    writer.push(bytes(10)).unwrap();
    for _ in 0..11 {
        assert!(timeout(limits.write_stall_max / 2, writer.ended()).await.is_err());
        peer.accept(1);
    }
    writer.flushed().await;
    assert!(!writer.has_ended());
}

#[tokio::test(start_paused = true)]
async fn a_broken_socket_ends_the_writer() {
    for accepted in [0, usize::MAX] {
        let (writer, peer) = writer(&limits());
        peer.accept(accepted);
        writer.push(bytes(10)).unwrap();
        timeout(WAIT, writer.flushed()).await.ok();
        peer.break_off();
        writer.push(bytes(10)).unwrap();
        timeout(WAIT, writer.ended()).await.unwrap();
        assert!(peer.has_ended());
    }
}

#[tokio::test(start_paused = true)]
async fn an_abort_ends_a_blocked_write() {
    let tasks = Tasks::new();
    let (writer, peer) = writer_on(&Lanes::start_some(1, &tasks), &limits());
    peer.accept(3);
    writer.push(bytes(10)).unwrap();
    assert!(timeout(Duration::from_secs(1), writer.flushed()).await.is_err());
    writer.abort();
    assert_eq!(tasks.finish(WAIT).await, Ok(()));
    assert!(peer.has_ended());
    assert_eq!(peer.received().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_drain_waits_for_what_is_queued() {
    let tasks = Tasks::new();
    let (writer, peer) = writer_on(&Lanes::start_some(1, &tasks), &limits());
    writer.push(bytes(10)).unwrap();
    writer.finish();
    assert_eq!(writer.push(bytes(10)), Ok(()), "it is ignored");
    assert_eq!(tasks.finish(WAIT).await, Ok(()));
    assert_eq!(peer.received(), bytes(10));
}

#[tokio::test(start_paused = true)]
async fn after_an_event_without_room_only_closing_is_written() {
    let (writer, peer) = writer(&limits());
    peer.accept(0);
    for _ in 0..EVENTS_MAX {
        writer.push(bytes(1)).unwrap();
    }
    assert_eq!(writer.push(bytes(1)), Err(QueueFull));
    peer.accept(usize::MAX);
    writer.flushed().await;
    assert_eq!(writer.push(bytes(1)), Ok(()), "it is ignored");
    writer.push_beyond(bytes(7));
    writer.flushed().await;
    let expected = [bytes(1).repeat(EVENTS_MAX), bytes(7).to_vec()].concat();
    assert_eq!(peer.received(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_poll_waits_for_frames_and_for_the_end() {
    let lanes = Lanes::start_some(1, &Tasks::new());
    let writer = Arc::new(LaneWriter::new(&lanes, limits()));
    assert!(timeout(WAIT, writer.filled()).await.is_err());
    let pushing = async { writer.push(bytes(5)).unwrap() };
    tokio::join!(writer.filled(), pushing);
    assert_eq!(writer.take(usize::MAX), [bytes(5)]);
    assert!(timeout(WAIT, writer.filled()).await.is_err());
    let aborting = async { writer.abort() };
    tokio::join!(writer.filled(), aborting);
}

#[tokio::test(start_paused = true)]
async fn capacity_is_available_below_half_and_after_the_end() {
    let (writer, peer) = writer(&limits());
    peer.accept(0);
    for _ in 0..EVENTS_MAX {
        writer.push(bytes(1)).unwrap();
    }
    assert!(timeout(Duration::from_secs(1), writer.wait_for_capacity()).await.is_err());
    peer.accept(4 * bytes(1).len());
    timeout(Duration::from_secs(1), writer.wait_for_capacity()).await.unwrap();
    assert_eq!(writer.usage().frames, EVENTS_MAX - 4);
    writer.abort();
    writer.wait_for_capacity().await;
}
