//! Pages of a log.

use super::*;

pub(super) async fn pages_respect_their_bounds(store: &dyn Store) {
    commit(store, (1..=5).map(|n| numbered("lobby", n)).collect()).await;
    let (before, after) = (|n| PageRange::Before(seq(n)), |n| PageRange::After(seq(n)));
    let cases: [(PageRange, u32, &[u64]); 19] = [
        (PageRange::Newest, 0, &[5]),
        (PageRange::Newest, 1, &[5]),
        (PageRange::Newest, 4, &[2, 3, 4, 5]),
        (PageRange::Newest, 5, &[1, 2, 3, 4, 5]),
        (PageRange::Newest, u32::MAX, &[1, 2, 3, 4, 5]),
        (before(0), 9, &[]),
        (before(1), 9, &[]),
        (before(4), 2, &[2, 3]),
        (before(4), 3, &[1, 2, 3]),
        (before(5), 0, &[4]),
        (before(6), 2, &[4, 5]),
        (before(u64::MAX), 2, &[4, 5]),
        (after(0), 2, &[1, 2]),
        (after(0), u32::MAX, &[1, 2, 3, 4, 5]),
        (after(3), 9, &[4, 5]),
        (after(4), 0, &[5]),
        (after(4), 1, &[5]),
        (after(5), 9, &[]),
        (after(u64::MAX), 9, &[]),
    ];
    for (range, limit, expected) in cases {
        let page = page(store, &room("lobby"), range, limit).await;
        let found: Vec<_> = page.iter().map(|message| message.seq().as_raw()).collect();
        assert_eq!(found, expected, "{range:?}, at most {limit}");
    }
}

/// A page ends before its bodies exceed the limit, but holds at least one entry.
pub(super) async fn a_page_is_bounded_in_bytes_and_attachments(store: &dyn Store) {
    let attached = |n: u64| {
        let body = Body::from_raw("[]".into(), vec![Bytes::from_static(b"12345678")]);
        with_body(numbered("lobby", n), body)
    };
    commit(store, (1..=5).map(attached).collect()).await;
    let (before, after) = (|n| PageRange::Before(seq(n)), |n| PageRange::After(seq(n)));
    let numbers = async |range, bytes, attachments| {
        let limit = PageLimit { messages: 10, bytes, attachments };
        let page = store.page(&room("lobby"), range, limit).await.unwrap();
        let found: Vec<_> = page.entries.iter().map(|message| message.seq().as_raw()).collect();
        (found, page.more)
    };
    assert_eq!(numbers(after(0), 30, 10).await, (vec![1, 2, 3], true));
    assert_eq!(numbers(after(2), 30, 10).await, (vec![3, 4, 5], false));
    assert_eq!(numbers(PageRange::Newest, 1000, 2).await, (vec![4, 5], true));
    assert_eq!(numbers(before(4), 1000, 2).await, (vec![2, 3], true));
    assert_eq!(numbers(after(0), 0, 0).await, (vec![1], true));
    assert_eq!(numbers(after(4), 0, 0).await, (vec![5], false));
}

pub(super) async fn a_page_counts_the_bodies_that_edits_show(store: &dyn Store) {
    let text = format!("\"{}\"", "x".repeat(98));
    let drafts = [
        numbered("lobby", 1),
        edit("lobby", 1, "2"),
        edit("lobby", 1, &text),
        delete("lobby", 1),
        numbered("lobby", 5),
    ];
    commit(store, drafts[..3].to_vec()).await;
    let count = async |bytes| {
        let limit = PageLimit { messages: 10, bytes, attachments: 10 };
        let page = store.page(&room("lobby"), PageRange::After(Seq::ZERO), limit).await.unwrap();
        (page.entries.len(), page.more)
    };
    assert_eq!(count(199).await, (2, true), "the message and its last edit have the current body");
    assert_eq!(count(200).await, (3, false), "the earlier edit has no body");
    commit(store, drafts[3..].to_vec()).await;
    assert_eq!(count(0).await, (4, true), "and then nothing");
}
