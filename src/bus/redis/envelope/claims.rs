//! The encoding of the claims of a session's token.

use serde::{Deserialize, Serialize};

use super::{
    DecodeError, Malformed,
    values::{self, Text, from_ms, name, to_ms},
};
use crate::{
    chat::ports::{Claims, Rooms},
    domain::{DisplayName, Role, RoomPattern, SignInId, SpacePattern, TokenId},
};

#[derive(Serialize, Deserialize)]
pub(super) struct ClaimsPayload<'a> {
    #[serde(borrow)]
    user: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    name: Option<Text<'a>>,
    expires_ms: i64,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    spaces: Vec<Text<'a>>,
    /// Absent: all. The second part is a role.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    rooms: Option<Vec<(Text<'a>, Option<Text<'a>>)>>,
    admin: bool,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    guest: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    token: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    issued_ms: Option<i64>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    sign_in: Option<Text<'a>>,
}

impl<'a> ClaimsPayload<'a> {
    pub(super) fn of(claims: &'a Claims) -> Result<Self, Malformed> {
        let Claims {
            user,
            name: display_name,
            expires_at,
            spaces,
            rooms,
            admin,
            guest,
            token,
            issued_at,
            sign_in,
        } = claims;
        let rooms = match rooms {
            Rooms::All => None,
            Rooms::Only(patterns) => {
                let pattern = |(pattern, role): &(RoomPattern, Option<Role>)| {
                    (pattern.to_string().into(), role.map(|it| it.as_raw().into()))
                };
                Some(patterns.iter().map(pattern).collect())
            }
        };
        Ok(Self {
            user: name(user),
            name: display_name.as_ref().map(|it| it.as_raw().into()),
            expires_ms: to_ms(*expires_at)?,
            spaces: spaces.iter().map(|it| it.to_string().into()).collect(),
            rooms,
            admin: *admin,
            guest: guest.as_deref().map(Into::into),
            token: token.as_ref().map(|it| it.as_raw().into()),
            issued_ms: issued_at.map(to_ms).transpose()?,
            sign_in: sign_in.as_ref().map(|it| it.as_raw().into()),
        })
    }

    pub(super) fn parse(self) -> Result<Claims, DecodeError> {
        let Self {
            user,
            name: display_name,
            expires_ms,
            spaces,
            rooms,
            admin,
            guest,
            token,
            issued_ms,
            sign_in,
        } = self;
        let spaces = spaces.iter().map(|it| SpacePattern::parse(it)).collect::<Result<_, _>>();
        let rooms = match rooms {
            None => Rooms::All,
            Some(patterns) => {
                Rooms::Only(patterns.iter().map(room_pattern).collect::<Result<_, _>>()?)
            }
        };
        let token = token.map(|it| TokenId::parse(&it)).transpose();
        Ok(Claims {
            user: values::user(&user)?,
            name: display_name.as_deref().and_then(DisplayName::parse),
            expires_at: from_ms(expires_ms)?,
            spaces: spaces.ok().ok_or(Malformed::Value("space"))?,
            rooms,
            admin,
            guest: guest.map(|it| it.into_owned().into()),
            token: token.ok().ok_or(Malformed::Value("token"))?,
            issued_at: issued_ms.map(from_ms).transpose()?,
            sign_in: sign_in.map(|it| SignInId::from_raw(&it)),
        })
    }
}

fn room_pattern(
    (pattern, role): &(Text<'_>, Option<Text<'_>>),
) -> Result<(RoomPattern, Option<Role>), DecodeError> {
    let pattern = RoomPattern::parse(pattern).ok().ok_or(Malformed::Value("room"))?;
    let role = match role {
        // A role of a later version: the session cannot be continued here.
        Some(role) => Some(Role::from_raw(role).ok_or(DecodeError::Unknown)?),
        None => None,
    };
    Ok((pattern, role))
}
