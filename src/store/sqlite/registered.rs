//! Names of registered users, as far as it fits into memory: almost all names of guests are known
//! not to be registered without a query.
//!
//! This is a Bloom filter. It never grows and never forgets: a name that was registered once stays
//! reserved. With 100,000 registered names a query is made for 2 of 100 others, with a million for
//! most of them.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::atomic::{AtomicU64, Ordering},
};

use rusqlite::Connection;

use crate::domain::{NameKey, Space};

/// The bits of a hash that address a bit of the filter.
const ADDRESS_BITS: u32 = 20;
/// The bits of the filter that a name sets. Their addresses are parts of one hash.
const BITS_PER_NAME: u32 = 3;
/// The number of words of the filter: 128 KiB.
const WORDS: usize = (1 << ADDRESS_BITS) / u64::BITS as usize;

pub(super) const REGISTERED_NAMES: &str = "SELECT space, key FROM user WHERE vouched = 1";

/// See the module.
#[derive(Debug)]
pub(super) struct RegisteredNames {
    words: Box<[AtomicU64]>,
    hasher: RandomState,
}

impl RegisteredNames {
    /// The names in a database.
    pub(super) fn load(connection: &Connection) -> Result<Self, rusqlite::Error> {
        let words = (0..WORDS).map(|_| AtomicU64::default()).collect();
        let names = Self { words, hasher: RandomState::new() };
        let mut statement = connection.prepare(REGISTERED_NAMES)?;
        let mut rows = statement.query(())?;
        while let Some(row) = rows.next()? {
            names.add(row.get_ref("space")?.as_str()?, row.get_ref("key")?.as_str()?);
        }
        Ok(names)
    }

    /// Adds a name, before it is stored.
    pub(super) fn insert(&self, space: &Space, key: &NameKey) {
        self.add(space.as_raw(), key.as_raw());
    }

    /// Whether a name may be one of these. `false` is certain.
    pub(super) fn may_contain(&self, space: &Space, key: &NameKey) -> bool {
        let is_set = |(word, bit): (&AtomicU64, u64)| word.load(Ordering::Relaxed) & bit != 0;
        self.bits(space.as_raw(), key.as_raw()).all(is_set)
    }

    fn add(&self, space: &str, key: &str) {
        for (word, bit) in self.bits(space, key) {
            word.fetch_or(bit, Ordering::Relaxed);
        }
    }

    /// The words and the bits in them that belong to a name.
    fn bits(&self, space: &str, key: &str) -> impl Iterator<Item = (&AtomicU64, u64)> {
        let hash = self.hasher.hash_one((space, key));
        (0..BITS_PER_NAME).filter_map(move |part| {
            let address = (hash >> (part * ADDRESS_BITS)) % (1 << ADDRESS_BITS);
            let word = usize::try_from(address / u64::from(u64::BITS)).ok()?;
            Some((self.words.get(word)?, 1 << (address % u64::from(u64::BITS))))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::UserName;

    #[test]
    fn names_that_were_added_are_found_and_others_are_rarely_taken_for_them() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE user (space, key, vouched)").unwrap();
        let names = RegisteredNames::load(&connection).unwrap();
        let key = |number: u32| UserName::from_raw(&format!("user {number}")).key();
        let (root, shop) = (Space::root(), Space::from_raw("shop"));
        (0..1000).for_each(|number| names.insert(&root, &key(number)));
        assert!((0..1000).all(|number| names.may_contain(&root, &key(number))));
        let others = (1000..2000).filter(|&number| names.may_contain(&root, &key(number))).count();
        let in_shop = (0..1000).filter(|&number| names.may_contain(&shop, &key(number))).count();
        assert!(others + in_shop < 20, "{others} and {in_shop}");
    }
}
