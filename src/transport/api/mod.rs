//! The HTTP API for pages. A route is one handler, and one line in `routes`.

mod json;
mod session;

use std::sync::Arc;

use axum::Router;

use super::{cors, origin::Origins};
use crate::chat::Chat;

/// The methods of the API, for preflights and for answers to other methods.
const METHODS: &str = "GET, POST, DELETE, OPTIONS";

/// The routes of the API, for this host's pages and those that `origins` allows.
pub(super) fn routes(chat: Arc<Chat>, origins: Arc<Origins>) -> Router {
    let routes = Router::new().route("/api/session", session::methods()).with_state(chat);
    cors::guard(routes, origins, METHODS)
}
