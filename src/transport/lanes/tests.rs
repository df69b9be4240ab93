//! The promises of the writer, for any order of pushes, partial writes and closes; and lanes with
//! several connections.

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use bytes::Bytes;
use proptest::prelude::*;
use tokio::time::{Instant, timeout};

use super::{
    frame,
    lane::Lanes,
    output::{LaneSocket, Output, TURN_BYTES_MAX},
    queue::{CODEC_ROOM, NextStep, QueueFull},
    test_support::{TestPeer, writer, writer_on},
    writer::LaneWriter,
};
use crate::{domain::Limits, tasks::Tasks};

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

/// What happens to a writer.
#[derive(Clone, Debug)]
enum Step {
    /// An event with this many bytes.
    Event(usize),
    /// A frame of the codec with this many bytes.
    Codec(usize),
    /// The lane takes a turn.
    Turn,
    /// The socket accepts this many bytes from now on.
    Accept(usize),
    /// The task that waits for the socket continues.
    Unblock,
    Seal,
    DropWaiting,
    /// A frame beyond the bounds.
    Beyond,
    /// An answer to a poll takes this many bytes.
    Take(usize),
    /// The socket is attached.
    Attach,
    Last,
    Finish,
    Abort,
    BreakOff,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0..400_usize).prop_map(|it| Step::Event(if it == 0 { 3 * BYTES_MAX } else { it })),
        4 => (0..125_usize).prop_map(Step::Codec),
        8 => Just(Step::Turn),
        6 => (0..600_usize).prop_map(Step::Accept),
        6 => Just(Step::Unblock),
        1 => Just(Step::Seal),
        1 => Just(Step::DropWaiting),
        1 => Just(Step::Beyond),
        4 => (0..400_usize).prop_map(Step::Take),
        2 => Just(Step::Attach),
        1 => Just(Step::Last),
        1 => Just(Step::Finish),
        1 => Just(Step::Abort),
        1 => Just(Step::BreakOff),
    ]
}

/// What a writer has to do, beside the writer.
struct Model {
    writer: Arc<LaneWriter>,
    peer: TestPeer,
    /// The socket, until it is attached.
    socket: Option<Box<dyn LaneSocket>>,
    blocked: Option<Output>,
    /// What the answers to polls took.
    taken: Vec<u8>,
    /// All frames that were queued, in order.
    queued: Vec<Bytes>,
    /// The number of the next frame.
    next: u8,
    /// Whether frames may be ignored.
    is_shut: bool,
}

impl Model {
    /// A frame that differs from all others.
    fn frame(&mut self, length: usize) -> Bytes {
        self.next = self.next.wrapping_add(1);
        let content = [vec![self.next], vec![b'x'; length]].concat();
        frame::binary(&content)
    }

    fn apply(&mut self, step: &Step) {
        let writer = Arc::clone(&self.writer);
        self.is_shut |= writer.has_ended()
            || matches!(step, Step::Seal | Step::Last | Step::Finish | Step::Abort);
        match *step {
            Step::Event(length) => {
                self.push(length, 1, LaneWriter::push);
            }
            Step::Codec(length) => {
                self.push(length, CODEC_ROOM, LaneWriter::push_codec);
            }
            Step::Turn => self.turn(),
            Step::Accept(bytes) => self.peer.accept(bytes),
            Step::Unblock => {
                if let Some(output) = self.blocked.take() {
                    writer.unblock(output);
                }
            }
            Step::Seal => writer.seal(),
            Step::DropWaiting => {
                let before = writer.usage();
                writer.drop_waiting();
                let dropped = before.frames - writer.usage().frames;
                self.queued.truncate(self.queued.len() - dropped);
            }
            Step::Beyond => {
                let (before, frame) = (writer.usage(), self.frame(9));
                writer.push_beyond(frame.clone());
                if writer.usage().frames > before.frames {
                    self.queued.push(frame);
                }
            }
            Step::Take(bytes_max) => self.taken.extend(writer.take(bytes_max).concat()),
            Step::Attach => self.attach(),
            Step::Last => {
                let (before, frames) = (writer.usage(), [self.frame(9), self.frame(99)]);
                writer.push_last(frames.clone());
                if writer.usage().frames > before.frames {
                    self.queued.extend(frames);
                }
            }
            Step::Finish => writer.finish(),
            Step::Abort => writer.abort(),
            Step::BreakOff => self.peer.break_off(),
        }
    }

    fn push(
        &mut self,
        length: usize,
        room: usize,
        push: fn(&Arc<LaneWriter>, Bytes) -> Result<(), QueueFull>,
    ) {
        let (before, frame) = (self.writer.usage(), self.frame(length));
        let exceeds_bytes = before.bytes + frame.len() > room * BYTES_MAX;
        let is_full = before.frames >= room * EVENTS_MAX || (before.frames > 0 && exceeds_bytes);
        match push(&self.writer, frame.clone()) {
            Err(QueueFull) => {
                assert!(is_full);
                self.is_shut |= room == 1;
            }
            Ok(()) if self.writer.usage().frames == before.frames => {
                assert!(self.is_shut, "only then is a frame ignored");
            }
            Ok(()) => {
                assert!(!is_full);
                self.queued.push(frame);
            }
        }
    }

    fn turn(&mut self) {
        if let NextStep::WaitWritable(output) = self.writer.turn() {
            assert!(self.blocked.replace(output).is_none(), "one task has the output");
        }
    }

    fn attach(&mut self) {
        if let Some(socket) = self.socket.take() {
            self.writer.attach(socket);
        }
    }

    /// What the client has, from answers to polls and then from the socket.
    fn received(&self) -> Vec<u8> {
        [self.taken.clone(), self.peer.received()].concat()
    }

    /// The number of queued frames that the client does not have whole.
    fn unwritten(&self) -> usize {
        let mut received = self.received().len();
        let whole = self.queued.iter().take_while(|frame| {
            let is_whole = frame.len() <= received;
            received = received.saturating_sub(frame.len());
            is_whole
        });
        self.queued.len() - whole.count()
    }

    /// The peer received a prefix of what was queued, and the rest is counted exactly.
    fn check(&self) {
        let (all, received) = (self.queued.concat(), self.received());
        assert!(all.starts_with(&received), "frames are whole and in order");
        let usage = self.writer.usage();
        if self.writer.has_ended() {
            assert_eq!((usage.frames, usage.bytes), (0, 0));
        } else {
            assert_eq!(usage.frames, self.unwritten());
            assert_eq!(usage.bytes, all.len() - received.len());
        }
    }
}

proptest! {
    #[test]
    fn frames_are_whole_in_order_counted_and_bounded(
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let _context = runtime.enter();
        let lanes = Lanes::start_some(1, &Tasks::new());
        let writer = Arc::new(LaneWriter::new(&lanes, limits()));
        let (taken, queued, blocked) = (Vec::new(), Vec::new(), None);
        let (peer, is_shut) = (TestPeer::new(), false);
        let socket = Some(peer.socket());
        let mut model = Model { writer, peer, socket, blocked, taken, queued, next: 0, is_shut };
        for step in &steps {
            model.apply(step);
            model.check();
        }
        // Whatever happened, a peer that reads receives all, and the write half is shut down.
        model.attach();
        model.writer.finish();
        model.peer.accept(usize::MAX);
        for _ in 0..3 {
            if let Some(output) = model.blocked.take() {
                model.writer.unblock(output);
            }
            model.turn();
            model.check();
        }
        prop_assert!(model.writer.has_ended());
        prop_assert!(model.peer.has_ended());
    }
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
