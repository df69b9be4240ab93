//! The tables of docs/protocol.md match the code.

use std::collections::BTreeSet;

use roomcast::{
    domain::{BUILT_IN_EVENTS, CloseReason, Refusal, Rejection, WebhookEventKind},
    wire::{
        REQUESTS,
        code::{self, Reconnect, Retry},
        contract::{CLOSE_CODES, CODES},
        websocket::RequestKind,
    },
};

const PROTOCOL: &str = include_str!("../../../docs/protocol.md");
const WEBHOOKS: &str = include_str!("../../../docs/webhooks.md");

/// The rows of the first table below a heading: cells without their back-ticks.
fn table(heading: &str) -> Vec<Vec<String>> {
    let (_, chapter) = PROTOCOL.split_once(&format!("\n## {heading}\n")).unwrap();
    let lines = chapter.lines().skip_while(|line| !line.starts_with("| ---")).skip(1);
    let rows = lines.take_while(|line| line.starts_with('|'));
    let cell = |it: &str| it.trim().trim_matches('`').to_owned();
    rows.map(|row| row.trim_matches('|').split(" | ").map(cell).collect()).collect()
}

/// A refusal of a back end.
fn refusal() -> Refusal {
    Refusal { code: "sold_out".into(), message: "it is gone".into(), data: None }
}

/// All rejections, in the order of the table. The match has no wildcard, so a new rejection does
/// not compile until it has its place here.
fn rejections() -> Vec<Rejection> {
    use Rejection as R;
    let mut all = vec![R::BadRequest("why")];
    loop {
        let next = match &all[all.len() - 1] {
            R::BadRequest(_) => R::EncodingUnsupported,
            R::EncodingUnsupported => R::UnknownEvent,
            R::UnknownEvent => R::Unauthorized,
            R::Unauthorized => R::TokenExpired,
            R::TokenExpired => R::TokenRevoked,
            R::TokenRevoked => R::TokenRequired,
            R::TokenRequired => R::OtherUser,
            R::OtherUser => R::UnknownSpace,
            R::UnknownSpace => R::SpaceForbidden,
            R::SpaceForbidden => R::RoomForbidden,
            R::RoomForbidden => R::Forbidden,
            R::Forbidden => R::ReadOnly,
            R::ReadOnly => R::Banned { until: None },
            R::Banned { .. } => R::OriginForbidden,
            R::OriginForbidden => R::NotIdentified,
            R::NotIdentified => R::AlreadyIdentified,
            R::AlreadyIdentified => R::NameInvalid,
            R::NameInvalid => R::NameTaken,
            R::NameTaken => R::RoomInvalid,
            R::RoomInvalid => R::TooManyRooms,
            R::TooManyRooms => R::NotMember,
            R::NotMember => R::MessageEmpty,
            R::MessageEmpty => R::MessageTooLarge,
            R::MessageTooLarge => R::TooManyAttachments,
            R::TooManyAttachments => R::IdInvalid,
            R::IdInvalid => R::Conflict,
            R::Conflict => R::NoSuchUser,
            R::NoSuchUser => R::NoSuchRoom,
            R::NoSuchRoom => R::NoSuchMessage,
            R::NoSuchMessage => R::TooManyDenials,
            R::TooManyDenials => R::Refused(Box::new(refusal())),
            R::Refused(_) => R::TooFast { retry_after: std::time::Duration::from_secs(1) },
            R::TooFast { .. } => R::Unavailable,
            R::Unavailable => R::Draining,
            R::Draining => R::Internal,
            // Those of keys have the codes of others.
            R::Internal | R::Keys(_) | R::Key(_) => return all,
        };
        all.push(next);
    }
}

#[test]
fn rejection_codes_match_the_protocol_table() {
    let rejections = rejections();
    let rows = rejections.iter().map(code::rejection).map(|row| {
        let retry = if row.retry == Retry::Yes { "yes" } else { "no" };
        vec![row.code.to_owned(), row.status.as_str().to_owned(), retry.to_owned()]
    });
    let documented = table("Codes").into_iter().map(|row| row[..3].to_vec());
    assert_eq!(rows.collect::<Vec<_>>(), documented.collect::<Vec<_>>());
}

#[test]
fn close_codes_match_the_protocol_table() {
    let rows = CloseReason::ALL.map(code::close).map(|row| {
        let reconnect = if row.reconnect == Reconnect::Yes { "yes" } else { "no" };
        vec![row.code.to_owned(), row.websocket.to_string(), reconnect.to_owned()]
    });
    let documented = table("Closing").into_iter().map(|row| row[..3].to_vec());
    assert_eq!(rows.to_vec(), documented.collect::<Vec<_>>());
    for row in CloseReason::ALL.map(code::close) {
        // Existing clients compare 4001, which is below 4500 although they must sign in first.
        let reconnects = row.websocket != 4001 && (1001..4500).contains(&row.websocket);
        assert_eq!(reconnects, row.reconnect == Reconnect::Yes, "{}", row.code);
    }
}

#[test]
fn the_contract_has_the_same_codes() {
    let rejections: Vec<_> = rejections().iter().map(|it| code::rejection(it).code).collect();
    assert_eq!(rejections, CODES);
    assert_eq!(CloseReason::ALL.map(code::close).map(|row| row.code), CLOSE_CODES);
}

#[test]
fn requests_match_the_protocol_table() {
    let rows = table("Client to server");
    assert_eq!(rows.len(), 22);
    let documented: Vec<_> = rows.iter().map(|row| &*row[0]).collect();
    assert_eq!(REQUESTS.each_ref().map(|row| row.name).to_vec(), documented);
    for name in documented {
        assert_eq!(RequestKind::of(name).name(), Some(name));
    }
    assert_eq!(RequestKind::of("new message").name(), None);
}

#[test]
fn no_event_of_the_protocol_is_one_of_the_application() {
    let rows = ["Client to server", "Server to client"].map(table).concat();
    let names = rows.iter().flat_map(|row| row[0].split(" / ").map(|it| it.trim_matches('`')));
    assert_eq!(names.collect::<BTreeSet<_>>(), BTreeSet::from(BUILT_IN_EVENTS));
}

/// The names in back-ticks in the first cells of the table of docs/webhooks.md.
#[test]
fn the_types_of_webhook_events_are_documented() {
    let (_, table) = WEBHOOKS.split_once("| `type` |").unwrap();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let first = rows.map(|row| row.trim_matches('|').split(" | ").next().unwrap());
    let names: Vec<_> = first.flat_map(|cell| cell.split(", ")).map(str::trim).collect();
    let names: Vec<_> = names.iter().map(|name| name.trim_matches('`')).collect();
    assert_eq!(names, WebhookEventKind::ALL.map(WebhookEventKind::as_raw));
}
