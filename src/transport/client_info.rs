//! What a back end that decides about connections receives of a request.

use std::net::IpAddr;

use http::HeaderMap;

use crate::chat::{Chat, ports::ClientInfo};

/// The address of the peer of a request that passes the router.
#[derive(Clone, Copy, Debug)]
pub(super) struct PeerAddress(pub(super) IpAddr);

/// The address of the peer and the headers that the settings choose. `None` if no back end decides.
pub(super) fn of_request(
    chat: &Chat,
    headers: &HeaderMap,
    peer: IpAddr,
) -> Option<Box<ClientInfo>> {
    let chosen = chat.connect_headers()?;
    // A header that is not text is left out, and of several with one name the first counts.
    let header = |name: &str| {
        let value = headers.get(name)?.to_str().ok()?;
        Some((name.into(), value.into()))
    };
    let headers = chosen.iter().filter_map(|name| header(name)).collect();
    Some(Box::new(ClientInfo {
        address: peer.to_string().into(),
        headers,
        ..ClientInfo::default()
    }))
}
