//! Properties of any entry and any bytes.

use proptest::prelude::*;

use super::*;

/// Any JSON text without white space around it.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        any::<f64>()
            .prop_map(|it| format!("{it:e}"))
            .prop_filter("JSON", |it| !it.contains('N') && !it.contains('i')),
        any::<String>().prop_map(|it| serde_json::to_string(&it).unwrap()),
        Just("null".to_owned()),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|it| format!("[{}]", it.join(" , "))),
            inner.prop_map(|it| format!("{{\"k\": {it}}}")),
        ]
    })
}

fn any_place() -> impl Strategy<Value = domain::Place> {
    let name = || prop_oneof!["[a-zäß0-9]{1,20}", domain::any_name()];
    // A name may begin with what no segment of a path begins with.
    let space = name().prop_filter_map("no space", |name| Space::parse(&format!("/{name}")).ok());
    let conversation = prop_oneof![
        name().prop_map(|it| Conversation::Room(RoomName::from_raw(&it))),
        (name(), name()).prop_map(|(one, other)| Conversation::direct(user(&one), user(&other))),
        name().prop_map(|it| Conversation::Inbox(user(&it))),
    ];
    (space, conversation).prop_map(|(space, conversation)| domain::Place { space, conversation })
}

fn any_entry() -> impl Strategy<Value = domain::Entry> {
    let attachments = prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..3);
    let ms = -62_000_000_000_000_i64..253_000_000_000_000;
    let parts = (json(), attachments, 0..5_u8, ms, any::<bool>(), 1..1_000_000_u64);
    (any_place(), parts).prop_map(|(place, (json, bytes, what, ms, flag, seq))| {
        let bytes = bytes.into_iter().map(Bytes::from).collect();
        let body = Body::from_raw(json.into(), bytes);
        let kinds = [
            MessageKind::Message,
            MessageKind::GroupChat,
            MessageKind::SingleChat,
            MessageKind::Notification,
            MessageKind::Custom(EventName::from_raw("move")),
        ];
        let kind = kinds[usize::from(what)].clone();
        let of = Seq::from_raw(seq - 1);
        let act = match what {
            0 => domain::Act::Edited { of, body: flag.then_some(body) },
            1 => domain::Act::Deleted { of },
            _ => {
                let content = Content::Body { body, edited_at: flag.then(|| at(ms / 2)) };
                domain::Act::Said { kind, content }
            }
        };
        let position = Position::from_raw(seq, seq / 2);
        domain::Entry { place, position, at: at(ms), act, ..entry(domain::Act::Deleted { of }) }
    })
}

proptest! {
    #[test]
    fn entries_round_trip(entry in any_entry()) {
        let payload = encode(&announcement(entry_event(entry.clone()))).unwrap();
        let ClusterEvent::Entry(read) = decode(&payload).unwrap().event else { panic!("no entry") };
        prop_assert_eq!(Arc::as_ref(&read).entry(), Some(&entry));
    }

    #[test]
    fn arbitrary_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        drop(decode(&bytes));
    }

    /// A truncated envelope, or one with a changed byte, is decoded or refused.
    #[test]
    fn corrupted_envelopes_do_not_panic(which in 0..20_usize, place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let (event, _, _) = all().swap_remove(which);
        let mut payload = encode(&announcement(event)).unwrap();
        let place = place.index(payload.len());
        drop(decode(&payload[..place]));
        payload[place] = byte;
        drop(decode(&payload));
    }
}
