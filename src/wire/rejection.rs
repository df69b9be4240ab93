//! Refusals: in answers, as `error message`, over HTTP, and of connections to a space.

use std::{borrow::Cow, collections::BTreeMap};

use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    InvalidData, code,
    payload::{self, Timestamp},
    request::RequestKind,
};
use crate::domain::{KeyMismatch, Rejection, UnknownKey};

/// `{code, message}`: a refused request, handshake or sign-in.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RejectionData<'a> {
    code: &'a str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    /// When a ban ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    /// Which keys are wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<KeyMismatchData<'a>>,
    /// What a back end says about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
}

/// `{missing?, unknown?, nearest?, expected?}`: the keys that are wrong. `{known}` of no object.
#[derive(Debug, Serialize)]
pub(super) struct KeyMismatchData<'a> {
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    missing: &'a [Cow<'static, str>],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unknown: Vec<&'a str>,
    /// For an unknown key the one that is probably meant.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    nearest: BTreeMap<&'a str, &'a str>,
    /// For a key with a value of another type the one that it has to have.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    expected: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    known: &'a [Cow<'static, str>],
}

/// `error message`.
#[derive(Debug, Serialize)]
pub(super) struct ErrorMessageData<'a> {
    /// The name that the client sent, or `null` if it could not be read.
    event: Option<&'a str>,
    #[serde(flatten)]
    rejection: RejectionData<'a>,
}

/// What a refused connection has beside its message.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum ConnectErrorDetails<'a> {
    /// The data of a back end.
    Data(&'a RawValue),
    /// All of a rejection.
    Rejection(RejectionData<'a>),
}

/// `error message`.
pub(super) fn error_message<'a>(
    kind: &'a RequestKind,
    rejection: &'a Rejection,
) -> ErrorMessageData<'a> {
    ErrorMessageData { event: kind.sent_name(), rejection: rejection.into() }
}

/// What a refused connection has beside its message.
pub(super) fn connect_error_data(rejection: &Rejection) -> ConnectErrorDetails<'_> {
    let rejection = RejectionData::from(rejection);
    rejection.data.map_or(ConnectErrorDetails::Rejection(rejection), ConnectErrorDetails::Data)
}

/// A refused handshake or sign-in, as JSON text.
pub(crate) fn rejection_object(rejection: &Rejection) -> String {
    payload::json(&RejectionData::from(rejection))
}

impl<'a> From<&'a Rejection> for RejectionData<'a> {
    fn from(rejection: &'a Rejection) -> Self {
        let mut retry_after_ms = None;
        if let Rejection::TooFast { retry_after } = rejection {
            // Rounded up, so that a retry after this time is not refused again.
            let millis = retry_after.as_micros().div_ceil(1000);
            retry_after_ms = Some(u64::try_from(millis).unwrap_or(u64::MAX));
        }
        let mut end_of_ban = None;
        if let Rejection::Banned { until } = rejection {
            end_of_ban = until.map(Timestamp);
        }
        let mut details = None;
        if let Rejection::Keys(mismatch) = rejection {
            details = Some(KeyMismatchData::from(&**mismatch));
        }
        let (mut code, mut data) = (code::rejection(rejection).code, None);
        if let Rejection::Refused(refusal) = rejection {
            code = &refusal.code;
            data = refusal.data.as_deref().and_then(|it| serde_json::from_str(it).ok());
        }
        let message = rejection.to_string();
        Self { code, message, retry_after_ms, until: end_of_ban, details, data }
    }
}

impl<'a> From<&'a InvalidData> for RejectionData<'a> {
    fn from(invalid: &'a InvalidData) -> Self {
        let code = code::rejection(&Rejection::BadRequest("")).code;
        let (message, details) = (invalid.to_string(), invalid.keys().map(KeyMismatchData::from));
        Self { code, message, retry_after_ms: None, until: None, details, data: None }
    }
}

impl<'a> From<&'a KeyMismatch> for KeyMismatchData<'a> {
    fn from(mismatch: &'a KeyMismatch) -> Self {
        let KeyMismatch { missing, unknown, mistyped, known } = mismatch;
        let is_object = !(missing.is_empty() && unknown.is_empty() && mistyped.is_empty());
        let nearest = |it: &'a UnknownKey| it.nearest.as_deref().map(|nearest| (&*it.key, nearest));
        Self {
            missing,
            unknown: unknown.iter().map(|it| &*it.key).collect(),
            nearest: unknown.iter().filter_map(nearest).collect(),
            expected: mistyped.iter().map(|(key, it)| (&**key, it.as_raw())).collect(),
            known: if is_object { &[] } else { known },
        }
    }
}
