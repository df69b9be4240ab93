//! The first items of an unsorted collection, for pages of lists.

use std::collections::BTreeSet;

/// The `count_max` least of distinct items, in order. Holds no more than these, so that a page of a
/// long list costs one pass.
pub(super) fn least<T: Ord>(items: impl Iterator<Item = T>, count_max: usize) -> BTreeSet<T> {
    let mut least = BTreeSet::new();
    for item in items {
        if least.len() < count_max {
            least.insert(item);
        } else if least.last().is_some_and(|last| item < *last) {
            least.pop_last();
            least.insert(item);
        }
    }
    least
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_items_are_kept_in_order() {
        let kept = |count_max| least([5, 1, 4, 2, 3].into_iter(), count_max);
        assert_eq!(Vec::from_iter(kept(2)), [1, 2]);
        assert_eq!(Vec::from_iter(kept(9)), [1, 2, 3, 4, 5]);
        assert!(kept(0).is_empty());
    }
}
