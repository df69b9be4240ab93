//! Property tests: for any sequence of steps, an engine returns the same as the memory engine,
//! which is the model.

use std::fmt::Write as _;

use proptest::prelude::*;
use tokio::runtime::Runtime;

use super::*;
use crate::{
    chat::ports::{Committed, DraftAct, Membership},
    domain::{DeviceId, DisplayName, RoomTopic, UserName},
    store::MemoryStore,
};

/// A step.
#[derive(Clone, Debug)]
enum Step {
    Commit(Batch),
    /// New messages and nothing else, as in most batches of a chat.
    Say(Vec<Draft>),
    Trim(TrimLimits),
    Page(PageRange, PageLimit),
}

const USERS: [&str; 3] = ["ann", "bob", "cleo"];
const ROLES: [Role; 4] = Role::ALL;

/// Small ranges of values, so that repeats, conflicts and races are frequent.
fn places() -> [Place; 5] {
    [room("a"), room("b"), direct("/", "ann", "bob"), direct("/", "ann", "ann"), inbox("ann")]
}

fn place() -> impl Strategy<Value = Place> {
    prop::sample::select(places().to_vec())
}

fn name() -> impl Strategy<Value = UserName> {
    prop::sample::select(USERS.map(user).to_vec())
}

fn any_seq() -> impl Strategy<Value = Seq> {
    (0..12_u64).prop_map(seq)
}

fn any_body() -> impl Strategy<Value = Body> {
    (0..3_u8, any::<bool>()).prop_map(|(n, attached)| {
        let bytes = attached.then(|| vec![n; 3].into());
        Body::from_raw(n.to_string().into(), bytes.into_iter().collect())
    })
}

fn seen() -> impl Strategy<Value = UserSeen> {
    (name(), 0..4_u8, 0..3_u8, 0..40_u64).prop_map(|(user, guest_session, device, n)| UserSeen {
        space: Space::root(),
        user,
        identity_kind: if guest_session == 0 {
            IdentityKind::Registered
        } else {
            IdentityKind::Guest(guest_session.to_string().into())
        },
        display_name: (n % 3 > 0).then(|| DisplayName::from_raw(&n.to_string())),
        device: (device > 0).then(|| DeviceId::from_raw(&device.to_string())),
        at: time(n),
    })
}

fn departed() -> impl Strategy<Value = UserDeparted> {
    let departed = |UserSeen { space, user, identity_kind: _, display_name: _, device, at }| {
        UserDeparted { space, user, device, at }
    };
    seen().prop_map(departed)
}

fn expired() -> impl Strategy<Value = GuestExpired> {
    let expired = |(user, guest_session): (_, u8)| GuestExpired {
        space: Space::root(),
        user,
        guest_session: guest_session.to_string().into(),
        from: node(),
    };
    (name(), 1..4_u8).prop_map(expired)
}

fn change() -> impl Strategy<Value = Change> {
    let role = || prop::sample::select(ROLES.to_vec());
    let join_mode = prop_oneof![
        role().prop_map(JoinMode::As),
        role().prop_map(JoinMode::OwnerIfFirst),
        Just(JoinMode::FounderOnly)
    ];
    let what = prop_oneof![
        4 => join_mode.prop_map(MemberChange::Join),
        1 => role().prop_map(MemberChange::Assign),
        1 => Just(MemberChange::Leave),
        4 => any_seq().prop_map(MemberChange::Read),
        1 => prop::sample::select(vec![Muted::Yes, Muted::No]).prop_map(MemberChange::Mute),
    ];
    let rooms_max = prop::option::of(0..4_u64);
    (place(), name(), what, rooms_max).prop_map(|(place, user, what, rooms_max)| Change {
        place,
        user,
        what,
        rooms_max,
    })
}

fn any_draft() -> impl Strategy<Value = Draft> {
    let kind = prop_oneof![
        4 => Just(MessageKind::Message),
        1 => prop::sample::select(kinds()),
    ];
    let act = prop_oneof![
        4 => (kind, any_body()).prop_map(|(kind, body)| DraftAct::Say { kind, body }),
        2 => (any_seq(), any_body()).prop_map(|(of, body)| DraftAct::Edit { of, body }),
        1 => any_seq().prop_map(|of| DraftAct::Delete { of }),
        1 => (0..3_usize).prop_map(|n| DraftAct::Topic(RoomTopic::from_raw(&"x".repeat(n)))),
    ];
    let needs =
        prop_oneof![3 => Just(None), 1 => prop::sample::select(ROLES.to_vec()).prop_map(Some)];
    let author = (name(), 0..3_u8);
    (place(), author, needs, 0..9_u8, 0..40_u64, act).prop_map(
        |(place, (author, session), needs, id, n, act)| Draft {
            place,
            id: MessageId::from_raw(&id.to_string()),
            author,
            author_name: None,
            guest_session: (session > 0).then(|| session.to_string().into()),
            needs,
            at: time(n),
            act,
        },
    )
}

fn batch() -> impl Strategy<Value = Batch> {
    let some = 0..3_usize;
    (
        prop::collection::vec(seen(), some.clone()),
        prop::collection::vec(departed(), some.clone()),
        prop::collection::vec(expired(), 0..2),
        prop::collection::vec(change(), 0..6),
        prop::collection::vec(any_draft(), 0..8),
        prop::collection::vec(name().prop_map(|user| (Space::root(), user)), some),
    )
        .prop_map(|(seen, departed, expired, changes, drafts, membership_queries)| Batch {
            seen,
            departed,
            expired,
            changes,
            changed_at: None,
            drafts,
            membership_queries,
            recording: None,
        })
}

fn messages() -> impl Strategy<Value = Vec<Draft>> {
    prop::collection::vec(any_draft(), 1..8).prop_map(|mut drafts| {
        drafts.retain(|draft| matches!(draft.act, DraftAct::Say { .. }));
        drafts
    })
}

fn retention() -> impl Strategy<Value = TrimLimits> {
    let days = |n: u64| time(n);
    (prop::option::of(0..9_u64), prop::option::of(0..20_u64), 0..20_u64).prop_map(
        move |(max, after, guests)| TrimLimits {
            entries_max: max,
            entries_after: after.map(days),
            guests_after: days(guests),
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let range = prop_oneof![
        Just(PageRange::Newest),
        any_seq().prop_map(PageRange::Before),
        any_seq().prop_map(PageRange::After)
    ];
    let limit = (0..5_u32, 0..9_usize, 0..3_usize)
        .prop_map(|(messages, bytes, attachments)| PageLimit { messages, bytes, attachments });
    prop_oneof![
        7 => batch().prop_map(Step::Commit),
        7 => messages().prop_map(Step::Say),
        1 => retention().prop_map(Step::Trim),
        2 => (range, limit).prop_map(|(range, limit)| Step::Page(range, limit)),
    ]
}

/// Sorts what has no order.
fn normalized(mut committed: Committed) -> Committed {
    let is_direct = |it: &Membership| matches!(it.place.conversation, Conversation::Direct(..));
    for of_user in &mut committed.memberships {
        let (mut others, directs): (Vec<_>, Vec<_>) =
            of_user.drain(..).partition(|it| !is_direct(it));
        others.sort_by(|one, other| one.place.cmp(&other.place));
        of_user.extend(others.into_iter().chain(directs));
    }
    committed
}

/// The memberships of all users.
async fn dump_memberships(store: &dyn Store) -> String {
    let membership_queries = USERS.map(|name| (Space::root(), user(name))).into();
    let committed =
        store.commit(Batch { membership_queries, ..Batch::default() }.into()).await.unwrap();
    format!("{:#?}", normalized(committed))
}

/// Everything else that a store has. It is only read: a commit might change how it is stored.
async fn dump(store: &dyn Store) -> String {
    let mut text = String::new();
    for place in places() {
        let log_state = store.log(&place).await.unwrap();
        let entries = log(store, &place).await;
        let topic = store.topic(&place).await.unwrap();
        write!(text, "{log_state:?} {topic:?} {entries:#?}").unwrap();
        for entry in entries {
            let message = store.message(&place, entry.seq()).await.unwrap();
            write!(text, "{message:?}").unwrap();
        }
        for name in USERS {
            let member = store.member(&place, &user(name)).await.unwrap();
            write!(text, "{member:?}").unwrap();
        }
    }
    let seen = store.last_seen(&Space::root(), &USERS.map(user)).await.unwrap();
    let names = store.display_names(&Space::root(), &USERS.map(user)).await.unwrap();
    text + &format!("{seen:?}{names:?}")
}

/// Runs a step, and returns its result.
async fn run_step(store: &dyn Store, step: &Step) -> String {
    match step {
        Step::Commit(batch) => {
            format!("{:#?}", normalized(store.commit(batch.clone().into()).await.unwrap()))
        }
        Step::Say(drafts) => format!("{:#?}", commit(store, drafts.clone()).await),
        Step::Trim(retention) => format!("{:#?}", trim_logs(store, retention).await),
        Step::Page(range, limit) => {
            let mut text = String::new();
            for place in places() {
                let page = store.page(&place, *range, *limit).await.unwrap();
                write!(text, "{page:#?}").unwrap();
            }
            text
        }
    }
}

/// Checks the counts of a log: positions count messages, the head and the floor are its ends, no
/// read position is past the head, and deleted messages are not unread.
async fn assert_counts(store: &dyn Store) {
    let is_deleted = |it: &&Entry| matches!(it.act, Act::Said { content: Content::Removed, .. });
    for place in places() {
        let (log_state, entries) = (store.log(&place).await.unwrap(), log(store, &place).await);
        let mut last = log_state.floor;
        for entry in &entries {
            let (seq, one) = (last.seq.next(), u64::from(entry.is_message()));
            assert_eq!(entry.position, at(seq.as_raw(), last.messages + one), "{place:?}");
            last = entry.position;
        }
        assert_eq!(last, log_state.head, "{place:?}");
        let deleted = entries.iter().filter(is_deleted).count() as u64;
        assert_eq!(log_state.deleted, deleted, "{place:?}");
        let mut members = 0;
        for name in USERS {
            let Some(member) = store.member(&place, &user(name)).await.unwrap() else { continue };
            members += 1;
            let after = entries.iter().filter(|it| it.seq() > member.read.seq);
            let deleted = after.clone().filter(is_deleted).count() as u64;
            let unread = after.filter(|it| it.body().is_some() && it.is_message()).count() as u64;
            assert_eq!(log_state.unread(member.read, deleted), unread, "{name} in {place:?}");
            let read = MemberChange::Read(Seq::ZERO);
            let change = Change { place: place.clone(), ..super::change("", name, read) };
            let changed = apply_changes(store, vec![change]).await;
            assert_eq!(changed[0].unread(), unread, "{name} in {place:?}");
            let of_user = memberships(store, name).await;
            if let Some(it) = of_user.iter().find(|it| it.place == place) {
                assert_eq!(it.log.unread(it.member.read, it.deleted), unread, "{place:?}");
            }
        }
        assert_eq!(log_state.members, members, "{place:?}");
    }
}

/// Runs random sequences of steps on an empty store and on a memory store.
pub(crate) fn assert_agrees_with_memory<S: Store>(cases: u32, open: impl AsyncFn() -> S) {
    let runtime = Runtime::new().unwrap();
    let config = ProptestConfig { cases, failure_persistence: None, ..Default::default() };
    proptest!(config, |(steps in prop::collection::vec(step(), 1..30))| {
        runtime.block_on(async {
            let (engine, in_memory) = (open().await, MemoryStore::new());
            for step in steps {
                let expected = run_step(&in_memory, &step).await;
                prop_assert_eq!(run_step(&engine, &step).await, expected, "{:?}", step);
                let expected = dump(&in_memory).await;
                prop_assert_eq!(dump(&engine).await, expected, "after {:?}", step);
                if matches!(step, Step::Commit(_)) {
                    let expected = dump_memberships(&in_memory).await;
                    prop_assert_eq!(dump_memberships(&engine).await, expected, "after {:?}", step);
                }
            }
            assert_counts(&engine).await;
            engine.close().await;
            Ok(())
        })?;
    });
}
