//! A lane that writes to a TLS connection.

use std::time::Duration;

use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    sync::Semaphore,
};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, rustls::pki_types::ServerName};

use super::*;
use crate::{
    clock::SystemClock,
    domain::Limits,
    tasks::Tasks,
    tls::{Certificates, test_support::TestAuthority},
    transport::{
        lanes::{LaneStream, LaneWriter, Lanes},
        request_clock::RequestClock,
        socket::ClientSocket,
        socket_stream::SocketStream,
    },
};

const WAIT: Duration = Duration::from_secs(30);

/// A connection: the client's side, and what the server reads and writes.
struct Pair {
    client: client::TlsStream<TcpStream>,
    stream: LaneStream,
    writer: Arc<LaneWriter>,
    permits: Arc<Semaphore>,
    tasks: Tasks,
}

impl Pair {
    async fn connect() -> Self {
        let authority = TestAuthority::new();
        let files = vec![authority.issue("one", "DNS:localhost")];
        let certificates = Certificates::open(files, Arc::new(SystemClock)).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let tcp = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let connector = TlsConnector::from(Arc::new(authority.client()));
        let name = ServerName::try_from("localhost").unwrap();
        let acceptor = TlsAcceptor::from(certificates.server_config());
        let (near, _) = listener.accept().await.unwrap();
        let (client, server) = tokio::join!(connector.connect(name, tcp), acceptor.accept(near));
        let permits = Arc::new(Semaphore::new(1));
        let permit = Arc::clone(&permits).acquire_owned().await.unwrap();
        let (clock, tasks) = (RequestClock::start(WAIT, WAIT), Tasks::new());
        let stream = SocketStream::Tls(Box::new(server.unwrap()));
        let socket = ClientSocket::new(stream, permit, WAIT, clock, tasks.clone());
        let lanes = Lanes::start(&tasks);
        let writer = Arc::new(LaneWriter::new(&lanes, Arc::new(Limits::default())));
        let stream = LaneStream::from_socket(socket, b"", Arc::clone(&writer));
        Self { client: client.unwrap(), stream, writer, permits, tasks }
    }
}

#[tokio::test]
async fn all_frames_arrive_in_order_though_the_socket_blocks() {
    let mut pair = Pair::connect().await;
    let mut sent = Vec::new();
    for number in 0..60_u8 {
        let frame = Bytes::from(vec![number; 50_000]);
        sent.extend_from_slice(&frame);
        pair.writer.push(frame).unwrap();
    }
    // The client has read nothing yet, so the system's buffers are full.
    let mut received = vec![0; sent.len()];
    pair.client.read_exact(&mut received).await.unwrap();
    assert!(received == sent, "what was sent arrives");
    pair.writer.flushed().await;
    drop(pair.client);
    drop(pair.stream);
    assert_eq!(pair.tasks.finish(WAIT).await, Ok(()));
    assert_eq!(pair.permits.available_permits(), 1);
}

#[tokio::test]
async fn the_last_frames_arrive_with_the_farewell_of_tls() {
    let Pair { mut client, stream, writer, permits, tasks } = Pair::connect().await;
    client.write_all(&[b'x'; 4 << 10]).await.unwrap();
    client.flush().await.unwrap();
    let last = Bytes::from(vec![b'y'; 3 << 20]);
    writer.push(last.clone()).unwrap();
    drop(writer);
    drop(stream);
    let mut received = Vec::new();
    // Without the farewell this is an error.
    client.read_to_end(&mut received).await.unwrap();
    assert!(received == last, "{} bytes", received.len());
    drop(client);
    assert_eq!(tasks.finish(WAIT).await, Ok(()));
    assert_eq!(permits.available_permits(), 1);
}

#[tokio::test]
async fn what_the_client_sends_is_read_until_it_closes() {
    let Pair { mut client, mut stream, writer: _writer, permits: _permits, tasks: _tasks } =
        Pair::connect().await;
    let sent = vec![b'z'; 100_000];
    let sending = async {
        client.write_all(&sent).await.unwrap();
        client.shutdown().await.unwrap();
    };
    let mut received = Vec::new();
    let (read, ()) = tokio::join!(stream.read_to_end(&mut received), sending);
    assert_eq!(read.unwrap(), sent.len());
    assert!(received == sent);
}

#[tokio::test]
async fn a_client_that_closes_without_a_farewell_has_ended() {
    let Pair { client, mut stream, writer: _writer, permits: _permits, tasks: _tasks } =
        Pair::connect().await;
    let (mut tcp, _) = client.into_inner();
    tcp.shutdown().await.unwrap();
    assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0);
}

#[tokio::test]
async fn bytes_that_are_no_tls_are_an_error() {
    let Pair { client, mut stream, writer: _writer, permits: _permits, tasks: _tasks } =
        Pair::connect().await;
    let (mut tcp, _) = client.into_inner();
    tcp.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let error = stream.read(&mut [0; 8]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
}
