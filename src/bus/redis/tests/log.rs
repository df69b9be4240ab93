//! The log of failures and recoveries.

use std::{
    io,
    sync::{Arc, Mutex},
};

use tokio::net::TcpListener;

use super::harness::{Node, Server};

/// A log in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// The lines above the level of debug.
    fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_failure_and_its_end_are_logged_once() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::INFO)
        .with_ansi(false)
        .with_writer(move || writer.clone());
    let _kept = tracing::subscriber::set_default(subscriber.finish());
    let mut server = Server::start_with(&["--requirepass", "geheim"]).await;
    let url = format!("redis://:geheim@127.0.0.1:{}", server.port);
    let ann = Node::start("ann", &url);
    let listener = ann.listener();
    listener.listen([7]).await;
    assert_eq!(log.lines(), [] as [&str; 0]);
    server.kill();
    listener.wait_disconnected().await;
    let closed_port = TcpListener::bind(("127.0.0.1", server.port)).await.unwrap();
    for _ in 0..4 {
        drop(closed_port.accept().await.unwrap());
    }
    drop(closed_port);
    server.restart().await;
    listener.wait_subscribed_again(&[7]).await;
    listener.wait_connected().await;
    let lines = log.lines();
    let [warning, end] = lines.as_slice() else { panic!("{lines:#?}") };
    assert!(warning.contains("WARN") && warning.contains("server.address=\"127.0.0.1:"));
    assert!(end.contains("INFO") && end.contains("redis connection restored"));
    assert!(!lines.join("\n").contains("geheim"), "{lines:#?}");
}
