//! The spaces that exist by pattern: their number is limited, and empty ones are deleted.
//!
//! The engine creates a namespace with the first connection that a pattern allows, and never deletes
//! it. So each connection to such a space holds a claim, from its handshake on, and the last claim
//! deletes the namespace when it is dropped.

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

/// The claim of a connection on a space. Dropping the last claim deletes the namespace.
pub(super) struct SpaceClaim {
    spaces: Arc<Spaces>,
    io: SocketIo,
    path: Box<str>,
}

impl Spaces {
    /// No spaces, of which at most `spaces_max` may exist.
    pub(super) fn new(spaces_max: usize) -> Arc<Self> {
        Arc::new(Self { claims: Mutex::default(), spaces_max })
    }

    /// Claims the space at `path`, if it exists or the limit allows another one.
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
            debug!(spaces.max = self.spaces_max, "space refused: the limit of spaces is reached");
            return Err(Rejection::Unavailable);
        }
        Ok(SpaceClaim { spaces: Arc::clone(self), io, path: path.into() })
    }

    /// The number of spaces.
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
            // Under the lock, so that no new claim is made meanwhile. The namespace is empty.
            self.io.delete_ns(&self.path);
        }
    }
}

impl fmt::Debug for SpaceClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpaceClaim").field("path", &self.path).finish_non_exhaustive()
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
