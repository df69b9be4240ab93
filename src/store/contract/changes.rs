//! Edits and deletions.

use super::*;

fn content(entry: &Entry) -> &Content {
    let Act::Said { content, .. } = &entry.act else { panic!("{entry:?} is no message") };
    content
}

fn edited(text: &str, n: u64) -> Content {
    Content::Body { body: body(text), edited_at: Some(time(n)) }
}

fn at_time(n: u64, draft: Draft) -> Draft {
    Draft { at: time(n), ..draft }
}

pub(super) async fn edits_and_deletions_are_entries_and_no_messages(store: &dyn Store) {
    commit(store, vec![numbered("lobby", 1), numbered("lobby", 2)]).await;
    let drafts = vec![
        edit("lobby", 1, "0"),
        numbered("lobby", 3),
        delete("lobby", 2),
        Draft { author: user("bob"), ..edit("lobby", 1, "1") },
    ];
    let expected = [at(3, 2), at(4, 3), at(5, 3), at(6, 3)].map(Outcome::Stored);
    assert_eq!(commit(store, drafts).await, expected);
    let head = at(6, 3);
    assert_eq!(log_state(store, &room("lobby")).await, Log { head, deleted: 1, ..Log::default() });
    let log = log(store, &room("lobby")).await;
    let positions: Vec<_> = log.iter().map(|entry| entry.position).collect();
    assert_eq!(positions, [at(1, 1), at(2, 2), at(3, 2), at(4, 3), at(5, 3), at(6, 3)]);
    assert_eq!(log[4].act, Act::Deleted { of: seq(2) });
    let last = (&log[5].author, &log[5].act);
    assert_eq!(last, (&user("bob"), &Act::Edited { of: seq(1), body: Some(body("1")) }));
}

pub(super) async fn an_edit_leaves_one_body_and_its_time(store: &dyn Store) {
    let attached = Body::from_raw(placeholder(), vec![Bytes::from_static(b"bytes")]);
    let first = with_body(numbered("lobby", 1), attached);
    commit(store, vec![first.clone(), numbered("lobby", 2)]).await;
    commit(store, vec![at_time(5, edit("lobby", 1, "\"second\""))]).await;
    commit(store, vec![at_time(4, edit("lobby", 1, "\"third\""))]).await;
    let found = log(store, &room("lobby")).await;
    assert_eq!(content(&found[0]), &edited("\"third\"", 4), "the last one, not the latest");
    assert_eq!(found[0].at, time(1), "the time of the message is unchanged");
    assert_eq!(found[1], stored(numbered("lobby", 2), 2), "the other message is unchanged");
    let shown = |body| Act::Edited { of: seq(1), body };
    let last = shown(Some(body("\"third\"")));
    assert_eq!(
        [&found[2].act, &found[3].act],
        [&shown(None), &last],
        "the repeated change has no effect"
    );

    let with_bytes = Body::from_raw(placeholder(), vec![Bytes::from_static(b"more")]);
    let act = crate::chat::ports::DraftAct::Edit { of: seq(1), body: with_bytes.clone() };
    commit(store, vec![Draft { act, ..first }]).await;
    let found = log(store, &room("lobby")).await;
    assert_eq!(found[0].body(), Some(&with_bytes));
    assert_eq!(found[4].body(), Some(&with_bytes));
}

pub(super) async fn a_deletion_leaves_no_body(store: &dyn Store) {
    let attached = Body::from_raw(placeholder(), vec![Bytes::from_static(b"bytes")]);
    commit(store, vec![with_body(numbered("lobby", 1), attached), numbered("lobby", 2)]).await;
    commit(store, vec![edit("lobby", 1, "\"second\"")]).await;
    commit(store, vec![at_time(9, delete("lobby", 1))]).await;
    let found = log(store, &room("lobby")).await;
    assert_eq!(content(&found[0]), &Content::Removed);
    assert_eq!(found[2].act, Act::Edited { of: seq(1), body: None });
    assert_eq!((&found[3].act, found[3].at), (&Act::Deleted { of: seq(1) }, time(9)));
    assert_eq!(found[1], stored(numbered("lobby", 2), 2), "the other message is unchanged");
}

pub(super) async fn messages_can_be_changed_in_the_batch_that_stores_them(store: &dyn Store) {
    let drafts = vec![
        numbered("lobby", 1),
        at_time(7, edit("lobby", 1, "\"a\"")),
        at_time(8, edit("lobby", 1, "\"b\"")),
        numbered("lobby", 4),
        edit("lobby", 4, "\"c\""),
        delete("lobby", 4),
        edit("lobby", 4, "\"d\""),
    ];
    let mut expected: Vec<_> =
        [at(1, 1), at(2, 1), at(3, 1), at(4, 2), at(5, 2), at(6, 2)].map(Outcome::Stored).into();
    expected.push(Outcome::NoMessage);
    assert_eq!(commit(store, drafts).await, expected);
    let found = log(store, &room("lobby")).await;
    assert_eq!(content(&found[0]), &edited("\"b\"", 8));
    assert_eq!(found[2].body(), Some(&body("\"b\"")));
    assert_eq!(content(&found[3]), &Content::Removed);
    assert_eq!(found[4].act, Act::Edited { of: seq(4), body: None });
}

pub(super) async fn only_messages_are_changed(store: &dyn Store) {
    let notification = with_kind(numbered("lobby", 1), MessageKind::Notification);
    commit(store, vec![notification, numbered("lobby", 2), edit("lobby", 2, "0")]).await;
    commit(store, vec![delete("lobby", 2), numbered("other", 1)]).await;
    // The notification; a deleted message; an edit; a deletion; and an entry that does not exist.
    for of in [1, 2, 3, 4, 5, 6, 0, u64::MAX] {
        let outcome = commit(store, vec![edit("lobby", of, "1")]).await;
        assert_eq!(outcome, [Outcome::NoMessage], "an edit of {of}");
    }
    for of in [3, 4, 5, 6, 0, u64::MAX] {
        let outcome = commit(store, vec![delete("lobby", of)]).await;
        assert_eq!(outcome, [Outcome::NoMessage], "a deletion of {of}");
    }
    assert_eq!(log_state(store, &room("lobby")).await.head, at(4, 2), "and takes no seq");
    let nowhere = commit(store, vec![edit("empty", 1, "1"), delete("empty", 1)]).await;
    assert_eq!(nowhere, [Outcome::NoMessage, Outcome::NoMessage]);
    assert_eq!(log_state(store, &room("empty")).await, Log::default());
    let taken_away = commit(store, vec![delete("lobby", 1)]).await;
    assert_eq!(taken_away, [Outcome::Stored(at(5, 2))], "a notification may be deleted");
}

pub(super) async fn a_message_is_found_with_its_author(store: &dyn Store) {
    let by_guest = Draft { guest_session: Some("first".into()), ..numbered("lobby", 2) };
    let drafts = vec![
        numbered("lobby", 1),
        with_kind(by_guest, MessageKind::GroupChat),
        edit("lobby", 1, "0"),
        delete("lobby", 2),
    ];
    commit(store, drafts).await;
    let found = async |n| store.message(&room("lobby"), seq(n)).await.unwrap();
    let message = |id: &str, kind, session: Option<&str>| {
        let (id, author) = (MessageId::from_raw(id), user("author"));
        Some(PostedMessage { id, author, guest_session: session.map(Into::into), kind })
    };
    assert_eq!(found(1).await, message("1", MessageKind::Message, None));
    assert_eq!(found(2).await, message("2", MessageKind::GroupChat, Some("first")), "deleted");
    for n in [0, 3, 4, 5, u64::MAX] {
        assert_eq!(found(n).await, None, "{n}");
    }
    assert_eq!(store.message(&room("other"), seq(1)).await.unwrap(), None);
}

pub(super) async fn a_deletion_happens_once(store: &dyn Store) {
    commit(store, vec![numbered("lobby", 1), numbered("lobby", 2)]).await;
    let first = at_time(5, delete("lobby", 1));
    let later = at_time(6, Draft { author: user("admin"), ..delete("lobby", 1) });
    let again = Outcome::Duplicate { seq: seq(3), at: time(5) };
    let outcomes = commit(store, vec![first, later.clone()]).await;
    assert_eq!(outcomes, [Outcome::Stored(at(3, 2)), again]);
    assert_eq!(commit(store, vec![later]).await, [again]);
    assert_eq!(head(store, &room("lobby")).await, seq(3));
}

/// An id identifies one message, but any number of changes.
pub(super) async fn changes_carry_any_id(store: &dyn Store) {
    commit(store, vec![numbered("lobby", 1), numbered("lobby", 2)]).await;
    let carrying = |id: &Draft, draft: Draft| Draft { id: id.id.clone(), ..draft };
    let (one, two) = (numbered("lobby", 1), numbered("lobby", 2));
    let drafts = vec![
        carrying(&one, edit("lobby", 1, "0")),
        carrying(&one, edit("lobby", 1, "0")),
        carrying(&two, delete("lobby", 2)),
    ];
    let expected = [at(3, 2), at(4, 2), at(5, 2)].map(Outcome::Stored);
    assert_eq!(commit(store, drafts).await, expected);
    let log = log(store, &room("lobby")).await;
    assert!(log[2..].iter().map(|it| it.id.as_raw()).eq(["1", "1", "2"]));
    let third = carrying(&draft("", "changed", ""), numbered("lobby", 6));
    assert_eq!(commit(store, vec![third]).await, [Outcome::Stored(at(6, 3))]);
}
