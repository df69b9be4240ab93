//! Spaces that exist by pattern: how many there are, and that empty ones go.
//!
//! The engine makes a namespace when somebody first asks for one that a pattern allows, and keeps it
//! for ever. So whoever comes to such a space claims it, and the last claim takes the namespace with
//! it, also when nobody got further than the door.

use std::{collections::HashMap, fmt, sync::Arc};

use parking_lot::Mutex;
use socketioxide::SocketIo;
use tracing::debug;

use crate::domain::Rejection;

/// See the module.
pub(super) struct Spaces {
    claims: Mutex<HashMap<Box<str>, usize>>,
    spaces_max: usize,
}

/// A reason for a space to exist. Dropping the last one ends it.
pub(super) struct SpaceClaim {
    spaces: Arc<Spaces>,
    io: SocketIo,
    path: Box<str>,
}

impl Spaces {
    /// None yet.
    pub(super) fn new(spaces_max: usize) -> Arc<Self> {
        Arc::new(Self { claims: Mutex::default(), spaces_max })
    }

    /// Claims the space at `path`, if it exists or another one may.
    pub(super) fn claim(
        self: &Arc<Self>,
        io: SocketIo,
        path: &str,
    ) -> Result<SpaceClaim, Rejection> {
        let mut claims = self.claims.lock();
        if let Some(count) = claims.get_mut(path) {
            *count += 1;
        } else if claims.len() < self.spaces_max {
            claims.insert(path.into(), 1);
        } else {
            io.delete_ns(path);
            drop(claims);
            debug!(spaces.max = self.spaces_max, "there are as many spaces as there may be");
            return Err(Rejection::Unavailable);
        }
        Ok(SpaceClaim { spaces: Arc::clone(self), io, path: path.into() })
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.claims.lock().len()
    }
}

impl Drop for SpaceClaim {
    fn drop(&mut self) {
        let mut claims = self.spaces.claims.lock();
        let Some(count) = claims.get_mut(&self.path) else { return };
        *count -= 1;
        if *count == 0 {
            claims.remove(&self.path);
            // Under the lock, so that nobody claims what is about to go. Nobody is in it.
            self.io.delete_ns(&self.path);
        }
    }
}

impl fmt::Debug for SpaceClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim").field("path", &self.path).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn io() -> SocketIo {
        let (_service, io) = SocketIo::new_svc();
        io
    }

    fn open(io: &SocketIo, path: &'static str) {
        io.ns(path, async || {});
    }

    #[test]
    fn dropping_the_last_claim_deletes_the_namespace() {
        let (spaces, io) = (Spaces::new(2), io());
        open(&io, "/team-a");
        let one = spaces.claim(io.clone(), "/team-a").unwrap();
        let two = spaces.claim(io.clone(), "/team-a").unwrap();
        drop(one);
        assert!(io.of("/team-a").is_some());
        drop(two);
        assert!(io.of("/team-a").is_none());
        assert!(spaces.claims.lock().is_empty());
    }

    #[test]
    fn a_space_beyond_the_limit_is_deleted() {
        let (spaces, io) = (Spaces::new(1), io());
        open(&io, "/team-a");
        open(&io, "/team-b");
        let _claim = spaces.claim(io.clone(), "/team-a").unwrap();
        let refused = spaces.claim(io.clone(), "/team-b").map(drop);
        assert_eq!(refused, Err(Rejection::Unavailable));
        assert!(io.of("/team-b").is_none());
        assert!(io.of("/team-a").is_some());
    }
}
