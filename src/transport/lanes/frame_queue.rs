//! A queue of frames that allocates nothing for one frame, because most queues hold none or one.

use std::{collections::VecDeque, mem};

use bytes::Bytes;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct FrameQueue {
    first: Option<Bytes>,
    /// What follows `first`. Empty if there is no first one.
    rest: VecDeque<Bytes>,
}

impl FrameQueue {
    pub(super) fn push_back(&mut self, frames: Bytes) {
        if self.first.is_none() {
            self.first = Some(frames);
        } else {
            self.rest.push_back(frames);
        }
    }

    pub(super) fn pop_front(&mut self) -> Option<Bytes> {
        let first = mem::replace(&mut self.first, self.rest.pop_front());
        if self.rest.is_empty() && self.rest.capacity() > 0 {
            self.rest = VecDeque::new();
        }
        first
    }

    pub(super) fn front_mut(&mut self) -> Option<&mut Bytes> {
        self.first.as_mut()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Bytes> {
        self.first.iter().chain(&self.rest)
    }

    pub(super) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.rest.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_leave_in_the_order_in_which_they_came() {
        let mut queue = FrameQueue::default();
        let frame = |number: u8| Bytes::from(vec![number]);
        for round in 0..4 {
            for number in 0..round {
                queue.push_back(frame(number));
            }
            assert_eq!(queue.len(), usize::from(round));
            assert!(queue.iter().eq(&(0..round).map(frame).collect::<Vec<_>>()));
            for number in 0..round {
                assert_eq!(queue.pop_front(), Some(frame(number)));
            }
            assert!(queue.is_empty() && queue.pop_front().is_none());
            assert_eq!(queue.rest.capacity(), 0);
        }
    }
}
