//! A value that a reload of the settings replaces as a whole.

use std::{fmt, sync::Arc};

use parking_lot::RwLock;

/// See the module. Clones are handles to the same value.
#[derive(Default)]
pub struct Replaceable<T>(Arc<RwLock<Arc<T>>>);

impl<T> Replaceable<T> {
    /// This value, until it is replaced.
    pub fn new(value: T) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(value))))
    }

    /// The value now. Whoever holds it sees no later one.
    pub fn get(&self) -> Arc<T> {
        Arc::clone(&self.0.read())
    }

    /// Replaces the value.
    pub fn replace(&self, value: T) {
        *self.0.write() = Arc::new(value);
    }
}

impl<T> Clone for Replaceable<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: fmt::Debug> fmt::Debug for Replaceable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_handles_see_the_new_value_and_holders_keep_theirs() {
        let value = Replaceable::new(1);
        let (handle, held) = (value.clone(), value.get());
        handle.replace(2);
        assert_eq!((*value.get(), *held), (2, 1));
    }
}
