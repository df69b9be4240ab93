//! The list of denials: who is refused, until when, and changes that arrive in any order.

use time::Duration;

use super::*;
use crate::domain::{SignInId, TokenId};

fn time(minute: i64) -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH + Duration::minutes(minute)
}

fn user(name: &str) -> UserName {
    UserName::parse(name).unwrap()
}

fn ban(name: &str, until: Option<i64>) -> Denial {
    denial(DenialSubject::User(Some(Space::root()), user(name)), until)
}

fn denial(subject: DenialSubject, until: Option<i64>) -> Denial {
    Denial { subject, at: time(10), until: until.map(time), reason: None }
}

fn list_of(denials: impl IntoIterator<Item = Denial>) -> Denials {
    let list = Denials::default();
    let denials: Vec<_> = denials.into_iter().collect();
    let number = u64::try_from(denials.len()).unwrap();
    list.replace(0, DenialSnapshot { number, denials }, time(0));
    list
}

fn check(list: &Denials, name: &str, kind: &IdentityKind, now: i64) -> Result<(), Denied> {
    list.check_user((&Space::root(), &user(name)), kind, time(now))
}

#[test]
fn a_ban_is_for_the_exact_user_and_for_guests_that_look_like_it() {
    let list = list_of([ban("ann", None), ban("Ann", Some(20))]);
    let (registered, guest) = (IdentityKind::Registered, IdentityKind::Guest("g".into()));
    let banned = |until: Option<i64>| Err(Denied::Banned { until: until.map(time) });
    assert_eq!(check(&list, "ann", &registered, 1), banned(None));
    assert_eq!(check(&list, "Ann", &registered, 1), banned(Some(20)));
    assert_eq!(check(&list, "aNN", &registered, 1), Ok(()));
    assert_eq!(check(&list, "aNN", &guest, 1), banned(None), "the one that ends last");
    assert_eq!(check(&list, "bob", &guest, 1), Ok(()));
    let shop = Space::parse("/shop").unwrap();
    assert_eq!(list.check_user((&shop, &user("ann")), &guest, time(1)), Ok(()));
}

#[test]
fn a_ban_from_all_spaces_holds_beside_those_of_single_ones() {
    let everywhere = |name, until| denial(DenialSubject::User(None, user(name)), until);
    let list = list_of([everywhere("ann", Some(20)), ban("ann", Some(30)), ban("bob", Some(10))]);
    let (registered, guest) = (IdentityKind::Registered, IdentityKind::Guest("g".into()));
    let until = |space: &str, name, kind: &IdentityKind, now| {
        let space = Space::parse(space).unwrap();
        match list.check_user((&space, &user(name)), kind, time(now)) {
            Err(Denied::Banned { until }) => until,
            other => {
                assert_eq!(other, Ok(()));
                None
            }
        }
    };
    for space in ["/shop", "/never-seen"] {
        assert_eq!(until(space, "ann", &registered, 1), Some(time(20)));
        assert_eq!(until(space, "Ann", &guest, 1), Some(time(20)));
        assert_eq!(until(space, "Ann", &registered, 1), None, "users are compared exactly");
        assert_eq!(until(space, "bob", &guest, 1), None);
        assert_eq!(until(space, "ann", &registered, 20), None);
    }
    for kind in [&registered, &guest] {
        assert_eq!(until("/", "ann", kind, 1), Some(time(30)), "the one that ends last");
        assert_eq!(until("/", "ann", kind, 25), Some(time(30)));
    }
    let names = |space: Option<&Space>| {
        let (bans, _) = list.bans(space, (None, 9), time(1));
        bans.into_iter().map(|(user, _)| user.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(None), ["ann"]);
    assert_eq!(names(Some(&Space::root())), ["ann", "bob"]);
    assert!(names(Some(&Space::parse("/shop").unwrap())).is_empty());
    let allow = DenialChange::Allow(DenialSubject::User(None, user("ann")));
    list.apply(list.number() + 1, &allow, time(1));
    assert_eq!(until("/shop", "ann", &guest, 1), None);
    assert_eq!(until("/", "ann", &guest, 1), Some(time(30)), "the ban of the space is another");
}

#[test]
fn revocations_are_listed_in_pages_and_nothing_else_is() {
    let token = |name: &str| RevocationSubject::Token(TokenId::from_raw(name));
    let of = |name| RevocationSubject::User(user(name));
    let sign_in = DenialSubject::SignIn(SignInId::from_raw("a"));
    let subjects = [of("bob"), token("b"), of("ann"), token("a"), token("over")];
    let denials = subjects.into_iter().map(|it| {
        let until = if it == token("over") { Some(1) } else { None };
        denial(it.into(), until)
    });
    let others = [ban("ann", None), denial(sign_in, Some(99))];
    let list = list_of(denials.chain(others));
    let page = |after, limit| {
        let (page, more) = list.revocations((after, limit), time(1));
        (page.into_iter().map(|(subject, _)| subject).collect::<Vec<_>>(), more)
    };
    assert_eq!(page(None, 3), (vec![token("a"), token("b"), of("ann")], true));
    assert_eq!(page(Some(of("ann")), 3), (vec![of("bob")], false));
    assert_eq!(page(Some(token("aa")), 1), (vec![token("b")], true), "one that is not there");
    assert_eq!(page(Some(of("bob")), 1), (vec![], false));
}

#[test]
fn a_denial_ends_with_its_time() {
    let token = TokenId::from_raw("t");
    let list =
        list_of([ban("ann", Some(20)), denial(DenialSubject::Token(token.clone()), Some(20))]);
    let credentials = Credentials { token: Some(token), ..Credentials::default() };
    let refused = |now| {
        let user_refused = check(&list, "ann", &IdentityKind::Registered, now).is_err();
        (user_refused, list.check_credentials(&user("ann"), &credentials, time(now)).is_err())
    };
    assert_eq!(refused(19), (true, true));
    assert_eq!(refused(20), (false, false));
    assert_eq!(list.bans(Some(&Space::root()), (None, 9), time(20)), (Vec::new(), false));
}

#[test]
fn tokens_issued_before_a_time_are_refused_and_later_ones_are_not() {
    let list = list_of([denial(DenialSubject::TokensOf(user("ann")), None)]);
    let check = |name, issued_at: Option<i64>| {
        let credentials = Credentials { issued_at: issued_at.map(time), ..Credentials::default() };
        list.check_credentials(&user(name), &credentials, time(99))
    };
    assert_eq!(check("ann", Some(9)), Err(Denied::TokenRevoked));
    assert_eq!(check("ann", None), Err(Denied::TokenRevoked), "nobody knows when");
    assert_eq!(check("ann", Some(10)), Ok(()));
    assert_eq!(check("bob", Some(9)), Ok(()));
}

#[test]
fn an_ended_sign_in_is_refused() {
    let sign_in = SignInId::from_raw("a");
    let list = list_of([denial(DenialSubject::SignIn(sign_in.clone()), Some(20))]);
    let check = |sign_in: SignInId| {
        let credentials = Credentials { sign_in: Some(sign_in), ..Credentials::default() };
        list.check_credentials(&user("ann"), &credentials, time(1))
    };
    assert_eq!(check(sign_in), Err(Denied::SignedOut));
    assert_eq!(check(SignInId::from_raw("b")), Ok(()));
}

#[test]
fn changes_apply_in_the_order_of_their_numbers() {
    let list = Denials::default();
    let ann = ban("ann", None);
    let (deny, allow) = (DenialChange::Deny(ann.clone()), DenialChange::Allow(ann.subject.clone()));
    assert_eq!(list.apply(2, &allow, time(1)), []);
    assert!(list.is_behind());
    assert_eq!(list.apply(1, &deny, time(1)), std::slice::from_ref(&ann.subject));
    assert!(!list.is_behind() && list.number() == 2);
    assert_eq!(list.get(&ann.subject), None, "the first change does not undo the second");
    assert_eq!(list.apply(1, &deny, time(1)), [], "a repetition does nothing");
    assert_eq!(list.get(&ann.subject), None);
}

#[test]
fn the_list_of_the_store_fills_gaps_and_undoes_nothing_later() {
    let list = Denials::default();
    let [ann, bob, cas] = ["ann", "bob", "cas"].map(|name| ban(name, None));
    let deny = |denial: &Denial| DenialChange::Deny(denial.clone());
    list.apply(3, &deny(&cas), time(1));
    let snapshot = DenialSnapshot { number: 2, denials: vec![ann.clone(), bob.clone()] };
    list.replace(0, snapshot.clone(), time(1));
    assert!(list.number() == 3 && !list.is_behind());
    assert!([&ann, &bob, &cas].iter().all(|it| list.get(&it.subject).is_some()));
    list.replace(2, snapshot, time(1));
    assert!(list.get(&cas.subject).is_some(), "it was applied while the store was read");
    list.replace(3, DenialSnapshot::default(), time(1));
    assert!(list.number() == 0, "the database is another one");
}

#[test]
fn waiting_changes_are_bounded() {
    let list = Denials::default();
    for number in 2..=u64::try_from(AHEAD_MAX).unwrap() + 10 {
        list.apply(number, &DenialChange::Deny(ban("ann", None)), time(1));
    }
    assert_eq!(list.state.lock().ahead.len(), AHEAD_MAX);
    assert!(list.is_behind(), "the list will be read");
}

#[test]
fn bans_are_listed_by_name_in_pages() {
    let shop = DenialSubject::User(Some(Space::parse("/shop").unwrap()), user("zoe"));
    let bans = ["cas", "ann", "bob"].map(|name| ban(name, None));
    let list = list_of(bans.into_iter().chain([denial(shop, None)]));
    let page = |after: Option<&str>, limit| {
        let after = after.map(user);
        let (bans, more) = list.bans(Some(&Space::root()), (after.as_ref(), limit), time(1));
        (bans.into_iter().map(|(user, _)| user.to_string()).collect::<Vec<_>>(), more)
    };
    assert_eq!(page(None, 2), (vec!["ann".to_owned(), "bob".to_owned()], true));
    assert_eq!(page(Some("bob"), 2), (vec!["cas".to_owned()], false));
    assert_eq!(page(Some("b"), 1), (vec!["bob".to_owned()], true), "a name that is not there");
}

#[test]
fn a_full_list_takes_no_more_bans_and_forgets_the_sign_in_that_expires_first() {
    let sign_in = |n: usize| DenialSubject::SignIn(SignInId::from_raw(&n.to_string()));
    let number = |n: usize| i64::try_from(n).unwrap();
    let sign_ins = (0..SIGN_INS_MAX).map(|n| denial(sign_in(n), Some(number(n) + 5)));
    let bans = (0..OPERATOR_DENIALS_MAX).map(|n| ban(&format!("n{n}"), Some(number(n) + 5)));
    let list = list_of(sign_ins.chain(bans));
    let (old, new) = (ban("n7", None).subject, ban("new", None).subject);
    assert_eq!(list.room_for(&new, time(1)), DenialRoom::Full);
    assert_eq!(list.room_for(&old, time(1)), DenialRoom::Free, "it replaces one");
    let first = DenialRoom::FreeWithout(sign_in(0));
    assert_eq!(list.room_for(&sign_in(SIGN_INS_MAX), time(1)), first);
    assert_eq!(list.room_for(&new, time(5)), DenialRoom::Free, "one is over");
    assert_eq!(list.room_for(&sign_in(SIGN_INS_MAX), time(5)), DenialRoom::Free);
}
