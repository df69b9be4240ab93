//! The contract of an engine that several processes share: all guarantees hold for them together.

use super::*;

/// Tests an engine against the guarantee *Shared*. `open` creates an empty database, `share` opens
/// it from another process.
pub(crate) async fn shared_contract<S: Store>(
    open: impl AsyncFn() -> S + Sync,
    share: impl AsyncFn(&S) -> S + Sync,
) {
    let pair = async || {
        let one = open().await;
        let other = share(&one).await;
        (one, other)
    };
    let (one, other) = pair().await;
    both_have_the_same_epoch(&one, &other);
    one_seq_is_handed_out_by_both(&one, &other).await;
    let (one, other) = pair().await;
    crossing_commits_do_not_deadlock(&one, &other).await;
    let (one, other) = pair().await;
    a_message_id_is_stored_once_on_all_nodes(&one, &other).await;
    let (one, other) = pair().await;
    one_of_two_owns_the_room(&one, &other).await;
    let (one, other) = pair().await;
    a_kick_on_one_node_revokes_rights_on_the_other(&one, &other).await;
    let (one, other) = pair().await;
    guests_arrive_and_expire_concurrently(&one, &other).await;
    let (one, other) = pair().await;
    a_revision_changes_with_memberships(&one, &other).await;
    let (one, other) = pair().await;
    both_nodes_may_trim(&one, &other).await;
    let (one, other) = pair().await;
    denials::changes_of_both_are_in_one_order(&one, &other).await;
}

fn both_have_the_same_epoch(one: &dyn Store, other: &dyn Store) {
    assert_eq!(one.epoch(), other.epoch());
}

async fn one_seq_is_handed_out_by_both(one: &dyn Store, other: &dyn Store) {
    let stream = async |store: &dyn Store, name: &str| {
        let mut last = Seq::ZERO;
        for n in 0..40 {
            let drafts = (0..3).map(|m| draft("lobby", &format!("{name}{n}-{m}"), "0")).collect();
            for outcome in commit(store, drafts).await {
                let Outcome::Stored(position) = outcome else { panic!("{outcome:?}") };
                assert!(position.seq > last, "in the order of the commits");
                last = position.seq;
                assert!(head(store, &room("lobby")).await >= last, "own commits are visible");
            }
        }
    };
    futures_util::join!(stream(one, "a"), stream(other, "b"));
    let log = log(one, &room("lobby")).await;
    let seqs: Vec<_> = log.iter().map(|entry| entry.seq().as_raw()).collect();
    assert_eq!(seqs, (1..=240).collect::<Vec<_>>());
    assert_eq!(self::log(other, &room("lobby")).await, log);
}

/// The same conversations and users in opposite orders: no commit blocks or fails.
async fn crossing_commits_do_not_deadlock(one: &dyn Store, other: &dyn Store) {
    let turn = async |store: &dyn Store, name: &str, forward: bool| {
        for n in 0..30 {
            let mut rooms: Vec<_> = (0..20).map(|room| format!("r{room}")).collect();
            let mut users: Vec<_> = (0..20).map(|user| format!("u{user}")).collect();
            if !forward {
                rooms.reverse();
                users.reverse();
            }
            let id = format!("{name}{n}");
            let mut drafts: Vec<_> = rooms.iter().map(|it| draft(it, &id, "0")).collect();
            let direct = |it: &String| {
                let place = Conversation::direct(user(it), user("u7"));
                let place = Place { space: Space::root(), conversation: place };
                Draft { place, ..draft("", &id, "0") }
            };
            drafts.extend(users.iter().map(direct));
            let changes = rooms.iter().zip(&users).map(|(room, user)| change(room, user, JOIN));
            let seen = users.iter().map(|it| guest(&Space::root(), it)).collect();
            let batch = Batch { seen, changes: changes.collect(), drafts, ..Batch::default() };
            store.commit(batch.into()).await.unwrap();
        }
    };
    futures_util::join!(turn(one, "a", true), turn(other, "b", false));
    for n in 0..20 {
        let log = log_state(one, &room(&format!("r{n}"))).await;
        assert_eq!((log.head, log.members >= 1), (nth(60), true), "r{n}");
    }
}

async fn a_message_id_is_stored_once_on_all_nodes(one: &dyn Store, other: &dyn Store) {
    for n in 0..30 {
        let drafts = || vec![draft("lobby", &n.to_string(), "0")];
        let (here, there) = futures_util::join!(commit(one, drafts()), commit(other, drafts()));
        let mut outcomes = [here[0], there[0]];
        outcomes.sort_by_key(|it| matches!(it, Outcome::Duplicate { .. }));
        let again = Outcome::Duplicate { seq: seq(n + 1), at: time(1) };
        assert_eq!(outcomes, [Outcome::Stored(nth(n + 1)), again]);
    }
}

async fn one_of_two_owns_the_room(one: &dyn Store, other: &dyn Store) {
    let founding = MemberChange::Join(JoinMode::OwnerIfFirst(Role::Member));
    for n in 0..20 {
        let name = format!("r{n}");
        let join = |user| vec![change(&name, user, founding)];
        futures_util::join!(apply_changes(one, join("ann")), apply_changes(other, join("bob")));
        let place = room(&name);
        let mut roles = Vec::new();
        for name in ["ann", "bob"] {
            roles.push(member(one, &place, name).await.unwrap().role);
        }
        roles.sort_unstable();
        assert_eq!(roles, [Role::Member, Role::Owner], "{name}");
        assert_eq!(log_state(other, &place).await.members, 2);
    }
}

/// Also when they post at the same moment: every stored message is by a member.
async fn a_kick_on_one_node_revokes_rights_on_the_other(one: &dyn Store, other: &dyn Store) {
    let says = |id: &str| {
        let draft = draft("lobby", id, "0");
        vec![Draft { author: user("ann"), needs: Some(Role::Member), ..draft }]
    };
    for n in 0..20 {
        apply_changes(one, vec![change("lobby", "ann", JOIN)]).await;
        let kick = vec![change("lobby", "ann", MemberChange::Leave)];
        let (before, after) = (format!("before {n}"), format!("after {n}"));
        let (kicked, racing) =
            futures_util::join!(apply_changes(one, kick), commit(other, says(&before)));
        let said = match racing[..] {
            [Outcome::Stored(position)] => position,
            [Outcome::NotPermitted(None)] => kicked[0].log.head,
            _ => panic!("{racing:?}"),
        };
        assert_eq!(kicked[0].log.head, said, "no message follows the kick");
        assert_eq!(commit(other, says(&after)).await, [Outcome::NotPermitted(None)]);
        assert_eq!(log_state(one, &room("lobby")).await.head, said);
    }
}

/// Memberships of guests end in one process while the other posts in the same rooms.
async fn guests_arrive_and_expire_concurrently(one: &dyn Store, other: &dyn Store) {
    let root = Space::root();
    let coming = async |store: &dyn Store, prefix: &str| {
        for n in 0..20 {
            let name = format!("{prefix}{}", n % 4);
            let guest_session = format!("{prefix}{n}");
            let identity_kind = IdentityKind::Guest(guest_session.as_str().into());
            let seen = vec![UserSeen { identity_kind, ..guest(&root, &name) }];
            let rooms: Vec<_> = (0..6).map(|room| format!("r{}", (room + n) % 6)).collect();
            let changes = rooms.iter().map(|room| change(room, &name, JOIN)).collect();
            let drafts = rooms.iter().map(|room| draft(room, &guest_session, "0")).collect();
            store.commit(Batch { seen, changes, drafts, ..Batch::default() }.into()).await.unwrap();
            let guest_session = guest_session.as_str().into();
            let expired = GuestExpired {
                space: root.clone(),
                user: user(&name),
                guest_session,
                from: node(),
            };
            store
                .commit(Batch { expired: vec![expired], ..Batch::default() }.into())
                .await
                .unwrap();
        }
    };
    futures_util::join!(coming(one, "a"), coming(other, "b"));
    for n in 0..6 {
        let log = log_state(one, &room(&format!("r{n}"))).await;
        assert_eq!((log.head, log.members), (nth(40), 0), "r{n}");
    }
}

async fn a_revision_changes_with_memberships(one: &dyn Store, other: &dyn Store) {
    let names = ["ann", "bob", "unknown"].map(|name| (Space::root(), user(name)));
    let revisions = async || other.revisions(&names).await.unwrap();
    assert_eq!(revisions().await, [0, 0, 0]);
    for name in ["ann", "bob"] {
        record_seen(one, guest(&Space::root(), name)).await;
    }
    let mut before = revisions().await;
    assert_eq!(before[2], 0);
    // Each change, and the users whose revision it changes.
    let direct_message = Place {
        space: Space::root(),
        conversation: Conversation::direct(user("ann"), user("bob")),
    };
    let batch = |changes, drafts| Batch { changes, drafts, ..Batch::default() };
    let cases = [
        (batch(vec![change("lobby", "ann", JOIN)], vec![]), [true, false]),
        (batch(vec![change("lobby", "bob", JOIN)], vec![]), [false, true]),
        (batch(vec![], vec![draft("lobby", "1", "0")]), [false, false]),
        (batch(vec![change("lobby", "ann", MemberChange::Read(seq(1)))], vec![]), [true, false]),
        (
            batch(vec![change("lobby", "ann", MemberChange::Mute(Muted::Yes))], vec![]),
            [true, false],
        ),
        (batch(vec![change("lobby", "bob", MemberChange::Leave)], vec![]), [false, true]),
        (batch(vec![], vec![Draft { place: direct_message, ..draft("", "1", "0") }]), [true, true]),
        (batch(vec![], vec![Draft { place: inbox("bob"), ..draft("", "1", "0") }]), [false, true]),
    ];
    for (batch, expected) in cases {
        one.commit(batch.clone().into()).await.unwrap();
        let after = revisions().await;
        let changed = [0, 1].map(|n| after[n] != before[n]);
        // An increment without a change is permitted.
        assert!(changed.iter().zip(expected).all(|(it, wanted)| *it || !wanted), "{batch:?}");
        before = after;
    }
    let quiet = batch(vec![], vec![draft("other", "1", "0")]);
    one.commit(quiet.into()).await.unwrap();
    assert_eq!(revisions().await, before, "a message in an empty room changes no revision");
    let identity_kind = IdentityKind::Guest("second".into());
    record_seen(one, UserSeen { identity_kind, ..guest(&Space::root(), "ann") }).await;
    assert_ne!(revisions().await[0], before[0], "the name has another owner");
}

async fn both_nodes_may_trim(one: &dyn Store, other: &dyn Store) {
    for n in 0..10 {
        commit(one, (0..30).map(|m| draft(&format!("r{n}"), &m.to_string(), "0")).collect()).await;
    }
    let kept = TrimLimits { entries_max: Some(5), entries_after: None, guests_after: time(0) };
    let sweep = async |store: &dyn Store| while store.trim(&kept, None).await.unwrap().more {};
    let speak = async |store: &dyn Store| {
        for m in 30..40 {
            let drafts = (0..10).map(|n| draft(&format!("r{n}"), &m.to_string(), "0"));
            commit(store, drafts.collect()).await;
        }
    };
    futures_util::join!(
        async {
            sweep(one).await;
            speak(one).await;
        },
        sweep(other),
    );
    sweep(other).await;
    sweep(one).await;
    for n in 0..10 {
        let place = room(&format!("r{n}"));
        let log = log_state(one, &place).await;
        assert_eq!((log.head, log.floor), (nth(40), nth(35)));
        assert_eq!(self::log(other, &place).await.len(), 5);
    }
}
