//! Measures a server, for operators.

use std::time::Duration;

use sqlx::Row as _;
use time::OffsetDateTime;
use tokio::time::{Instant, timeout};

use super::{PostgresError, PostgresOptions, check};
use crate::store::sql::row;

/// Answers that are timed; the first one is not, because the server prepares the statement.
const ANSWERS: usize = 5;

const TIME: &str = "SELECT current_setting('server_version') AS version, \
    (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS time";

/// What a server answers, and how fast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostgresMeasurement {
    /// The version.
    pub version: String,
    /// The median time of an answer.
    pub answer_time: Duration,
    /// The time of the server.
    pub time: OffsetDateTime,
}

/// Connects and asks, without changing anything.
pub(super) async fn measure(
    options: &PostgresOptions,
) -> Result<PostgresMeasurement, PostgresError> {
    let ask = async {
        let connect_options = check::connect_options(options)?;
        let mut connection = check::connect_checked(&connect_options, options.wait_max).await?;
        let mut times = Vec::new();
        let mut last = sqlx::query(TIME).fetch_one(&mut connection).await?;
        for _ in 0..ANSWERS {
            let began = Instant::now();
            last = sqlx::query(TIME).fetch_one(&mut connection).await?;
            times.push(began.elapsed());
        }
        times.sort();
        let time = row::time(last.try_get("time")?);
        Ok(PostgresMeasurement {
            version: last.try_get("version")?,
            answer_time: times.get(ANSWERS / 2).copied().unwrap_or_default(),
            time: time.unwrap_or(OffsetDateTime::UNIX_EPOCH),
        })
    };
    timeout(options.wait_max, ask).await.unwrap_or(Err(PostgresError::TimedOut(options.wait_max)))
}
