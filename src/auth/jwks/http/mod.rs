//! One request to a site, and its answer, through a client that all sites share.

use std::{error::Error, io, iter::successors};

use async_trait::async_trait;
use http::{HeaderValue, StatusCode, Uri, header::ACCEPT};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use reqwest::{Body, Client};
use tokio_rustls::rustls;

use super::{Fetch, FetchError};

/// The largest response. A hundred keys with their certificates take a third of it.
const ANSWER_BYTES_MAX: usize = 256 << 10;

/// Fetches from one address.
pub(in crate::auth) struct HttpFetch {
    client: Client,
    url: String,
}

impl HttpFetch {
    /// `url` is `http` or `https` and has a host. Its user information becomes a Basic
    /// authorization.
    pub(in crate::auth) fn new(client: Client, url: &Uri) -> Self {
        Self { client, url: url.to_string() }
    }
}

#[async_trait]
impl Fetch for HttpFetch {
    async fn fetch(&self) -> Result<Vec<u8>, FetchError> {
        let kinds = HeaderValue::from_static("application/json, application/jwk-set+json");
        let request = self.client.get(&self.url).header(ACCEPT, kinds);
        let answer = request.send().await.map_err(|error| request_error(&error.without_url()))?;
        if answer.status() != StatusCode::OK {
            return Err(FetchError::Status(answer.status().as_u16()));
        }
        match Limited::new(Body::from(answer), ANSWER_BYTES_MAX).collect().await {
            Ok(body) => Ok(body.to_bytes().into()),
            Err(error) if error.is::<LengthLimitError>() => {
                Err(FetchError::TooLarge(ANSWER_BYTES_MAX))
            }
            Err(error) => Err(broken(&*error)),
        }
    }
}

/// Says what is wrong in the words of the cause. The client's own text contains the address, which
/// may be secret.
fn request_error(error: &reqwest::Error) -> FetchError {
    let cause = causes(error).find_map(|cause| cause.downcast_ref::<io::Error>());
    match cause.filter(|_| error.is_connect()) {
        Some(cause) => {
            let copy = io::Error::new(cause.kind(), cause.to_string());
            if is_tls(cause) { FetchError::Tls(copy) } else { FetchError::Connect(copy) }
        }
        None => broken(error),
    }
}

/// Whether the TLS library made the error, or the peer hung up during the handshake.
fn is_tls(error: &io::Error) -> bool {
    let inner = error.get_ref();
    error.kind() == io::ErrorKind::UnexpectedEof
        || inner.is_some_and(<dyn Error + Send + Sync>::is::<rustls::Error>)
        || inner.and_then(|inner| inner.downcast_ref()).is_some_and(is_tls)
}

fn broken(error: &(dyn Error + 'static)) -> FetchError {
    let cause = causes(error).last().unwrap_or(error);
    FetchError::Broken(cause.to_string().into())
}

/// An error and what caused it, outermost first.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    successors(Some(error), |&error| error.source())
}

#[cfg(test)]
mod tests;
