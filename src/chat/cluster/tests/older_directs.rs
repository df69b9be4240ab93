//! Direct conversations that are not among the listed ones: what is said in them arrives live.

use super::*;
use crate::{
    chat::ports::{Batch, DIRECTS_LISTED_MAX, Draft, Store as _},
    domain::Place,
    store::contract::{direct, numbered, time, user},
};

/// The messages in the conversation of user0 and user1 that are stored before they connect.
const STORED: u64 = 3;

/// What user1 does in the conversation.
#[derive(Clone, Copy, Debug)]
enum Act {
    Say,
    Edit,
    Delete,
}

/// Three nodes. user0, on the first one, has newer messages with so many other users that the
/// conversation with user1, on the second one, is not listed.
async fn fixture() -> Fixture {
    let mut fixture = Fixture::build(7);
    let says = |place: Place, id, at| Draft {
        place,
        author: user("user1"),
        author_name: None,
        at: time(at),
        ..numbered("", id)
    };
    let place = || direct("/", "user0", "user1");
    let older = (1..=STORED).map(|n| says(place(), n, n));
    let newer = (0..DIRECTS_LISTED_MAX as u64).map(|n| {
        let other = format!("zoe {n}");
        let place = direct("/", "user0", &other);
        Draft { author: user(&other), ..says(place, 1, 10 + n) }
    });
    let drafts = older.chain(newer).collect();
    fixture.store.commit(Batch { drafts, ..Batch::default() }.into()).await.unwrap();
    // Each node knows of the others.
    sleep(Duration::from_secs(3)).await;
    fixture.connect(0, 0).await;
    fixture.connect(1, 1).await;
    fixture
}

impl Fixture {
    /// user1 acts in the conversation with user0.
    async fn act(&mut self, act: Act) {
        let session = &mut self.clients[1].last_mut().unwrap().session;
        let (to, seq) = (UserName::from_raw("user0"), Seq::from_raw(STORED));
        let (of, body) = (Some(View::Direct(to.clone())), Body::from_raw("\"x\"".into(), vec![]));
        let request = match act {
            Act::Say => Request::SingleChat { to, body, id: None },
            Act::Edit => Request::Edit { of, seq, body },
            Act::Delete => Request::Delete { of, seq },
        };
        ask(session, request).await.unwrap();
    }

    /// What user0 has received of the conversation.
    fn received(&self) -> Vec<String> {
        let events = self.clients[0].last().unwrap().outbox.events();
        events.into_iter().filter(|it| it.contains("of user0 and user1")).collect()
    }

    /// Waits until all losses are repaired, and asserts what user0 has received.
    async fn assert_received(mut self, expected: &[&str]) {
        self.clear_faults();
        sleep(RECOVERY_TIME).await;
        assert_eq!(self.received(), expected);
        let client = self.clients[0].last_mut().unwrap();
        Self::assert_unread(&self.store, client).await;
        self.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_entry_of_another_node_arrives() {
    for (act, kind) in [(Act::Say, "message"), (Act::Edit, "edit"), (Act::Delete, "deletion")] {
        let mut fixture = fixture().await;
        fixture.act(act).await;
        fixture.act(Act::Say).await;
        let first = format!("{kind} of user0 and user1 4");
        fixture.assert_received(&[&*first, "message of user0 and user1 5"]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn messages_that_the_bus_lost_arrive() {
    let mut fixture = fixture().await;
    let node = Some(NodeId::from_raw("n0"));
    fixture.bus.inject_fault(BusPath { from: None, to: node }, BusFault::Cut);
    for act in [Act::Say, Act::Edit, Act::Say] {
        fixture.act(act).await;
    }
    let expected = ["message", "edit", "message"].into_iter().zip(4..);
    let expected: Vec<_> =
        expected.map(|(kind, seq)| format!("{kind} of user0 and user1 {seq}")).collect();
    fixture.assert_received(&expected.iter().map(|it| &**it).collect::<Vec<_>>()).await;
}

#[tokio::test(start_paused = true)]
async fn a_read_position_that_is_stored_before_the_message_arrives_hides_nothing() {
    let mut fixture = fixture().await;
    let node = Some(NodeId::from_raw("n0"));
    fixture.bus.inject_fault(BusPath { from: None, to: node }, BusFault::Cut);
    fixture.act(Act::Say).await;
    let of = Some(View::Direct(UserName::from_raw("user1")));
    let session = &mut fixture.clients[0].last_mut().unwrap().session;
    ask(session, Request::Read { of, seq: Seq::from_raw(STORED) }).await.unwrap();
    fixture.assert_received(&["message of user0 and user1 4"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_message_of_the_user_is_acknowledged_and_arrives_on_the_other_devices() {
    let mut fixture = fixture().await;
    fixture.connect(2, 0).await;
    let session = &mut fixture.clients[2].last_mut().unwrap().session;
    let body = Body::from_raw("\"x\"".into(), vec![]);
    let to = UserName::from_raw("user1");
    ask(session, Request::SingleChat { to, body, id: None }).await.unwrap();
    fixture.assert_received(&["message of user0 and user1 4"]).await;
}
