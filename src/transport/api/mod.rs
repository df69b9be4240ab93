//! The HTTP API for pages and for back ends. A route is one handler, and one line below.

mod actions;
mod ask;
mod bans;
mod documents;
mod failure;
mod json;
mod key;
mod metrics;
mod path;
mod questions;
mod rooms;
mod session;
mod trace;
mod webhooks;

use std::sync::Arc;

use axum::Router;

pub use self::metrics::MetricsSource;
use super::{cors, origin::Origins};
use crate::{chat::Chat, domain::FormSignIn};

/// Where back ends are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiPort {
    /// At the address of clients.
    OfClients,
    /// At an address of its own.
    Own,
}

/// The methods of the API, for preflights and for answers to other methods.
const METHODS: &str = "GET, POST, DELETE, OPTIONS";

/// The routes of sign-ins, for this host's pages and those that `origins` allows.
pub(super) fn for_pages(
    chat: Arc<Chat>,
    origins: Arc<Origins>,
    form_sign_in: FormSignIn,
) -> Router {
    let routes = Router::new().route("/api/session", session::methods());
    let routes = match form_sign_in {
        FormSignIn::On => {
            routes.route("/wsin", session::form_sign_in()).route("/wsout", session::link_sign_out())
        }
        FormSignIn::Off => routes,
    };
    cors::guard(routes.with_state(chat), origins, METHODS)
}

/// What programs read about the API and the events of this version, for all.
pub(super) fn documents() -> Router {
    documents::routes()
}

/// The routes of back ends. Pages have no business there, so they get no fields for other origins.
pub(super) fn for_back_ends(chat: Arc<Chat>, metrics: MetricsSource, port: ApiPort) -> Router {
    Router::new()
        .merge(actions::routes())
        .merge(ask::routes())
        .merge(bans::routes())
        .merge(metrics::routes(metrics, port))
        .merge(questions::routes())
        .merge(rooms::routes())
        .merge(webhooks::routes())
        .layer(cors::no_store())
        .with_state(chat)
}
