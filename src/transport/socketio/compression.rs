//! The compression of large answers to polls, for clients that accept it.
//!
//! Most answers are small. They never meet the layer, which wraps and copies.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
};

use axum::body::{Body, HttpBody as _};
use http::{HeaderMap, HeaderValue, Request, Response, header::ACCEPT_ENCODING};
use tower_http::{
    CompressionLevel,
    compression::{Compression, predicate::SizeAbove},
};
use tower_service::Service;

/// The smallest answer that is compressed, as by the official server.
pub(super) const COMPRESSED_BYTES_MIN: u16 = 1024;

/// The encodings that the client accepts.
pub(super) fn accepted(headers: &HeaderMap) -> Option<HeaderValue> {
    headers.get(ACCEPT_ENCODING).cloned()
}

/// Compresses `response` if it is large and the client accepts it.
pub(super) async fn compress(
    accepted: Option<HeaderValue>,
    response: Response<Body>,
) -> Response<Body> {
    let bytes = response.body().size_hint().lower();
    if bytes < u64::from(COMPRESSED_BYTES_MIN) {
        return response;
    }
    let mut request = Request::new(());
    request.headers_mut().extend(accepted.map(|it| (ACCEPT_ENCODING, it)));
    let compressed = Compression::new(Prepared(Some(response)))
        .quality(CompressionLevel::Fastest)
        .compress_when(SizeAbove::new(COMPRESSED_BYTES_MIN))
        .call(request);
    compressed.await.unwrap_or_else(|never| match never {}).map(Body::new)
}

/// A service with one response, which is made already.
struct Prepared(Option<Response<Body>>);

impl Service<Request<()>> for Prepared {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _request: Request<()>) -> Self::Future {
        ready(Ok(self.0.take().expect("it is called once")))
    }
}
