//! Connections of users and tokens that are refused.

use ::time::Duration;

use super::*;
use crate::domain::{Denial, DenialSubject, SignInId, TokenId};

fn minute(minutes: i64) -> OffsetDateTime {
    NOW + Duration::minutes(minutes)
}

fn denial(subject: DenialSubject) -> Denial {
    Denial { subject, at: minute(10), until: None, reason: None }
}

fn ban(name: &str) -> Denial {
    denial(DenialSubject::User(Some(Space::root()), user(name)))
}

/// Makes the next change of the list.
fn deny(hub: &Hub, denial: Denial) {
    hub.change_denials(hub.denials.number() + 1, &DenialChange::Deny(denial), NOW);
}

/// Connects a user or a guest with these credentials.
fn open(
    hub: &Arc<Hub>,
    name: &str,
    proof: Proof,
    credentials: Credentials,
) -> (NameClaim, Arc<RecordingOutbox>) {
    open_in(&Space::root(), hub, (name, proof), credentials)
}

fn open_in(
    space: &Space,
    hub: &Arc<Hub>,
    (name, proof): (&str, Proof),
    credentials: Credentials,
) -> (NameClaim, Arc<RecordingOutbox>) {
    let recorder = RecordingOutbox::with_capacity(9);
    let mut name_claim = NameClaim::claim(hub, space, &user(name), proof).unwrap();
    let number = NEXT_CONNECTION.fetch_add(1, Ordering::Relaxed);
    let connection_info = connection_info(ConnectionId::from_raw(number), &recorder);
    drop(attach(&mut name_claim, ConnectionInfo { credentials, ..connection_info }));
    (name_claim, recorder)
}

fn sign_in(name: &str) -> Credentials {
    Credentials { sign_in: Some(SignInId::from_raw(name)), ..Credentials::default() }
}

fn token(name: &str, issued_at: i64) -> Credentials {
    let token = Some(TokenId::from_raw(name));
    Credentials { token, issued_at: Some(minute(issued_at)), sign_in: None }
}

fn closed(recorder: &RecordingOutbox) -> Vec<String> {
    recorder.events().into_iter().filter(|it| it.starts_with("closed")).collect()
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_sign_in_closes_only_its_connections() {
    let hub = Hub::new(Limits::default(), publisher());
    let open = |name| open(&hub, "ann", Proof::User, sign_in(name));
    let (tab, other_tab, phone) = (open("a"), open("a"), open("b"));
    drop(other_tab);
    let subject = DenialSubject::SignIn(SignInId::from_raw("a"));
    deny(&hub, denial(subject.clone()));
    assert_eq!(closed(&tab.1), ["closed SignedOut"]);
    assert!(closed(&phone.1).is_empty());
    let late = open("a");
    assert_eq!(closed(&late.1), ["closed SignedOut"], "it was being attached meanwhile");
    drop((tab, phone, late));
    assert!(!hub.users.has_connections(&subject));
}

#[tokio::test(start_paused = true)]
async fn a_ban_closes_the_user_and_guests_that_look_like_it() {
    let hub = Hub::new(Limits::default(), publisher());
    let open = |name, proof| open(&hub, name, proof, Credentials::default());
    let (ann, other, bob) =
        (open("ann", Proof::User), open("Ann", Proof::User), open("bob", Proof::User));
    let guest = open("Cas", Proof::NewGuest("g".into()));
    deny(&hub, ban("ann"));
    deny(&hub, ban("cas"));
    assert_eq!(closed(&ann.1), ["closed Banned { until: None }"]);
    assert!(closed(&other.1).is_empty(), "users are compared exactly");
    assert!(closed(&bob.1).is_empty());
    assert_eq!(closed(&guest.1), ["closed Banned { until: None }"]);
    let late = open("ann", Proof::User);
    assert_eq!(closed(&late.1), ["closed Banned { until: None }"]);
}

#[tokio::test(start_paused = true)]
async fn a_ban_from_all_spaces_closes_in_each() {
    let hub = Hub::new(Limits::default(), publisher());
    let [shop, team] = ["/shop", "/team"].map(|it| Space::parse(it).unwrap());
    let open = |space, name, proof| open_in(space, &hub, (name, proof), Credentials::default());
    let (root, guest) = (Space::root(), || Proof::NewGuest("g".into()));
    let banned = [
        open(&root, "ann", Proof::User),
        open(&shop, "ann", Proof::User),
        open(&team, "Ann", guest()),
    ];
    let others = [open(&root, "Ann", Proof::User), open(&shop, "bob", guest())];
    deny(&hub, denial(DenialSubject::User(None, user("ann"))));
    for (_, recorder) in &banned {
        assert_eq!(closed(recorder), ["closed Banned { until: None }"]);
    }
    for (_, recorder) in &others {
        assert!(closed(recorder).is_empty());
    }
    let late = open(&shop, "ann", Proof::User);
    assert_eq!(closed(&late.1), ["closed Banned { until: None }"]);
}

#[tokio::test(start_paused = true)]
async fn a_revocation_closes_the_connections_of_its_tokens() {
    let hub = Hub::new(Limits::default(), publisher());
    let open = |name, issued_at| open(&hub, "ann", Proof::User, token(name, issued_at));
    let (one, old, new) = (open("one", 20), open("old", 9), open("new", 10));
    deny(&hub, denial(DenialSubject::Token(TokenId::from_raw("one"))));
    assert_eq!(closed(&one.1), ["closed TokenRevoked"]);
    assert!(closed(&old.1).is_empty());
    deny(&hub, denial(DenialSubject::TokensOf(user("ann"))));
    assert_eq!(closed(&old.1), ["closed TokenRevoked"]);
    assert!(closed(&new.1).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_renewed_connection_has_its_new_token_and_its_sign_in() {
    let hub = Hub::new(Limits::default(), publisher());
    let first = Credentials { sign_in: sign_in("a").sign_in, ..token("first", 9) };
    let (mut name_claim, recorder) = open(&hub, "ann", Proof::User, first);
    deny(&hub, denial(DenialSubject::Token(TokenId::from_raw("third"))));
    name_claim.renew((scope(), None), token("second", 20), NOW).unwrap();
    let refused = name_claim.renew((scope(), None), token("third", 20), NOW);
    assert_eq!(refused, Err(crate::domain::Denied::TokenRevoked));
    for subject in
        [DenialSubject::Token(TokenId::from_raw("first")), DenialSubject::TokensOf(user("ann"))]
    {
        deny(&hub, denial(subject));
    }
    assert!(closed(&recorder).is_empty(), "neither is about the second token");
    deny(&hub, denial(DenialSubject::Token(TokenId::from_raw("second"))));
    deny(&hub, denial(DenialSubject::SignIn(SignInId::from_raw("a"))));
    assert_eq!(closed(&recorder), ["closed TokenRevoked", "closed SignedOut"]);
    drop(name_claim);
    assert!(!hub.users.has_connections(&DenialSubject::Token(TokenId::from_raw("second"))));
}

#[tokio::test(start_paused = true)]
async fn the_list_of_the_store_closes_what_was_missed() {
    let hub = Hub::new(Limits::default(), publisher());
    let open = |name, credentials| open(&hub, name, Proof::User, credentials);
    let (ann, bob) = (open("ann", token("t", 9)), open("bob", sign_in("a")));
    let over = Denial { until: Some(NOW), ..ban("bob") };
    let list = DenialSnapshot { number: 7, denials: vec![ban("ann"), over] };
    hub.replace_denials(0, list, NOW);
    assert_eq!(closed(&ann.1), ["closed Banned { until: None }"]);
    assert!(closed(&bob.1).is_empty());
}
