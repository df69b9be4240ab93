//! The sockets on which a listener accepts.

use std::{
    fs, io,
    net::SocketAddr,
    os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    task::{Context, Poll},
};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::net::{TcpListener, UnixListener};
use tracing::debug;

use crate::{
    domain::ListenAddress,
    transport::{client_address::SocketPeer, socket_stream::SocketStream},
};

/// Connections that the system queues until they are accepted.
const BACKLOG: i32 = 4096;
/// The end of the name under which the file of a Unix socket is created.
const NEW: &str = ".new";

/// One of the sockets of a listener.
#[derive(Debug)]
pub(super) enum ListenSocket {
    Tcp(TcpListener),
    /// With its file, if this process has created it.
    Unix(UnixListener, Option<SocketFile>),
}

impl ListenSocket {
    /// Opens the sockets of `address`, which is one of `all`. The file of a Unix socket gets `mode`.
    pub(super) fn open(
        address: &ListenAddress,
        all: &[ListenAddress],
        (mode, inherited): (u32, Option<Vec<Self>>),
    ) -> io::Result<Vec<Self>> {
        match address {
            ListenAddress::Tcp(address) => Ok(vec![Self::tcp(*address, all)?]),
            ListenAddress::Unix(path) => Ok(vec![Self::unix(path, mode)?]),
            ListenAddress::Inherited => {
                inherited.filter(|it| !it.is_empty()).ok_or_else(none_inherited)
            }
        }
    }

    fn tcp(address: SocketAddr, all: &[ListenAddress]) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        if address.is_ipv6() {
            // Whatever the system's default is: `[::]` takes IPv4, too, unless another address does.
            let is_same_port = |it: SocketAddr| it.is_ipv4() && it.port() == address.port();
            socket.set_only_v6(all.iter().filter_map(ListenAddress::tcp).any(is_same_port))?;
        }
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(Self::Tcp(TcpListener::from_std(socket.into())?))
    }

    /// The file appears under its name once the socket listens and the file has its mode. That
    /// replaces the file of a process that was killed.
    fn unix(path: &Path, mode: u32) -> io::Result<Self> {
        check_unused(path)?;
        let mut name = path.as_os_str().to_owned();
        name.push(NEW);
        let new = PathBuf::from(name);
        if check_unused(&new).is_ok() {
            drop(fs::remove_file(&new));
        }
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.bind(&SockAddr::unix(&new)?)?;
        fs::set_permissions(&new, fs::Permissions::from_mode(mode))?;
        socket.listen(BACKLOG)?;
        fs::rename(&new, path)?;
        let file = SocketFile::new(path)?;
        Ok(Self::Unix(UnixListener::from_std(socket.into())?, Some(file)))
    }

    /// Where it listens, with the port that the system chose.
    pub(super) fn address(&self) -> io::Result<ListenAddress> {
        Ok(match self {
            Self::Tcp(socket) => ListenAddress::Tcp(socket.local_addr()?),
            Self::Unix(_, Some(file)) => ListenAddress::Unix(file.path.clone()),
            Self::Unix(socket, None) => {
                let address = socket.local_addr()?;
                ListenAddress::Unix(address.as_pathname().unwrap_or(Path::new("")).to_owned())
            }
        })
    }

    /// The next connection. One waker at a time.
    pub(super) fn poll_accept(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(SocketStream, SocketPeer)>> {
        match self {
            Self::Tcp(socket) => socket.poll_accept(cx).map_ok(|(stream, peer)| {
                let peer = SocketPeer { address: Some(peer.ip().to_canonical()), is_tls: false };
                (SocketStream::Tcp(stream), peer)
            }),
            Self::Unix(socket, _) => socket.poll_accept(cx).map_ok(|(stream, _)| {
                (SocketStream::Unix(stream), SocketPeer { address: None, is_tls: false })
            }),
        }
    }
}

fn none_inherited() -> io::Error {
    let what = "this process was given no sockets (LISTEN_FDS) for it: start it by a socket unit";
    io::Error::new(io::ErrorKind::NotFound, what)
}

/// Checks that no process listens at `path`, and that nothing but a socket would be replaced.
fn check_unused(path: &Path) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    if !found.file_type().is_socket() {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "there is a file that is no socket",
        ));
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // A process whose backlog is full is not waited for.
    socket.set_nonblocking(true)?;
    match socket.connect(&SockAddr::unix(path)?) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(error),
        _ => Err(io::Error::new(io::ErrorKind::AddrInUse, "another process listens there")),
    }
}

/// The file of a Unix socket, which is removed when this is dropped, unless another process has
/// replaced it.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
}

impl SocketFile {
    fn new(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), identity: identity(path)? })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|it| it == self.identity)
            && let Err(error) = fs::remove_file(&self.path)
        {
            debug!(%error, "the file of a Unix socket cannot be removed");
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use tempfile::TempDir;

    use super::*;

    const MODE: u32 = 0o640;

    fn open(path: &Path) -> io::Result<Vec<ListenSocket>> {
        ListenSocket::open(&ListenAddress::Unix(path.to_owned()), &[], (MODE, None))
    }

    #[tokio::test]
    async fn the_file_of_a_unix_socket_has_its_mode_and_goes_with_it() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("socket");
        let sockets = open(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, MODE);
        UnixStream::connect(&path).unwrap();
        drop(sockets);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_stale_file_is_replaced_and_a_successor_keeps_its_own() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("socket");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let first = open(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let second = open(&path).unwrap();
        drop(first);
        UnixStream::connect(&path).unwrap();
        drop(second);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_socket_in_use_and_another_file_are_left_alone() {
        let folder = TempDir::new().unwrap();
        let (path, file) = (folder.path().join("socket"), folder.path().join("file"));
        let _other = std::os::unix::net::UnixListener::bind(&path).unwrap();
        fs::write(&file, "kept").unwrap();
        assert_eq!(open(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        assert_eq!(open(&file).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&file).unwrap(), "kept");
        UnixStream::connect(&path).unwrap();
    }

    #[tokio::test]
    async fn every_address_of_both_families_is_served_once() {
        let any_v6 = ListenAddress::Tcp("[::]:0".parse().unwrap());
        let both =
            ListenSocket::open(&any_v6, std::slice::from_ref(&any_v6), (MODE, None)).unwrap();
        let port = both[0].address().unwrap().tcp().unwrap().port();
        std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        drop(both);
        let all = ["0.0.0.0", "[::]"]
            .map(|host| ListenAddress::Tcp(format!("{host}:{port}").parse().unwrap()));
        let opened =
            all.iter().map(|address| ListenSocket::open(address, &all, (MODE, None)).unwrap());
        assert_eq!(opened.collect::<Vec<_>>().len(), 2);
    }

    #[test]
    fn without_sockets_of_the_supervisor_there_is_nothing_to_listen_on() {
        for inherited in [None, Some(Vec::new())] {
            let opened = ListenSocket::open(&ListenAddress::Inherited, &[], (MODE, inherited));
            let error = opened.unwrap_err();
            assert!(error.to_string().contains("LISTEN_FDS"), "{error}");
        }
    }
}
