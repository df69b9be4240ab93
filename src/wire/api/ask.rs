//! `POST /api/v1/ask`: an event, and the answers of connections.

use std::{borrow::Cow, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::text;
use crate::{
    chat::AskRequest,
    domain::{AskAnswer, AskOutcome, DisplayNames, Limits, Space, UserName},
    wire::{
        action::{self, TargetData},
        body::{AttachmentEncoding, BodyData},
        event::NamesData,
        invalid_data::{InvalidData, object},
        payload,
    },
};

/// An ask, as [`ask_request`] reads it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AskData<'a> {
    /// `/` when it is left out.
    #[schema(format = "space", min_length = 1)]
    space: Option<String>,
    #[schema(format = "event-name", min_length = 1)]
    event: String,
    #[serde(borrow, default)]
    #[schema(value_type = Option<Vec<serde_json::Value>>)]
    args: Option<&'a RawValue>,
    to: TargetData,
    /// A connection that is not asked.
    #[schema(format = "connection", min_length = 1)]
    except: Option<String>,
    /// How long to wait for answers, in milliseconds. The setting `limits.ask_wait_ms_max` may
    /// permit another number.
    #[schema(value_type = u64, minimum = 1, maximum = 30000)]
    timeout_ms: f64,
}

#[derive(Serialize)]
struct OutcomeData<'a> {
    answers: Vec<AnswerData<'a>>,
    #[serde(skip_serializing_if = "NamesData::is_empty")]
    names: NamesData<'a>,
    missing: usize,
    complete: bool,
}

#[derive(Serialize)]
struct AnswerData<'a> {
    connection: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    args: BodyData<'a>,
}

/// Parses the body of a request.
pub fn ask_request(body: &[u8], limits: &Limits) -> Result<AskRequest, InvalidData> {
    let text: Cow<'_, str> = text(body)?;
    let AskData { space, event, args, to, except, timeout_ms } = object(&text)?;
    // A number that is negative or too large counts as 0, which is refused.
    let wait = Duration::try_from_secs_f64(timeout_ms / 1000.0).unwrap_or_default();
    if wait.is_zero() || wait > limits.ask_wait_max || timeout_ms.fract() != 0.0 {
        let most = limits.ask_wait_max.as_millis();
        return Err(InvalidData::new(format!("`timeout_ms` is a whole number from 1 to {most}")));
    }
    Ok(AskRequest {
        space: space.as_deref().map_or(Ok(Space::root()), super::space)?,
        event: action::custom_event(&event, args, limits)?,
        to: action::target(to)?,
        except: except.as_deref().map(action::address).transpose()?,
        wait,
    })
}

/// The answers, and the display names of their users, as JSON text.
pub fn ask_outcome(outcome: &AskOutcome, names: &DisplayNames) -> String {
    let AskOutcome { answers, missing, complete } = outcome;
    let (missing, complete) = (*missing, *complete);
    let answers = answers.iter().map(AnswerData::from).collect();
    payload::json(&OutcomeData { answers, names: names.into(), missing, complete })
}

impl<'a> From<&'a AskAnswer> for AnswerData<'a> {
    fn from(answer: &'a AskAnswer) -> Self {
        let AskAnswer { connection, user, args } = answer;
        Self {
            connection: connection.to_string(),
            user: user.as_ref().map(UserName::as_raw),
            args: BodyData { body: args, encoding: AttachmentEncoding::Base64, first: 0 },
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{
        chat::ports::EmitTarget,
        domain::{Body, ConnectionAddress, DisplayName, RoomName},
    };

    fn read(text: &str) -> Result<AskRequest, String> {
        ask_request(text.as_bytes(), &Limits::default()).map_err(|invalid| invalid.to_string())
    }

    #[test]
    fn an_ask_names_an_event_its_receivers_and_a_wait() {
        let short = read(r#"{"event":"who","to":{"room":"lobby"},"timeout_ms":30000}"#).unwrap();
        assert_eq!(
            (short.event.args.json(), &short.to, short.wait),
            ("[]", &EmitTarget::Room(RoomName::lobby()), Duration::from_secs(30))
        );
        let long = r#"{"space":"/shop","event":"who","args":[{"base64":"AA=="}],"to":{"space":true},
            "except":"n1.c1","timeout_ms":1.0}"#;
        let AskRequest { space, event, to, except, wait } = read(long).unwrap();
        assert_eq!((space.as_raw(), event.name.as_raw(), to), ("/shop", "who", EmitTarget::Space));
        assert_eq!(event.args.attachments(), [Bytes::from_static(&[0])]);
        assert_eq!((except.unwrap().to_string(), wait.as_millis()), ("n1.c1".to_owned(), 1));
    }

    #[test]
    fn other_bodies_are_refused_with_the_reason() {
        for (text, why) in [
            ("[]", "not an object with keys of `space`, `event`"),
            (r#"{"event":"who","to":{"space":true}}"#, "the key `timeout_ms` is missing"),
            (r#"{"event":"who","to":{"space":true},"timeout_ms":0}"#, "from 1 to 30000"),
            (r#"{"event":"who","to":{"space":true},"timeout_ms":30001}"#, "from 1 to 30000"),
            (r#"{"event":"who","to":{"space":true},"timeout_ms":-1}"#, "from 1 to 30000"),
            (r#"{"event":"who","to":{"space":true},"timeout_ms":1e300}"#, "from 1 to 30000"),
            (r#"{"event":"who","to":{"space":true},"timeout_ms":1.5}"#, "a whole number"),
            (r#"{"event":"who","to":{"space":true},"timeout_ms":"9"}"#, "must be a number"),
            (r#"{"event":"who","to":"all","timeout_ms":9}"#, "`to` must be an object"),
            (r#"{"event":"who","to":{},"timeout_ms":1}"#, "`to` is one of"),
            (r#"{"event":"who","to":{"space":true},"timeout_ms":1,"kept":true}"#, "`kept`"),
            (r#"{"event":"welcome","to":{"space":true},"timeout_ms":1}"#, "\"welcome\" is not"),
            (
                r#"{"event":"who","args":{},"to":{"space":true},"timeout_ms":1}"#,
                "`args` must be a list",
            ),
            (
                r#"{"event":"who","to":{"space":true},"except":"x","timeout_ms":1}"#,
                "not a connection",
            ),
        ] {
            let reason = read(text).unwrap_err();
            assert!(reason.contains(why), "{text}: {reason}");
        }
    }

    #[test]
    fn an_outcome_lists_answers_with_their_bytes() {
        let placeholder = r#"[1,{"_placeholder":true,"num":0}]"#;
        let body = |json: &str, bytes| Body::from_raw(json.into(), bytes);
        let answer = |connection, user: Option<&str>, args| AskAnswer {
            connection: ConnectionAddress::parse(connection).unwrap(),
            user: user.map(UserName::from_raw),
            args,
        };
        let answers = vec![
            answer("n1.c1", Some("ann"), body(placeholder, vec![Bytes::from_static(&[0])])),
            answer("n2.c1", None, body("[]", vec![])),
        ];
        let golden = concat!(
            r#"{"answers":[{"connection":"n1.c1","user":"ann","args":[1,{"base64":"AA=="}]},"#,
            r#"{"connection":"n2.c1","args":[]}],"missing":2,"complete":false}"#
        );
        let outcome = AskOutcome { answers, missing: 2, complete: false };
        assert_eq!(ask_outcome(&outcome, &DisplayNames::new()), golden);
        let names = [(UserName::from_raw("ann"), DisplayName::from_raw("Ann"))].into();
        let text = ask_outcome(&outcome, &names);
        assert!(text.contains(r#"],"names":{"ann":"Ann"},"missing":2"#), "{text}");
    }
}
