//! Pages of history among what happens meanwhile.

use tokio::join;

use super::*;
use crate::{chat::ports::Range, domain::View};

fn history() -> Request {
    Request::History { of: None, range: Range::Newest, limit: None }
}

fn deletion() -> Request {
    Request::Delete { of: None, seq: Seq::from_raw(1) }
}

#[tokio::test]
async fn what_is_taken_away_while_a_page_is_read_comes_after_it() {
    let store: Arc<CountingStore> = Arc::default();
    live_on(&store, Limits::default(), async |house| {
        let (mut ann, _) = house.enter(Some(house.token("ann", Duration::from_mins(1)))).await;
        let (mut bob, shelf) = house.enter(Some(house.token("bob", Duration::from_mins(1)))).await;
        assert!(ask(&mut ann, post()).await.is_ok());
        let gate = store.gate.0.acquire().await.unwrap();
        let heard = Arc::new(Mutex::new(None));
        let (before, told) = (Arc::clone(&heard), Arc::clone(&shelf));
        // What had been heard when the page was answered.
        let answer = Box::new(move |_| *before.lock().unwrap() = Some(told.events()));
        let take_away = async {
            assert!(ask(&mut ann, deletion()).await.is_ok());
            drop(gate);
        };
        join!(bob.on(history(), answer), take_away);
        let heard = heard.lock().unwrap().take().expect("the page is answered");
        assert!(!heard.contains(&"deletion 2".to_owned()), "the page knows nothing of it");
        assert_eq!(shelf.events().last().unwrap(), "deletion 2");
        assert!(ask(&mut ann, post()).await.is_ok());
        assert_eq!(shelf.events().last().unwrap(), "message 3", "and then it goes on");
    })
    .await;
}

#[tokio::test]
async fn who_is_kicked_while_a_page_is_read_does_not_get_it() {
    let store: Arc<CountingStore> = Arc::default();
    live_on(&store, Limits::default(), async |house| {
        let (mut ann, _) = house.enter(Some(house.token("ann", Duration::from_mins(1)))).await;
        let (mut bob, _) = house.enter(Some(house.token("bob", Duration::from_mins(1)))).await;
        let room = RoomName::parse("team").unwrap();
        let join = || Request::Join { room: Some(room.clone()), since: None, epoch: None };
        assert!(ask(&mut ann, join()).await.is_ok());
        assert!(ask(&mut bob, join()).await.is_ok());
        let gate = store.gate.0.acquire().await.unwrap();
        let user = UserName::from_raw("bob");
        let kick = async {
            assert!(ask(&mut ann, Request::Kick { room: Some(room.clone()), user }).await.is_ok());
            drop(gate);
        };
        let of = Some(View::Room(room.clone()));
        let page = Request::History { of, range: Range::Newest, limit: None };
        let (reply, ()) = join!(ask(&mut bob, page), kick);
        assert_eq!(reply.unwrap_err(), Rejection::NotMember);
    })
    .await;
}
