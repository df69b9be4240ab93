//! Changes of the list of denials between nodes.

use serde::{Deserialize, Serialize};

use super::{
    DecodeError, Malformed,
    values::{self, Text, name, parse_id},
};
use crate::{
    chat::ports::DenialChange,
    domain::{BanReason, Denial, DenialSubject, SignInId, Space, TokenId},
};

/// A change with its number. `space` and `user` are a ban, from all spaces if `space` is empty;
/// `user` alone are the user's tokens.
#[derive(Serialize, Deserialize)]
pub(super) struct DenialPayload<'a> {
    number: u64,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    space: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    user: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    token: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    sign_in: Option<Text<'a>>,
    /// Of a denial. Without it, there is none any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<i64>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    reason: Option<Text<'a>>,
}

impl<'a> DenialPayload<'a> {
    pub(super) fn of(number: u64, change: &'a DenialChange) -> Result<Self, Malformed> {
        match change {
            DenialChange::Allow(subject) => Ok(Self::of_subject(number, subject)),
            DenialChange::Deny(Denial { subject, at, until, reason }) => Ok(Self {
                at: Some(values::to_ms(*at)?),
                until: until.map(values::to_ms).transpose()?,
                reason: reason.as_ref().map(|it| it.as_raw().into()),
                ..Self::of_subject(number, subject)
            }),
        }
    }

    fn of_subject(number: u64, subject: &'a DenialSubject) -> Self {
        let (space, user, token, sign_in, at, until, reason) = Default::default();
        let none = Self { number, space, user, token, sign_in, at, until, reason };
        match subject {
            DenialSubject::User(space, user) => {
                let space = space.as_ref().map_or("", Space::as_raw);
                Self { space: Some(space.into()), user: Some(name(user)), ..none }
            }
            DenialSubject::TokensOf(user) => Self { user: Some(name(user)), ..none },
            DenialSubject::Token(token) => Self { token: Some(token.as_raw().into()), ..none },
            DenialSubject::SignIn(sign_in) => {
                Self { sign_in: Some(sign_in.as_raw().into()), ..none }
            }
        }
    }

    /// The sign-in, if the change is the end of one.
    pub(super) fn ended_sign_in(&self) -> Option<Text<'a>> {
        self.sign_in.clone().filter(|_| self.at.is_some())
    }

    pub(super) fn parse(self) -> Result<(u64, DenialChange), DecodeError> {
        let Self { number, space, user, token, sign_in, at, until, reason } = self;
        let subject = match (space, user, token, sign_in) {
            (Some(space), Some(user), None, None) => {
                let space = Some(&*space).filter(|it| !it.is_empty());
                let space = space.map(values::space).transpose()?;
                DenialSubject::User(space, values::user(&user)?)
            }
            (None, Some(user), None, None) => DenialSubject::TokensOf(values::user(&user)?),
            (None, None, Some(token), None) => {
                DenialSubject::Token(TokenId::parse(&token).ok().ok_or(Malformed::Value("token"))?)
            }
            (None, None, None, Some(sign_in)) => {
                DenialSubject::SignIn(SignInId::from_raw(parse_id(&sign_in, "sign-in")?))
            }
            _ => return Err(DecodeError::Unknown),
        };
        let Some(at) = at else { return Ok((number, DenialChange::Allow(subject))) };
        let reason = reason.map(|it| BanReason::parse(&it)).transpose();
        let denial = Denial {
            subject,
            at: values::from_ms(at)?,
            until: until.map(values::from_ms).transpose()?,
            reason: reason.ok().ok_or(Malformed::Value("reason"))?,
        };
        Ok((number, DenialChange::Deny(denial)))
    }
}
