//! Sessions whose user is not any more what this node believes: another node has told the store.

use super::*;
use crate::{
    chat::ports::{Batch, Change, Claims, MemberChange, Rooms, Store as _},
    domain::{Joining, RoomPattern, View},
};

fn lobby() -> Place {
    Place::room(&Space::root(), &RoomName::lobby())
}

/// Changes what ann is in the lobby, as another node would.
async fn make(store: &CountingStore, what: MemberChange) {
    let user = UserName::from_raw("ann");
    let changes = vec![Change { place: lobby(), user, what, rooms_max: None }];
    store.commit(&Batch { changes, ..Batch::default() }).await.unwrap();
}

async fn head(store: &CountingStore) -> u64 {
    store.log(&lobby()).await.unwrap().head.seq.as_raw()
}

fn edit(seq: u64) -> Request {
    let body = Body::from_raw("\"ho\"".into(), Vec::new());
    Request::Edit { of: None, seq: Seq::from_raw(seq), body }
}

fn delete(seq: u64) -> Request {
    Request::Delete { of: None, seq: Seq::from_raw(seq) }
}

fn tell(user: &str) -> Request {
    let body = Body::from_raw("\"psst\"".into(), Vec::new());
    Request::SingleChat { to: UserName::from_raw(user), body, id: None }
}

/// A token of ann's that may more or less than others.
fn token(house: &House, claims: impl FnOnce(Claims) -> Claims) -> Token {
    let until = NOW + Duration::from_mins(1);
    house.tokens.issue(&claims(Claims::of(UserName::from_raw("ann"), until))).unwrap()
}

#[tokio::test]
async fn who_was_kicked_elsewhere_says_and_changes_nothing_though_it_is_not_known_here() {
    let store: Arc<CountingStore> = Arc::default();
    live_on(&store, Limits::default(), async |house| {
        let (mut ann, _) = house.enter(Some(token(house, |it| it))).await;
        let (_bob, shelf) = house.enter(Some(house.token("bob", Duration::from_mins(1)))).await;
        assert!(ask(&mut ann, post()).await.is_ok());
        make(&store, MemberChange::Leave).await;
        for request in [post(), edit(1), delete(1)] {
            assert_eq!(ask(&mut ann, request).await.unwrap_err(), Rejection::NotMember);
        }
        assert_eq!(head(&store).await, 1, "nothing is stored");
        assert!(!shelf.events().contains(&"message 2".to_owned()), "and nobody hears of it");
        assert!(ask(&mut ann, tell("bob")).await.is_ok(), "that is no room");
        let of = Some(View::With(UserName::from_raw("bob")));
        assert!(ask(&mut ann, Request::Delete { of, seq: Seq::from_raw(1) }).await.is_ok());
    })
    .await;
}

#[tokio::test]
async fn who_may_less_than_is_known_here_hears_what_they_lack() {
    let store: Arc<CountingStore> = Arc::default();
    live_on(&store, Limits::default(), async |house| {
        let (mut bob, _) = house.enter(Some(house.token("bob", Duration::from_mins(1)))).await;
        assert!(ask(&mut bob, post()).await.is_ok());
        make(&store, MemberChange::Assign(Role::Admin)).await;
        let (mut ann, _) = house.enter(Some(token(house, |it| it))).await;
        assert!(ask(&mut ann, post()).await.is_ok());
        make(&store, MemberChange::Assign(Role::Member)).await;
        assert_eq!(ask(&mut ann, delete(1)).await.unwrap_err(), Rejection::Forbidden);
        assert!(ask(&mut ann, edit(2)).await.is_ok());
        make(&store, MemberChange::Assign(Role::Reader)).await;
        assert_eq!(ask(&mut ann, post()).await.unwrap_err(), Rejection::ReadOnly);
        assert_eq!(ask(&mut ann, edit(2)).await.unwrap_err(), Rejection::ReadOnly);
        assert_eq!(ask(&mut ann, delete(1)).await.unwrap_err(), Rejection::Forbidden);
        assert_eq!(head(&store).await, 3);
    })
    .await;
}

#[tokio::test]
async fn a_token_that_says_what_its_user_is_needs_no_more_than_a_member() {
    let store: Arc<CountingStore> = Arc::default();
    live_on(&store, Limits::default(), async |house| {
        let everywhere = || RoomPattern::parse("*").unwrap();
        let rooms = Rooms::Only(vec![(everywhere(), Some(Role::Admin))]);
        let tokens = [
            token(house, |it| Claims { admin: true, ..it }),
            token(house, |it| Claims { rooms, ..it }),
        ];
        for token in tokens {
            make(&store, MemberChange::Join(Joining::As(Role::Reader))).await;
            let (mut ann, _) = house.enter(Some(token)).await;
            let (mut bob, _) = house.enter(Some(house.token("bob", Duration::from_mins(1)))).await;
            assert!(ask(&mut bob, post()).await.is_ok());
            let last = head(&store).await;
            assert!(ask(&mut ann, post()).await.is_ok());
            assert!(ask(&mut ann, delete(last)).await.is_ok());
            make(&store, MemberChange::Leave).await;
            assert_eq!(ask(&mut ann, post()).await.unwrap_err(), Rejection::NotMember);
        }
    })
    .await;
}

#[tokio::test]
async fn who_speaks_and_leaves_at_once_has_spoken() {
    let store: Arc<CountingStore> = Arc::default();
    live_on(&store, Limits::default(), async |house| {
        let (mut ann, _) = house.enter(Some(token(house, |it| it))).await;
        for _ in 0..3 {
            let (said, heard) = oneshot::channel();
            let answer = Box::new(|reply: Reply| drop(said.send(reply)));
            ann.on(post(), answer).await;
            assert!(ask(&mut ann, Request::Leave { room: None }).await.is_ok());
            assert!(heard.await.unwrap().is_ok(), "though both were in the queue");
            let join = Request::Join { room: None, since: None, epoch: None };
            assert!(ask(&mut ann, join).await.is_ok());
        }
        assert_eq!(head(&store).await, 3);
    })
    .await;
}
