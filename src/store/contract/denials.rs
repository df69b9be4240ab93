//! The contract about bans, revoked tokens and ended sign-ins: one list with numbered changes.

use super::*;
use crate::{
    chat::ports::{DenialChange, DenialSnapshot},
    domain::{BanReason, Denial, DenialSubject, SignInId, TokenId},
};

fn ban(name: &str, until: Option<u64>) -> Denial {
    Denial {
        subject: DenialSubject::User(Some(Space::root()), user(name)),
        at: time(1),
        until: until.map(time),
        reason: None,
    }
}

async fn deny(store: &dyn Store, denial: &Denial) -> u64 {
    store.change_denials(&DenialChange::Deny(denial.clone()), time(2)).await.unwrap()
}

/// The number and the denials in the order of their subjects.
async fn list(store: &dyn Store) -> (u64, Vec<Denial>) {
    let DenialSnapshot { number, mut denials } = store.denials().await.unwrap();
    assert_eq!(store.denials_number().await.unwrap(), number);
    denials.sort_by(|one, other| one.subject.cmp(&other.subject));
    (number, denials)
}

pub(super) async fn denials_of_each_kind_round_trip(store: &dyn Store) {
    assert_eq!(list(store).await, (0, Vec::new()));
    let shop = Space::parse("/shop").unwrap();
    let (at, until) = (time(1), Some(time(9)));
    let reason = Some(BanReason::parse("it said \"x\" – ünd '").unwrap());
    let all = [
        Denial { subject: DenialSubject::User(None, user("ann")), ..ban("", None) },
        Denial { reason, ..ban("ann", None) },
        Denial { subject: DenialSubject::User(Some(shop), user("ann")), ..ban("", Some(9)) },
        Denial { subject: DenialSubject::Token(TokenId::from_raw("ann")), at, until, reason: None },
        Denial { subject: DenialSubject::TokensOf(user("ann")), at, until: None, reason: None },
        Denial { subject: DenialSubject::SignIn(SignInId::from_raw("ann")), ..ban("", Some(9)) },
    ];
    for (denial, number) in all.iter().zip(1..) {
        assert_eq!(deny(store, denial).await, number);
    }
    assert_eq!(list(store).await, (6, all.to_vec()));
    let everywhere = DenialChange::Allow(DenialSubject::User(None, user("ann")));
    store.change_denials(&everywhere, time(2)).await.unwrap();
    assert_eq!(list(store).await, (7, all[1..].to_vec()), "the bans of single spaces stay");
}

pub(super) async fn a_denial_replaces_that_of_its_subject(store: &dyn Store) {
    let reason = Some(BanReason::parse("why").unwrap());
    deny(store, &Denial { reason, ..ban("ann", Some(5)) }).await;
    let later = Denial { at: time(3), ..ban("ann", None) };
    assert_eq!(deny(store, &later).await, 2);
    assert_eq!(list(store).await, (2, vec![later]));
}

pub(super) async fn an_allowed_subject_has_no_denial(store: &dyn Store) {
    let (ann, bob) = (ban("ann", None), ban("bob", None));
    deny(store, &ann).await;
    deny(store, &bob).await;
    let allow = DenialChange::Allow(ann.subject);
    assert_eq!(store.change_denials(&allow, time(2)).await.unwrap(), 3);
    assert_eq!(list(store).await, (3, vec![bob.clone()]));
    let again = store.change_denials(&allow, time(2)).await.unwrap();
    assert_eq!(again, 4, "a change without effect has a number, too");
    assert_eq!(list(store).await, (4, vec![bob]));
}

pub(super) async fn denials_that_are_over_go_with_a_later_change(store: &dyn Store) {
    let (ann, bob) = (ban("ann", Some(5)), ban("bob", Some(6)));
    deny(store, &ann).await;
    deny(store, &bob).await;
    let cas = DenialChange::Deny(ban("cas", None));
    store.change_denials(&cas, time(5)).await.unwrap();
    assert_eq!(list(store).await, (3, vec![bob.clone(), ban("cas", None)]));
    let renewed = DenialChange::Deny(Denial { until: Some(time(8)), ..bob });
    store.change_denials(&renewed, time(7)).await.unwrap();
    let (_, denials) = list(store).await;
    assert_eq!(denials.first().unwrap().until, Some(time(8)), "one that was over begins again");
}

pub(super) async fn a_denial_is_kept_to_the_millisecond(store: &dyn Store) {
    let fine = Duration::new(0, 1_999_999);
    let denial = Denial { at: time(1) + fine, until: Some(time(9) + fine), ..ban("ann", None) };
    deny(store, &denial).await;
    let (_, denials) = list(store).await;
    let kept = Duration::milliseconds(1);
    let kept = Denial { at: time(1) + kept, until: Some(time(9) + kept), ..denial };
    assert_eq!(denials, [kept]);
}

/// Two processes: each change has one number, and each list has all changes up to its number.
pub(super) async fn changes_of_both_are_in_one_order(one: &dyn Store, other: &dyn Store) {
    let stream = async |store: &dyn Store, name: &str| {
        let mut numbers = Vec::new();
        for n in 0..20 {
            numbers.push(deny(store, &ban(&format!("{name}{n}"), None)).await);
            let DenialSnapshot { number, denials } = store.denials().await.unwrap();
            assert_eq!(u64::try_from(denials.len()).unwrap(), number, "a snapshot");
            assert!(numbers.iter().all(|it| *it <= number), "own changes are visible");
        }
        numbers
    };
    let (ones, others) = futures_util::join!(stream(one, "a"), stream(other, "b"));
    let mut numbers = [ones, others].concat();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=40).collect::<Vec<_>>());
    assert_eq!(list(one).await, list(other).await);
}
