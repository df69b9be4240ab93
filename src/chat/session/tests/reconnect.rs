//! The load on the store when many clients reconnect at once.

use std::{num::NonZeroUsize, sync::atomic::Ordering};

use futures_util::future::join_all;

use super::*;

const USERS: usize = 1000;

fn lobby(after: u64) -> Vec<(RoomName, Seq)> {
    vec![(RoomName::lobby(), Seq::from_raw(after))]
}

/// Stores a thousand users, and messages that were sent after they connected.
async fn store_history(store: &Arc<CountingStore>, messages: usize) {
    with_chat_on(store, Limits::default(), async |fixture| {
        let users = (0..USERS).map(|number| {
            let token = fixture.token(&format!("user{number}"), Duration::from_mins(1));
            fixture.enter(Some(token))
        });
        drop(join_all(users).await);
        let token = fixture.token("ann", Duration::from_mins(1));
        let (mut ann, _outbox) = fixture.enter(Some(token)).await;
        for _ in 0..messages {
            assert!(ask(&mut ann, post()).await.is_ok());
        }
    })
    .await;
}

/// Reconnects all users at once and returns the replays that each received.
async fn reconnect_all(fixture: &Fixture, after: u64) -> Vec<Vec<String>> {
    let users = (0..USERS).map(async |number| {
        let token = fixture.token(&format!("user{number}"), Duration::from_mins(1));
        fixture.enter_since(Some(token), lobby(after)).await
    });
    let received = |(_session, outbox): &(Session, Arc<RecordingOutbox>)| {
        let events = outbox.events().into_iter();
        events.filter(|it| it.starts_with("missed") || it.starts_with("too far")).collect()
    };
    join_all(users).await.iter().map(received).collect()
}

#[tokio::test]
async fn thousand_reconnects_after_restart_cost_one_page_and_few_commits() {
    let store = Arc::default();
    store_history(&store, 200).await;
    let (commits, pages) = (&store.commits, &store.pages);
    commits.store(0, Ordering::SeqCst);
    store.others.store(0, Ordering::SeqCst);
    with_chat_on(&store, Limits::default(), async |fixture| {
        let run: Vec<_> = (101..=200).collect();
        for received in reconnect_all(fixture, 100).await {
            assert_eq!(received, [format!("missed {run:?}")]);
        }
    })
    .await;
    assert_eq!(pages.load(Ordering::SeqCst), 1, "the ring serves the others");
    assert_eq!(store.others.load(Ordering::SeqCst), 1, "the authors' names, and no read per user");
    assert!(commits.load(Ordering::SeqCst) <= 1 + USERS / 100, "connects share transactions");
}

#[tokio::test]
async fn replay_beyond_ring_reads_pages_without_gaps() {
    let store = Arc::default();
    store_history(&store, 500).await;
    let ring_messages_max = NonZeroUsize::new(50).unwrap();
    with_chat_on(&store, Limits { ring_messages_max, ..Limits::default() }, async |fixture| {
        let token = fixture.token("user1", Duration::from_mins(1));
        let (_user, outbox) = fixture.enter_since(Some(token), lobby(1)).await;
        let part = |from: u64, to: u64| format!("missed {:?}", (from..=to).collect::<Vec<_>>());
        let events = outbox.events();
        let missed: Vec<_> = events.iter().filter(|it| it.starts_with("missed")).collect();
        let (one, two, three) = (part(2, 201) + " …", part(202, 401) + " …", part(402, 500));
        // The last entries are sent from the ring, or from the store and then a part without
        // `more`.
        assert_eq!(missed[..2], [&one, &two]);
        assert_eq!(missed[2].trim_end_matches(" …"), three);
        assert!(!missed.last().unwrap().ends_with('…'));
    })
    .await;
}
