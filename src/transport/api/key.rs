//! API keys, in `Authorization`.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::{
    chat::{Chat, ports::ApiKey},
    domain::{KeyRejection, Rejection},
    transport::credentials,
};

/// The key of a request. It is checked before the body is read.
pub(super) struct Authorized(pub(super) Arc<ApiKey>);

impl FromRequestParts<Arc<Chat>> for Authorized {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, chat: &Arc<Chat>) -> Result<Self, Rejection> {
        let key = credentials::authorization(&parts.headers)
            .map_err(|_unreadable| Rejection::Key(KeyRejection::Unknown))?;
        chat.api_key(key.as_ref()).map(Self)
    }
}
