//! Who types: told seldom, ended for certain.

use std::time::Duration;

/// Somebody is told to type at most this often.
const ANNOUNCE_INTERVAL: Duration = Duration::from_secs(3);
/// How long somebody types who says nothing more about it.
const TYPING_TIMEOUT: Duration = Duration::from_secs(6);

/// Somebody who types in a conversation, or did a moment ago. Times are durations since a moment of the
/// caller's choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TypingState {
    /// When the others were told last that they type.
    announced_at: Option<Duration>,
    /// Until when they type.
    until: Option<Duration>,
    /// Whether the others believe that they type.
    is_announced: bool,
}

/// Whether somebody types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typing {
    /// They do.
    Yes,
    /// They do not, or not any more.
    No,
}

/// Whether the others are to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broadcast {
    /// They are.
    Yes,
    /// They are not.
    No,
}

impl TypingState {
    /// They type at `now`. Answers whether that is to be told.
    pub fn start(&mut self, now: Duration) -> Broadcast {
        self.until = Some(now + TYPING_TIMEOUT);
        if self.announced_at.is_some_and(|announced_at| now < announced_at + ANNOUNCE_INTERVAL) {
            return Broadcast::No;
        }
        self.announced_at = Some(now);
        self.is_announced = true;
        Broadcast::Yes
    }

    /// They stopped. Answers whether that is to be told.
    pub fn stop(&mut self) -> Broadcast {
        self.until = None;
        if std::mem::take(&mut self.is_announced) { Broadcast::Yes } else { Broadcast::No }
    }

    /// They said what they typed: whoever hears that knows that they stopped.
    pub fn record_message(&mut self) {
        self.until = None;
        self.is_announced = false;
    }

    /// Stops if nothing was heard of it for too long. Answers whether that is to be told.
    pub fn expire(&mut self, now: Duration) -> Broadcast {
        if self.until.is_some_and(|until| until <= now) { self.stop() } else { Broadcast::No }
    }

    /// When this is to be looked at again; at `now` or before, there is nothing to remember any more.
    pub fn due(&self) -> Duration {
        let throttled_until =
            self.announced_at.map(|announced_at| announced_at + ANNOUNCE_INTERVAL);
        self.until.or(throttled_until).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn typing_is_announced_every_three_seconds_and_ends_after_six() {
        let mut ann = TypingState::default();
        assert_eq!(ann.start(at(0)), Broadcast::Yes);
        assert_eq!(ann.start(at(2999)), Broadcast::No);
        assert_eq!(ann.start(at(3000)), Broadcast::Yes);
        assert_eq!(ann.due(), at(9000));
        assert_eq!(ann.expire(at(8999)), Broadcast::No);
        assert_eq!(ann.expire(at(9000)), Broadcast::Yes);
        assert_eq!(ann.expire(at(9001)), Broadcast::No, "once");
    }

    #[test]
    fn a_message_ends_typing_without_an_announcement() {
        let mut ann = TypingState::default();
        ann.start(at(0));
        ann.record_message();
        assert_eq!(ann.stop(), Broadcast::No);
        assert_eq!(ann.start(at(1000)), Broadcast::No, "too soon");
        assert_eq!(ann.stop(), Broadcast::No, "what nobody was told has no end");
        assert_eq!(ann.due(), at(3000), "how often is remembered");
    }

    proptest! {
        /// Whatever somebody does, "types" and "stopped" are told in turn but for repeats, "types" not
        /// more often than it may be, and in the end nobody believes it.
        #[test]
        fn announcements_match_the_typing_state(steps in prop::collection::vec((0_u8..4, 0_u64..4000), 0..100)) {
            let (mut ann, mut now, mut is_announced) = (TypingState::default(), Duration::ZERO, false);
            let mut last = None;
            for (step, pause) in steps {
                now += Duration::from_millis(pause);
                if ann.expire(now) == Broadcast::Yes {
                    prop_assert!(std::mem::take(&mut is_announced));
                }
                match step {
                    0 | 1 => {
                        if ann.start(now) == Broadcast::Yes {
                            prop_assert!(last.is_none_or(|last| now >= last + ANNOUNCE_INTERVAL));
                            (last, is_announced) = (Some(now), true);
                        }
                    }
                    2 => {
                        let announced = ann.stop() == Broadcast::Yes;
                        prop_assert_eq!(std::mem::take(&mut is_announced), announced);
                    }
                    _ => {
                        ann.record_message();
                        is_announced = false;
                    }
                }
            }
            if ann.expire(now + TYPING_TIMEOUT) == Broadcast::Yes {
                is_announced = false;
            }
            prop_assert!(!is_announced);
        }
    }
}
