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

/// Defines the settings and both conversions from one list of names.
///
/// Durations are [`Duration`]s in [`Limits`] and milliseconds here, with the unit in the key.
macro_rules! limits {
    (counts { $($count:ident: $type:ty,)* } durations { $($ms:ident: $duration:ident,)* }) => {
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
        body_bytes_max: NonZeroUsize,
        frame_bytes_max: NonZeroUsize,
        attachments_max: usize,
        rooms_per_user_max: NonZeroUsize,
        spaces_per_connection_max: NonZeroUsize,
        history_messages_max: NonZeroU32,
        recover_messages_max: u64,
        ring_messages_max: NonZeroUsize,
        ring_bytes_max: NonZeroUsize,
        outbox_events_max: NonZeroUsize,
        outbox_bytes_max: NonZeroUsize,
        inbox_requests_max: NonZeroUsize,
        journal_messages_max: NonZeroUsize,
        journal_bytes_max: NonZeroU32,
        bus_announcements_max: NonZeroUsize,
        messages_per_second_max: NonZeroU32,
        messages_burst_max: NonZeroU32,
        presence_list_max: usize,
        receipts_members_max: usize,
        spaces_max: usize,
        connections_max: usize,
        ask_answers_max: usize,
    }
    durations {
        presence_grace_ms: presence_grace,
        recovery_ms: recovery,
        ping_interval_ms: ping_interval,
        ping_timeout_ms: ping_timeout,
        ask_wait_ms_max: ask_wait_max,
        write_stall_ms_max: write_stall_max,
        request_head_wait_ms_max: request_head_wait_max,
        keep_alive_ms_max: keep_alive_max,
        request_body_wait_ms_max: request_body_wait_max,
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
