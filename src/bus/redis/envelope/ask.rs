//! The encoding of asks, and of what nodes reply to them.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    DecodeError, Malformed,
    entry::{BodyPayload, CustomEventPayload, address},
    values::{self, Text, name, node},
};
use crate::{
    chat::ports::{AskReply, AskedEvent, ClusterEvent, SettledAsk},
    domain::{AskAnswer, AskId, NodeId, PassingDelivery, UserName},
};

#[derive(Serialize, Deserialize)]
pub(super) struct AskedPayload<'a> {
    id: u64,
    #[serde(borrow)]
    space: Text<'a>,
    wait_ms: u64,
    #[serde(borrow)]
    event: CustomEventPayload<'a>,
}

/// One of: `asked`, `settled`.
#[derive(Serialize, Deserialize)]
pub(super) struct AskReplyPayload<'a> {
    #[serde(borrow)]
    to: Text<'a>,
    id: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asked: Option<usize>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    settled: Vec<SettledPayload<'a>>,
}

/// Without `args`, the connection has closed.
#[derive(Serialize, Deserialize)]
struct SettledPayload<'a> {
    #[serde(borrow)]
    connection: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    user: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    args: Option<BodyPayload<'a>>,
}

impl<'a> AskedPayload<'a> {
    pub(super) fn of(ask: AskId, asked: &'a AskedEvent) -> Result<Self, Malformed> {
        let AskedEvent { space, to, except, event, wait } = asked;
        Ok(Self {
            id: ask.as_raw(),
            space: space.as_raw().into(),
            wait_ms: u64::try_from(wait.as_millis()).ok().ok_or(Malformed::NotEncodable)?,
            event: CustomEventPayload::of(to, except.as_ref(), event, PassingDelivery::Reliable)?,
        })
    }

    pub(super) fn parse(self) -> Result<ClusterEvent, DecodeError> {
        let Self { id, space, wait_ms, event } = self;
        let (to, except, event, _delivery) = event.parts()?;
        let (space, wait) = (values::space(&space)?, Duration::from_millis(wait_ms));
        let asked = AskedEvent { space, to, except, event, wait };
        Ok(ClusterEvent::Ask(AskId::from_raw(id), Arc::new(asked)))
    }
}

impl<'a> AskReplyPayload<'a> {
    pub(super) fn of(to: &'a NodeId, ask: AskId, reply: &'a AskReply) -> Result<Self, Malformed> {
        let (to, id) = (to.as_raw().into(), ask.as_raw());
        Ok(match reply {
            AskReply::Asked(connections) => {
                Self { to, id, asked: Some(*connections), settled: Vec::new() }
            }
            AskReply::Settled(settled) => {
                let settled = settled.iter().map(SettledPayload::of).collect::<Result<_, _>>()?;
                Self { to, id, asked: None, settled }
            }
        })
    }

    pub(super) fn parse(self) -> Result<ClusterEvent, DecodeError> {
        let Self { to, id, asked, settled } = self;
        let settled = settled.into_iter().map(SettledPayload::parse);
        let reply = match (asked, settled.collect::<Result<Vec<_>, _>>()?) {
            (Some(connections), settled) if settled.is_empty() => AskReply::Asked(connections),
            (None, settled) if !settled.is_empty() => AskReply::Settled(settled),
            (None, _) => return Err(DecodeError::Unknown),
            (Some(_), _) => return Err(Malformed::Form.into()),
        };
        Ok(ClusterEvent::AskReply { to: node(&to)?, ask: AskId::from_raw(id), reply })
    }
}

impl<'a> SettledPayload<'a> {
    fn of(settled: &'a SettledAsk) -> Result<Self, Malformed> {
        Ok(match settled {
            SettledAsk::Answered(AskAnswer { connection, user, args }) => Self {
                connection: connection.to_string().into(),
                user: user.as_ref().map(name),
                args: Some(BodyPayload::of(args)?),
            },
            SettledAsk::Gone(connection) => {
                Self { connection: connection.to_string().into(), user: None, args: None }
            }
        })
    }

    fn parse(self) -> Result<SettledAsk, DecodeError> {
        let Self { connection, user, args } = self;
        let connection = address(&connection)?;
        let Some(args) = args else { return Ok(SettledAsk::Gone(connection)) };
        let user: Option<UserName> = user.as_deref().map(values::user).transpose()?;
        Ok(SettledAsk::Answered(AskAnswer { connection, user, args: args.parse()? }))
    }
}
