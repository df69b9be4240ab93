//! The names in the path of a request, percent-decoded.

use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;

use crate::{chat::Chat, domain::Rejection};

/// The `COUNT` names in the path, in their order.
pub(super) struct PathNames<const COUNT: usize>(pub(super) [String; COUNT]);

impl<const COUNT: usize> FromRequestParts<Arc<Chat>> for PathNames<COUNT> {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, chat: &Arc<Chat>) -> Result<Self, Rejection> {
        let names = RawPathParams::from_request_parts(parts, chat).await;
        let names = names.map_err(|_rejection| Rejection::BadRequest("the path is not UTF-8"))?;
        let names: Vec<_> = names.iter().map(|(_, name)| name.to_owned()).collect();
        let names = names.try_into();
        Ok(Self(names.expect("the route of the handler has this many names")))
    }
}
