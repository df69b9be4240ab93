//! The addresses to listen on.

use std::{
    io::ErrorKind,
    net::{SocketAddr, TcpListener},
};

use procfs::{
    net::{TcpState, tcp, tcp6},
    process::{FDTarget, all_processes},
};

use super::Finding;
use crate::config::Config;

/// Each TCP port is free, or `server`, the process that uses the data directory, listens there.
pub(super) fn examine(config: &Config, server: Option<u32>) -> Vec<Finding> {
    let of_clients = config.listen.iter().map(|address| ("ports.listen", "listen", address));
    let admin = config.admin.listen.iter().map(|address| ("ports.admin", "admin.listen", address));
    let ports =
        of_clients.chain(admin).filter_map(|(check, key, it)| Some((check, key, it.tcp()?)));
    ports.map(|(check, key, address)| address_finding(check, key, address, server)).collect()
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
