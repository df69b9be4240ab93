//! What the outbox has to say about users, rooms and connections that come and go.

use super::*;

pub(in crate::store::contract) async fn presence_is_told_once<S: Store + WebhookOutbox>(store: &S) {
    let subjects =
        || [PresenceKind::User(user("ann")), PresenceKind::Room(RoomName::lobby())].map(subject);
    let appeared = || subjects().map(|it| (it, PresentClient::default())).to_vec();
    let gone = || subjects().map(|it| (it, ConnectionEnd::ByClient)).to_vec();
    let record = async |appeared, gone| {
        let record = PresenceRecord { appeared, gone, ..presence_record() };
        store.record_presence(record.into()).await.unwrap();
    };
    record(appeared(), vec![]).await;
    record(appeared(), vec![]).await;
    let own = store.end_lost_presence(presence_record().into()).await.unwrap();
    assert_eq!(own, 2);
    record(vec![], gone()).await;
    record(vec![], gone()).await;
    let online = ["user.online", "room.occupied"];
    let offline = ["user.offline", "room.vacated"];
    let mut told = types(&waiting(store).await);
    told[2..].sort_unstable_by_key(|it| *it == "room.vacated");
    assert_eq!(told, [online, offline].concat());
    record(appeared(), gone()).await;
    assert_eq!(waiting(store).await.len(), 8, "what comes and goes at once is told, too");
    assert_eq!(store.end_lost_presence(presence_record().into()).await.unwrap(), 0);
}

pub(in crate::store::contract) async fn a_connection_is_told_with_its_client<
    S: Store + WebhookOutbox,
>(
    store: &S,
) {
    let anonymous = PresentClient::default();
    let client = PresentClient { user: Some(user("ann")), address: Some("::1".into()) };
    let appeared = |client: &PresentClient| PresenceRecord {
        appeared: vec![(subject(connection(26)), client.clone())],
        ..presence_record()
    };
    store.record_presence(appeared(&anonymous).into()).await.unwrap();
    store.record_presence(appeared(&client).into()).await.unwrap();
    assert!(waiting(store).await.is_empty());
    let reason = ConnectionEnd::ByServer(CloseReason::TokenExpired);
    let gone = vec![(subject(connection(26)), reason)];
    let record = PresenceRecord { gone, ..presence_record() };
    store.record_presence(record.into()).await.unwrap();
    let events = waiting(store).await;
    let PresenceKind::Connection(connection) = connection(26) else { panic!("it is one") };
    let closed = WebhookEvent::ConnectionClosed { connection, client, reason };
    assert_eq!(events.iter().map(|it| &it.new.event).collect::<Vec<_>>(), [&closed]);
    assert_eq!(events[0].new.at, time(3));
}

pub(in crate::store::contract) async fn presence_of_earlier_nodes_is_lost<
    S: Store + WebhookOutbox,
>(
    store: &S,
) {
    let client = PresentClient { user: Some(user("ann")), address: None };
    let kinds = [PresenceKind::User(user("ann")), PresenceKind::Room(RoomName::lobby())];
    let subjects: Vec<_> = kinds.into_iter().chain([connection(1)]).map(subject).collect();
    let with_client = |it: &PresenceSubject| (it.clone(), client.clone());
    let appeared: Vec<_> = subjects.iter().map(with_client).collect();
    let earlier = NodeId::from_raw("an earlier process");
    let record = PresenceRecord { appeared: appeared.clone(), ..presence_record() };
    store.record_presence(PresenceRecord { node: earlier, ..record.clone() }.into()).await.unwrap();
    // The room is occupied on this node, too.
    let record = PresenceRecord { appeared: appeared[1..2].to_vec(), ..record };
    store.record_presence(record.into()).await.unwrap();
    for _ in 0..2 {
        assert_eq!(store.end_lost_presence(presence_record().into()).await.unwrap(), 1);
    }
    let events = waiting(store).await;
    let mut told = types(&events);
    told.sort_unstable();
    assert_eq!(told, ["connection.closed", "room.occupied", "user.offline", "user.online"]);
    let is_closed = |it: &&OutboxEvent| it.new.event.kind() == WebhookEventKind::ConnectionClosed;
    let closed = events.iter().find(is_closed).map(|it| &it.new.event);
    let is_expected = matches!(closed, Some(WebhookEvent::ConnectionClosed { client: it, reason, .. })
        if *it == client && *reason == ConnectionEnd::NodeLost);
    assert!(is_expected, "{closed:?}");
}

fn connection(number: u64) -> PresenceKind {
    let connection = ConnectionId::from_raw(number);
    PresenceKind::Connection(ConnectionAddress { node: node(), connection })
}
