//! Which refusals of web pages the operator is told of.
//!
//! A page that may not connect tries again for as long as somebody has it open. Each site has one line
//! a minute, and every refusal has one at the level `debug`.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use tracing::{debug, info};

/// The time between two lines about the same site and reason.
const PAUSE: Duration = Duration::from_mins(1);
/// The sites that are remembered for a minute. Others have no line at the level `info`.
const SITES_MAX: usize = 64;
/// The characters of an origin that a line repeats: the longest host has 253.
const ORIGIN_CHARS_MAX: usize = 300;

/// Why a page is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum OriginProblem {
    /// It is of another site, which the settings do not have.
    Unlisted,
    /// It has no site: a file, or a frame in a sandbox.
    Opaque,
    /// There are several headers, or one that is no text.
    Malformed,
}

/// Writes the lines. Clones share what was told.
#[derive(Clone, Debug, Default)]
pub(super) struct OriginLog {
    told: Arc<Mutex<Told>>,
}

/// When the operator was told of a site.
#[derive(Debug, Default)]
struct Told(HashMap<(OriginProblem, Box<str>), Instant>);

impl OriginProblem {
    /// Why a page of this origin, which is not listed, is refused.
    pub(super) fn of_unlisted(origin: &str) -> Self {
        if origin == "null" { Self::Opaque } else { Self::Unlisted }
    }
}

impl fmt::Display for OriginProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unlisted => "the setting `origins` does not have its origin",
            Self::Opaque => {
                "it has no origin that the setting `origins` could have: serve it over HTTP"
            }
            Self::Malformed => "its header Origin cannot be read",
        })
    }
}

impl OriginLog {
    /// Records a refusal.
    pub(super) fn record(&self, problem: OriginProblem, origin: &str) {
        let origin: String = origin.chars().take(ORIGIN_CHARS_MAX).collect();
        debug!(origin, reason = %problem, "page refused");
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = told.is_due(problem, &origin, Instant::now());
        drop(told);
        if is_due {
            info!(origin, reason = %problem, "pages of a site are refused");
        }
    }
}

impl Told {
    /// Whether the operator is told now.
    fn is_due(&mut self, problem: OriginProblem, origin: &str, now: Instant) -> bool {
        let key = (problem, origin.into());
        if self.0.get(&key).is_some_and(|at| now.duration_since(*at) < PAUSE) {
            return false;
        }
        if self.0.len() >= SITES_MAX {
            self.0.retain(|_, at| now.duration_since(*at) < PAUSE);
        }
        let has_room = self.0.len() < SITES_MAX || self.0.contains_key(&key);
        if has_room {
            self.0.insert(key, now);
        }
        has_room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_told_once_a_minute_for_each_reason() {
        use OriginProblem::{Malformed, Unlisted};
        let (mut told, begin) = (Told::default(), Instant::now());
        for (problem, origin, secs, expected) in [
            (Unlisted, "https://a.example", 0, true),
            (Unlisted, "https://a.example", 59, false),
            (Malformed, "https://a.example", 59, true),
            (Unlisted, "https://b.example", 59, true),
            (Unlisted, "https://a.example", 60, true),
            (Unlisted, "https://a.example", 119, false),
        ] {
            let now = begin + Duration::from_secs(secs);
            assert_eq!(told.is_due(problem, origin, now), expected, "{problem:?} {origin} {secs}");
        }
    }

    #[test]
    fn few_sites_are_remembered() {
        let (mut told, begin) = (Told::default(), Instant::now());
        let mut due =
            |site: usize, now| told.is_due(OriginProblem::Unlisted, &site.to_string(), now);
        assert!((0..SITES_MAX).all(|site| due(site, begin)));
        assert!(!due(SITES_MAX, begin), "there is no room for another one");
        assert!((0..SITES_MAX).all(|site| !due(site, begin)));
        assert!(due(SITES_MAX, begin + PAUSE), "the others were told a minute ago");
        assert_eq!(told.0.len(), 1);
    }
}
