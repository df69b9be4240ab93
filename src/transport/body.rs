//! Reading request bodies: bounded in size and in time, before anything parses them.

use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::time::{Instant, timeout_at};

/// The slowest transfer that may take longer than the wait of its route: 64 kbit/s.
const BYTES_PER_SECOND_MIN: u32 = 8 << 10;

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

/// Reads at most `bytes_max` bytes. A larger announced length fails at once.
///
/// The time limit goes by progress: it is `wait_max`, and one second more for every
/// [`BYTES_PER_SECOND_MIN`] that have arrived. So a large body may be slow, and a body that stops is
/// refused.
pub(super) async fn read(
    body: Body,
    bytes_max: usize,
    wait_max: Duration,
) -> Result<Bytes, BodyError> {
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(BodyError::TooLarge);
    }
    let mut body = Limited::new(body, bytes_max);
    let (mut read, mut deadline) = (BytesMut::new(), Instant::now() + wait_max);
    loop {
        let Ok(frame) = timeout_at(deadline, body.frame()).await else {
            return Err(BodyError::TooSlow);
        };
        let Some(frame) = frame else { return Ok(read.freeze()) };
        let frame = frame.map_err(|error| {
            if error.is::<LengthLimitError>() { BodyError::TooLarge } else { BodyError::BadRequest }
        })?;
        // Trailers have no bytes that count.
        let Ok(data) = frame.into_data() else { continue };
        read.extend_from_slice(&data);
        let bytes = u32::try_from(data.len()).unwrap_or(u32::MAX);
        deadline += Duration::from_secs(1) * bytes / BYTES_PER_SECOND_MIN;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt as _, stream};
    use tokio::time::sleep;

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

    /// A body of 16 parts, one every 400 ms.
    fn slow(part: usize) -> Body {
        let part = Bytes::from(vec![b'x'; part]);
        let parts = stream::iter(0..16).then(move |_| {
            let part = part.clone();
            async move {
                sleep(Duration::from_millis(400)).await;
                Ok::<_, std::io::Error>(part)
            }
        });
        Body::from_stream(parts)
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_that_arrive_extend_the_deadline() {
        let size = 4 << 10;
        let body = read(slow(size), 16 * size, WAIT_MAX).await;
        assert_eq!(body.map(|it| it.len()), Ok(16 * size));
        assert_eq!(read(slow(1), 16, WAIT_MAX).await, Err(BodyError::TooSlow));
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_a_bad_request() {
        let broken = parts(vec![Ok("1"), Err(std::io::ErrorKind::UnexpectedEof.into())]);
        assert_eq!(read(broken, BYTES_MAX, WAIT_MAX).await, Err(BodyError::BadRequest));
    }
}
