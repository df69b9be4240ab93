//! What a back end that decides about connections receives of a request.

use http::HeaderMap;

use super::client_address::ClientAddress;
use crate::chat::{Chat, ports::ClientInfo};

/// The address of the client and the headers that the settings choose. `None` if no back end decides.
pub(super) fn of_request(
    chat: &Chat,
    headers: &HeaderMap,
    address: ClientAddress,
) -> Option<Box<ClientInfo>> {
    let chosen = chat.connect_headers()?;
    // A header that is not text is left out, and of several with one name the first counts.
    let header = |name: &str| {
        let value = headers.get(name)?.to_str().ok()?;
        Some((name.into(), value.into()))
    };
    let headers = chosen.iter().filter_map(|name| header(name)).collect();
    Some(Box::new(ClientInfo {
        address: address.text().unwrap_or_default(),
        headers,
        ..ClientInfo::default()
    }))
}
