//! Changes of a room or of one member: the path, the query and the body, and the answer.

use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    query::{Parameter, ParameterType, Query, SPACE, parameter},
    text,
};
use crate::{
    chat::{ActionResult, ApiRequest, ports::Action},
    domain::{Rejection, RoomName, Space},
    wire::{
        action::{role, room_name, user_name},
        invalid_data::{InvalidData, object},
        payload, schema,
    },
};

/// A membership, as [`put_member`] reads it.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MemberData {
    /// That of new members of the room when it is left out.
    #[schema(schema_with = schema::role_or_null)]
    role: Option<String>,
}

/// The parameters of requests about a member.
pub const MEMBER: &[Parameter] = &[
    parameter("room", ParameterType::RequiredText("room-name"), "The room."),
    parameter("user", ParameterType::RequiredText("user-name"), "The user."),
    SPACE,
];

/// Parses a request to make a user a member, or to change the role: `{role?}`, or nothing.
pub fn put_member(
    (room, user): (&str, &str),
    query: &str,
    body: &[u8],
) -> Result<ApiRequest, InvalidData> {
    let body = text(body)?;
    let MemberData { role: raw } =
        if body.is_empty() { MemberData::default() } else { object(&body)? };
    let (room, user) = (room_name(room)?, Some(user_name(user)?));
    request(query, Action::Join { user, room, role: raw.as_deref().map(role).transpose()? })
}

/// Parses a request to end a membership.
pub fn delete_member((room, user): (&str, &str), query: &str) -> Result<ApiRequest, InvalidData> {
    let (room, user) = (room_name(room)?, Some(user_name(user)?));
    request(query, Action::Leave { user, room })
}

/// Parses a request that changes a room.
pub fn changed_room(room: &str, query: &str) -> Result<(Space, RoomName), InvalidData> {
    Ok((Query::parse(query, &[SPACE])?.space()?, room_name(room)?))
}

pub(super) fn request(query: &str, action: Action) -> Result<ApiRequest, InvalidData> {
    let space = Query::parse(query, &[SPACE])?.space()?;
    Ok(ApiRequest { space, user: None, actions: vec![action] })
}

/// The outcome of the only action of a request, as JSON text.
pub fn only_result(results: Vec<Result<ActionResult, Rejection>>) -> Result<String, Rejection> {
    results.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(done())
}

/// The answer to a request that was performed, as JSON text.
pub fn done() -> String {
    payload::json(&serde_json::json!({ "ok": true }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Role;

    #[test]
    fn a_member_gets_a_role_or_the_default_one() {
        let role = |body: &str| {
            let request = put_member(("news", "ann"), "space=/shop", body.as_bytes()).unwrap();
            assert_eq!(request.space.as_raw(), "/shop");
            match &request.actions[..] {
                [Action::Join { user: Some(user), room, role }] => {
                    assert_eq!((user.as_raw(), room.as_raw()), ("ann", "news"));
                    *role
                }
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(role("{}"), None);
        assert_eq!(role(""), None);
        assert_eq!(role(r#"{"role":"owner"}"#), Some(Role::Owner));
    }

    #[test]
    fn other_requests_are_refused_with_the_reason() {
        for (room, user, query, body, why) in [
            ("", "ann", "", "{}", "a room name"),
            ("news", "", "", "{}", "a name has"),
            ("news", "ann", "role=owner", "{}", "there is no key `role`"),
            ("news", "ann", "", "[]", "not an object with keys of `role`"),
            ("news", "ann", "", r#"{"role":7}"#, "`role` must be a text"),
            ("news", "ann", "", r#"{"role":"king"}"#, "\"king\" is not a role"),
            ("news", "ann", "", r#"{"rank":"owner"}"#, "there is no key `rank`"),
        ] {
            let reason = put_member((room, user), query, body.as_bytes()).unwrap_err().to_string();
            assert!(reason.contains(why), "{reason}");
        }
        assert!(delete_member(("news", "ann"), "after=x").is_err());
    }
}
