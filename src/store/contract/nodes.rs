//! What every engine that knows nodes must do: the guarantees of [`Nodes`].

use std::time::Duration;

use crate::{
    chat::ports::{Claim, GuestName, LEASE, Nodes, Online},
    domain::{DeviceId, DeviceSet, NodeId, Space, UserName},
};

/// Holds an engine to its port. `open` makes the node `n<number>` of one registry, in which there was
/// never any of them; `pass` lets so much of the engine's time go by.
pub(crate) async fn nodes_contract<N: Nodes>(
    open: impl AsyncFn(u32) -> N + Sync,
    pass: impl AsyncFn(Duration) + Sync,
) {
    a_node_lives_while_it_beats(&open(1).await, &open(2).await, &pass).await;
    a_name_belongs_to_one_stay(&open(3).await, &open(4).await).await;
    one_stay_may_be_on_many_nodes(&open(5).await, &open(6).await).await;
    the_names_of_a_dead_node_are_free(&open(7).await, &open(8).await, &pass).await;
    let three = [open(9).await, open(10).await, open(13).await];
    users_are_online_where_their_nodes_say(&three, &pass).await;
    tickets_are_drawn_in_order(&open(11).await, &open(12).await).await;
}

async fn a_node_lives_while_it_beats(
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

async fn a_name_belongs_to_one_stay(one: &impl Nodes, other: &impl Nodes) {
    beat(&[one, other]).await;
    assert_eq!(one.claim(&guest("ann", "1")).await.unwrap(), Claim::Granted);
    assert_eq!(one.claim(&guest("ann", "1")).await.unwrap(), Claim::Granted, "again");
    assert_eq!(one.claim(&guest("ANN", "0")).await.unwrap(), Claim::Granted, "its own business");
    assert_eq!(one.claim(&guest("ann", "1")).await.unwrap(), Claim::Granted);
    one.release(&[guest("ANN", "0")]).await.unwrap();
    assert_eq!(one.beat(&[]).await.unwrap().lost, []);
    assert_eq!(other.claim(&guest("ANN", "2")).await.unwrap(), Claim::Taken, "looks like it");
    assert_eq!(other.claim(&guest("ann", "2")).await.unwrap(), Claim::Taken);
    let elsewhere = GuestName { space: Space::from_raw("/shop"), ..guest("ann", "2") };
    assert_eq!(other.claim(&elsewhere).await.unwrap(), Claim::Granted, "another space");
    other.release(&[guest("ann", "2"), guest("ann", "1"), guest("nobody", "3")]).await.unwrap();
    assert_eq!(other.claim(&guest("ann", "2")).await.unwrap(), Claim::Taken, "it was not theirs");
    other.release(std::slice::from_ref(&elsewhere)).await.unwrap();
    let next = GuestName { stay: "3".into(), ..elsewhere };
    assert_eq!(one.claim(&next).await.unwrap(), Claim::Granted);
    one.release(&[guest("ann", "1")]).await.unwrap();
    assert_eq!(other.claim(&guest("Ann", "2")).await.unwrap(), Claim::Granted);
    other.leave().await.unwrap();
    assert_eq!(one.claim(&guest("ann", "3")).await.unwrap(), Claim::Granted, "it left");
    one.leave().await.unwrap();
}

async fn one_stay_may_be_on_many_nodes(one: &impl Nodes, other: &impl Nodes) {
    beat(&[one, other]).await;
    let bob = guest("bob", "1");
    assert_eq!(one.claim(&bob).await.unwrap(), Claim::Granted);
    assert_eq!(other.claim(&bob).await.unwrap(), Claim::Granted);
    one.release(std::slice::from_ref(&bob)).await.unwrap();
    assert_eq!(one.claim(&guest("bob", "2")).await.unwrap(), Claim::Taken, "still there");
    other.release(&[bob]).await.unwrap();
    assert_eq!(one.claim(&guest("bob", "2")).await.unwrap(), Claim::Granted);
    for node in [one as &dyn Nodes, other] {
        assert_eq!(node.beat(&[]).await.unwrap().lost, [], "nothing was lost");
        node.leave().await.unwrap();
    }
}

async fn the_names_of_a_dead_node_are_free(
    dead: &impl Nodes,
    heir: &impl Nodes,
    pass: &(impl AsyncFn(Duration) + Sync),
) {
    beat(&[dead, heir]).await;
    for name in ["cleo", "dan"] {
        assert_eq!(dead.claim(&guest(name, "1")).await.unwrap(), Claim::Granted);
    }
    pass(LEASE).await;
    beat(&[heir]).await;
    assert_eq!(heir.claim(&guest("cleo", "2")).await.unwrap(), Claim::Granted);
    let census = dead.beat(&[]).await.unwrap();
    assert_eq!(census.lost, [guest("cleo", "1")], "dan's name nobody wanted");
    assert_eq!(dead.beat(&[]).await.unwrap().lost, [], "once");
    assert_eq!(heir.claim(&guest("dan", "2")).await.unwrap(), Claim::Taken, "it is back");
    dead.leave().await.unwrap();
    heir.leave().await.unwrap();
}

async fn users_are_online_where_their_nodes_say(
    [one, other, third]: &[impl Nodes; 3],
    pass: &(impl AsyncFn(Duration) + Sync),
) {
    beat(&[one, other, third]).await;
    one.beat(&[online("ann", "desk phone ? ?"), online("bob", "phone")]).await.unwrap();
    other.beat(&[online("ann", "phone ?")]).await.unwrap();
    let users = ["ann", "bob", "cleo"].map(UserName::from_raw);
    let of = async |node: &dyn Nodes| {
        let online = node.online(&Space::root(), &users).await.unwrap();
        online.iter().map(words).collect::<Vec<_>>()
    };
    assert_eq!(of(one).await, ["phone ?", "", ""], "those of the others");
    assert_eq!(of(other).await, ["desk phone ? ?", "phone", ""]);
    assert_eq!(of(third).await, ["desk phone ? ? ?", "phone", ""], "a device is one on two nodes");
    third.leave().await.unwrap();
    one.beat(&[online("ann", "phone"), online("bob", "")]).await.unwrap();
    assert_eq!(of(other).await, ["phone", "", ""]);
    let elsewhere = other.online(&Space::from_raw("/shop"), &users).await.unwrap();
    assert!(elsewhere.iter().all(DeviceSet::is_empty));
    pass(LEASE).await;
    beat(&[other]).await;
    assert_eq!(of(other).await, ["", "", ""], "its node is dead");
    beat(&[one]).await;
    assert_eq!(of(other).await, ["phone", "", ""], "it was not");
    one.leave().await.unwrap();
    assert_eq!(of(other).await, ["", "", ""]);
    other.leave().await.unwrap();
}

async fn tickets_are_drawn_in_order(one: &impl Nodes, other: &impl Nodes) {
    let mut last = 0;
    for node in [one as &dyn Nodes, other, other, one] {
        let ticket = node.ticket().await.unwrap();
        assert!(ticket > last);
        last = ticket;
    }
}

/// The nodes of this part of the suite that live.
async fn alive(node: &impl Nodes) -> Vec<String> {
    let alive = node.beat(&[]).await.unwrap().alive;
    alive.iter().map(NodeId::as_raw).map(str::to_owned).collect()
}

async fn beat(nodes: &[&dyn Nodes]) {
    for node in nodes {
        node.beat(&[]).await.unwrap();
    }
}

fn guest(name: &str, stay: &str) -> GuestName {
    GuestName { space: Space::root(), user: UserName::from_raw(name), stay: stay.into() }
}

/// Somebody is on these devices, of which `?` has no name.
fn online(name: &str, devices: &str) -> Online {
    let device = |word: &str| (word != "?").then(|| DeviceId::from_raw(word));
    let devices: Vec<_> = devices.split_whitespace().map(device).collect();
    let devices = devices.iter().map(Option::as_ref).collect();
    Online { space: Space::root(), user: UserName::from_raw(name), devices }
}

/// Devices as [`online`] takes them.
fn words(devices: &DeviceSet) -> String {
    let mut words: Vec<_> = devices.named().map(DeviceId::as_raw).collect();
    words.resize(devices.count(), "?");
    words.join(" ")
}
