//! Requests for pages of lists.

use std::borrow::Cow;

use serde::Deserialize;

use super::{RequestData, is_absent, object, parse};
use crate::{
    chat::{ListRange, Request},
    domain::{NameQuery, Rejection, RoomName, UserName},
};

/// Items of a page if the request names no limit.
const PAGE_ITEMS: u32 = 50;
/// The most items of a page.
const PAGE_ITEMS_MAX: u32 = 200;
/// The most rooms of a page: the node follows each for a moment, to count who is online.
const PAGE_ROOMS_MAX: u32 = 100;

const BAD_CURSOR: Rejection = Rejection::BadRequest("a cursor is the `next` of the page before");

/// `members`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Members<'a> {
    #[serde(borrow, default)]
    room: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    query: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    cursor: Option<Cow<'a, str>>,
    limit: Option<u32>,
}

/// `rooms`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rooms<'a> {
    #[serde(borrow, default)]
    query: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    cursor: Option<Cow<'a, str>>,
    limit: Option<u32>,
}

pub(super) fn members(data: &RequestData<'_>) -> Result<Request, Rejection> {
    let Members { room, query, cursor, limit } =
        if is_absent(data)? { Members::default() } else { object(data.raw)? };
    let after = parse(cursor, |it| UserName::parse(it).map_err(|_not_a_name| BAD_CURSOR))?;
    let range = ListRange { after, limit: page_items(limit, PAGE_ITEMS_MAX)? };
    let (room, query) = (parse(room, RoomName::parse)?, parse(query, NameQuery::parse)?);
    Ok(Request::Members { room, query, range })
}

pub(super) fn rooms(data: &RequestData<'_>) -> Result<Request, Rejection> {
    let Rooms { query, cursor, limit } =
        if is_absent(data)? { Rooms::default() } else { object(data.raw)? };
    let after = parse(cursor, |it| RoomName::parse(it).map_err(|_not_a_name| BAD_CURSOR))?;
    let range = ListRange { after, limit: page_items(limit, PAGE_ROOMS_MAX)? };
    Ok(Request::Rooms { query: parse(query, NameQuery::parse)?, range })
}

/// The number of items. More than `max` count as `max`, as in `history`.
fn page_items(limit: Option<u32>, max: u32) -> Result<usize, Rejection> {
    match limit.unwrap_or(PAGE_ITEMS) {
        0 => Err(Rejection::BadRequest("limit is at least 1")),
        limit => Ok(usize::try_from(limit.min(max)).unwrap_or(usize::MAX)),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::value::RawValue;

    use super::*;
    use crate::{
        domain::Limits,
        wire::{body::AttachmentEncoding, request, test_support::context},
    };

    fn read(event: &str, data: &str) -> Result<Request, Rejection> {
        let raw = RawValue::from_string(data.to_owned()).unwrap();
        let (encoding, limits) = (AttachmentEncoding::Base64, Limits::default());
        let (attachments, context): (&[Bytes], _) = (&[], context(&limits));
        let data = RequestData { raw: Some(&raw), more: &[], attachments, encoding, context };
        request::request(event, &data)
    }

    #[test]
    fn a_page_is_asked_for_with_a_query_a_cursor_and_a_limit() {
        let data = r#"{"room":"news","query":" An ","cursor":"ann","limit":7}"#;
        let Ok(Request::Members { room, query, range }) = read("members", data) else {
            panic!("members")
        };
        assert_eq!(room, Some(RoomName::from_raw("news")));
        assert_eq!(query, Some(NameQuery::parse("an").unwrap()));
        assert_eq!(range, ListRange { after: Some(UserName::from_raw("ann")), limit: 7 });
        let limit_of = |event, limit| match read(event, &format!(r#"{{"limit":{limit}}}"#)) {
            Ok(Request::Members { range, .. }) => range.limit,
            Ok(Request::Rooms { range, .. }) => range.limit,
            other => panic!("{event} {limit}: {other:?}"),
        };
        for (event, limit, expected) in [
            ("members", "null", 50),
            ("members", "200", 200),
            ("members", "4000000000", 200),
            ("rooms", "null", 50),
            ("rooms", "101", 100),
        ] {
            assert_eq!(limit_of(event, limit), expected, "{event} {limit}");
        }
        assert!(matches!(read("members", "null"), Ok(Request::Members { room: None, .. })));
        assert!(matches!(read("rooms", "null"), Ok(Request::Rooms { query: None, .. })));
    }

    #[test]
    fn other_data_is_refused() {
        for event in ["members", "rooms"] {
            for data in [
                "7",
                "\"news\"",
                r#"{"limit":0}"#,
                r#"{"limit":-1}"#,
                r#"{"limit":1.5}"#,
                r#"{"query":""}"#,
                r#"{"query":7}"#,
                r#"{"cursor":""}"#,
                r#"{"cursor":"a\nb"}"#,
            ] {
                let refused = read(event, data).unwrap_err();
                let is_bad = matches!(refused, Rejection::BadRequest(_) | Rejection::Keys(_));
                assert!(is_bad, "{event} {data}: {refused:?}");
            }
        }
        assert_eq!(read("members", r#"{"room":""}"#).unwrap_err(), Rejection::RoomInvalid);
    }
}
