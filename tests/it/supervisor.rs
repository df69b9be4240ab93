//! What a supervisor sees of the process.

use std::{
    os::unix::net::UnixDatagram,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use crate::harness::WAIT_MAX;

/// The process, which is killed if a test fails.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn next(socket: &UnixDatagram) -> String {
    let mut text = [0; 64];
    let length = socket.recv(&mut text).expect("a notification in time");
    String::from_utf8_lossy(&text[..length]).trim().to_owned()
}

#[test]
fn systemd_is_told_when_the_server_is_ready_lives_and_stops() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(WAIT_MAX)).unwrap();
    let mut process = Process(
        Command::new(env!("CARGO_BIN_EXE_roomcast"))
            .args(["--listen", "127.0.0.1:0", "--set", "store=memory", "--data"])
            .arg(folder.path().join("data"))
            .env("NOTIFY_SOCKET", &path)
            .env("WATCHDOG_USEC", "60000")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    // The task may run before the main one.
    let mut told = vec![next(&socket)];
    while told.last().unwrap() != "READY=1" {
        told.push(next(&socket));
    }
    assert!(told.iter().rev().skip(1).all(|it| it == "WATCHDOG=1"), "{told:?}");
    // Again and again.
    for _ in 0..3 {
        assert_eq!(next(&socket), "WATCHDOG=1");
    }
    let id = process.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    while next(&socket) != "STOPPING=1" {}
    assert!(process.0.wait().unwrap().success());
}
