//! A proxy between a node and a server that can drop all traffic silently.

use std::{net::Ipv4Addr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, tcp},
    sync::watch,
    task::JoinSet,
};

/// How long a connection without traffic stays open.
const FOREVER: Duration = Duration::from_hours(1);

/// See the module.
pub(super) struct Proxy {
    port: u16,
    frozen: watch::Sender<()>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    /// Starts a proxy for the server on that port.
    pub(super) async fn in_front_of(server: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let frozen = watch::Sender::new(());
        let (mut tasks, freezer) = (JoinSet::new(), frozen.clone());
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server)).await.unwrap();
                let ((down, up), (from, to)) = (client.into_split(), server.into_split());
                connections.spawn(copy(down, to, freezer.subscribe()));
                connections.spawn(copy(from, up, freezer.subscribe()));
            }
        });
        Self { port, frozen, _tasks: tasks }
    }

    pub(super) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// All current connections stay open and carry no more traffic.
    pub(super) fn freeze(&self) {
        self.frozen.send_replace(());
    }
}

async fn copy(
    mut from: tcp::OwnedReadHalf,
    mut to: tcp::OwnedWriteHalf,
    mut frozen: watch::Receiver<()>,
) {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let count = tokio::select! {
            count = from.read(&mut bytes) => count,
            _ = frozen.changed() => return tokio::time::sleep(FOREVER).await,
        };
        match count {
            Ok(count @ 1..) if to.write_all(&bytes[..count]).await.is_ok() => (),
            _ => return,
        }
    }
}
