//! The disk under the data directory: space, and how long a write takes to be durable.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
    time::Duration,
};

use tokio::time::Instant;

use super::Finding;
use crate::config::{Config, StoreKind};

/// The file of the probe; it is removed at once.
const PROBE: &str = ".roomcast-doctor";
/// Writes of the probe, and the time after which it ends.
const WRITES_MAX: usize = 20;
const PROBE_TIME_MAX: Duration = Duration::from_secs(2);
/// The bytes of a write, about those of a small commit.
const WRITE_BYTES: usize = 4096;

/// A commit waits for one such write. Beyond this, few messages a second get through one at a time.
const SLOW: Duration = Duration::from_millis(30);

const SPACE_LOW: u64 = 1 << 30;
const SPACE_OUT: u64 = 100 << 20;

/// Only a store in the data directory needs it.
pub(super) fn examine(config: &Config) -> Vec<Finding> {
    if config.store != StoreKind::Sqlite || !config.data.is_dir() {
        return Vec::new();
    }
    let mut findings = vec![match probe(&config.data) {
        Ok(median) => speed(median),
        Err(error) => Finding::error(
            "disk.speed",
            format!("{} cannot be written: {error}", config.data.display()),
            "check the mount, the space and the owner of the directory",
        ),
    }];
    match rustix::fs::statvfs(&config.data) {
        Ok(disk) => findings.push(space(disk.f_bavail.saturating_mul(disk.f_frsize))),
        Err(error) => findings.push(Finding::warning(
            "disk.space",
            format!("the free space is unknown: {error}"),
            "check the mount of the data directory",
        )),
    }
    findings
}

fn speed(median: Duration) -> Finding {
    let millis = median.as_secs_f64() * 1000.0;
    let message = format!("a durable write takes {millis:.1} ms");
    if median <= SLOW {
        return Finding::ok("disk.speed", message);
    }
    Finding::warning(
        "disk.speed",
        message,
        "use a faster local disk, or `sqlite.synchronous = \"normal\"` and its risk",
    )
}

fn space(free: u64) -> Finding {
    let message = format!("{} MiB are free", free >> 20);
    let action = "free space, or set `retention`: a full disk refuses all messages";
    match free {
        0..SPACE_OUT => Finding::error("disk.space", message, action),
        SPACE_OUT..SPACE_LOW => Finding::warning("disk.space", message, action),
        SPACE_LOW.. => Finding::ok("disk.space", message),
    }
}

/// The median time of a write that is on disk.
fn probe(directory: &Path) -> io::Result<Duration> {
    let path = directory.join(PROBE);
    let file = File::options().write(true).create(true).truncate(true).open(&path)?;
    let measured = measure(file);
    fs::remove_file(&path)?;
    let mut times = measured?;
    times.sort();
    Ok(times.get(times.len() / 2).copied().unwrap_or_default())
}

fn measure(mut file: File) -> io::Result<Vec<Duration>> {
    let (began, mut times) = (Instant::now(), Vec::new());
    while times.len() < WRITES_MAX && began.elapsed() < PROBE_TIME_MAX {
        let before = Instant::now();
        file.write_all(&[0; WRITE_BYTES])?;
        file.sync_data()?;
        times.push(before.elapsed());
    }
    Ok(times)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::doctor::Level;

    #[test]
    fn a_slow_disk_and_one_without_space_are_named() {
        let levels = [SLOW, SLOW + Duration::from_millis(1)].map(|it| speed(it).level);
        assert_eq!(levels, [Level::Ok, Level::Warning]);
        let levels = [SPACE_OUT - 1, SPACE_OUT, SPACE_LOW].map(|it| space(it).level);
        assert_eq!(levels, [Level::Error, Level::Warning, Level::Ok]);
    }

    #[test]
    fn the_probe_leaves_no_file() {
        let directory = tempfile::tempdir().unwrap();
        probe(directory.path()).unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
