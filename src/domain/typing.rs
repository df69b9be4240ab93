//! Typing indicators: announced at a limited rate, and always ended.

use std::time::Duration;

/// Least time between two announcements that a user types.
const ANNOUNCE_INTERVAL: Duration = Duration::from_secs(3);
/// Time without a further request after which the user counts as stopped.
const TYPING_TIMEOUT: Duration = Duration::from_secs(6);

/// The typing state of a user in a conversation. Times are durations since an origin that the
/// caller chooses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TypingState {
    /// Time of the last announcement that the user types.
    announced_at: Option<Duration>,
    /// Time at which typing ends without a further request.
    until: Option<Duration>,
    /// Whether the last announcement was that the user types.
    is_announced: bool,
}

/// Whether a user types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typing {
    /// The user types.
    Yes,
    /// The user stopped.
    No,
}

/// Whether a change is announced to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broadcast {
    /// It is announced.
    Yes,
    /// It is not.
    No,
}

impl TypingState {
    /// Records that the user types at `now`. Returns whether to announce it.
    pub fn start(&mut self, now: Duration) -> Broadcast {
        self.until = Some(now + TYPING_TIMEOUT);
        if self.announced_at.is_some_and(|announced_at| now < announced_at + ANNOUNCE_INTERVAL) {
            return Broadcast::No;
        }
        self.announced_at = Some(now);
        self.is_announced = true;
        Broadcast::Yes
    }

    /// Records that the user stopped. Returns whether to announce it.
    pub fn stop(&mut self) -> Broadcast {
        self.until = None;
        if std::mem::take(&mut self.is_announced) { Broadcast::Yes } else { Broadcast::No }
    }

    /// Records that the user sent a message. Its delivery implies the end of typing.
    pub fn record_message(&mut self) {
        self.until = None;
        self.is_announced = false;
    }

    /// Ends typing that timed out at `now`. Returns whether to announce it.
    pub fn expire(&mut self, now: Duration) -> Broadcast {
        if self.until.is_some_and(|until| until <= now) { self.stop() } else { Broadcast::No }
    }

    /// The time of the next check. If it is not after `now`, the state can be dropped.
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
        assert_eq!(ann.stop(), Broadcast::No, "typing that was not announced has no end");
        assert_eq!(ann.due(), at(3000), "the rate limit remains");
    }

    proptest! {
        /// After any steps: a stop is announced only after a start, starts are announced at the
        /// limited rate, and the last announcement is a stop.
        #[test]
        fn announcements_match_the_typing_state(
            steps in prop::collection::vec((0_u8..4, 0_u64..4000), 0..100),
        ) {
            let (mut ann, mut now) = (TypingState::default(), Duration::ZERO);
            let mut is_announced = false;
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
