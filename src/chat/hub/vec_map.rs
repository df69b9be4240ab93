//! A sorted map in one block of memory, for the many maps that hold one or a few entries.
//!
//! A hash map reserves four entries for its first one, and a user's entries are large. Searching is
//! binary, and inserting moves the entries behind: both are cheap up to some thousands.

use std::{mem, vec};

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct VecMap<K, V> {
    entries: Vec<(K, V)>,
}

/// The size up to which a map grows by single entries.
const SMALL: usize = 4;

impl<K: Ord, V> VecMap<K, V> {
    /// An empty map, which has allocated nothing.
    pub(super) const fn new() -> Self {
        Self { entries: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn get(&self, key: &K) -> Option<&V> {
        let place = self.place(key).ok()?;
        self.entries.get(place).map(|(_, value)| value)
    }

    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let place = self.place(key).ok()?;
        self.entries.get_mut(place).map(|(_, value)| value)
    }

    pub(super) fn contains_key(&self, key: &K) -> bool {
        self.place(key).is_ok()
    }

    /// Sets a value. Returns the one before.
    pub(super) fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.place(&key) {
            Ok(place) => {
                let (_, before) = self.entries.get_mut(place)?;
                Some(mem::replace(before, value))
            }
            Err(place) => {
                self.insert_at(place, (key, value));
                None
            }
        }
    }

    /// The value, made if there is none.
    pub(super) fn get_or_insert_with(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        let place = self.place(&key).unwrap_or_else(|place| {
            self.insert_at(place, (key, make()));
            place
        });
        let entry = self.entries.get_mut(place).expect("it was found or inserted there");
        &mut entry.1
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        let place = self.place(key).ok()?;
        let (_, value) = self.entries.remove(place);
        if self.entries.is_empty() {
            self.entries = Vec::new();
        }
        Some(value)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        self.entries.iter_mut().map(|(key, value)| (&*key, value))
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &K> {
        self.entries.iter().map(|(key, _)| key)
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.entries.iter().map(|(_, value)| value)
    }

    pub(super) fn into_values(self) -> impl Iterator<Item = V> {
        self.entries.into_iter().map(|(_, value)| value)
    }

    fn place(&self, key: &K) -> Result<usize, usize> {
        self.entries.binary_search_by(|(other, _)| other.cmp(key))
    }

    fn insert_at(&mut self, place: usize, entry: (K, V)) {
        if self.entries.len() < SMALL {
            self.entries.reserve_exact(1);
        }
        self.entries.insert(place, entry);
    }
}

impl<K, V> IntoIterator for VecMap<K, V> {
    type Item = (K, V);
    type IntoIter = vec::IntoIter<(K, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

impl<K: Ord, V> Default for VecMap<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for VecMap<K, V> {
    /// The last value of a key counts.
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut entries: Vec<_> = entries.into_iter().collect();
        entries.sort_by(|(one, _), (other, _)| one.cmp(other));
        entries.dedup_by(|later, earlier| {
            let is_same = later.0 == earlier.0;
            if is_same {
                mem::swap(later, earlier);
            }
            is_same
        });
        entries.shrink_to_fit();
        Self { entries }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_map(steps in prop::collection::vec((0..20_u8, 0..4_u8, any::<u16>()), 0..80)) {
            let (mut map, mut model) = (VecMap::new(), BTreeMap::new());
            for (key, step, value) in steps {
                match step {
                    0 => prop_assert_eq!(map.insert(key, value), model.insert(key, value)),
                    1 => prop_assert_eq!(map.remove(&key), model.remove(&key)),
                    2 => prop_assert_eq!(
                        map.get_or_insert_with(key, || value),
                        model.entry(key).or_insert(value)
                    ),
                    _ => prop_assert_eq!(map.get_mut(&key), model.get_mut(&key)),
                }
                prop_assert!(map.iter().eq(&model));
                prop_assert!(map.values().eq(model.values()));
                prop_assert_eq!(map.contains_key(&key), model.contains_key(&key));
                prop_assert!(map.keys().eq(model.keys()));
                prop_assert_eq!(map.len(), model.len());
            }
            prop_assert!(map.into_values().eq(model.into_values()));
        }
    }

    #[test]
    fn the_last_value_of_a_key_counts() {
        let map: VecMap<_, _> = [(2, 'a'), (1, 'b'), (2, 'c')].into_iter().collect();
        assert!(map.iter().eq([(&1, &'b'), (&2, &'c')]));
    }

    #[test]
    fn one_entry_reserves_no_room_for_others() {
        let map: VecMap<_, _> = [(1, 2)].into_iter().collect();
        assert_eq!(map.entries.capacity(), 1);
    }
}
