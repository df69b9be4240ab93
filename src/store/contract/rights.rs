//! The role that a draft needs is checked when it is stored.

use super::*;

/// All acts of ann that need a role.
fn draft_by_ann(needs: Role, draft: Draft) -> Draft {
    Draft { author: user("ann"), needs: Some(needs), ..draft }
}

fn assign(role: Role) -> Change {
    change("lobby", "ann", MemberChange::Assign(role))
}

pub(super) async fn drafts_of_non_members_are_rejected(store: &dyn Store) {
    let stranger = draft_by_ann(Role::Reader, numbered("lobby", 1));
    assert_eq!(
        commit(store, vec![stranger.clone()]).await,
        [Outcome::NotPermitted(None)],
        "nowhere"
    );
    apply_changes(store, ["bob", "Ann"].map(|name| change("lobby", name, JOIN)).into()).await;
    apply_changes(store, vec![change("other", "ann", JOIN)]).await;
    let outcomes = commit(store, vec![numbered("lobby", 2), stranger, numbered("lobby", 3)]).await;
    let [two, three] = [1, 2].map(|n| Outcome::Stored(nth(n)));
    assert_eq!(
        outcomes,
        [two, Outcome::NotPermitted(None), three],
        "and the others are not hindered"
    );
    let changes = vec![edit("lobby", 1, "0"), delete("lobby", 1)];
    let changes = changes.into_iter().map(|it| draft_by_ann(Role::Reader, it)).collect();
    assert_eq!(
        commit(store, changes).await,
        [Outcome::NotPermitted(None); 2],
        "nor changes anything"
    );
    let expected = [stored(numbered("lobby", 2), 1), stored(numbered("lobby", 3), 2)];
    assert_eq!(log(store, &room("lobby")).await, expected);
}

pub(super) async fn drafts_below_the_needed_role_are_rejected(store: &dyn Store) {
    let mut said = 0;
    for (number, role) in (0_u64..).zip(Role::ALL) {
        apply_changes(store, vec![assign(role)]).await;
        for (one, needs) in (0_u64..).zip(Role::ALL) {
            let outcome =
                commit(store, vec![draft_by_ann(needs, numbered("lobby", 10 * number + one))])
                    .await;
            if role < needs {
                assert_eq!(outcome, [Outcome::NotPermitted(Some(role))], "{needs:?}");
            } else {
                said += 1;
                assert_eq!(outcome, [Outcome::Stored(nth(said))], "{role:?} for {needs:?}");
            }
        }
    }
    assert_eq!(read(store, &room("lobby"), "ann").await, nth(said));
}

pub(super) async fn changes_of_a_batch_apply_before_its_drafts(store: &dyn Store) {
    apply_changes(store, vec![assign(Role::Owner)]).await;
    let says = |n| vec![draft_by_ann(Role::Member, numbered("lobby", n))];
    let leave = || change("lobby", "ann", MemberChange::Leave);
    let steps = [
        (vec![leave()], Outcome::NotPermitted(None)),
        (vec![change("lobby", "ann", JOIN)], Outcome::Stored(nth(1))),
        (vec![assign(Role::Reader)], Outcome::NotPermitted(Some(Role::Reader))),
        (vec![leave(), change("lobby", "ann", JOIN)], Outcome::Stored(nth(2))),
        (vec![assign(Role::Admin), leave()], Outcome::NotPermitted(None)),
    ];
    for (n, (changes, expected)) in (1..).zip(steps) {
        let batch = Batch { changes, drafts: says(n), ..Batch::default() };
        let outcomes = store.commit(batch.clone().into()).await.unwrap().outcomes;
        assert_eq!(outcomes, [expected], "{:?}", batch.changes);
    }
    let opened = vec![change("new", "ann", JOIN)];
    let drafts = vec![draft_by_ann(Role::Member, numbered("new", 1))];
    let batch = Batch { changes: opened, drafts, ..Batch::default() };
    let outcomes = store.commit(batch.into()).await.unwrap().outcomes;
    assert_eq!(outcomes, [Outcome::Stored(nth(1))], "in a new log");
}

pub(super) async fn a_reused_name_inherits_no_role(store: &dyn Store) {
    record_seen(store, guest(&Space::root(), "ann")).await;
    apply_changes(store, vec![assign(Role::Owner)]).await;
    let identity_kind = IdentityKind::Guest("second".into());
    let seen = vec![UserSeen { identity_kind, ..guest(&Space::root(), "ann") }];
    let drafts = vec![draft_by_ann(Role::Reader, numbered("lobby", 1))];
    let committed = store.commit(Batch { seen, drafts, ..Batch::default() }.into()).await.unwrap();
    assert_eq!(committed.outcomes, [Outcome::NotPermitted(None)]);
}

pub(super) async fn a_repeat_of_a_non_member_is_rejected(store: &dyn Store) {
    apply_changes(store, vec![assign(Role::Member)]).await;
    let first = draft_by_ann(Role::Member, numbered("lobby", 1));
    let other = with_body(first.clone(), body("\"other\""));
    let gone = draft_by_ann(Role::Member, delete("lobby", 1));
    let again = vec![first.clone(), other, gone.clone(), gone];
    commit(store, vec![first]).await;
    apply_changes(store, vec![change("lobby", "ann", MemberChange::Leave)]).await;
    assert_eq!(commit(store, again.clone()).await, [Outcome::NotPermitted(None); 4]);
    apply_changes(store, vec![assign(Role::Member)]).await;
    let outcomes = commit(store, again).await;
    let one = Outcome::Duplicate { seq: seq(1), at: time(1) };
    let deleted = Outcome::Duplicate { seq: seq(2), at: time(1) };
    assert_eq!(outcomes, [one, Outcome::Conflict, Outcome::Stored(at(2, 1)), deleted]);
}

pub(super) async fn a_draft_grants_no_role_to_later_drafts_of_the_batch(store: &dyn Store) {
    let place = direct("/", "ann", "bob");
    let says =
        |n, needs| Draft { place: place.clone(), author: user("ann"), needs, ..numbered("", n) };
    let drafts = || vec![says(1, None), says(2, Some(Role::Member))];
    let [one, two] = [1, 2].map(|n| Outcome::Stored(nth(n)));
    assert_eq!(commit(store, drafts()).await, [one, Outcome::NotPermitted(None)]);
    let again = Outcome::Duplicate { seq: seq(1), at: time(1) };
    assert_eq!(commit(store, drafts()).await, [again, two], "it applies in the next batch");
}

/// More authors than a table of rows holds, in several places.
pub(super) async fn each_author_in_a_batch_is_checked(store: &dyn Store) {
    let name = |n: u64| format!("user {n}");
    let in_room = |n: u64| if n.is_multiple_of(2) { "even" } else { "odd" };
    let members = (0..600_u64).filter(|n| !n.is_multiple_of(3));
    let role = |n: u64| if n % 3 == 1 { Role::Reader } else { Role::Member };
    let changes = members.map(|n| change(in_room(n), &name(n), MemberChange::Assign(role(n))));
    apply_changes(store, changes.collect()).await;
    let draft = |n: u64| Draft {
        author: user(&name(n)),
        needs: Some(Role::Member),
        ..numbered(in_room(n), n)
    };
    let outcomes = commit(store, (0..600).map(draft).collect()).await;
    for (n, outcome) in (0..).zip(outcomes) {
        match n % 3 {
            0 => assert_eq!(outcome, Outcome::NotPermitted(None), "{n}"),
            1 => assert_eq!(outcome, Outcome::NotPermitted(Some(Role::Reader)), "{n}"),
            _ => assert_eq!(outcome, Outcome::Stored(nth(n / 6 + 1)), "{n}"),
        }
    }
}
