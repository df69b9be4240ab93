//! The contract of every node registry: the guarantees of [`Nodes`].

use std::time::Duration;

use crate::{
    chat::ports::{
        ClaimOutcome, GuestExpired, GuestName, HeartbeatReply, LEASE, Nodes, OnlineDevices,
    },
    domain::{DeviceId, DeviceSet, NodeId, Space, UserName},
};

/// The grace period of the engines, longer than the lease.
pub(crate) const NAMES_GRACE: Duration = LEASE.saturating_add(MORE);
const MORE: Duration = Duration::from_secs(4);

/// Tests an engine against its port. `open` opens the node `n<number>` of one registry, which has
/// no nodes at first; `pass` lets that much of the engine's time pass.
pub(crate) async fn nodes_contract<N: Nodes>(
    open: impl AsyncFn(u32) -> N + Sync,
    pass: impl AsyncFn(Duration) + Sync,
) {
    a_node_is_alive_while_it_sends_heartbeats(&open(1).await, &open(2).await, &pass).await;
    a_name_belongs_to_one_guest_session(&open(3).await, &open(4).await).await;
    a_guest_session_may_be_on_many_nodes(&open(5).await, &open(6).await).await;
    names_of_a_dead_node_can_be_claimed(&open(7).await, &open(8).await, &pass).await;
    names_of_a_node_that_left_are_kept(&open(14).await, &open(15).await, &pass).await;
    a_guest_session_is_found_by_device(&open(16).await, &open(17).await, &pass).await;
    let three = [open(9).await, open(10).await, open(13).await];
    online_devices_are_merged_across_nodes(&three, &pass).await;
    let three = [open(18).await, open(19).await, open(20).await];
    remote_users_are_paged_by_name(&three, &pass).await;
    tickets_increase(&open(11).await, &open(12).await).await;
}

async fn a_node_is_alive_while_it_sends_heartbeats(
    one: &impl Nodes,
    other: &impl Nodes,
    pass: &(impl AsyncFn(Duration) + Sync),
) {
    assert_eq!(alive(one).await, ["n1"]);
    assert_eq!(alive(other).await, ["n1", "n2"]);
    assert_eq!(alive(one).await, ["n1", "n2"]);
    pass(LEASE / 2).await;
    assert_eq!(alive(one).await, ["n1", "n2"], "not yet");
    pass(LEASE / 2).await;
    assert_eq!(alive(one).await, ["n1"]);
    assert_eq!(alive(other).await, ["n1", "n2"], "back");
    other.leave().await.unwrap();
    assert_eq!(alive(one).await, ["n1"]);
    one.leave().await.unwrap();
}

async fn a_name_belongs_to_one_guest_session(one: &impl Nodes, other: &impl Nodes) {
    heartbeat(&[one, other]).await;
    assert_eq!(one.claim(&guest("ann", "1"), None).await.unwrap(), ClaimOutcome::Granted);
    assert_eq!(one.claim(&guest("ann", "1"), None).await.unwrap(), ClaimOutcome::Granted, "again");
    assert_eq!(
        one.claim(&guest("ANN", "0"), None).await.unwrap(),
        ClaimOutcome::Granted,
        "its own claim"
    );
    assert_eq!(one.claim(&guest("ann", "1"), None).await.unwrap(), ClaimOutcome::Granted);
    one.release(&[guest("ANN", "0")]).await.unwrap();
    assert_eq!(one.heartbeat(&[]).await.unwrap().lost, []);
    assert_eq!(
        other.claim(&guest("ANN", "2"), None).await.unwrap(),
        ClaimOutcome::Taken,
        "a name with the same key"
    );
    assert_eq!(other.claim(&guest("ann", "2"), None).await.unwrap(), ClaimOutcome::Taken);
    let other_space = GuestName { space: Space::from_raw("/shop"), ..guest("ann", "2") };
    assert_eq!(
        other.claim(&other_space, None).await.unwrap(),
        ClaimOutcome::Granted,
        "another space"
    );
    other.release(&[guest("ann", "2"), guest("ann", "1"), guest("eve", "3")]).await.unwrap();
    assert_eq!(
        other.claim(&guest("ann", "2"), None).await.unwrap(),
        ClaimOutcome::Taken,
        "the claim was not its own"
    );
    other.release(std::slice::from_ref(&other_space)).await.unwrap();
    let next = GuestName { guest_session: "3".into(), ..other_space };
    assert_eq!(one.claim(&next, None).await.unwrap(), ClaimOutcome::Granted);
    one.release(&[guest("ann", "1")]).await.unwrap();
    assert_eq!(other.claim(&guest("Ann", "2"), None).await.unwrap(), ClaimOutcome::Granted);
    for node in [one as &dyn Nodes, other] {
        node.release(&[guest("ann", "2"), next.clone()]).await.unwrap();
        node.leave().await.unwrap();
    }
}

async fn a_guest_session_may_be_on_many_nodes(one: &impl Nodes, other: &impl Nodes) {
    heartbeat(&[one, other]).await;
    let bob = guest("bob", "1");
    assert_eq!(one.claim(&bob, None).await.unwrap(), ClaimOutcome::Granted);
    assert_eq!(other.claim(&bob, None).await.unwrap(), ClaimOutcome::Granted);
    one.release(std::slice::from_ref(&bob)).await.unwrap();
    assert_eq!(
        one.claim(&guest("bob", "2"), None).await.unwrap(),
        ClaimOutcome::Taken,
        "still there"
    );
    other.release(&[bob]).await.unwrap();
    assert_eq!(one.claim(&guest("bob", "2"), None).await.unwrap(), ClaimOutcome::Granted);
    for node in [one as &dyn Nodes, other] {
        assert_eq!(node.heartbeat(&[]).await.unwrap().lost, [], "nothing was lost");
        node.release(&[guest("bob", "2")]).await.unwrap();
        node.leave().await.unwrap();
    }
}

async fn names_of_a_dead_node_can_be_claimed(
    dead: &impl Nodes,
    live: &impl Nodes,
    pass: &(impl AsyncFn(Duration) + Sync),
) {
    heartbeat(&[dead, live]).await;
    for name in ["cleo", "dan"] {
        assert_eq!(dead.claim(&guest(name, "1"), None).await.unwrap(), ClaimOutcome::Granted);
    }
    pass(LEASE).await;
    heartbeat(&[live]).await;
    assert_eq!(
        live.claim(&guest("cleo", "2"), None).await.unwrap(),
        ClaimOutcome::Taken,
        "in grace"
    );
    pass(MORE).await;
    heartbeat(&[live]).await;
    assert_eq!(live.claim(&guest("cleo", "2"), None).await.unwrap(), ClaimOutcome::Granted);
    let reply = dead.heartbeat(&[]).await.unwrap();
    assert_eq!(reply.lost, [guest("cleo", "1")], "dan's name was not claimed");
    assert_eq!(dead.heartbeat(&[]).await.unwrap().lost, [], "once");
    assert_eq!(
        live.claim(&guest("dan", "2"), None).await.unwrap(),
        ClaimOutcome::Taken,
        "it is back"
    );
    dead.release(&[guest("dan", "1")]).await.unwrap();
    live.release(&[guest("cleo", "2")]).await.unwrap();
    dead.leave().await.unwrap();
    live.leave().await.unwrap();
}

async fn names_of_a_node_that_left_are_kept(
    left: &impl Nodes,
    live: &impl Nodes,
    pass: &(impl AsyncFn(Duration) + Sync),
) {
    heartbeat(&[left, live]).await;
    for name in ["eve", "fay"] {
        assert_eq!(left.claim(&guest(name, "1"), None).await.unwrap(), ClaimOutcome::Granted);
    }
    left.leave().await.unwrap();
    assert_eq!(alive(live).await, ["n15"]);
    assert_eq!(live.claim(&guest("EVE", "2"), None).await.unwrap(), ClaimOutcome::Taken);
    assert_eq!(
        live.claim(&guest("eve", "1"), None).await.unwrap(),
        ClaimOutcome::Granted,
        "the guest"
    );
    pass(LEASE).await;
    assert_eq!(live.heartbeat(&[]).await.unwrap().expired, [], "not yet");
    assert_eq!(live.claim(&guest("fay", "2"), None).await.unwrap(), ClaimOutcome::Taken, "not yet");
    pass(MORE).await;
    let mut expired = live.heartbeat(&[]).await.unwrap().expired;
    expired.sort_unstable_by(|a, b| a.user.cmp(&b.user));
    let of_left = |name| {
        let GuestName { space, user, guest_session } = guest(name, "1");
        GuestExpired { space, user, guest_session, from: NodeId::from_raw("n14") }
    };
    assert_eq!(expired, ["eve", "fay"].map(of_left));
    assert_eq!(
        live.heartbeat(&[]).await.unwrap(),
        HeartbeatReply { alive: vec![NodeId::from_raw("n15")], ..HeartbeatReply::default() }
    );
    assert_eq!(live.claim(&guest("fay", "2"), None).await.unwrap(), ClaimOutcome::Granted);
    live.release(&[guest("eve", "1"), guest("fay", "2")]).await.unwrap();
    live.leave().await.unwrap();
}

async fn a_guest_session_is_found_by_device(
    left: &impl Nodes,
    live: &impl Nodes,
    pass: &(impl AsyncFn(Duration) + Sync),
) {
    heartbeat(&[left, live]).await;
    let [phone, desk] = ["phone", "desk"].map(DeviceId::from_raw);
    let find = async |name: &str, device: &DeviceId| {
        let user = UserName::from_raw(name);
        let found = live.guest_session(&Space::root(), &user, device).await.unwrap();
        found.map(String::from)
    };
    let gus = guest("gus", "1");
    for device in [None, Some(&phone), None, Some(&phone), Some(&desk)] {
        assert_eq!(left.claim(&gus, device).await.unwrap(), ClaimOutcome::Granted);
    }
    left.leave().await.unwrap();
    for device in [&phone, &desk] {
        assert_eq!(find("gus", device).await.as_deref(), Some("1"));
    }
    assert_eq!(find("gus", &DeviceId::from_raw("tablet")).await, None);
    assert_eq!(find("Gus", &phone).await, None, "another name");
    pass(NAMES_GRACE).await;
    assert_eq!(find("gus", &phone).await, None, "the grace period is over");
    heartbeat(&[live]).await;
    assert_eq!(live.claim(&guest("gus", "2"), Some(&desk)).await.unwrap(), ClaimOutcome::Granted);
    assert_eq!(find("gus", &desk).await.as_deref(), Some("2"));
    assert_eq!(find("gus", &phone).await, None, "a device of the guest before");
    live.release(&[guest("gus", "2")]).await.unwrap();
    assert_eq!(find("gus", &desk).await, None);
    live.leave().await.unwrap();
}

async fn online_devices_are_merged_across_nodes(
    [one, other, third]: &[impl Nodes; 3],
    pass: &(impl AsyncFn(Duration) + Sync),
) {
    heartbeat(&[one, other, third]).await;
    one.heartbeat(&[online("ann", "desk phone ? ?"), online("bob", "phone")]).await.unwrap();
    other.heartbeat(&[online("ann", "phone ?")]).await.unwrap();
    let users = ["ann", "bob", "cleo"].map(UserName::from_raw);
    let of = async |node: &dyn Nodes| {
        let online = node.online(&Space::root(), &users).await.unwrap();
        online.iter().map(describe).collect::<Vec<_>>()
    };
    assert_eq!(of(one).await, ["phone ?", "", ""], "those of the others");
    assert_eq!(of(other).await, ["desk phone ? ?", "phone", ""]);
    assert_eq!(of(third).await, ["desk phone ? ? ?", "phone", ""], "a device is one on two nodes");
    third.leave().await.unwrap();
    one.heartbeat(&[online("ann", "phone"), online("bob", "")]).await.unwrap();
    assert_eq!(of(other).await, ["phone", "", ""]);
    let other_space = other.online(&Space::from_raw("/shop"), &users).await.unwrap();
    assert!(other_space.iter().all(DeviceSet::is_empty));
    pass(LEASE).await;
    heartbeat(&[other]).await;
    assert_eq!(of(other).await, ["", "", ""], "its node is dead");
    heartbeat(&[one]).await;
    assert_eq!(of(other).await, ["phone", "", ""], "its node is alive again");
    one.leave().await.unwrap();
    assert_eq!(of(other).await, ["", "", ""]);
    other.leave().await.unwrap();
}

async fn remote_users_are_paged_by_name(
    [one, other, third]: &[impl Nodes; 3],
    pass: &(impl AsyncFn(Duration) + Sync),
) {
    let names = ["Zoe", "ann", "bob", "eve", "gus", "\u{e9}mile"];
    one.heartbeat(&names.map(|name| online(name, "?"))).await.unwrap();
    let in_shop = OnlineDevices { space: Space::from_raw("/shop"), ..online("dan", "?") };
    other.heartbeat(&[online("bob", "phone"), online("fay", "desk"), in_shop]).await.unwrap();
    third.heartbeat(&[online("bob", "desk ?"), online("eve", "phone")]).await.unwrap();
    let page = async |node: &dyn Nodes, after: Option<&str>, count_max| {
        let (root, after) = (Space::root(), after.map(UserName::from_raw));
        let page = node.remote_users(&root, after.as_ref(), count_max).await.unwrap();
        let user =
            |(user, devices): (UserName, DeviceSet)| format!("{user}: {}", describe(&devices));
        (page.users.into_iter().map(user).collect::<Vec<_>>(), page.not_here)
    };
    assert_eq!(
        page(one, None, 9).await,
        (["bob: desk phone ?", "eve: phone", "fay: desk"].map(str::to_owned).to_vec(), 1)
    );
    let (users, not_here) = page(other, None, 4).await;
    assert_eq!((&*users.join(", "), not_here), ("Zoe: ?, ann: ?, bob: desk ? ?, eve: phone ?", 5));
    let (users, _) = page(other, Some("eve"), 4).await;
    assert_eq!(users, ["gus: ?", "\u{e9}mile: ?"]);
    assert_eq!(page(other, Some("\u{e9}mile"), 4).await, (vec![], 5), "the end");
    pass(LEASE).await;
    heartbeat(&[other]).await;
    assert_eq!(page(other, None, 9).await, (vec![], 0), "the other nodes are dead");
    for node in [one as &dyn Nodes, other, third] {
        node.leave().await.unwrap();
    }
}

async fn tickets_increase(one: &impl Nodes, other: &impl Nodes) {
    let mut last = 0;
    for node in [one as &dyn Nodes, other, other, one] {
        let ticket = node.ticket().await.unwrap();
        assert!(ticket > last);
        last = ticket;
    }
}

/// The nodes of this part of the suite that are alive.
async fn alive(node: &impl Nodes) -> Vec<String> {
    let alive = node.heartbeat(&[]).await.unwrap().alive;
    alive.iter().map(NodeId::as_raw).map(str::to_owned).collect()
}

async fn heartbeat(nodes: &[&dyn Nodes]) {
    for node in nodes {
        node.heartbeat(&[]).await.unwrap();
    }
}

fn guest(name: &str, guest_session: &str) -> GuestName {
    GuestName {
        space: Space::root(),
        user: UserName::from_raw(name),
        guest_session: guest_session.into(),
    }
}

/// A user on these devices; `?` is a device without an id.
fn online(name: &str, devices: &str) -> OnlineDevices {
    let device = |word: &str| (word != "?").then(|| DeviceId::from_raw(word));
    let devices: Vec<_> = devices.split_whitespace().map(device).collect();
    let devices = devices.iter().map(Option::as_ref).collect();
    OnlineDevices { space: Space::root(), user: UserName::from_raw(name), devices }
}

/// Devices in the notation of [`online`].
fn describe(devices: &DeviceSet) -> String {
    let mut ids: Vec<_> = devices.named().map(DeviceId::as_raw).collect();
    ids.resize(devices.count(), "?");
    ids.join(" ")
}
