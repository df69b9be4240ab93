//! Bans: `/api/v1/bans`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    list::{self, AFTER_USER, LIMIT, PAGE_ITEMS_MAX, range},
    query::{Parameter, ParameterType, Query, parameter},
    space, text, time,
};
use crate::{
    chat::{Ban, BanRequest, BansQuestion, ListPage},
    domain::{BanReason, Space, UserName},
    wire::{
        action::user_name,
        invalid_data::{InvalidData, object},
        payload::Timestamp,
        schema,
    },
};

/// All spaces. No space has this name.
const ALL_SPACES: &str = "*";

/// A ban, as [`ban`] reads it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BanData {
    /// `/` when it is left out, `*` for all spaces.
    #[schema(format = "space-or-all", min_length = 1)]
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

/// The bans of a page.
#[derive(Serialize)]
struct BansData<'a> {
    bans: Vec<BanItem<'a>>,
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
        space: space_or_all(space.as_deref())?,
        user: user_name(&user)?,
        until: time("until", until.as_deref())?,
        reason: reason.map_err(|rejection| InvalidData::new(rejection.to_string()))?,
    })
}

/// The space of bans: `/` if it is left out. `None`: all of them.
fn space_or_all(raw: Option<&str>) -> Result<Option<Space>, InvalidData> {
    match raw {
        None => Ok(Some(Space::root())),
        Some(ALL_SPACES) => Ok(None),
        Some(raw) => space(raw).map(Some),
    }
}

const SPACE_OR_ALL: Parameter = parameter(
    "space",
    ParameterType::Text("space-or-all"),
    "`/` when left out. `*`: the bans from all spaces.",
);

/// The parameters of [`unban`].
pub const UNBAN: &[Parameter] =
    &[SPACE_OR_ALL, parameter("user", ParameterType::RequiredText("user-name"), "Who is banned.")];

/// The parameters of [`bans_question`].
pub const BANS: &[Parameter] = &[SPACE_OR_ALL, AFTER_USER, LIMIT];

/// `space?` and `user`: the ban that ends.
pub fn unban(query: &str) -> Result<(Option<Space>, UserName), InvalidData> {
    let query = Query::parse(query, UNBAN)?;
    Ok((space_or_all(query.one("space")?)?, user_name(query.required("user")?)?))
}

/// `space?`, `after?` (a user), `limit?`.
pub fn bans_question(query: &str) -> Result<BansQuestion, InvalidData> {
    let query = Query::parse(query, BANS)?;
    let range = range(&query, user_name, PAGE_ITEMS_MAX)?;
    Ok(BansQuestion { space: space_or_all(query.one("space")?)?, range })
}

/// A page, as JSON text.
pub fn bans(page: &ListPage<Ban>) -> String {
    let bans = page.items.iter().map(BanItem::from).collect();
    list::json(page, BansData { bans }, |next| next.as_raw().to_owned())
}

impl<'a> From<&'a Ban> for BanItem<'a> {
    fn from(ban: &'a Ban) -> Self {
        let Ban { user, at, until, reason } = ban;
        let reason = reason.as_ref().map(BanReason::as_raw);
        Self { user: user.as_raw(), at: Timestamp(*at), until: until.map(Timestamp), reason }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_ban_has_a_user_and_perhaps_an_end() {
        let ann = UserName::parse("ann").unwrap();
        let bare = BanRequest { space: Some(Space::root()), user: ann, until: None, reason: None };
        assert_eq!(ban(br#"{"user":"ann"}"#), Ok(bare.clone()));
        let all = br#"{"space":"*","user":"ann"}"#;
        assert_eq!(ban(all), Ok(BanRequest { space: None, ..bare.clone() }));
        let full =
            br#"{"space":"/shop","user":"ann","until":"2030-01-01T02:00:00+02:00","reason":"x"}"#;
        let until = Some(datetime!(2030-01-01 0:00 UTC));
        let reason = Some(BanReason::from_raw("x"));
        let space = Some(Space::parse("/shop").unwrap());
        assert_eq!(ban(full), Ok(BanRequest { space, until, reason, ..bare }));
    }

    #[test]
    fn a_query_names_a_space_or_all() {
        let space = |query| bans_question(query).unwrap().space;
        assert_eq!(space(""), Some(Space::root()));
        assert_eq!(space("space=/shop"), Some(Space::from_raw("/shop")));
        assert_eq!(space("space=*"), None);
        assert_eq!(unban("space=%2A&user=ann"), Ok((None, UserName::from_raw("ann"))));
    }

    #[test]
    fn other_requests_are_refused_with_the_reason() {
        let long = format!(r#"{{"user":"ann","reason":"{}"}}"#, "x".repeat(1025));
        for (body, why) in [
            ("[]", "not an object with keys of `space`, `user`"),
            ("{}", "the key `user` is missing"),
            (r#"{"user":""}"#, "a name has"),
            (r#"{"user":"ann","space":"x"}"#, "not a space"),
            (r#"{"user":"ann","space":"**"}"#, "not a space"),
            (r#"{"user":"ann","space":""}"#, "not a space"),
            (r#"{"user":"ann","until":"tomorrow"}"#, "`until` is not a time"),
            (r#"{"user":"ann","until":7}"#, "`until` must be a text"),
            (r#"{"user":"ann","untill":"x"}"#, "there is no key `untill`"),
            (&*long, "a reason has"),
        ] {
            let reason = ban(body.as_bytes()).unwrap_err().to_string();
            assert!(reason.contains(why), "{body}: {reason}");
        }
        assert!(ban(b"\xff").is_err());
        for (query, why) in [
            ("", "the key `user` is missing"),
            ("user=", "a name has"),
            ("usr=x", "`usr`, the nearest"),
        ] {
            let reason = unban(query).unwrap_err().to_string();
            assert!(reason.contains(why), "{query}: {reason}");
        }
        for (query, why) in [
            ("limit=0", "1 to 1000"),
            ("limit=1001", "1 to 1000"),
            ("after=", "a name has"),
            ("cursor=a", "there is no key `cursor`"),
            ("space=**", "not a space"),
        ] {
            let reason = bans_question(query).unwrap_err().to_string();
            assert!(reason.contains(why), "{query}: {reason}");
        }
    }
}
