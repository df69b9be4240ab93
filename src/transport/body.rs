//! Reading request bodies: bounded in size and in time, before anything parses them.

use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::time::timeout;

/// Why a body is not available.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyError {
    /// The body is larger than the route accepts.
    TooLarge,
    /// The body did not arrive in time.
    TooSlow,
    /// The body broke off, or its framing is invalid.
    BadRequest,
}

/// Reads at most `bytes_max` bytes within `wait_max`. A larger announced length fails at once.
pub(super) async fn read(
    body: Body,
    bytes_max: usize,
    wait_max: Duration,
) -> Result<Bytes, BodyError> {
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(BodyError::TooLarge);
    }
    match timeout(wait_max, Limited::new(body, bytes_max).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(BodyError::TooLarge),
        Ok(Err(_)) => Err(BodyError::BadRequest),
        Err(_) => Err(BodyError::TooSlow),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt as _, stream};

    use super::*;

    const BYTES_MAX: usize = 4;
    const WAIT_MAX: Duration = Duration::from_secs(1);

    /// A body that arrives in these parts and announces no length.
    fn parts(parts: Vec<Result<&'static str, std::io::Error>>) -> Body {
        Body::from_stream(stream::iter(parts))
    }

    #[tokio::test]
    async fn a_body_at_the_limit_is_read() {
        for body in [Body::from("1234"), parts(vec![Ok("12"), Ok("34")])] {
            let body = read(body, BYTES_MAX, WAIT_MAX).await;
            assert_eq!(body, Ok(Bytes::from_static(b"1234")));
        }
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_too_large() {
        for body in [Body::from("12345"), parts(vec![Ok("123"), Ok("45")])] {
            assert_eq!(read(body, BYTES_MAX, WAIT_MAX).await, Err(BodyError::TooLarge));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_end_in_time_is_too_slow() {
        let endless = stream::iter([Ok::<_, std::io::Error>("1")]).chain(stream::pending());
        let body = read(Body::from_stream(endless), BYTES_MAX, WAIT_MAX).await;
        assert_eq!(body, Err(BodyError::TooSlow));
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_a_bad_request() {
        let broken = parts(vec![Ok("1"), Err(std::io::ErrorKind::UnexpectedEof.into())]);
        assert_eq!(read(broken, BYTES_MAX, WAIT_MAX).await, Err(BodyError::BadRequest));
    }
}
