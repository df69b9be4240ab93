//! `/api/session`: sign-ins for pages, carried by a cookie.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode,
    header::{self, ALLOW, CONTENT_TYPE, SET_COOKIE},
};

use crate::{
    chat::{Chat, SignedIn},
    domain::{Rejection, Token},
    transport::{
        body::{self, BodyError},
        cookie, cors,
        origin::Origins,
        rejection::rejection_response,
    },
    wire,
};

/// The methods that there are.
const METHODS: &str = "GET, POST, DELETE, OPTIONS";
/// The largest body: twice the longest token, with something around it.
const BODY_BYTES_MAX: usize = 20 << 10;

/// The way in for pages that sign in.
#[derive(Clone, Debug)]
pub struct SessionApi {
    chat: Arc<Chat>,
    origins: Arc<Origins>,
}

impl SessionApi {
    /// Signs people in to `chat`.
    pub fn new(chat: Arc<Chat>, origins: Arc<Origins>) -> Self {
        Self { chat, origins }
    }

    /// Answers a request to `/api/session`.
    pub async fn handle(&self, request: Request<Body>) -> Response<Body> {
        let origin = match self.origins.check(request.headers()) {
            Ok(origin) => origin,
            Err(rejection) => return rejection_response(&rejection),
        };
        let mut response = match cors::preflight(&request, METHODS) {
            Some(response) => response,
            None => self.dispatch(request).await,
        };
        cors::finish(&mut response, origin);
        response
    }

    async fn dispatch(&self, request: Request<Body>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let result = match head.method {
            Method::GET => self.get_profile(&head.headers).await,
            Method::POST => self.sign_in(&head.headers, body).await,
            Method::DELETE => Ok(self.sign_out(&head.headers).await),
            _ => Ok(method_not_allowed()),
        };
        result.unwrap_or_else(|rejection| rejection_response(&rejection))
    }

    /// Who is signed in. A cookie that is no good any more is cleared.
    async fn get_profile(&self, headers: &HeaderMap) -> Result<Response<Body>, Rejection> {
        let Some(token) = cookie::find(headers).transpose() else {
            return Err(Rejection::TokenRequired);
        };
        match self.profile(token).await {
            Ok(profile) => Ok(json(profile)),
            Err(rejection) => {
                let mut response = rejection_response(&rejection);
                response.headers_mut().insert(SET_COOKIE, cookie::clear(headers));
                Ok(response)
            }
        }
    }

    async fn profile(&self, token: Result<Token, Rejection>) -> Result<String, Rejection> {
        let profile = self.chat.profile(&token?).await?;
        Ok(wire::profile(&profile))
    }

    async fn sign_in(&self, headers: &HeaderMap, body: Body) -> Result<Response<Body>, Rejection> {
        if !is_json(headers) {
            return Err(Rejection::BadRequest("the body is JSON, and its content type says so"));
        }
        let (space, credential) = wire::sign_in(&self.read(body).await?)?;
        let SignedIn { token, seconds, profile } = self.chat.sign_in(&space, credential).await?;
        let mut response = json(wire::profile(&profile));
        response.headers_mut().insert(SET_COOKIE, cookie::set(&token, seconds, headers));
        Ok(response)
    }

    /// Clears the cookie, whatever was in it.
    async fn sign_out(&self, headers: &HeaderMap) -> Response<Body> {
        for token in cookie::all(headers).into_iter().flatten() {
            self.chat.sign_out(&token).await;
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        response.headers_mut().insert(SET_COOKIE, cookie::clear(headers));
        response
    }

    /// Reads a body within the limits.
    async fn read(&self, body: Body) -> Result<Bytes, Rejection> {
        let wait_max = self.chat.limits().request_body_wait_max;
        body::read(body, BODY_BYTES_MAX, wait_max).await.map_err(|error| match error {
            BodyError::TooLarge => Rejection::MessageTooLarge,
            BodyError::TooSlow | BodyError::BadRequest => {
                Rejection::BadRequest("the body did not arrive")
            }
        })
    }
}

/// Whether the body is said to be JSON: other bodies browsers send without asking first.
fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let kind = value.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
}

fn json(body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn method_not_allowed() -> Response<Body> {
    let mut response = rejection_response(&Rejection::BadRequest("there is GET, POST and DELETE"));
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(METHODS));
    response
}
