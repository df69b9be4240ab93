//! The release binary with default settings.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

/// A server that is killed when this is dropped.
pub(super) struct Program {
    child: Child,
    address: SocketAddr,
    /// Removed after the process has ended.
    _data: TempDir,
}

/// The memory of a process, in KiB.
#[derive(Clone, Copy)]
pub(super) struct Memory {
    /// `VmRSS`: the current value.
    pub(super) rss: u64,
    /// `VmHWM`: the maximum so far.
    pub(super) peak: u64,
}

impl Program {
    /// Starts it with default settings on a free port.
    pub(super) fn start() -> Self {
        let data = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"));
        let data = data.expect("the build directory can be written");
        let mut child = Command::new(env!("CARGO_BIN_EXE_roomcast"))
            .args(["serve", "--listen", "127.0.0.1:0", "--log-filter", "warn", "--data"])
            .arg(data.path())
            .env_clear()
            .current_dir(data.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("cargo has built the program");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).expect("the program prints its address");
        let address = line.trim().strip_prefix("listening on http://");
        let address = address.and_then(|address| address.parse().ok());
        let address = address.expect("the line contains the address");
        Self { child, address, _data: data }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn memory(&self) -> Memory {
        let path = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(path).expect("the program runs, on Linux");
        Memory { rss: number(&status, "VmRSS:"), peak: number(&status, "VmHWM:") }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The number of files that this process may open. The server inherits the limit.
pub(super) fn files_max() -> u64 {
    let limits = fs::read_to_string("/proc/self/limits").expect("this is Linux");
    number(&limits, "Max open files")
}

/// The first number in the line that begins with `key`. `unlimited` is a large number.
fn number(text: &str, key: &str) -> u64 {
    let rest = text.lines().find_map(|line| line.strip_prefix(key));
    let word = rest.and_then(|rest| rest.split_whitespace().next()).expect("the line has a value");
    word.parse().unwrap_or(u64::MAX)
}
