//! Revocations of tokens: `/api/v1/revocations`.

use serde::{Deserialize, Serialize};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema, schema::OneOfBuilder},
};

use super::{
    list::{self, AFTER, LIMIT, PAGE_ITEMS_MAX, range},
    query::{Parameter, ParameterType, Query, parameter},
    text, time,
};
use crate::{
    chat::{ListPage, ListRange, ListedRevocation, Revocation, RevokedTokens},
    domain::{RevocationSubject, TokenId},
    wire::{
        action::user_name,
        invalid_data::{InvalidData, invalid, object, quoted},
        payload::Timestamp,
        schema,
    },
};

/// Before the `jti` in a cursor.
const TOKEN_CURSOR: &str = "jti:";
/// Before the user in a cursor.
const USER_CURSOR: &str = "user:";

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

/// The revocations of a page.
#[derive(Serialize)]
struct RevocationsData<'a> {
    revocations: Vec<RevocationItem<'a>>,
}

#[derive(Serialize)]
struct RevocationItem<'a> {
    #[serde(flatten)]
    tokens: TokensData<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum TokensData<'a> {
    One { jti: &'a str, at: Timestamp },
    OfUser { user: &'a str, issued_before: Timestamp },
}

/// `{jti, until?}` or `{user, issued_before, until?}`.
pub fn revocation(body: &[u8]) -> Result<Revocation, InvalidData> {
    let text = text(body)?;
    let RevocationData { jti, user, issued_before, until } = object(&text)?;
    let until = time("until", until.as_deref())?;
    let tokens = match (jti, user, time("issued_before", issued_before.as_deref())?) {
        (Some(jti), None, None) => RevokedTokens::One(token_id(&jti)?),
        (None, Some(user), Some(at)) => RevokedTokens::IssuedBefore(user_name(&user)?, at),
        _ => return invalid("this needs `jti`, or `user` and `issued_before`"),
    };
    Ok(Revocation { tokens, until })
}

fn token_id(raw: &str) -> Result<TokenId, InvalidData> {
    TokenId::parse(raw).map_err(|_rejection| {
        InvalidData::new("a `jti` has 1 to 256 bytes without control characters".to_owned())
    })
}

/// The parameters of [`ended_revocation`].
pub const END_REVOCATION: &[Parameter] = &[
    parameter("jti", ParameterType::Text("token-id"), "The revoked token. Or `user`."),
    parameter("user", ParameterType::Text("user-name"), "Whose tokens are revoked."),
];

/// The parameters of [`revocations_question`].
pub const REVOCATIONS: &[Parameter] =
    &[parameter("after", ParameterType::Text("revocation"), AFTER), LIMIT];

/// `jti` or `user`: the revocation that ends.
pub fn ended_revocation(query: &str) -> Result<RevocationSubject, InvalidData> {
    let query = Query::parse(query, END_REVOCATION)?;
    match (query.one("jti")?, query.one("user")?) {
        (Some(jti), None) => token_id(jti).map(RevocationSubject::Token),
        (None, Some(user)) => user_name(user).map(RevocationSubject::User),
        (Some(_), Some(_)) | (None, None) => invalid("this needs one of `jti` and `user`"),
    }
}

/// `after?` (a revocation), `limit?`.
pub fn revocations_question(query: &str) -> Result<ListRange<RevocationSubject>, InvalidData> {
    let query = Query::parse(query, REVOCATIONS)?;
    range(&query, subject, PAGE_ITEMS_MAX)
}

/// The revocation that a cursor names.
fn subject(cursor: &str) -> Result<RevocationSubject, InvalidData> {
    if let Some(jti) = cursor.strip_prefix(TOKEN_CURSOR) {
        token_id(jti).map(RevocationSubject::Token)
    } else if let Some(user) = cursor.strip_prefix(USER_CURSOR) {
        user_name(user).map(RevocationSubject::User)
    } else {
        Err(InvalidData::new(format!("{} is not the `next` of a page", quoted(cursor))))
    }
}

/// A page, as JSON text.
pub fn revocations(page: &ListPage<ListedRevocation, RevocationSubject>) -> String {
    let revocations = page.items.iter().map(RevocationItem::from).collect();
    list::json(page, RevocationsData { revocations }, |next| match next {
        RevocationSubject::Token(token) => format!("{TOKEN_CURSOR}{}", token.as_raw()),
        RevocationSubject::User(user) => format!("{USER_CURSOR}{}", user.as_raw()),
    })
}

impl<'a> From<&'a ListedRevocation> for RevocationItem<'a> {
    fn from(listed: &'a ListedRevocation) -> Self {
        let ListedRevocation { subject, at, until } = listed;
        let at = Timestamp(*at);
        let tokens = match subject {
            RevocationSubject::Token(token) => TokensData::One { jti: token.as_raw(), at },
            RevocationSubject::User(user) => {
                TokensData::OfUser { user: user.as_raw(), issued_before: at }
            }
        };
        Self { tokens, until: until.map(Timestamp) }
    }
}

#[cfg(test)]
mod tests {
    use ::time::macros::datetime;

    use super::*;
    use crate::domain::{DisplayNames, UserName};

    fn ann() -> UserName {
        UserName::from_raw("ann")
    }

    #[test]
    fn a_revocation_is_of_one_token_or_of_a_users() {
        let tokens = RevokedTokens::One(TokenId::from_raw("t"));
        assert_eq!(revocation(br#"{"jti":"t"}"#), Ok(Revocation { tokens, until: None }));
        let at = datetime!(2030-01-01 0:00 UTC);
        let tokens = RevokedTokens::IssuedBefore(ann(), at);
        let text = br#"{"user":"ann","issued_before":"2030-01-01T00:00:00Z"}"#;
        assert_eq!(revocation(text), Ok(Revocation { tokens, until: None }));
    }

    #[test]
    fn a_page_lists_both_kinds_and_names_the_next_one() {
        let at = datetime!(2030-01-01 0:00 UTC);
        let one = RevocationSubject::Token(TokenId::from_raw("a:b"));
        let items = vec![
            ListedRevocation { subject: one, at, until: Some(at) },
            ListedRevocation { subject: RevocationSubject::User(ann()), at, until: None },
        ];
        let next = Some(RevocationSubject::User(ann()));
        let mut page = ListPage { items, names: DisplayNames::new(), total: None, next };
        let golden = concat!(
            r#"{"revocations":[{"jti":"a:b","at":"2030-01-01T00:00:00.000Z","#,
            r#""until":"2030-01-01T00:00:00.000Z"},"#,
            r#"{"user":"ann","issued_before":"2030-01-01T00:00:00.000Z"}],"next":"user:ann"}"#
        );
        assert_eq!(revocations(&page), golden);
        page.items.truncate(1);
        page.next = page.items.last().map(|it| it.subject.clone());
        assert!(revocations(&page).ends_with(r#""next":"jti:a:b"}"#));
        for item in page.items {
            let question = revocations_question("after=jti:a%3Ab&limit=2");
            assert_eq!(question, Ok(ListRange { after: Some(item.subject), limit: 2 }));
        }
        let after = Some(RevocationSubject::User(ann()));
        assert_eq!(revocations_question("after=user:ann").unwrap().after, after);
    }

    #[test]
    fn other_requests_are_refused_with_the_reason() {
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
        for (query, why) in [
            ("", "one of `jti` and `user`"),
            ("jti=a&user=b", "one of `jti` and `user`"),
            ("jti=", "a `jti` has"),
            ("user=", "a name has"),
            ("id=a", "there is no key `id`"),
        ] {
            let reason = ended_revocation(query).unwrap_err().to_string();
            assert!(reason.contains(why), "{query}: {reason}");
        }
        for (query, why) in [
            ("after=ann", "\"ann\" is not the `next` of a page"),
            ("after=jti:", "a `jti` has"),
            ("after=user:", "a name has"),
            ("limit=0", "1 to 1000"),
        ] {
            let reason = revocations_question(query).unwrap_err().to_string();
            assert!(reason.contains(why), "{query}: {reason}");
        }
    }
}
