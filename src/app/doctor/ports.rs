//! The addresses to listen on.

use std::{
    fs,
    io::ErrorKind,
    net::{SocketAddr, TcpListener},
    os::unix::fs::{FileTypeExt as _, PermissionsExt as _},
    path::Path,
};

use procfs::{
    net::{TcpState, tcp, tcp6},
    process::{FDTarget, all_processes},
};

use rustix::fs::{Access, access};

use super::Finding;
use crate::{config::Config, domain::ListenAddress};

/// The bit of a mode with which all users write.
const OTHERS_WRITE: u32 = 0o002;
/// The bit with which only the owner of a file removes it.
const STICKY: u32 = 0o1000;

/// Each TCP port is free, or `server`, the process that uses the data directory, listens there.
pub(super) fn examine(config: &Config, server: Option<u32>) -> Vec<Finding> {
    let of_clients = config.listen.iter().map(|address| ("ports.listen", "listen", address));
    let admin = config.admin.listen.iter().map(|address| ("ports.admin", "admin.listen", address));
    let found = of_clients.chain(admin).filter_map(|(check, key, address)| match address {
        ListenAddress::Tcp(address) => Some(address_finding(check, key, *address, server)),
        ListenAddress::Unix(path) => Some(socket_finding(check, key, path)),
        ListenAddress::Inherited => None,
    });
    found.collect()
}

/// The server can put its Unix socket there.
fn socket_finding(check: &'static str, key: &str, socket: &Path) -> Finding {
    let parent = socket.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (path, directory) = (socket.display(), parent.display());
    let another_path = format!("set `{key}` to another path");
    let metadata = match fs::metadata(parent) {
        Ok(metadata) if metadata.is_dir() => metadata,
        Ok(_) => {
            let message = format!("{directory}, where the socket {path} is put, is no directory");
            return Finding::error(check, message, another_path);
        }
        Err(error) => {
            let message = format!("the directory of the socket {path} cannot be used: {error}");
            return Finding::error(check, message, format!("make {directory}, or {another_path}"));
        }
    };
    if let Err(error) = access(parent, Access::WRITE_OK | Access::EXEC_OK) {
        let message = format!("the socket {path} cannot be made: {error}");
        let action = format!("let this user write in {directory}, or {another_path}");
        return Finding::error(check, message, action);
    }
    let is_other = |it: fs::Metadata| !it.file_type().is_socket();
    if fs::symlink_metadata(socket).is_ok_and(is_other) {
        let message = format!("{path} is there already, and is no socket");
        return Finding::error(check, message, format!("move it away, or {another_path}"));
    }
    let mode = metadata.permissions().mode();
    if mode & OTHERS_WRITE != 0 && mode & STICKY == 0 {
        let message = format!("all users of the machine may replace the socket {path}");
        return Finding::warning(check, message, format!("chmod o-w {directory}"));
    }
    Finding::ok(check, format!("the socket {path} can be made"))
}

fn address_finding(
    check: &'static str,
    key: &str,
    address: SocketAddr,
    server: Option<u32>,
) -> Finding {
    let Err(error) = TcpListener::bind(address) else {
        return Finding::ok(check, format!("{address} is free"));
    };
    if error.kind() != ErrorKind::AddrInUse {
        let action = format!("set `{key}` to an address of this machine that this user may use");
        return Finding::error(check, format!("cannot listen on {address}: {error}"), action);
    }
    let holder = holder(address.port());
    match &holder {
        Some((process, _)) if Some(*process) == server => {
            Finding::ok(check, format!("the server of this data directory listens on {address}"))
        }
        Some((process, name)) => Finding::error(
            check,
            format!("{address} is taken by process {process} ({name})"),
            format!("stop that process, or set `{key}` to another address"),
        ),
        None => Finding::error(
            check,
            format!("{address} is taken by a process of another user"),
            format!("find it with `ss -ltnp` as root, or set `{key}` to another address"),
        ),
    }
}

/// The process that listens on a port, with its name. Those of other users are hidden.
fn holder(port: u16) -> Option<(u32, String)> {
    let listening = [tcp(), tcp6()].into_iter().flatten().flatten();
    let of_port = |it: &procfs::net::TcpNetEntry| {
        it.state == TcpState::Listen && it.local_address.port() == port
    };
    let sockets: Vec<_> = listening.filter(of_port).map(|it| it.inode).collect();
    all_processes().ok()?.flatten().find_map(|process| {
        let mut files = process.fd().ok()?.flatten();
        let has =
            files.any(|it| matches!(it.target, FDTarget::Socket(it) if sockets.contains(&it)));
        let name = process.stat().map(|it| it.comm).unwrap_or_default();
        has.then(|| Some((process.pid().try_into().ok()?, name)))?
    })
}
