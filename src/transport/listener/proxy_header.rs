//! The header of the PROXY protocol, with which a load balancer names the client of a connection.
//!
//! It is read before anything else, and not one byte further: what follows is a TLS handshake or a
//! request.

use std::{io, net::IpAddr};

use ppp::{HeaderResult, v1, v2};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// The bytes that tell the two versions apart: the signature of version 2.
const SIGNATURE_BYTES: usize = 12;
/// The longest header of version 1, as the specification says.
const V1_BYTES_MAX: usize = 107;
/// The fixed part of version 2, which ends with the length of the rest.
const V2_FIXED_BYTES: usize = 16;
/// The longest header of version 2. Balancers add at most a few short fields to the 52 bytes with
/// addresses.
const V2_BYTES_MAX: usize = 2048;

/// Why there is no usable header.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProxyHeaderError {
    #[error("the connection ended or failed before its end")]
    Io(#[from] io::Error),
    #[error("it is longer than {0} bytes")]
    TooLong(usize),
    #[error("it is malformed, or there is none")]
    Malformed,
}

/// Reads the header. Returns the client's address, or `None` if the balancer speaks for itself or does
/// not know it.
pub(super) async fn read(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<Option<IpAddr>, ProxyHeaderError> {
    let mut header = vec![0; SIGNATURE_BYTES];
    stream.read_exact(&mut header).await?;
    let is_v2 = header == v2::PROTOCOL_PREFIX;
    if is_v2 {
        read_v2(stream, &mut header).await?;
    } else {
        read_v1(stream, &mut header).await?;
    }
    let source = match HeaderResult::parse(&header) {
        HeaderResult::V1(Ok(header)) if !is_v2 => source_v1(header.addresses),
        HeaderResult::V2(Ok(header)) if is_v2 => source_v2(&header)?,
        HeaderResult::V1(_) | HeaderResult::V2(_) => return Err(ProxyHeaderError::Malformed),
    };
    Ok(source.map(|address| address.to_canonical()))
}

/// Reads up to the end of the line, one byte at a time: nothing else tells where the header ends.
async fn read_v1(
    stream: &mut (impl AsyncRead + Unpin),
    header: &mut Vec<u8>,
) -> Result<(), ProxyHeaderError> {
    if !header.starts_with(b"PROXY ") {
        return Err(ProxyHeaderError::Malformed);
    }
    while !header.ends_with(b"\n") {
        if header.len() == V1_BYTES_MAX {
            return Err(ProxyHeaderError::TooLong(V1_BYTES_MAX));
        }
        header.push(stream.read_u8().await?);
    }
    Ok(())
}

async fn read_v2(
    stream: &mut (impl AsyncRead + Unpin),
    header: &mut Vec<u8>,
) -> Result<(), ProxyHeaderError> {
    header.resize(V2_FIXED_BYTES, 0);
    stream.read_exact(header.get_mut(SIGNATURE_BYTES..).unwrap_or_default()).await?;
    let rest = match header.as_slice() {
        [.., high, low] => usize::from(u16::from_be_bytes([*high, *low])),
        _ => 0,
    };
    if V2_FIXED_BYTES + rest > V2_BYTES_MAX {
        return Err(ProxyHeaderError::TooLong(V2_BYTES_MAX));
    }
    header.resize(V2_FIXED_BYTES + rest, 0);
    stream.read_exact(header.get_mut(V2_FIXED_BYTES..).unwrap_or_default()).await?;
    Ok(())
}

fn source_v1(addresses: v1::Addresses) -> Option<IpAddr> {
    match addresses {
        v1::Addresses::Tcp4(it) => Some(it.source_address.into()),
        v1::Addresses::Tcp6(it) => Some(it.source_address.into()),
        v1::Addresses::Unknown => None,
    }
}

fn source_v2(header: &v2::Header<'_>) -> Result<Option<IpAddr>, ProxyHeaderError> {
    if header.command == v2::Command::Local {
        return Ok(None);
    }
    if header.protocol == v2::Protocol::Datagram {
        return Err(ProxyHeaderError::Malformed);
    }
    Ok(match header.addresses {
        v2::Addresses::IPv4(it) => Some(it.source_address.into()),
        v2::Addresses::IPv6(it) => Some(it.source_address.into()),
        v2::Addresses::Unspecified | v2::Addresses::Unix(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read of `bytes`, and what is left.
    async fn read_from(bytes: &[u8]) -> (Result<Option<String>, String>, usize) {
        let mut rest = bytes;
        let found = read(&mut rest).await;
        let found = found.map(|it| it.map(|it| it.to_string())).map_err(|it| it.to_string());
        (found, rest.len())
    }

    /// A header of version 2: command, family with protocol, and the rest with its length.
    fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [b"\r\n\r\n\0\r\nQUIT\n", &[command, family][..], &length, rest].concat()
    }

    const V4: [u8; 12] = [203, 0, 113, 7, 10, 0, 0, 1, 18, 103, 1, 187];

    fn v6() -> Vec<u8> {
        let source: std::net::Ipv6Addr = "2001:db8::7".parse().unwrap();
        [&source.octets()[..], &[0; 20]].concat()
    }

    #[tokio::test]
    async fn every_form_names_its_client_and_leaves_what_follows() {
        let rows: [(Vec<u8>, Option<&str>); 13] = [
            (b"PROXY TCP4 203.0.113.7 10.0.0.1 4711 443\r\n".to_vec(), Some("203.0.113.7")),
            (b"PROXY TCP6 2001:db8::7 fd00::1 4711 443\r\n".to_vec(), Some("2001:db8::7")),
            (b"PROXY TCP6 ::ffff:203.0.113.7 fd00::1 1 2\r\n".to_vec(), Some("203.0.113.7")),
            (b"PROXY UNKNOWN\r\n".to_vec(), None),
            (b"PROXY UNKNOWN 203.0.113.7 10.0.0.1 4711 443\r\n".to_vec(), None),
            (v2(0x21, 0x11, &V4), Some("203.0.113.7")),
            (v2(0x21, 0x21, &v6()), Some("2001:db8::7")),
            // A field after the addresses.
            (v2(0x21, 0x11, &[&V4[..], &[4, 0, 1, 0]].concat()), Some("203.0.113.7")),
            // LOCAL: the balancer itself, which checks the server's health.
            (v2(0x20, 0x00, &[]), None),
            (v2(0x20, 0x11, &V4), None),
            (v2(0x21, 0x00, &[]), None),
            (v2(0x21, 0x00, &[1, 2, 3]), None),
            (v2(0x21, 0x31, &[0; 216]), None),
        ];
        for (header, client) in rows {
            let (found, left) = read_from(&[&header[..], b"GET /"].concat()).await;
            let shown = String::from_utf8_lossy(&header).into_owned();
            assert_eq!(found, Ok(client.map(str::to_owned)), "{shown:?}");
            assert_eq!(left, 5, "{shown:?}");
        }
    }

    #[tokio::test]
    async fn hostile_and_missing_headers_are_refused() {
        let long = |end: &str| format!("PROXY TCP4 {}{end}", "1".repeat(200)).into_bytes();
        let malformed: [Vec<u8>; 17] = [
            b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(),
            b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\0\0".to_vec(),
            b"proxy TCP4 203.0.113.7 10.0.0.1 1 2\r\n".to_vec(),
            b"PROXY  TCP4 203.0.113.7 10.0.0.1 1 2\r\n".to_vec(),
            b"PROXY TCP4 203.0.113.7 10.0.0.1 1 2\n".to_vec(),
            b"PROXY TCP4 203.0.113.7 10.0.0.1 1\r\n".to_vec(),
            b"PROXY TCP4 203.0.113.7 10.0.0.1 1 2 3\r\n".to_vec(),
            b"PROXY TCP4 203.0.113.700 10.0.0.1 1 2\r\n".to_vec(),
            b"PROXY TCP4 203.0.113.7 10.0.0.1 1 70000\r\n".to_vec(),
            b"PROXY TCP4 2001:db8::7 fd00::1 1 2\r\n".to_vec(),
            b"PROXY TCP9 203.0.113.7 10.0.0.1 1 2\r\n".to_vec(),
            b"PROXY TCP4 \xff 10.0.0.1 1 2\r\n".to_vec(),
            // Version 2: another version, command, family; datagrams; addresses that are cut off.
            v2(0x31, 0x11, &V4),
            v2(0x22, 0x11, &V4),
            v2(0x21, 0x41, &V4),
            v2(0x21, 0x12, &V4),
            v2(0x21, 0x11, &V4[..11]),
        ];
        for header in malformed {
            let (found, _) = read_from(&header).await;
            let shown = String::from_utf8_lossy(&header);
            assert_eq!(found, Err(ProxyHeaderError::Malformed.to_string()), "{shown:?}");
        }
        for (header, most) in [
            (long("\r\n"), V1_BYTES_MAX),
            (long(""), V1_BYTES_MAX),
            (v2(0x21, 0x11, &[0; 4096]), V2_BYTES_MAX),
        ] {
            let (found, _) = read_from(&header).await;
            assert_eq!(found, Err(ProxyHeaderError::TooLong(most).to_string()));
        }
        for cut in [&b""[..], b"PROXY", b"PROXY TCP4 203.0.113.7 10.0", &v2(0x21, 0x11, &V4)[..20]]
        {
            let (found, _) = read_from(cut).await;
            assert_eq!(found, Err(ProxyHeaderError::from(io::Error::other("")).to_string()));
        }
    }
}
