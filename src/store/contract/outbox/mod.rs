//! The contract of the outbox of webhooks.

mod presence;

use std::sync::Arc;

use super::*;
use crate::{
    chat::ports::{
        AttemptOutcome, ConnectionEnd, DeadLetters, OutboxEvent, PresenceKind, PresenceRecord,
        PresenceSubject, PresentClient, Recording, StoredAct, WEBHOOK_LEASE, WebhookEvent,
        WebhookOutbox,
    },
    domain::{
        CloseReason, ConnectionAddress, ConnectionId, NodeId, WebhookEventKind, WebhookName,
        WebhookRule, WebhookRules,
    },
};

const ALL: usize = 1000;

/// Tests an outbox against its port. Each guarantee gets an empty store.
pub(crate) async fn outbox_contract<S: Store + WebhookOutbox>(open: impl AsyncFn() -> S + Sync) {
    check! { open to
        outbox::{
            a_commit_records_what_it_changes,
            a_commit_records_nothing_that_is_not_wanted,
            memberships_that_end_with_their_user_are_recorded,
            memberships_that_retention_ends_are_recorded,
            every_event_round_trips,
            waiting_events_are_read_in_order_without_subjects,
            delivered_events_are_removed_and_failures_counted,
            a_batch_stays_together_and_comes_first,
            dead_letters_are_listed_and_resent,
            old_events_are_removed,
        }
        presence::{
            presence_is_told_once,
            a_connection_is_told_with_its_client,
            presence_of_earlier_nodes_is_lost,
        }
    }
}

/// Tests an outbox that two nodes share, which are both alive. `pass` makes leases older.
pub(crate) async fn shared_outbox_contract<S: Store + WebhookOutbox>(
    (one, other): (&S, &S),
    (one_node, other_node): (&NodeId, &NodeId),
    pass: impl AsyncFn(std::time::Duration) + Sync,
) {
    let webhook = webhook("a");
    assert!(one.acquire_lease(&webhook, one_node).await.unwrap());
    assert!(!other.acquire_lease(&webhook, other_node).await.unwrap(), "one sender");
    assert!(one.acquire_lease(&webhook, one_node).await.unwrap(), "it is renewed");
    one.release_leases(one_node).await.unwrap();
    assert!(other.acquire_lease(&webhook, other_node).await.unwrap());

    let on = |node: &NodeId, appeared: Vec<_>, gone: Vec<_>| {
        let appeared = appeared.into_iter().map(|it| (it, PresentClient::default())).collect();
        let gone = gone.into_iter().map(|it| (it, ConnectionEnd::ByClient)).collect();
        let record = PresenceRecord { appeared, gone, ..presence_record() };
        Arc::new(PresenceRecord { node: node.clone(), ..record })
    };
    let ann = || subject(PresenceKind::User(user("ann")));
    one.record_presence(on(one_node, vec![ann()], vec![])).await.unwrap();
    other.record_presence(on(other_node, vec![ann()], vec![])).await.unwrap();
    let nothing = on(one_node, vec![], vec![]);
    assert_eq!(one.end_lost_presence(nothing).await.unwrap(), 1, "the other node is alive");
    one.record_presence(on(one_node, vec![], vec![ann()])).await.unwrap();
    assert_eq!(types(&waiting(one).await), ["user.online"]);
    other.record_presence(on(other_node, vec![], vec![ann()])).await.unwrap();
    assert_eq!(types(&waiting(one).await), ["user.online", "user.offline"]);

    pass(WEBHOOK_LEASE / 2).await;
    assert!(!one.acquire_lease(&webhook, one_node).await.unwrap(), "it lasts");
    pass(WEBHOOK_LEASE / 2).await;
    assert!(one.acquire_lease(&webhook, one_node).await.unwrap(), "it has ended");
    assert!(!other.acquire_lease(&webhook, other_node).await.unwrap());
}

pub(crate) fn webhook(name: &str) -> WebhookName {
    WebhookName::from_raw(name)
}

fn rules(kinds: &[WebhookEventKind]) -> Arc<WebhookRules> {
    let kinds = kinds.iter().copied().collect();
    Arc::new(WebhookRules::new(vec![WebhookRule { name: webhook("a"), kinds, spaces: vec![] }]))
}

fn recording(kinds: &[WebhookEventKind]) -> Recording {
    Recording { rules: rules(kinds), at: time(7), by: vec![Some(user("boss"))] }
}

/// Changes of the presence on a node.
pub(crate) fn presence_record() -> PresenceRecord {
    PresenceRecord {
        node: node(),
        appeared: Vec::new(),
        gone: Vec::new(),
        rules: rules(&WebhookEventKind::ALL),
        at: time(3),
    }
}

pub(crate) fn subject(kind: PresenceKind) -> PresenceSubject {
    PresenceSubject { space: Space::root(), kind }
}

async fn waiting(outbox: &dyn WebhookOutbox) -> Vec<OutboxEvent> {
    outbox.waiting(&webhook("a"), &[], ALL).await.unwrap()
}

fn types(events: &[OutboxEvent]) -> Vec<&'static str> {
    events.iter().map(|it| it.new.event.kind().as_raw()).collect()
}

fn ids(events: &[OutboxEvent]) -> Vec<u64> {
    events.iter().map(|it| it.id).collect()
}

/// Stores messages in rooms, and returns their events.
async fn post<S: Store + WebhookOutbox>(store: &S, rooms: &[&str]) -> Vec<OutboxEvent> {
    let drafts = (0..).zip(rooms).map(|(n, room)| draft(room, &format!("{n} {room}"), "1"));
    let recording = Some(recording(&[WebhookEventKind::MessageStored]));
    let batch = Batch { drafts: drafts.collect(), recording, ..Batch::default() };
    store.commit(batch.into()).await.unwrap();
    waiting(store).await
}

async fn a_commit_records_what_it_changes<S: Store + WebhookOutbox>(store: &S) {
    let recording = Some(recording(&WebhookEventKind::ALL));
    let (first, second) = (draft("lobby", "a", "1"), draft("lobby", "b", "1"));
    let drafts = vec![first, second, topic("lobby", "Plans"), topic("lobby", "Plans")];
    let changes = vec![change("lobby", "ann", JOIN)];
    let batch = Batch { changes, drafts, recording: recording.clone(), ..Batch::default() };
    store.commit(batch.into()).await.unwrap();
    let drafts = vec![
        draft("lobby", "a", "1"),
        edit("lobby", 2, "2"),
        delete("lobby", 1),
        draft("lobby", "c", "1"),
    ];
    let changes = vec![change("lobby", "ann", JOIN)];
    let batch = Batch { changes, drafts, recording: recording.clone(), ..Batch::default() };
    store.commit(batch.into()).await.unwrap();
    let changes = vec![change("lobby", "ann", MemberChange::Leave)];
    store.commit(Batch { changes, recording, ..Batch::default() }.into()).await.unwrap();
    let events = waiting(store).await;
    let expected = [
        "member.joined",
        "message.stored",
        "message.stored",
        "room.topic",
        "message.edited",
        "message.deleted",
        "message.stored",
        "member.left",
    ];
    assert_eq!(types(&events), expected, "nothing of repetitions");
    assert!(ids(&events).is_sorted());
    let WebhookEvent::Message(message) = &events[4].new.event else { panic!("{events:?}") };
    assert_eq!((message.seq, message.act), (seq(4), StoredAct::Edited(seq(2))));
    assert_eq!(message.author, user("author"));
    assert_eq!(events[0].new.at, time(7));
    let WebhookEvent::RoomTopic { room, user: by, topic } = &events[3].new.event else {
        panic!("{events:?}")
    };
    assert_eq!(
        (room.as_raw(), by, topic),
        ("lobby", &user("author"), &RoomTopic::from_raw("Plans"))
    );
    let WebhookEvent::MemberLeft { by, .. } = &events[7].new.event else { panic!("{events:?}") };
    assert_eq!(*by, Some(user("boss")));
}

async fn a_commit_records_nothing_that_is_not_wanted<S: Store + WebhookOutbox>(store: &S) {
    let recording = Some(recording(&[WebhookEventKind::MessageDeleted]));
    let drafts = vec![draft("lobby", "a", "1")];
    let changes = vec![change("lobby", "ann", JOIN)];
    let batch = Batch { changes, drafts, recording, ..Batch::default() };
    store.commit(batch.into()).await.unwrap();
    commit(store, vec![delete("lobby", 1)]).await;
    assert!(waiting(store).await.is_empty());
}

async fn memberships_that_end_with_their_user_are_recorded<S: Store + WebhookOutbox>(store: &S) {
    let root = Space::root();
    let recording = || Some(recording(&[WebhookEventKind::MemberLeft]));
    let seen = vec![guest(&root, "ann"), guest(&root, "bob")];
    let users = ["ann", "bob"];
    let changes = users.iter().flat_map(|it| [change("a", it, JOIN), change("b", it, JOIN)]);
    let batch =
        Batch { seen, changes: changes.collect(), recording: recording(), ..Batch::default() };
    store.commit(batch.into()).await.unwrap();

    let IdentityKind::Guest(session) = guest(&root, "ann").identity_kind else { panic!("a guest") };
    let expire = |guest_session: Box<str>| GuestExpired {
        space: root.clone(),
        user: user("ann"),
        guest_session,
        from: node(),
    };
    for (session, count) in [("another session".into(), 0), (session.clone(), 2), (session, 2)] {
        let expired = vec![expire(session)];
        let batch = Batch { expired, recording: recording(), ..Batch::default() };
        store.commit(batch.into()).await.unwrap();
        assert_eq!(waiting(store).await.len(), count);
    }
    let replaced = UserSeen { identity_kind: IdentityKind::Registered, ..guest(&root, "bob") };
    let changes = vec![change("a", "bob", JOIN)];
    let batch = Batch { seen: vec![replaced], changes, recording: recording(), ..Batch::default() };
    store.commit(batch.into()).await.unwrap();
    let left: Vec<_> = waiting(store)
        .await
        .into_iter()
        .filter_map(|it| match it.new.event {
            WebhookEvent::MemberLeft { room, user, by: None } => Some(format!("{user} {room}")),
            _ => None,
        })
        .collect();
    assert_eq!(left, ["ann a", "ann b", "bob a", "bob b"]);
}

async fn memberships_that_retention_ends_are_recorded<S: Store + WebhookOutbox>(store: &S) {
    let seen = |name: &str, n| UserSeen { at: time(n), ..guest(&Space::root(), name) };
    let seen = vec![seen("ann", 5), seen("bob", 6), seen("cleo", 9)];
    let changes = [("b", "ann"), ("a", "ann"), ("a", "bob"), ("a", "cleo")];
    let changes = changes.map(|(room, user)| change(room, user, JOIN)).into();
    let direct = Draft { place: direct("/", "ann", "bob"), ..draft("", "ann", "1") };
    let batch = Batch { seen, changes, drafts: vec![direct], ..Batch::default() };
    store.commit(batch.into()).await.unwrap();
    let until = |n| TrimLimits { guests_after: time(n), ..retention::EVERYTHING };
    let trim = async |n, recording: Option<&Recording>| {
        while store.trim(&until(n), recording).await.unwrap().more {}
    };
    let recording = |kind| Some(Recording { at: time(20), ..recording(&[kind]) });
    let left = recording(WebhookEventKind::MemberLeft);
    trim(5, left.as_ref()).await;
    trim(5, left.as_ref()).await;
    let waiting = waiting(store).await;
    let left = |it: &OutboxEvent| match &it.new.event {
        WebhookEvent::MemberLeft { room, user, by: None } => format!("{user} {room}"),
        event => panic!("{event:?}"),
    };
    assert_eq!(waiting.iter().map(left).collect::<Vec<_>>(), ["ann a", "ann b"], "once");
    assert!(waiting.iter().all(|it| it.new.at == time(20)));
    trim(6, None).await;
    trim(9, recording(WebhookEventKind::MemberJoined).as_ref()).await;
    assert_eq!(self::waiting(store).await.len(), 2, "nobody is told of the others");
    assert_eq!(log_state(store, &room("a")).await.members, 0);
}

async fn every_event_round_trips<S: Store + WebhookOutbox>(store: &S) {
    let recording = Some(recording(&WebhookEventKind::ALL));
    let drafts = vec![
        draft("lobby", "a", "1"),
        Draft { place: direct("/a b", "ann", "bob"), ..draft("", "b", "1") },
        Draft { place: inbox("ann"), ..draft("", "c", "1") },
        delete("lobby", 1),
        topic("lobby", "a \"topic\" \\ Ψ"),
        topic("lobby", ""),
    ];
    let changes = vec![change("lobby", "ann", JOIN)];
    let batch = Batch { changes, drafts, recording, ..Batch::default() };
    let committed = store.commit(Arc::new(batch.clone())).await.unwrap();
    let expected = batch.events(&committed.changed, &committed.outcomes);
    let events: Vec<_> = waiting(store).await.into_iter().map(|it| it.new).collect();
    assert_eq!(events, expected);
}

async fn waiting_events_are_read_in_order_without_subjects<S: Store + WebhookOutbox>(store: &S) {
    let events = post(store, &["a", "b", "a", "c"]).await;
    assert_eq!(events.len(), 4);
    let read = async |without: &[String], events_max| {
        ids(&store.waiting(&webhook("a"), without, events_max).await.unwrap())
    };
    let all = ids(&events);
    assert_eq!(read(&[], 3).await, all[..3]);
    let a = events[0].new.subject();
    assert_eq!(read(std::slice::from_ref(&a), ALL).await, [all[1], all[3]]);
    assert_eq!(read(&[a, events[3].new.subject()], 1).await, [all[1]]);
    assert!(store.waiting(&webhook("b"), &[], ALL).await.unwrap().is_empty());
}

async fn delivered_events_are_removed_and_failures_counted<S: Store + WebhookOutbox>(store: &S) {
    let all = ids(&post(store, &["a", "b", "c"]).await);
    let failed = |events: &[u64]| AttemptOutcome::Failed {
        events: events.to_vec(),
        failure: "no".into(),
        dead_at: None,
    };
    let outcomes = [AttemptOutcome::Delivered(vec![all[0]]), failed(&all[1..2])];
    store.settle(&outcomes).await.unwrap();
    store.settle(&[failed(&all[1..2])]).await.unwrap();
    let left = waiting(store).await;
    let attempts: Vec<_> = left.iter().map(|it| (it.id, it.attempts)).collect();
    assert_eq!(attempts, [(all[1], 2), (all[2], 0)]);
    assert_eq!(left[0].failure.as_deref(), Some("no"));
    store.settle(&[AttemptOutcome::Delivered(all.clone())]).await.unwrap();
    let next = ids(&post(store, &["d"]).await);
    assert!(next[0] > all[2], "no id is used twice");
}

async fn a_batch_stays_together_and_comes_first<S: Store + WebhookOutbox>(store: &S) {
    let all = ids(&post(store, &["a", "b", "c", "d"]).await);
    store.assign_batch(&[all[1], all[3]], "batch").await.unwrap();
    let events = waiting(store).await;
    assert_eq!(ids(&events), [all[1], all[3], all[0], all[2]]);
    let batches: Vec<_> = events.iter().map(|it| it.batch.as_deref()).collect();
    assert_eq!(batches, [Some("batch"), Some("batch"), None, None]);
}

async fn dead_letters_are_listed_and_resent<S: Store + WebhookOutbox>(store: &S) {
    let all = ids(&post(store, &["a", "b", "c"]).await);
    store.assign_batch(&all, "batch").await.unwrap();
    let (events, failure, dead_at) = (all.clone(), "gone".into(), Some(time(9)));
    store.settle(&[AttemptOutcome::Failed { events, failure, dead_at }]).await.unwrap();
    assert!(waiting(store).await.is_empty());
    let a = webhook("a");
    let dead = async |of, after| store.dead_letters(of, after, 2).await.unwrap();
    let letters = dead(None, 0).await;
    assert_eq!(ids(&letters), all[..2]);
    assert_eq!((letters[0].dead_at, letters[0].attempts), (Some(time(9)), 1));
    assert_eq!(ids(&dead(Some(&a), all[1]).await), all[2..]);
    assert!(dead(Some(&webhook("b")), 0).await.is_empty());

    let resent = store.resend(&DeadLetters::Ids(vec![all[1], 999_999])).await.unwrap();
    assert_eq!(resent, 1);
    let waiting_again = waiting(store).await;
    assert_eq!(ids(&waiting_again), [all[1]]);
    let event = &waiting_again[0];
    assert_eq!((&event.batch, event.attempts, event.dead_at), (&None, 0, None));
    assert_eq!(store.resend(&DeadLetters::Of(webhook("b"))).await.unwrap(), 0);
    assert_eq!(store.resend(&DeadLetters::Of(a)).await.unwrap(), 2);
    assert_eq!(ids(&waiting(store).await), all);
}

async fn old_events_are_removed<S: Store + WebhookOutbox>(store: &S) {
    let all = ids(&post(store, &["a", "b"]).await);
    store.remove_before(time(1)).await.unwrap();
    assert_eq!(ids(&waiting(store).await), all, "they are of this time");
    store.remove_before(time(2)).await.unwrap();
    assert!(waiting(store).await.is_empty());
}
