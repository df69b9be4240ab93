//! Pages of history with concurrent changes.

use tokio::join;

use super::*;
use crate::{chat::ports::PageRange, domain::View};

fn history() -> Request {
    Request::History { of: None, range: PageRange::Newest, limit: None }
}

fn deletion() -> Request {
    Request::Delete { of: None, seq: Seq::from_raw(1) }
}

#[tokio::test]
async fn deletion_during_page_read_is_delivered_after_page() {
    let store: Arc<CountingStore> = Arc::default();
    with_chat_on(&store, Limits::default(), async |fixture| {
        let (mut ann, _) = fixture.enter(Some(fixture.token("ann", Duration::from_mins(1)))).await;
        let (mut bob, outbox) =
            fixture.enter(Some(fixture.token("bob", Duration::from_mins(1)))).await;
        assert!(ask(&mut ann, post()).await.is_ok());
        let page_barrier = store.page_barrier.0.acquire().await.unwrap();
        let received = Arc::new(Mutex::new(None));
        let (before, page_outbox) = (Arc::clone(&received), Arc::clone(&outbox));
        // Records the events that were delivered before the page.
        let answer = Box::new(move |_| *before.lock() = Some(page_outbox.events()));
        let delete = async {
            assert!(ask(&mut ann, deletion()).await.is_ok());
            drop(page_barrier);
        };
        join!(bob.handle(history(), answer), delete);
        let received = received.lock().take().expect("the page was answered");
        assert!(!received.contains(&"deletion 2".to_owned()), "deletion before the page");
        assert_eq!(outbox.events().last().unwrap(), "deletion 2");
        assert!(ask(&mut ann, post()).await.is_ok());
        assert_eq!(outbox.events().last().unwrap(), "message 3", "live events continue");
    })
    .await;
}

#[tokio::test]
async fn page_read_is_rejected_when_user_is_removed_meanwhile() {
    let store: Arc<CountingStore> = Arc::default();
    with_chat_on(&store, Limits::default(), async |fixture| {
        let (mut ann, _) = fixture.enter(Some(fixture.token("ann", Duration::from_mins(1)))).await;
        let (mut bob, _) = fixture.enter(Some(fixture.token("bob", Duration::from_mins(1)))).await;
        let room = RoomName::parse("team").unwrap();
        let join = || Request::Join { room: Some(room.clone()), since: None, epoch: None };
        assert!(ask(&mut ann, join()).await.is_ok());
        assert!(ask(&mut bob, join()).await.is_ok());
        let page_barrier = store.page_barrier.0.acquire().await.unwrap();
        let user = UserName::from_raw("bob");
        let kick = async {
            assert!(ask(&mut ann, Request::Kick { room: Some(room.clone()), user }).await.is_ok());
            drop(page_barrier);
        };
        let of = Some(View::Room(room.clone()));
        let page = Request::History { of, range: PageRange::Newest, limit: None };
        let (reply, ()) = join!(ask(&mut bob, page), kick);
        assert_eq!(reply.unwrap_err(), Rejection::NotMember);
    })
    .await;
}
