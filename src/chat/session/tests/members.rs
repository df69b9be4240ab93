//! Sessions whose cached membership is stale: another node has changed it in the store.

use super::*;
use crate::{
    chat::ports::{Batch, Change, Claims, MemberChange, Rooms, Store as _},
    domain::{JoinMode, RoomPattern, View},
};

fn lobby() -> Place {
    Place::room(&Space::root(), &RoomName::lobby())
}

/// Changes ann's membership in the lobby in the store only, as another node would.
async fn change_member(store: &CountingStore, what: MemberChange) {
    let user = UserName::from_raw("ann");
    let changes = vec![Change { place: lobby(), user, what, rooms_max: None }];
    store.commit(Batch { changes, ..Batch::default() }.into()).await.unwrap();
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

fn direct_message(user: &str) -> Request {
    let body = Body::from_raw("\"psst\"".into(), Vec::new());
    Request::SingleChat { to: UserName::from_raw(user), body, id: None }
}

/// A token of ann with changed claims.
fn token(fixture: &Fixture, claims: impl FnOnce(Claims) -> Claims) -> Token {
    let until = NOW + Duration::from_mins(1);
    fixture.tokens.issue(&claims(Claims::of(UserName::from_raw("ann"), until))).unwrap()
}

#[tokio::test]
async fn requests_are_rejected_after_removal_on_another_node() {
    let store: Arc<CountingStore> = Arc::default();
    with_chat_on(&store, Limits::default(), async |fixture| {
        let (mut ann, _) = fixture.enter(Some(token(fixture, |it| it))).await;
        let (_bob, outbox) =
            fixture.enter(Some(fixture.token("bob", Duration::from_mins(1)))).await;
        assert!(ask(&mut ann, post()).await.is_ok());
        change_member(&store, MemberChange::Leave).await;
        for request in [post(), edit(1), delete(1)] {
            assert_eq!(ask(&mut ann, request).await.unwrap_err(), Rejection::NotMember);
        }
        assert_eq!(head(&store).await, 1, "nothing is stored");
        assert!(!outbox.events().contains(&"message 2".to_owned()), "nothing is delivered");
        assert!(ask(&mut ann, direct_message("bob")).await.is_ok(), "no membership needed");
        let of = Some(View::Direct(UserName::from_raw("bob")));
        assert!(ask(&mut ann, Request::Delete { of, seq: Seq::from_raw(1) }).await.is_ok());
    })
    .await;
}

#[tokio::test]
async fn rejection_names_missing_right_after_demotion_on_another_node() {
    let store: Arc<CountingStore> = Arc::default();
    with_chat_on(&store, Limits::default(), async |fixture| {
        let (mut bob, _) = fixture.enter(Some(fixture.token("bob", Duration::from_mins(1)))).await;
        assert!(ask(&mut bob, post()).await.is_ok());
        change_member(&store, MemberChange::Assign(Role::Admin)).await;
        let (mut ann, _) = fixture.enter(Some(token(fixture, |it| it))).await;
        assert!(ask(&mut ann, post()).await.is_ok());
        change_member(&store, MemberChange::Assign(Role::Member)).await;
        assert_eq!(ask(&mut ann, delete(1)).await.unwrap_err(), Rejection::Forbidden);
        assert!(ask(&mut ann, edit(2)).await.is_ok());
        change_member(&store, MemberChange::Assign(Role::Reader)).await;
        assert_eq!(ask(&mut ann, post()).await.unwrap_err(), Rejection::ReadOnly);
        assert_eq!(ask(&mut ann, edit(2)).await.unwrap_err(), Rejection::ReadOnly);
        assert_eq!(ask(&mut ann, delete(1)).await.unwrap_err(), Rejection::Forbidden);
        assert_eq!(head(&store).await, 3);
    })
    .await;
}

#[tokio::test]
async fn token_with_role_requires_only_membership() {
    let store: Arc<CountingStore> = Arc::default();
    with_chat_on(&store, Limits::default(), async |fixture| {
        let everywhere = || RoomPattern::parse("*").unwrap();
        let rooms = Rooms::Only(vec![(everywhere(), Some(Role::Admin))]);
        let tokens = [
            token(fixture, |it| Claims { admin: true, ..it }),
            token(fixture, |it| Claims { rooms, ..it }),
        ];
        for token in tokens {
            change_member(&store, MemberChange::Join(JoinMode::As(Role::Reader))).await;
            let (mut ann, _) = fixture.enter(Some(token)).await;
            let (mut bob, _) =
                fixture.enter(Some(fixture.token("bob", Duration::from_mins(1)))).await;
            assert!(ask(&mut bob, post()).await.is_ok());
            let last = head(&store).await;
            assert!(ask(&mut ann, post()).await.is_ok());
            assert!(ask(&mut ann, delete(last)).await.is_ok());
            change_member(&store, MemberChange::Leave).await;
            assert_eq!(ask(&mut ann, post()).await.unwrap_err(), Rejection::NotMember);
        }
    })
    .await;
}

#[tokio::test]
async fn message_queued_before_leave_is_stored() {
    let store: Arc<CountingStore> = Arc::default();
    with_chat_on(&store, Limits::default(), async |fixture| {
        let (mut ann, _) = fixture.enter(Some(token(fixture, |it| it))).await;
        for _ in 0..3 {
            let (replied, received) = oneshot::channel();
            let answer = Box::new(|reply: Reply| drop(replied.send(reply)));
            ann.handle(post(), answer).await;
            assert!(ask(&mut ann, Request::Leave { room: None }).await.is_ok());
            assert!(received.await.unwrap().is_ok(), "both were in the queue");
            let join = Request::Join { room: None, since: None, epoch: None };
            assert!(ask(&mut ann, join).await.is_ok());
        }
        assert_eq!(head(&store).await, 3);
    })
    .await;
}
