//! Three nodes on a bus that loses, repeats and reorders announcements: each connection receives
//! each entry once and in order, and all nodes agree on the online users and on what is unread.

mod older_directs;

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroUsize,
    sync::Arc,
    time::Duration,
};

use proptest::prelude::*;
use time::{OffsetDateTime, macros::datetime};
use tokio::{
    runtime::Builder,
    sync::oneshot,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    auth::KeyTokens,
    bus::{BusFault, BusPath, MemoryBus},
    chat::{
        Answer, Backends, Chat, ChatParts, Hello, Reply, Request, RoomPost, Session,
        ports::{Claims, ClientInfo, Clock, Membership, NoApiKeys, NoMetrics, Outbox, Tokens as _},
        test_support::{RecordingOutbox, rules},
    },
    clock::RandomIds,
    domain::{Body, NodeId, Secret, Seq, Space, UserName, View},
    store::{MemoryNodes, MemoryStore, contract::memberships},
    tasks::Tasks,
};

const NOW: OffsetDateTime = datetime!(2026-03-01 12:00 UTC);
const NODES: usize = 3;
/// The time in which all losses are repaired: one second for a heartbeat, two for a comparison with
/// the store, the grace period of a user, and as much again.
const RECOVERY_TIME: Duration = Duration::from_secs(25);

#[derive(Debug)]
struct StoppedClock;

impl Clock for StoppedClock {
    fn now(&self) -> OffsetDateTime {
        NOW
    }
}

/// A step on a node.
#[derive(Clone, Debug)]
enum Step {
    SendMessage(usize),
    SendDirect(usize, usize),
    /// Deletes one of the user's messages, which may be deleted already.
    Delete(usize, prop::sample::Index),
    Read(usize, u64),
    Connect(usize, usize),
    Disconnect(usize),
    Pause(u64),
    InjectFault(usize, BusFault),
    ClearFaults,
}

fn faults() -> impl Strategy<Value = BusFault> {
    prop_oneof![
        Just(BusFault::DropEvery(NonZeroUsize::new(2).unwrap())),
        (100_u16..900).prop_map(BusFault::Drop),
        (100_u16..900).prop_map(BusFault::Duplicate),
        (100_u16..900).prop_map(BusFault::Delay),
        Just(BusFault::Cut),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let node = 0..NODES;
    let step = prop_oneof![
        6 => node.clone().prop_map(Step::SendMessage),
        3 => (node.clone(), 0..NODES).prop_map(|(node, user)| Step::SendDirect(node, user)),
        4 => (node.clone(), any::<prop::sample::Index>())
            .prop_map(|(node, which)| Step::Delete(node, which)),
        1 => (node.clone(), 0_u64..20).prop_map(|(node, seq)| Step::Read(node, seq)),
        2 => (node.clone(), 0_usize..4).prop_map(|(node, user)| Step::Connect(node, user)),
        2 => node.clone().prop_map(Step::Disconnect),
        3 => (0_u64..3000).prop_map(Step::Pause),
        2 => (node, faults()).prop_map(|(node, fault)| Step::InjectFault(node, fault)),
        1 => Just(Step::ClearFaults),
    ];
    prop::collection::vec(step, 1..60)
}

/// A connected client.
struct TestClient {
    user: usize,
    session: Session,
    outbox: Arc<RecordingOutbox>,
    /// The client's entries that are delivered only to others, as the client would receive them.
    own: BTreeSet<String>,
}

/// A message that was sent.
struct Sent {
    user: usize,
    /// The text that its events begin with.
    conversation: String,
    of: Option<View>,
    seq: Seq,
    /// Whether it was delivered to the sender, too.
    is_for_all: bool,
}

struct Fixture {
    store: MemoryStore,
    chats: Vec<Arc<Chat>>,
    bus: Arc<MemoryBus>,
    tokens: KeyTokens,
    tasks: Tasks,
    finish: CancellationToken,
    clients: Vec<Vec<TestClient>>,
    /// The number of entries per conversation, by the text that its events begin with.
    sent: BTreeMap<String, u64>,
    messages: Vec<Sent>,
}

impl Fixture {
    fn build(seed: u64) -> Self {
        let name = |n: usize| NodeId::from_raw(&format!("n{n}"));
        let (store, nodes) = (MemoryStore::new(), MemoryNodes::single(name(0)));
        let bus = MemoryBus::new(NodeId::from_raw("unused"));
        bus.seed(seed | 1);
        let tokens = KeyTokens::new(&Secret::from_raw(&[7; 32]), Arc::new(StoppedClock));
        let (tasks, finish) = (Tasks::new(), CancellationToken::new());
        let chat = |n| {
            let nodes = nodes.add_node(name(n));
            let (chat, writer) = Chat::new(ChatParts {
                store: Arc::new(store.shared_by(&nodes)),
                bus: bus.add_node(name(n)),
                nodes: Arc::new(nodes),
                tokens: Arc::new(tokens.clone()),
                clock: Arc::new(StoppedClock),
                ids: Arc::new(RandomIds),
                metrics: Arc::new(NoMetrics),
                backends: Backends::default(),
                api_keys: Arc::new(NoApiKeys),
                webhooks: None,
                tracer: None,
                rules: rules(name(n)),
            });
            tasks.spawn("writer", writer.run(finish.clone()));
            let shared = || Arc::clone(&chat);
            tasks.spawn("cluster receiver", until(&finish, shared().receive()));
            tasks.spawn("cluster repair", until(&finish, shared().repair()));
            tasks.spawn("cluster heartbeat", until(&finish, shared().publish_heartbeats()));
            tasks.spawn("node lease", until(&finish, shared().maintain_lease()));
            tasks.spawn("hub timers", until(&finish, shared().run_timers()));
            chat
        };
        let chats = (0..NODES).map(chat).collect();
        let clients = (0..NODES).map(|_| Vec::new()).collect();
        let (sent, messages) = (BTreeMap::new(), Vec::new());
        Self { store, chats, bus, tokens, tasks, finish, clients, sent, messages }
    }

    async fn apply(&mut self, step: Step) {
        match step {
            Step::SendMessage(node) => self.send_message(node).await,
            Step::SendDirect(node, user) => self.send_direct(node, user).await,
            Step::Delete(node, which) => self.delete(node, which).await,
            Step::Read(node, seq) => self.read(node, Seq::from_raw(seq)).await,
            Step::Connect(node, user) => self.connect(node, user).await,
            Step::Disconnect(node) => drop(self.clients[node].pop()),
            Step::Pause(millis) => sleep(Duration::from_millis(millis)).await,
            Step::InjectFault(node, fault) => {
                let node = Some(NodeId::from_raw(&format!("n{node}")));
                self.bus.inject_fault(BusPath { from: None, to: node }, fault);
            }
            Step::ClearFaults => self.clear_faults(),
        }
    }

    fn clear_faults(&self) {
        for node in 0..NODES {
            let node = Some(NodeId::from_raw(&format!("n{node}")));
            self.bus.clear_faults(&BusPath { from: None, to: node });
        }
        self.bus.release_delayed();
    }

    async fn connect(&mut self, node: usize, user: usize) {
        let name = UserName::from_raw(&format!("user{user}"));
        let token = self.tokens.issue(&Claims::of(name, NOW + Duration::from_hours(1))).unwrap();
        let outbox = RecordingOutbox::with_capacity(99_999);
        let (space, token, since) = (Space::root(), Some(token), Vec::new());
        let hello = Hello {
            space,
            token,
            device: None,
            room: None,
            since,
            epoch: None,
            client: ClientInfo::default(),
        };
        let admission = self.chats[node].admit(hello).await.unwrap();
        let session = admission.enter(Arc::clone(&outbox) as Arc<dyn Outbox>).await;
        self.clients[node].push(TestClient { user, session, outbox, own: BTreeSet::new() });
    }

    /// The newest client sends a message in the lobby, to all members or to all others.
    async fn send_message(&mut self, node: usize) {
        let sent = self.sent.entry("message".to_owned()).or_default();
        *sent += 1;
        let body = Body::from_raw("\"hi\"".into(), Vec::new());
        let post = RoomPost { room: None, body, id: None };
        let is_for_all = sent.is_multiple_of(2);
        let request = if is_for_all { Request::Send(post) } else { Request::GroupChat(post) };
        let Some(client) = self.clients[node].last_mut() else {
            *sent -= 1;
            return;
        };
        let reply = ask(&mut client.session, request).await;
        let Ok(Answer::Posted { receipt, .. }) = reply else { panic!("{reply:?}") };
        assert_eq!(receipt.seq.as_raw(), *sent, "one order of all nodes");
        let event = format!("message {sent}");
        assert_eq!(client.outbox.events().contains(&event), is_for_all, "delivered to the sender");
        if !is_for_all {
            client.own.insert(event);
        }
        let (user, conversation, seq) = (client.user, "message".to_owned(), receipt.seq);
        self.messages.push(Sent { user, conversation, of: None, seq, is_for_all });
    }

    /// The newest client sends a direct message to one of the first users.
    async fn send_direct(&mut self, node: usize, user: usize) {
        let Some(client) = self.clients[node].last_mut() else { return };
        let (one, other) = (client.user.min(user), client.user.max(user));
        let conversation = format!("message of user{one} and user{other}");
        let sent = self.sent.entry(conversation.clone()).or_default();
        let body = Body::from_raw("\"psst\"".into(), Vec::new());
        let to = UserName::from_raw(&format!("user{user}"));
        let reply = ask(&mut client.session, Request::SingleChat { to, body, id: None }).await;
        let Ok(Answer::PostedTo { receipt, .. }) = reply else { panic!("{reply:?}") };
        *sent += 1;
        assert_eq!(receipt.seq.as_raw(), *sent, "one order of all nodes");
        client.own.insert(format!("{conversation} {sent}"));
        let of = Some(View::Direct(UserName::from_raw(&format!("user{user}"))));
        let (user, seq) = (client.user, receipt.seq);
        self.messages.push(Sent { user, conversation, of, seq, is_for_all: false });
    }

    /// The newest client deletes one of the user's messages.
    async fn delete(&mut self, node: usize, which: prop::sample::Index) {
        let Some(client) = self.clients[node].last_mut() else { return };
        let own: Vec<_> = self.messages.iter().filter(|it| it.user == client.user).collect();
        let Some(index) = (!own.is_empty()).then(|| which.index(own.len())) else { return };
        let Sent { conversation, of, seq, is_for_all, .. } = own[index];
        let request = Request::Delete { of: of.clone(), seq: *seq };
        let reply = ask(&mut client.session, request).await;
        let Ok(Answer::Changed { seq, duplicate, .. }) = reply else { panic!("{reply:?}") };
        if !duplicate {
            let sent = self.sent.get_mut(conversation).unwrap();
            *sent += 1;
            assert_eq!(seq.as_raw(), *sent, "one order of all nodes");
            if !is_for_all {
                client.own.insert(format!("{conversation} {sent}"));
            }
        }
    }

    /// The newest client has read the lobby up to an entry.
    async fn read(&mut self, node: usize, seq: Seq) {
        if let Some(client) = self.clients[node].last_mut() {
            ask(&mut client.session, Request::Read { of: None, seq }).await.unwrap();
        }
    }

    /// Asserts that a client's node counts the same unread messages as the store.
    async fn assert_unread(store: &MemoryStore, client: &mut TestClient) {
        let name = UserName::from_raw(&format!("user{}", client.user));
        for membership in memberships(store, name.as_raw()).await {
            let Membership { place, member, log, topic: _, deleted } = membership;
            let of = Some(place.conversation.view_for(&name));
            let reply = ask(&mut client.session, Request::Read { of, seq: Seq::ZERO }).await;
            let Ok(Answer::Read { seq, unread }) = reply else { panic!("{reply:?}") };
            let stored = (member.read.seq, log.unread(member.read, deleted));
            assert_eq!((seq, unread), stored, "{name} in {place}");
        }
    }

    /// Asserts that each client has received all messages, and that all agree on the online users.
    async fn assert_consistent(&mut self) {
        let mut online: Vec<_> = self.clients.iter().flatten().map(|it| it.user).collect();
        online.sort_unstable();
        online.dedup();
        let online: Vec<_> = online.into_iter().map(|user| format!("user{user}")).collect();
        for (node, clients) in self.clients.iter_mut().enumerate() {
            for client in clients {
                for (conversation, sent) in &self.sent {
                    assert_received_all(client, conversation, *sent);
                }
                let list = ask(&mut client.session, Request::GroupList { room: None }).await;
                let Ok(Answer::Users { users, .. }) = list else { panic!("{list:?}") };
                let users: Vec<_> = users.iter().map(UserName::as_raw).collect();
                assert_eq!(users, online, "on node {node}");
                assert_presence(&client.outbox.events(), client.user, &online);
                Self::assert_unread(&self.store, client).await;
            }
        }
    }

    async fn end(mut self) {
        self.clients.clear();
        self.finish.cancel();
        self.tasks.finish(Duration::from_secs(5)).await.unwrap();
    }
}

async fn ask(session: &mut Session, request: Request) -> Reply {
    let (answer, answered) = oneshot::channel();
    session.handle(request, Box::new(|reply| drop(answer.send(reply)))).await;
    timeout(RECOVERY_TIME, answered).await.expect("a reply in time").unwrap()
}

fn until(
    finish: &CancellationToken,
    task: impl Future<Output = ()> + Send + 'static,
) -> impl Future<Output = ()> + Send + 'static {
    let finish = finish.clone();
    async move {
        tokio::select! {
            () = task => (),
            () = finish.cancelled() => (),
        }
    }
}

/// Asserts that the client received each entry of a conversation once and in order, from its
/// first received one to the last.
fn assert_received_all(client: &TestClient, conversation: &str, sent: u64) {
    let events = client.outbox.events();
    let events: Vec<_> = events.iter().map(|it| it.replacen("deletion", "message", 1)).collect();
    let seq = |event: &String| event.strip_prefix(conversation)?.trim().parse::<u64>().ok();
    let seqs: Vec<_> = events.iter().filter_map(seq).collect();
    if let Some(first) = seqs.first() {
        let is_for_client = |seq: &u64| !client.own.contains(&format!("{conversation} {seq}"));
        let expected: Vec<_> = (*first..=sent).filter(is_for_client).collect();
        assert_eq!(seqs, expected, "{conversation} in {events:?}");
    }
}

/// Asserts that joins and leaves alternate per user, and that the last one matches the online
/// users.
fn assert_presence(events: &[String], me: usize, online: &[String]) {
    let mut known: BTreeMap<&str, bool> = BTreeMap::new();
    for event in events {
        if let Some(user) = event.strip_suffix(" joined") {
            assert_ne!(known.insert(user, true), Some(true), "{events:?}");
        } else if let Some(user) = event.strip_suffix(" left") {
            assert_ne!(known.insert(user, false), Some(false), "{events:?}");
        }
    }
    for (user, is_online) in known {
        if user != format!("user{me}") {
            assert_eq!(is_online, online.iter().any(|it| it == user), "{user} in {events:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn nodes_converge_under_any_bus_faults(
        seed in any::<u64>(),
        fault in (0..NODES, faults()),
        steps in steps(),
    ) {
        let mut builder = Builder::new_current_thread();
        let runtime = builder.enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut fixture = Fixture::build(seed);
            // Each node knows of the others.
            sleep(Duration::from_secs(3)).await;
            let connects = (0..NODES).map(|node| Step::Connect(node, node));
            let begin = connects.chain([Step::InjectFault(fault.0, fault.1)]);
            for step in begin.chain(steps) {
                fixture.apply(step).await;
            }
            fixture.clear_faults();
            sleep(RECOVERY_TIME).await;
            fixture.assert_consistent().await;
            fixture.end().await;
        });
    }
}
