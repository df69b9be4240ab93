//! Who types: told seldom, ended for certain.

use std::time::Duration;

/// Somebody is told to type at most this often.
const TOLD_EVERY: Duration = Duration::from_secs(3);
/// How long somebody types who says nothing more about it.
const LASTS: Duration = Duration::from_secs(6);

/// Somebody who types in a conversation, or did a moment ago. Times are durations since a moment of the
/// caller's choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Typist {
    /// When the others were told last that they type.
    told: Option<Duration>,
    /// Until when they type.
    until: Option<Duration>,
    /// Whether the others believe that they type.
    believed: bool,
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
pub enum Tell {
    /// They are.
    Yes,
    /// They are not.
    No,
}

impl Typist {
    /// They type at `now`. Answers whether that is to be told.
    pub fn start(&mut self, now: Duration) -> Tell {
        self.until = Some(now + LASTS);
        if self.told.is_some_and(|told| now < told + TOLD_EVERY) {
            return Tell::No;
        }
        self.told = Some(now);
        self.believed = true;
        Tell::Yes
    }

    /// They stopped. Answers whether that is to be told.
    pub fn stop(&mut self) -> Tell {
        self.until = None;
        if std::mem::take(&mut self.believed) { Tell::Yes } else { Tell::No }
    }

    /// They said what they typed: whoever hears that knows that they stopped.
    pub fn say(&mut self) {
        self.until = None;
        self.believed = false;
    }

    /// Stops if nothing was heard of it for too long. Answers whether that is to be told.
    pub fn expire(&mut self, now: Duration) -> Tell {
        if self.until.is_some_and(|until| until <= now) { self.stop() } else { Tell::No }
    }

    /// When this is to be looked at again; at `now` or before, there is nothing to remember any more.
    pub fn due(&self) -> Duration {
        let rests = self.told.map(|told| told + TOLD_EVERY);
        self.until.or(rests).unwrap_or_default()
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
    fn typing_is_told_once_in_three_seconds_and_ends_after_six() {
        let mut ann = Typist::default();
        assert_eq!(ann.start(at(0)), Tell::Yes);
        assert_eq!(ann.start(at(2999)), Tell::No);
        assert_eq!(ann.start(at(3000)), Tell::Yes);
        assert_eq!(ann.due(), at(9000));
        assert_eq!(ann.expire(at(8999)), Tell::No);
        assert_eq!(ann.expire(at(9000)), Tell::Yes);
        assert_eq!(ann.expire(at(9001)), Tell::No, "once");
    }

    #[test]
    fn a_message_ends_it_without_a_word() {
        let mut ann = Typist::default();
        ann.start(at(0));
        ann.say();
        assert_eq!(ann.stop(), Tell::No);
        assert_eq!(ann.start(at(1000)), Tell::No, "too soon");
        assert_eq!(ann.stop(), Tell::No, "what nobody was told has no end");
        assert_eq!(ann.due(), at(3000), "how often is remembered");
    }

    proptest! {
        /// Whatever somebody does, "types" and "stopped" are told in turn but for repeats, "types" not
        /// more often than it may be, and in the end nobody believes it.
        #[test]
        fn the_others_believe_what_is_so(steps in prop::collection::vec((0_u8..4, 0_u64..4000), 0..100)) {
            let (mut ann, mut now, mut believed) = (Typist::default(), Duration::ZERO, false);
            let mut last = None;
            for (step, pause) in steps {
                now += Duration::from_millis(pause);
                if ann.expire(now) == Tell::Yes {
                    prop_assert!(std::mem::take(&mut believed));
                }
                match step {
                    0 | 1 => {
                        if ann.start(now) == Tell::Yes {
                            prop_assert!(last.is_none_or(|last| now >= last + TOLD_EVERY));
                            (last, believed) = (Some(now), true);
                        }
                    }
                    2 => {
                        let told = ann.stop() == Tell::Yes;
                        prop_assert_eq!(std::mem::take(&mut believed), told);
                    }
                    _ => {
                        ann.say();
                        believed = false;
                    }
                }
            }
            if ann.expire(now + LASTS) == Tell::Yes {
                believed = false;
            }
            prop_assert!(!believed);
        }
    }
}
