//! Idempotency: a message is stored once.

use super::*;

pub(super) async fn a_repeat_is_always_a_duplicate(store: &dyn Store) {
    commit(store, (1..=50).map(|n| numbered("lobby", n)).collect()).await;
    commit(store, (51..=100).map(|n| numbered("lobby", n)).collect()).await;
    for n in [1, 50, 51, 100] {
        let expected = Outcome::Duplicate { seq: seq(n), at: time(n) };
        assert_eq!(commit(store, vec![numbered("lobby", n)]).await, [expected]);
        assert_eq!(commit(store, vec![numbered("lobby", n)]).await, [expected], "again");
    }
}

pub(super) async fn a_repeat_within_a_batch_is_a_duplicate(store: &dyn Store) {
    let (one, two) = (numbered("lobby", 1), numbered("lobby", 2));
    let other = with_body(one.clone(), body("\"other\""));
    let outcomes = commit(store, vec![one.clone(), two, one.clone(), other, one]).await;
    let again = Outcome::Duplicate { seq: seq(1), at: time(1) };
    let expected = [1, 2].map(|n| Outcome::Stored(nth(n)));
    assert_eq!(outcomes[..2], expected);
    assert_eq!(outcomes[2..], [again, Outcome::Conflict, again]);
    assert_eq!(head(store, &room("lobby")).await, seq(2));
}

pub(super) async fn an_id_belongs_to_its_author_and_place(store: &dyn Store) {
    let by = |author: &str, room: &str| Draft { author: user(author), ..draft(room, "same", "0") };
    let drafts = vec![by("ann", "a"), by("bob", "a"), by("Ann", "a"), by("ann", "b")];
    let outcomes = commit(store, drafts.clone()).await;
    assert_eq!(outcomes, [1, 2, 3, 1].map(|n| Outcome::Stored(nth(n))));
    let again = commit(store, drafts).await;
    assert_eq!(again, [1, 2, 3, 1].map(|n| Outcome::Duplicate { seq: seq(n), at: time(1) }));
    let case = commit(store, vec![draft("a", "Same", "0")]).await;
    assert_eq!(case, [Outcome::Stored(nth(4))], "upper and lower case are two ids");
}

pub(super) async fn an_id_belongs_to_the_guest_session(store: &dyn Store) {
    let by = |session: Option<&str>, text: &str| Draft {
        guest_session: session.map(Into::into),
        ..draft("lobby", "same", text)
    };
    commit(store, vec![by(Some("first"), "1")]).await;
    let drafts = vec![by(Some("second"), "2"), by(None, "3"), by(Some("second"), "2")];
    let [two, three] = [2, 3].map(|n| Outcome::Stored(nth(n)));
    let again = |n| Outcome::Duplicate { seq: seq(n), at: time(1) };
    assert_eq!(commit(store, drafts).await, [two, three, again(2)]);
    let drafts = vec![by(Some("first"), "1"), by(Some("second"), "1"), by(None, "3")];
    assert_eq!(commit(store, drafts).await, [again(1), Outcome::Conflict, again(3)]);
    assert_eq!(head(store, &room("lobby")).await, seq(3));
}

pub(super) async fn the_same_id_with_anything_else_is_a_conflict(store: &dyn Store) {
    let with = |text: &str, attachments: &[&'static [u8]]| {
        Body::from_raw(text.into(), attachments.iter().map(|it| Bytes::from_static(it)).collect())
    };
    let first = with_body(draft("lobby", "1", ""), with("[1]", &[b"ab", b"c"]));
    commit(store, vec![first.clone()]).await;
    let others = [
        with("[2]", &[b"ab", b"c"]),
        with("[1]", &[b"a", b"bc"]),
        with("[1]", &[b"ab", b"c", b""]),
        with("[1]", &[b"ab"]),
        with("[1]", &[]),
        with("[1] ", &[b"ab", b"c"]),
    ];
    for body in others {
        let other = with_body(first.clone(), body);
        assert_eq!(commit(store, vec![other.clone()]).await, [Outcome::Conflict], "{other:?}");
    }
    let other = with_kind(first.clone(), MessageKind::GroupChat);
    assert_eq!(commit(store, vec![other]).await, [Outcome::Conflict], "as another event");
    assert_eq!(log(store, &room("lobby")).await, [stored(first, 1)], "the first message is kept");
}

pub(super) async fn repeats_and_conflicts_take_no_seq(store: &dyn Store) {
    commit(store, vec![numbered("lobby", 1)]).await;
    let conflict = with_body(numbered("lobby", 1), body("\"no\""));
    let drafts = vec![numbered("lobby", 1), numbered("lobby", 2), conflict, numbered("lobby", 3)];
    let outcomes = commit(store, drafts).await;
    let again = Outcome::Duplicate { seq: seq(1), at: time(1) };
    let [two, three] = [2, 3].map(|n| Outcome::Stored(nth(n)));
    assert_eq!(outcomes, [again, two, Outcome::Conflict, three]);
    assert_eq!(head(store, &room("lobby")).await, seq(3));
    let only_repeats = vec![numbered("lobby", 2), numbered("lobby", 3)];
    commit(store, only_repeats).await;
    assert_eq!(head(store, &room("lobby")).await, seq(3));
}

pub(super) async fn a_repeat_of_a_changed_message_is_a_duplicate_with_any_body(store: &dyn Store) {
    let says = |n, text: &str| with_body(numbered("lobby", n), body(text));
    commit(store, (1..=3).map(|n| numbered("lobby", n)).collect()).await;
    commit(store, vec![edit("lobby", 1, "\"new\""), delete("lobby", 2)]).await;
    let again = |n| Outcome::Duplicate { seq: seq(n), at: time(n) };
    let drafts = vec![says(1, "1"), says(1, "\"new\""), says(1, "5"), says(2, "2"), says(2, "5")];
    let expected = [again(1), again(1), again(1), again(2), again(2)];
    assert_eq!(commit(store, drafts).await, expected);
    let drafts = vec![edit("lobby", 3, "0"), says(3, "5"), delete("lobby", 3), says(3, "6")];
    let outcomes = commit(store, drafts).await;
    assert_eq!([outcomes[1], outcomes[3]], [again(3), again(3)], "in one batch, too");
    let other = with_kind(says(1, "1"), MessageKind::GroupChat);
    assert_eq!(commit(store, vec![other]).await, [Outcome::Conflict], "of the kind is known");
}

pub(super) async fn a_batch_with_a_repeat_is_stored_once(store: &dyn Store) {
    commit(store, vec![numbered("lobby", 1)]).await;
    let ann = guest(&Space::root(), "ann");
    let drafts = vec![
        numbered("new", 1),
        edit("lobby", 1, "\"new\""),
        numbered("lobby", 2),
        numbered("lobby", 1),
        numbered("lobby", 3),
    ];
    let batch = Batch {
        seen: vec![ann],
        changes: vec![change("new", "ann", JOIN)],
        drafts,
        ..Batch::default()
    };
    let committed = store.commit(batch.into()).await.unwrap();
    let again = Outcome::Duplicate { seq: seq(1), at: time(1) };
    let [new, edited, two, three] = [nth(1), at(2, 1), at(3, 2), at(4, 3)].map(Outcome::Stored);
    assert_eq!(committed.outcomes, [new, edited, two, again, three]);
    assert_eq!(committed.changed[0].before, None, "she joins once");
    let new = Log { head: nth(1), members: 1, ..Log::default() };
    assert_eq!(log_state(store, &room("new")).await, new);
    assert_eq!(log_state(store, &room("lobby")).await.head, at(4, 3));
    assert_eq!(log(store, &room("lobby")).await.len(), 4);
    assert_eq!(memberships(store, "ann").await.len(), 1);
}
