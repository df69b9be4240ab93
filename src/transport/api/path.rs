//! The names in the path of a request, percent-decoded.

use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;

use crate::{chat::Chat, domain::Rejection, wire::percent_decode};

const NOT_ENCODED: Rejection = Rejection::BadRequest("the path is not percent-encoded UTF-8");

/// The `COUNT` names in the path, in their order.
pub(super) struct PathNames<const COUNT: usize>(pub(super) [String; COUNT]);

impl<const COUNT: usize> FromRequestParts<Arc<Chat>> for PathNames<COUNT> {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, chat: &Arc<Chat>) -> Result<Self, Rejection> {
        // The extractor takes an escape that is none literally.
        if percent_decode(parts.uri.path()).is_none() {
            return Err(NOT_ENCODED);
        }
        let names = RawPathParams::from_request_parts(parts, chat).await;
        let names = names.map_err(|_rejection| NOT_ENCODED)?;
        let names: Vec<_> = names.iter().map(|(_, name)| name.to_owned()).collect();
        let names = names.try_into();
        Ok(Self(names.expect("the route of the handler has this many names")))
    }
}
