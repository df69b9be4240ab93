//! The elements of `X-Forwarded-For` and `Forwarded` (RFC 7239).

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// The addresses in a line of `X-Forwarded-For` from the right. It knows no quotes.
pub(super) fn listed(line: &str) -> impl Iterator<Item = Option<IpAddr>> {
    line.rsplit(',').map(|text| address(text.trim()))
}

/// The addresses in a line of `Forwarded` from the right: of each element the parameter `for`.
pub(super) fn forwarded(line: &str) -> impl Iterator<Item = Option<IpAddr>> {
    from_the_right(line, b',').map(forwarded_for)
}

/// An address with or without a port; IPv6 with or without brackets.
fn address(text: &str) -> Option<IpAddr> {
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok();
    let ip = text
        .parse::<IpAddr>()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|it| it.ip()))
        .or_else(|| bracketed().map(IpAddr::V6))?;
    Some(ip.to_canonical())
}

/// `None` if the address is hidden, unknown or there twice.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let mut values = from_the_right(element, b';').filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| value.trim())
    });
    let (value, None) = (values.next()?, values.next()) else { return None };
    // Addresses have no character that is escaped in a quoted text.
    let quoted = value.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    address(quoted.unwrap_or(value))
}

/// The parts of a text from the right. A separator in a quoted text separates nothing.
///
/// A text with an open quote is one part, because nothing tells where the quote was to end.
fn from_the_right(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let place = last_separator(text, separator);
        rest = place.and_then(|place| text.get(..place));
        Some(place.map_or(text, |place| text.get(place + 1..).unwrap_or_default()).trim())
    })
}

/// The place of the last separator outside of quotes.
fn last_separator(text: &str, separator: u8) -> Option<usize> {
    let (mut last, mut is_quoted, mut is_escaped) = (None, false, false);
    for (place, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            _ if byte == separator && !is_quoted => last = Some(place),
            _ => (),
        }
    }
    last.filter(|_| !is_quoted)
}
