//! Requests to back ends.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    chat::ports::{
        Caller, CallingUser, CallingUserKind, ClientInfo, ConnectCall, EventCall, HookedRequest,
        MessageRequest, RequestCall,
    },
    domain::{Body, CustomEvent, DisplayName, GlobalRole, MessageKind, View},
    wire::{
        body::{AttachmentEncoding, BodyData},
        event::{self, ArgumentsData},
        hello::query_parameters,
        payload,
    },
};

/// An event.
#[derive(Serialize)]
struct EventCallData<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(flatten)]
    caller: CallerData<'a>,
    event: &'a str,
    args: ArgumentsData<'a>,
}

/// A request of the protocol.
#[derive(Serialize)]
struct RequestCallData<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(flatten)]
    caller: CallerData<'a>,
    to: TargetData<'a>,
    /// The name of a request about a message, or of an event that is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a str>,
    /// The message that is edited.
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    msg: Option<BodyData<'a>>,
    /// The arguments of an event that is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<ArgumentsData<'a>>,
    /// The invited user.
    #[serde(skip_serializing_if = "Option::is_none")]
    invited: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
}

/// The conversation of a request.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum TargetData<'a> {
    Room(&'a str),
    User(&'a str),
}

/// A connection that asks to be accepted.
#[derive(Serialize)]
struct ConnectCallData<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    space: &'a str,
    connection: String,
    address: &'a str,
    headers: BTreeMap<&'a str, &'a str>,
    query: BTreeMap<String, String>,
    auth: Option<&'a RawValue>,
}

/// The connection that a call is about.
#[derive(Serialize)]
struct CallerData<'a> {
    space: &'a str,
    connection: String,
    /// The default room.
    room: &'a str,
    /// `null` while the connection is anonymous.
    user: Option<UserData<'a>>,
    /// What the back end keeps with the connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
}

#[derive(Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "these are the fields on the wire")]
struct UserData<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    guest: bool,
    admin: bool,
}

/// The body of a request about a request of the protocol, as JSON text.
pub fn request_call(call: &RequestCall) -> String {
    let RequestCall { caller, request } = call;
    let data = |kind, to| RequestCallData {
        kind,
        caller: caller.into(),
        to,
        event: None,
        seq: None,
        msg: None,
        args: None,
        invited: None,
        role: None,
    };
    payload::json(&match request {
        HookedRequest::Message { what, to, body } => {
            let to = match to {
                View::Room(room) => TargetData::Room(room.as_raw()),
                View::Direct(user) => TargetData::User(user.as_raw()),
                // Nobody sends messages to an inbox.
                View::Inbox => TargetData::User(""),
            };
            message_data(what, body, data("message", to))
        }
        HookedRequest::Join { room } => data("join", TargetData::Room(room.as_raw())),
        HookedRequest::Invite { room, user, role } => RequestCallData {
            invited: Some(user.as_raw()),
            role: Some(role.as_raw()),
            ..data("invite", TargetData::Room(room.as_raw()))
        },
    })
}

/// Adds the message to the data of a request.
fn message_data<'a>(
    what: &'a MessageRequest,
    body: &'a Body,
    data: RequestCallData<'a>,
) -> RequestCallData<'a> {
    let (event, seq) = match what {
        MessageRequest::New(MessageKind::Custom(name)) => {
            let args = Some(event::arguments(body, AttachmentEncoding::Base64).data);
            return RequestCallData { event: Some(name.as_raw()), args, ..data };
        }
        MessageRequest::New(MessageKind::Message | MessageKind::Notification) => {
            ("send message", None)
        }
        MessageRequest::New(MessageKind::GroupChat) => ("GroupChat", None),
        MessageRequest::New(MessageKind::SingleChat) => ("SingleChat", None),
        MessageRequest::Edit(seq) => ("edit message", Some(seq.as_raw())),
    };
    let msg = Some(BodyData { body, encoding: AttachmentEncoding::Base64, first: 0 });
    RequestCallData { event: Some(event), seq, msg, ..data }
}

/// The body of a request about a connection, as JSON text.
pub fn connect_call(call: &ConnectCall) -> String {
    let ConnectCall { space, connection, client } = call;
    let ClientInfo { address, headers, query, auth } = client;
    payload::json(&ConnectCallData {
        kind: "connect",
        space: space.as_raw(),
        connection: connection.to_string(),
        address,
        headers: headers.iter().map(|(name, value)| (&**name, &**value)).collect(),
        query: without_token(query),
        auth: auth.as_deref().and_then(|it| serde_json::from_str(it).ok()),
    })
}

/// The body of a request that has an event answered, as JSON text.
pub fn event_call(call: &EventCall) -> String {
    let EventCall { caller, event: CustomEvent { name, args } } = call;
    payload::json(&EventCallData {
        kind: "event",
        caller: caller.into(),
        event: name.as_raw(),
        args: event::arguments(args, AttachmentEncoding::Base64).data,
    })
}

impl<'a> From<&'a Caller> for CallerData<'a> {
    fn from(caller: &'a Caller) -> Self {
        let Caller { space, connection, room, user, data } = caller;
        let user =
            user.as_ref().map(|CallingUser { name, display_name, kind, global_role }| UserData {
                id: name.as_raw(),
                name: display_name.as_ref().map(DisplayName::as_raw),
                guest: *kind == CallingUserKind::Guest,
                admin: *global_role == GlobalRole::Administrator,
            });
        Self {
            space: space.as_raw(),
            connection: connection.to_string(),
            room: room.as_raw(),
            user,
            data: data.as_deref().and_then(|it| serde_json::from_str(it).ok()),
        }
    }
}

/// The parameters of a query but the token, however its name is written.
fn without_token(query: &str) -> BTreeMap<String, String> {
    let mut parameters = query_parameters(query);
    parameters.remove("token");
    parameters
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::domain::{
        Body, ConnectionAddress, ConnectionId, EventName, NodeId, RoomName, Space, UserName,
    };

    #[test]
    fn an_event_is_sent_as_documented() {
        let args = r#"["hi",{"_placeholder":true,"num":0}]"#;
        let args = Body::from_raw(args.into(), vec![Bytes::from_static(&[0, 1])]);
        let node = NodeId::from_raw("n1");
        let connection = ConnectionAddress { node, connection: ConnectionId::from_raw(26) };
        let user = CallingUser {
            name: UserName::from_raw("ann"),
            display_name: None,
            kind: CallingUserKind::Guest,
            global_role: GlobalRole::User,
        };
        let caller = Caller {
            space: Space::root(),
            connection,
            room: RoomName::lobby(),
            user: Some(user),
            data: None,
        };
        let event = CustomEvent { name: EventName::from_raw("add"), args };
        let golden = concat!(
            r#"{"type":"event","space":"/","connection":"n1.c1a","room":"lobby","#,
            r#""user":{"id":"ann","guest":true,"admin":false},"event":"add","#,
            r#""args":["hi",{"base64":"AAE="}]}"#
        );
        assert_eq!(event_call(&EventCall { caller: caller.clone(), event: event.clone() }), golden);
        let named = caller
            .user
            .clone()
            .map(|user| CallingUser { display_name: DisplayName::parse("Ann Lee"), ..user });
        let named = Caller { user: named, ..caller.clone() };
        let named = event_call(&EventCall { caller: named, event: event.clone() });
        assert!(named.contains(r#""user":{"id":"ann","name":"Ann Lee","guest":true"#), "{named}");
        let anonymous = EventCall { caller: Caller { user: None, ..caller }, event };
        assert!(event_call(&anonymous).contains(r#""user":null"#));
    }

    #[test]
    fn a_connection_is_sent_as_documented() {
        let client = ClientInfo {
            address: "203.0.113.7".into(),
            headers: vec![("cookie".into(), "session=1".into())],
            query: "v=2&a%20b=%C3%BC+x&v=3&broken=%FF&token=x&%74oken=y".into(),
            auth: Some(r#"{"anything":true}"#.into()),
        };
        let golden = concat!(
            r#"{"type":"connect","space":"/","connection":"n1.c7","address":"203.0.113.7","#,
            r#""headers":{"cookie":"session=1"},"query":{"a b":"ü x","v":"3"},"#,
            r#""auth":{"anything":true}}"#
        );
        let call = |client| {
            let connection = ConnectionAddress::parse("n1.c7").unwrap();
            connect_call(&ConnectCall { space: Space::root(), connection, client })
        };
        assert_eq!(call(client), golden);
        assert!(call(ClientInfo::default()).ends_with(r#""headers":{},"query":{},"auth":null}"#));
    }
}
