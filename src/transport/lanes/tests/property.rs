//! The promises of the writer, for any order of pushes, partial writes and closes.

use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;

use super::{BYTES_MAX, EVENTS_MAX, limits};
use crate::{
    tasks::Tasks,
    transport::lanes::{
        frame,
        lane::{Lanes, Round},
        output::{LaneSocket, Output},
        queue::{CODEC_ROOM, NextStep, QueueFull},
        test_support::TestPeer,
        writer::LaneWriter,
    },
};

/// What happens to a writer.
#[derive(Clone, Debug)]
enum Step {
    /// An event with this many bytes.
    Event(usize),
    /// The same for an event that very many connections receive.
    EventToMany(usize),
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
        12 => (0..400_usize).prop_map(Step::EventToMany),
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
    /// The lane of the writer alone.
    lanes: Lanes,
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
            Step::EventToMany(length) => {
                self.push(length, 1, LaneWriter::push_later);
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
        let (lane, mut round) = (self.lanes.next(), Round::new());
        lane.try_take_round(&mut round);
        for (writer, list) in round {
            match self.writer.turn(list) {
                NextStep::WaitWritable(output) => {
                    assert!(self.blocked.replace(output).is_none(), "one task has the output");
                }
                NextStep::List(priority) => lane.list(writer, priority),
                NextStep::Rest => (),
            }
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
        let lists = self.lanes.next().waiting();
        assert!(lists.iter().all(|it| *it <= 1), "once on each list: {lists:?}");
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
        let mut model =
            Model { writer, lanes, peer, socket, blocked, taken, queued, next: 0, is_shut };
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
