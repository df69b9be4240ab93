//! The request body of the cookie API.

use serde::Deserialize;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema, schema::OneOfBuilder},
};

use super::{hello::Parameters, json, keys, schema};
use crate::{
    chat::Credential,
    domain::{Rejection, Space, Token, UserName},
};

const INVALID_SIGN_IN: Rejection =
    Rejection::BadRequest("sign in with {name} or {token}, and perhaps space");

/// The body of a sign-in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignIn {
    name: Option<String>,
    token: Option<String>,
    space: Option<String>,
}

/// As [`sign_in`] reads it: a name or a token.
impl PartialSchema for SignIn {
    fn schema() -> RefOr<Schema> {
        let object = |key: &str, format: &str, other: &str| {
            let object = schema::closed_object().required(key);
            object
                .property(key, schema::text(format))
                .property(other, schema::only_null())
                .property("space", schema::text_or_null("space"))
        };
        let either = OneOfBuilder::new().item(object("name", "guest-name", "token"));
        either.item(object("token", "token", "name")).into()
    }
}

impl ToSchema for SignIn {}

/// Parses a sign-in: the space, and a name or a token.
pub(crate) fn sign_in(body: &[u8]) -> Result<(Space, Credential), Rejection> {
    let text = str::from_utf8(body).map_err(|_error| INVALID_SIGN_IN)?;
    json::check_depth(text)?;
    // serde would accept an array and read its items as the fields, in order.
    let object =
        Some(text).filter(|text| text.trim_start().starts_with('{')).ok_or(INVALID_SIGN_IN)?;
    let refused = |error: serde_json::Error| {
        let refused = keys::of_error(object, &error);
        refused.map_or(INVALID_SIGN_IN, |it| Rejection::Keys(Box::new(it.mismatch)))
    };
    serde_json::from_str::<SignIn>(object).map_err(refused)?.read()
}

/// The same of a form, encoded as a query.
pub(crate) fn sign_in_form(body: &[u8]) -> Result<(Space, Credential), Rejection> {
    let text = str::from_utf8(body).map_err(|_error| INVALID_SIGN_IN)?;
    let fields = Parameters::read(text).map_err(|_error| INVALID_SIGN_IN)?;
    let field = |name| match fields.value(name) {
        Ok(value) => Ok(value.map(str::to_owned)),
        Err(_) => Err(INVALID_SIGN_IN),
    };
    SignIn { name: field("name")?, token: field("token")?, space: field("space")? }.read()
}

impl SignIn {
    fn read(self) -> Result<(Space, Credential), Rejection> {
        let Self { name, token, space } = self;
        let space = space.as_deref().map_or(Ok(Space::root()), Space::parse)?;
        let credential = match (name, token) {
            (Some(name), None) => Credential::Name(UserName::parse_guest(&name)?),
            (None, Some(token)) => Credential::Token(Token::from_raw(&token)),
            (Some(_), Some(_)) | (None, None) => return Err(INVALID_SIGN_IN),
        };
        Ok((space, credential))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_in_has_a_name_or_a_token() {
        let (space, by) = sign_in(br#"{"name":" ann "}"#).unwrap();
        assert_eq!(space, Space::root());
        assert!(matches!(by, Credential::Name(name) if name.as_raw() == "ann"));
        let (space, by) = sign_in(br#"{"token":"a.b.c","space":"/shop"}"#).unwrap();
        assert_eq!(space.as_raw(), "/shop");
        assert!(matches!(by, Credential::Token(_)));
    }

    #[test]
    fn a_form_has_the_same_fields() {
        let (space, by) = sign_in_form(b"name=+ann+%C3%A4&space=%2Fshop").unwrap();
        assert_eq!(space.as_raw(), "/shop");
        assert!(matches!(by, Credential::Name(name) if name.as_raw() == "ann ä"));
        for (form, refused) in [
            ("", INVALID_SIGN_IN),
            ("user=ann", INVALID_SIGN_IN),
            ("name=a&name=b", INVALID_SIGN_IN),
            ("name=%ff", INVALID_SIGN_IN),
            ("name=a&token=b", INVALID_SIGN_IN),
            ("name=", Rejection::NameInvalid),
        ] {
            assert_eq!(sign_in_form(form.as_bytes()).map(drop), Err(refused), "{form}");
        }
        assert!(sign_in_form(b"name=\xff").is_err());
    }

    #[test]
    fn invalid_input_is_refused() {
        for (body, refused) in [
            ("", INVALID_SIGN_IN),
            ("[]", INVALID_SIGN_IN),
            (r#"["ann"]"#, INVALID_SIGN_IN),
            ("{}", INVALID_SIGN_IN),
            (r#"{"name":"ann","token":"a.b.c"}"#, INVALID_SIGN_IN),
            (r#"{"name":""}"#, Rejection::NameInvalid),
            (r#"{"name":"ann","space":"shop"}"#, Rejection::UnknownSpace),
        ] {
            assert_eq!(sign_in(body.as_bytes()).map(drop), Err(refused), "{body}");
        }
        let Err(Rejection::Keys(wrong)) = sign_in(br#"{"user":"ann"}"#) else { panic!("no key") };
        assert_eq!(wrong.to_string(), "there is no key `user`; there are `name`, `token`, `space`");
        let Err(Rejection::Keys(wrong)) = sign_in(br#"{"name":7}"#) else { panic!("no text") };
        assert_eq!(wrong.to_string(), "`name` must be a text");
        assert!(sign_in(b"{\"name\":\"\xff\"}").is_err());
        assert!(sign_in("[".repeat(5000).as_bytes()).is_err());
    }
}
