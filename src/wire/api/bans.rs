//! Bans and revocations: `/api/v1/bans` and `/api/v1/revocations`.

use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema, schema::OneOfBuilder},
};

use super::{
    list::{AFTER_USER, LIMIT, PAGE_ITEMS_MAX},
    query::{Parameter, ParameterType, Query, SPACE, parameter},
    space,
};
use crate::{
    chat::{Ban, BanRequest, BansPage, BansQuestion, Revocation, RevokedTokens},
    domain::{BanReason, Space, TokenId, UserName},
    wire::{
        action::user_name,
        invalid_data::{InvalidData, invalid, object},
        json,
        payload::{self, Timestamp},
        schema,
    },
};

/// A ban, as [`ban`] reads it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BanData {
    /// `/` when it is left out.
    #[schema(format = "space", min_length = 1)]
    space: Option<String>,
    #[schema(format = "user-name", min_length = 1)]
    user: String,
    /// In the future. It does not end when this is left out.
    #[schema(schema_with = schema::time_or_null)]
    until: Option<String>,
    /// For the list of bans; users do not see it. Up to 1,024 bytes without U+0000.
    #[schema(max_length = 1024)]
    reason: Option<String>,
}

/// A revocation, as [`revocation`] reads it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RevocationData {
    jti: Option<String>,
    user: Option<String>,
    issued_before: Option<String>,
    until: Option<String>,
}

/// One token, or those of a user.
impl PartialSchema for RevocationData {
    fn schema() -> RefOr<Schema> {
        let one = schema::closed_object().property("jti", schema::text("token-id"));
        let one = one.required("jti").property("until", schema::time_or_null());
        let one = one.property("user", schema::only_null());
        let one = one.property("issued_before", schema::only_null());
        let all = schema::closed_object().property("jti", schema::only_null());
        let all = all.property("user", schema::text("user-name")).required("user");
        let all = all.property("issued_before", schema::time()).required("issued_before");
        let all = all.property("until", schema::time_or_null());
        OneOfBuilder::new().item(one).item(all).into()
    }
}

impl ToSchema for RevocationData {}

/// A page of bans.
#[derive(Serialize)]
struct BansData<'a> {
    bans: Vec<BanItem<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'a str>,
}

#[derive(Serialize)]
struct BanItem<'a> {
    user: &'a str,
    at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

/// `{space?, user, until?, reason?}`.
pub fn ban(body: &[u8]) -> Result<BanRequest, InvalidData> {
    let text = text(body)?;
    let BanData { space, user, until, reason } = object(&text)?;
    let reason = reason.as_deref().map(BanReason::parse).transpose();
    Ok(BanRequest {
        space: space.as_deref().map_or(Ok(Space::root()), self::space)?,
        user: user_name(&user)?,
        until: time("until", until.as_deref())?,
        reason: reason.map_err(|rejection| InvalidData(rejection.to_string()))?,
    })
}

/// `{jti, until?}` or `{user, issued_before, until?}`.
pub fn revocation(body: &[u8]) -> Result<Revocation, InvalidData> {
    let text = text(body)?;
    let RevocationData { jti, user, issued_before, until } = object(&text)?;
    let until = time("until", until.as_deref())?;
    let tokens = match (jti, user, time("issued_before", issued_before.as_deref())?) {
        (Some(jti), None, None) => RevokedTokens::One(TokenId::parse(&jti).map_err(|_error| {
            InvalidData("a `jti` has 1 to 256 bytes without control characters".to_owned())
        })?),
        (None, Some(user), Some(at)) => RevokedTokens::IssuedBefore(user_name(&user)?, at),
        _ => return invalid("this needs `jti`, or `user` and `issued_before`"),
    };
    Ok(Revocation { tokens, until })
}

/// The parameters of [`unban`].
pub const UNBAN: &[Parameter] =
    &[SPACE, parameter("user", ParameterType::RequiredText("user-name"), "Who is banned.")];

/// The parameters of [`bans_question`].
pub const BANS: &[Parameter] = &[SPACE, AFTER_USER, LIMIT];

/// `space?` and `user`: the ban that ends.
pub fn unban(query: &str) -> Result<(Space, UserName), InvalidData> {
    let query = Query::parse(query, UNBAN)?;
    let Some(user) = query.one("user")? else { return invalid("this needs `user`") };
    Ok((query.space()?, user_name(user)?))
}

/// `space?`, `after?` (a user), `limit?`.
pub fn bans_question(query: &str) -> Result<BansQuestion, InvalidData> {
    let query = Query::parse(query, BANS)?;
    let after = query.one("after")?.map(user_name).transpose()?;
    let limit = query.limit(PAGE_ITEMS_MAX)?;
    Ok(BansQuestion { space: query.space()?, after, limit })
}

/// A page, as JSON text.
pub fn bans(page: &BansPage) -> String {
    let BansPage { bans, next } = page;
    let next = next.as_ref().map(UserName::as_raw);
    payload::json(&BansData { bans: bans.iter().map(BanItem::from).collect(), next })
}

impl<'a> From<&'a Ban> for BanItem<'a> {
    fn from(ban: &'a Ban) -> Self {
        let Ban { user, at, until, reason } = ban;
        let reason = reason.as_ref().map(BanReason::as_raw);
        Self { user: user.as_raw(), at: Timestamp(*at), until: until.map(Timestamp), reason }
    }
}

fn text(body: &[u8]) -> Result<std::borrow::Cow<'_, str>, InvalidData> {
    let Ok(text) = str::from_utf8(body) else { return invalid("this is not UTF-8") };
    Ok(json::replace_lone_surrogates(text))
}

/// A time in RFC 3339.
fn time(key: &str, text: Option<&str>) -> Result<Option<OffsetDateTime>, InvalidData> {
    let parse = |text: &str| {
        let at = OffsetDateTime::parse(text, &Rfc3339).ok();
        let at = at.and_then(|at| at.checked_to_offset(UtcOffset::UTC));
        at.ok_or_else(|| {
            InvalidData(format!("`{key}` is not a time such as \"2030-12-31T23:59:59Z\""))
        })
    };
    text.map(parse).transpose()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_ban_has_a_user_and_perhaps_an_end() {
        let ann = UserName::parse("ann").unwrap();
        let bare = BanRequest { space: Space::root(), user: ann, until: None, reason: None };
        assert_eq!(ban(br#"{"user":"ann"}"#), Ok(bare.clone()));
        let full =
            br#"{"space":"/shop","user":"ann","until":"2030-01-01T02:00:00+02:00","reason":"x"}"#;
        let until = Some(datetime!(2030-01-01 0:00 UTC));
        let reason = Some(BanReason::from_raw("x"));
        let space = Space::parse("/shop").unwrap();
        assert_eq!(ban(full), Ok(BanRequest { space, until, reason, ..bare }));
    }

    #[test]
    fn a_revocation_is_of_one_token_or_of_a_users() {
        let tokens = RevokedTokens::One(TokenId::from_raw("t"));
        assert_eq!(revocation(br#"{"jti":"t"}"#), Ok(Revocation { tokens, until: None }));
        let at = datetime!(2030-01-01 0:00 UTC);
        let tokens = RevokedTokens::IssuedBefore(UserName::parse("ann").unwrap(), at);
        let text = br#"{"user":"ann","issued_before":"2030-01-01T00:00:00Z"}"#;
        assert_eq!(revocation(text), Ok(Revocation { tokens, until: None }));
    }

    #[test]
    fn other_requests_are_refused_with_the_reason() {
        let long = format!(r#"{{"user":"ann","reason":"{}"}}"#, "x".repeat(1025));
        for (body, why) in [
            ("[]", "not a JSON object"),
            ("{}", "missing field `user`"),
            (r#"{"user":""}"#, "a name has"),
            (r#"{"user":"ann","space":"x"}"#, "not a space"),
            (r#"{"user":"ann","until":"tomorrow"}"#, "`until` is not a time"),
            (r#"{"user":"ann","until":7}"#, "expected a string"),
            (r#"{"user":"ann","untill":"x"}"#, "unknown field `untill`"),
            (&*long, "a reason has"),
        ] {
            let reason = ban(body.as_bytes()).unwrap_err().to_string();
            assert!(reason.contains(why), "{body}: {reason}");
        }
        for (body, why) in [
            ("{}", "this needs `jti`"),
            (r#"{"user":"ann"}"#, "this needs `jti`"),
            (r#"{"issued_before":"2030-01-01T00:00:00Z"}"#, "this needs `jti`"),
            (r#"{"jti":"t","user":"ann"}"#, "this needs `jti`"),
            (r#"{"jti":""}"#, "a `jti` has"),
            (r#"{"user":"ann","issued_before":"x"}"#, "`issued_before` is not a time"),
        ] {
            let reason = revocation(body.as_bytes()).unwrap_err().to_string();
            assert!(reason.contains(why), "{body}: {reason}");
        }
        assert!(ban(b"\xff").is_err());
        for (query, why) in
            [("", "this needs `user`"), ("user=", "a name has"), ("usr=x", "\"usr\"")]
        {
            let reason = unban(query).unwrap_err().to_string();
            assert!(reason.contains(why), "{query}: {reason}");
        }
        for (query, why) in [("limit=0", "1 to 1000"), ("after=", "a name has"), ("x=1", "\"x\"")] {
            let reason = bans_question(query).unwrap_err().to_string();
            assert!(reason.contains(why), "{query}: {reason}");
        }
    }
}
