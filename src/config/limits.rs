//! The limits as settings: one key for each field of [`Limits`]. The defaults are in
//! `domain/limits.rs`.
//!
//! Both sides are destructured in full, so that a new field does not compile until it has a key.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::domain::Limits;

/// What a change of a limit needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing: requests, or connections that begin from then on, have the new value.
    Live,
    /// A restart: parts are made with it.
    Restart,
}

/// Defines the settings and both conversions from one list of names.
///
/// Durations are [`Duration`]s in [`Limits`] and milliseconds here, with the unit in the key.
macro_rules! limits {
    (
        counts { $($count:ident: $type:ty => $count_effect:ident,)* }
        durations { $($ms:ident: $duration:ident => $ms_effect:ident,)* }
    ) => {
        /// One key for each field of [`Limits`], which documents it.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct LimitSettings {
            $(#[doc = concat!("See [`Limits::", stringify!($count), "`].")] pub $count: $type,)*
            $(
                #[doc = concat!("See [`Limits::", stringify!($duration), "`]; milliseconds.")]
                pub $ms: u64,
            )*
        }

        impl LimitSettings {
            /// The limits in the form of the other layers.
            pub(super) fn to_domain(&self) -> Limits {
                let Self { $($count,)* $($ms,)* } = self;
                Limits {
                    $($count: *$count,)*
                    $($duration: Duration::from_millis(*$ms),)*
                }
            }

            /// The keys that differ, with what a change needs.
            pub(super) fn differing(
                &self,
                wanted: &Self,
            ) -> impl Iterator<Item = (&'static str, Effect)> + use<> {
                let all = [
                    $((
                        concat!("limits.", stringify!($count)),
                        Effect::$count_effect,
                        self.$count == wanted.$count,
                    ),)*
                    $((
                        concat!("limits.", stringify!($ms)),
                        Effect::$ms_effect,
                        self.$ms == wanted.$ms,
                    ),)*
                ];
                let differing = all.into_iter().filter(|(_, _, is_equal)| !is_equal);
                differing.map(|(key, effect, _)| (key, effect))
            }

            /// Takes over what a running server can.
            pub(super) fn take_live(&mut self, wanted: &Self) {
                $(if Effect::$count_effect == Effect::Live {
                    self.$count = wanted.$count;
                })*
                $(if Effect::$ms_effect == Effect::Live {
                    self.$ms = wanted.$ms;
                })*
            }

            /// The durations by key.
            pub(super) fn durations(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((concat!("limits.", stringify!($ms)), self.$ms),)*].into_iter()
            }
        }

        impl Default for LimitSettings {
            fn default() -> Self {
                let Limits { $($count,)* $($duration,)* } = Limits::default();
                Self { $($count,)* $($ms: milliseconds($duration),)* }
            }
        }
    };
}

limits! {
    counts {
        body_bytes_max: NonZeroUsize => Restart,
        frame_bytes_max: NonZeroUsize => Restart,
        attachments_max: usize => Restart,
        rooms_per_user_max: NonZeroUsize => Live,
        spaces_per_connection_max: NonZeroUsize => Live,
        history_messages_max: NonZeroU32 => Live,
        recover_messages_max: u64 => Restart,
        ring_messages_max: NonZeroUsize => Restart,
        ring_bytes_max: NonZeroUsize => Restart,
        outbox_events_max: NonZeroUsize => Live,
        outbox_bytes_max: NonZeroUsize => Live,
        inbox_requests_max: NonZeroUsize => Live,
        journal_messages_max: NonZeroUsize => Restart,
        journal_bytes_max: NonZeroU32 => Restart,
        bus_announcements_max: NonZeroUsize => Restart,
        messages_per_second_max: NonZeroU32 => Live,
        messages_burst_max: NonZeroU32 => Live,
        presence_list_max: usize => Restart,
        receipts_members_max: usize => Restart,
        spaces_max: usize => Restart,
        connections_max: usize => Restart,
        ask_answers_max: usize => Restart,
    }
    durations {
        presence_grace_ms: presence_grace => Restart,
        recovery_ms: recovery => Restart,
        ping_interval_ms: ping_interval => Restart,
        ping_timeout_ms: ping_timeout => Restart,
        ask_wait_ms_max: ask_wait_max => Restart,
        write_stall_ms_max: write_stall_max => Restart,
        request_head_wait_ms_max: request_head_wait_max => Restart,
        keep_alive_ms_max: keep_alive_max => Restart,
        request_body_wait_ms_max: request_body_wait_max => Restart,
    }
}

/// The whole milliseconds of a default.
fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).expect("the defaults are seconds")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_equal_the_domain_defaults() {
        assert_eq!(LimitSettings::default().to_domain(), Limits::default());
    }
}
