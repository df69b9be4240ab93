//! The contract about guests that come once: nothing of them stays but what they said.

use std::collections::BTreeMap;

use super::{retention::EVERYTHING, *};
use crate::chat::ports::Membership;

/// The rows of each table.
pub(crate) type RowCounts = BTreeMap<&'static str, u64>;

/// The users per commit.
const PER_BATCH: usize = 500;
/// The guests of a wave that say something.
const TALKERS: u64 = 3;

/// Tests an engine with two waves of `guests` guests. `open` opens the same store again. `count_rows`
/// counts its rows, `size` returns the bytes that it occupies.
pub(crate) async fn guests_contract<S: Store>(
    guests: usize,
    open: impl AsyncFn() -> S,
    count_rows: impl AsyncFn(&S) -> RowCounts,
    size: impl AsyncFn(&S) -> u64,
) {
    let store = open().await;
    record_kept_users(&store).await;
    let before = count_rows(&store).await;
    let known = sorted_memberships(&store, "ann").await;
    store.close().await;
    drop(store);
    let mut sizes = Vec::new();
    for wave in [1, 2] {
        let store = open().await;
        visit(&store, guests, wave).await;
        let rows = count_rows(&store).await;
        let number = u64::try_from(guests).unwrap();
        for (table, each) in [("user", 1), ("device", 1), ("member", 2), ("conversation", 1)] {
            let more = rows[table] - before[table];
            assert!((number * each..number * each + 10 * wave).contains(&more), "{table}: {more}");
        }
        trim(&store, &TrimLimits { guests_after: time(6), ..EVERYTHING }).await;
        let rows = count_rows(&store).await;
        for (table, more) in [("user", 0), ("device", 0), ("member", 1), ("conversation", 1)] {
            assert_eq!(rows[table], before[table] + more * wave * TALKERS, "{table}");
        }
        assert_eq!(rows["message"], before["message"] + wave * TALKERS, "entries stay");
        sizes.push(size(&store).await);
        store.close().await;
    }
    let tolerated = sizes[0] + sizes[0] / 50;
    assert!(sizes[1] <= tolerated, "the second wave needs no more space: {sizes:?}");
    let store = open().await;
    let found = sorted_memberships(&store, "ann").await;
    assert_eq!(found, known, "the token of this guest is valid");
    assert_eq!(device_seen(&store, "ann").await, Some(time(9)));
    assert_eq!(device_seen(&store, "bob").await, Some(time(1)), "a registered user");
    let said = direct("/", "bob", "guest 1 0");
    assert_eq!(head(&store, &said).await, seq(1));
    trim(&store, &TrimLimits { entries_max: Some(0), ..EVERYTHING }).await;
    assert_eq!(count_rows(&store).await["message"], 0, "entries follow retention");
    let again = Draft { place: said.clone(), author: user("bob"), ..numbered("", 2) };
    assert_eq!(commit(&store, vec![again]).await, [Outcome::Stored(nth(2))], "no seq twice");
}

/// Records a guest whose token is valid, and a registered user.
async fn record_kept_users(store: &dyn Store) {
    let device = Some(DeviceId::from_raw("phone"));
    let bob = UserSeen {
        identity_kind: IdentityKind::Registered,
        device: device.clone(),
        ..guest(&Space::root(), "bob")
    };
    let ann = UserSeen { device, at: time(9), ..guest(&Space::root(), "ann") };
    let rooms = ["lobby", "quiet", "den"];
    let changes = rooms.map(|room| change(room, "ann", JOIN)).into_iter();
    let changes = changes.chain([change("lobby", "bob", JOIN)]).collect();
    let drafts = vec![
        Draft { place: direct("/", "ann", "bob"), author: user("ann"), ..numbered("", 1) },
        numbered("den", 1),
    ];
    store
        .commit(Batch { seen: vec![ann, bob], changes, drafts, ..Batch::default() }.into())
        .await
        .unwrap();
}

/// Guests connect with a device, join the lobby and a room of their own, read their inboxes, and
/// disconnect. Some send a message to a user.
async fn visit(store: &dyn Store, guests: usize, wave: u64) {
    let names: Vec<_> = (0..guests).map(|n| format!("guest {wave} {n}")).collect();
    for names in names.chunks(PER_BATCH) {
        let seen = names.iter().map(|name| UserSeen {
            device: Some(DeviceId::from_raw(&name.replace(' ', "-"))),
            at: time(5),
            ..guest(&Space::root(), name)
        });
        let read = |name: &str| Change {
            place: inbox(name),
            ..change("", name, MemberChange::Read(seq(1)))
        };
        let changes = names
            .iter()
            .flat_map(|name| [change("lobby", name, JOIN), change(name, name, JOIN), read(name)]);
        let (seen, changes) = (seen.collect(), changes.collect());
        store.commit(Batch { seen, changes, ..Batch::default() }.into()).await.unwrap();
    }
    let talkers = (0..TALKERS).map(|n| format!("guest {wave} {n}"));
    let drafts = talkers.map(|name| Draft {
        place: direct("/", "bob", &name),
        author: user(&name),
        ..numbered("", 1)
    });
    commit(store, drafts.collect()).await;
}

async fn sorted_memberships(store: &dyn Store, name: &str) -> Vec<Membership> {
    let mut memberships = memberships(store, name).await;
    memberships.sort_unstable_by(|a, b| a.place.cmp(&b.place));
    memberships
}

async fn device_seen(store: &dyn Store, name: &str) -> Option<OffsetDateTime> {
    let device = DeviceId::from_raw("phone");
    store.device_seen(&Space::root(), &user(name), &device).await.unwrap()
}

pub(super) async fn an_empty_conversation_ends_with_its_last_member(store: &dyn Store) {
    let leave = |room: &str| change(room, "ann", MemberChange::Leave);
    apply_changes(store, vec![change("a", "ann", JOIN), change("b", "ann", JOIN)]).await;
    apply_changes(store, vec![leave("a"), leave("b")]).await;
    // A leave and a message of one batch concern the same conversation.
    apply_changes(store, vec![change("a", "ann", JOIN)]).await;
    let (changes, drafts) = (vec![leave("a")], vec![numbered("a", 1)]);
    store.commit(Batch { changes, drafts, ..Batch::default() }.into()).await.unwrap();
    assert_eq!(log_state(store, &room("a")).await.head, nth(1));
    assert_eq!(log_state(store, &room("b")).await, Log::default());
    let founds = MemberChange::Join(JoinMode::FounderOnly);
    let founded = apply_changes(store, vec![change("b", "bob", founds)]).await;
    assert_eq!(founded[0].after.map(|it| it.role), Some(Role::Owner), "the room is new");
    assert_eq!(commit(store, vec![numbered("b", 1)]).await, [Outcome::Stored(nth(1))]);
}
