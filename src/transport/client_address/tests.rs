//! Which address is the client's: rows of peer, header lines and the result.

use http::HeaderValue;

use super::*;

/// Two networks of proxies, one of each family.
fn proxies(header: ForwardedHeader) -> TrustedProxies {
    let networks = ["10.0.0.0/8", "fd00::/8"].map(|it| it.parse().unwrap());
    TrustedProxies::new(networks.into(), header)
}

fn decided(header: ForwardedHeader, peer: &str, lines: &[&'static [u8]]) -> String {
    let mut headers = HeaderMap::new();
    let name = match header {
        ForwardedHeader::XForwardedFor => "x-forwarded-for",
        ForwardedHeader::Forwarded => "forwarded",
    };
    for line in lines {
        headers.append(name, HeaderValue::from_bytes(line).unwrap());
    }
    let peer = SocketPeer { address: peer.parse().ok(), is_tls: false };
    ClientAddress::decide(peer, &headers, &proxies(header)).text().unwrap_or_default().into()
}

#[test]
fn x_forwarded_for_is_read_from_the_right_and_only_from_trusted_proxies() {
    let rows: [(&str, &[&'static [u8]], &str); 27] = [
        ("10.0.0.1", &[], "10.0.0.1"),
        ("10.0.0.1", &[b"203.0.113.7"], "203.0.113.7"),
        ("203.0.113.9", &[b"198.51.100.1"], "203.0.113.9"),
        ("11.0.0.1", &[b"198.51.100.1"], "11.0.0.1"),
        // What the client claims is left of what the proxies say.
        ("10.0.0.1", &[b"198.51.100.1, 203.0.113.7"], "203.0.113.7"),
        ("10.0.0.1", &[b"198.51.100.1, 203.0.113.7, 10.0.0.2"], "203.0.113.7"),
        ("10.0.0.1", &[b"10.9.9.9, 203.0.113.7, 10.0.0.2"], "203.0.113.7"),
        ("10.0.0.1", &[b"10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        // Several lines are one list.
        ("10.0.0.1", &[b"198.51.100.1", b"203.0.113.7"], "203.0.113.7"),
        ("10.0.0.1", &[b"203.0.113.7", b"10.0.0.2"], "203.0.113.7"),
        ("10.0.0.1", &[b"198.51.100.1, 203.0.113.7", b"10.0.0.3, 10.0.0.2"], "203.0.113.7"),
        // Forms of an address.
        ("10.0.0.1", &[b"203.0.113.7:4711"], "203.0.113.7"),
        ("10.0.0.1", &[b"2001:db8::7"], "2001:db8::7"),
        ("10.0.0.1", &[b"[2001:db8::7]"], "2001:db8::7"),
        ("10.0.0.1", &[b"[2001:db8::7]:4711, fd00::1"], "2001:db8::7"),
        ("fd00::2", &[b"::ffff:203.0.113.7"], "203.0.113.7"),
        ("10.0.0.1", &[b"203.0.113.7, ::ffff:10.0.0.2"], "203.0.113.7"),
        // What is no address ends the search at the last proxy that is known.
        ("10.0.0.1", &[b"unknown"], "10.0.0.1"),
        ("10.0.0.1", &[b"203.0.113.7, unknown, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", &[b"203.0.113.7, "], "10.0.0.1"),
        ("10.0.0.1", &[b""], "10.0.0.1"),
        ("10.0.0.1", &[b"203.0.113.7, \xff"], "10.0.0.1"),
        ("10.0.0.1", &[b"203.0.113.7:99999"], "10.0.0.1"),
        ("10.0.0.1", &[b"203.0.113.256"], "10.0.0.1"),
        // The peer of a Unix socket.
        ("", &[b"198.51.100.1, 203.0.113.7"], "203.0.113.7"),
        ("", &[b"unknown"], ""),
        ("10.0.0.1", &[b"\", 203.0.113.7"], "203.0.113.7"),
    ];
    for (peer, lines, client) in rows {
        let found = decided(ForwardedHeader::XForwardedFor, peer, lines);
        assert_eq!(found, client, "{peer}: {lines:?}");
    }
}

#[test]
fn forwarded_is_read_as_rfc_7239_says() {
    let rows: [(&str, &[&'static [u8]], &str); 19] = [
        ("10.0.0.1", &[b"for=203.0.113.7"], "203.0.113.7"),
        ("203.0.113.9", &[b"for=198.51.100.1"], "203.0.113.9"),
        ("10.0.0.1", &[b"For=\"203.0.113.7:80\";proto=https;by=10.0.0.1"], "203.0.113.7"),
        ("10.0.0.1", &[b"proto=http; FOR = 203.0.113.7 ; host=a"], "203.0.113.7"),
        ("10.0.0.1", &[b"for=\"[2001:db8::7]\""], "2001:db8::7"),
        ("10.0.0.1", &[b"for=\"[2001:db8::7]:4711\", for=10.0.0.2"], "2001:db8::7"),
        ("10.0.0.1", &[b"for=198.51.100.1, for=203.0.113.7,for=10.0.0.2"], "203.0.113.7"),
        ("10.0.0.1", &[b"for=198.51.100.1", b"for=203.0.113.7"], "203.0.113.7"),
        // A comma in a quoted text separates nothing.
        ("10.0.0.1", &[b"for=203.0.113.7;host=\"a, for=198.51.100.1\""], "203.0.113.7"),
        ("10.0.0.1", &[b"for=203.0.113.7;host=\"a\\\", for=198.51.100.1\""], "203.0.113.7"),
        ("10.0.0.1", &[b"host=\"x;for=198.51.100.1;y=\""], "10.0.0.1"),
        // Hidden, unknown, missing, double, open and other garbage.
        ("10.0.0.1", &[b"for=unknown"], "10.0.0.1"),
        ("10.0.0.1", &[b"for=203.0.113.7, for=_hidden, for=10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", &[b"for=203.0.113.7, proto=https"], "10.0.0.1"),
        ("10.0.0.1", &[b"for=203.0.113.7;for=203.0.113.8"], "10.0.0.1"),
        ("10.0.0.1", &[b"for=198.51.100.1, for=\"203.0.113.7"], "10.0.0.1"),
        ("10.0.0.1", &[b"for=\"198.51.100.1, for=203.0.113.7"], "10.0.0.1"),
        ("10.0.0.1", &[b"203.0.113.7"], "10.0.0.1"),
        ("10.0.0.1", &[b";;=,=;"], "10.0.0.1"),
    ];
    for (peer, lines, client) in rows {
        let found = decided(ForwardedHeader::Forwarded, peer, lines);
        assert_eq!(found, client, "{peer}: {lines:?}");
    }
}

#[test]
fn only_the_header_of_the_settings_is_read() {
    let mut headers = HeaderMap::new();
    headers.insert("forwarded", HeaderValue::from_static("for=198.51.100.1"));
    headers.insert("x-forwarded-for", HeaderValue::from_static("203.0.113.7"));
    let peer = SocketPeer { address: "10.0.0.1".parse().ok(), is_tls: false };
    for (header, client) in [
        (ForwardedHeader::XForwardedFor, "203.0.113.7"),
        (ForwardedHeader::Forwarded, "198.51.100.1"),
    ] {
        let found = ClientAddress::decide(peer, &headers, &proxies(header));
        assert_eq!(found.text().as_deref(), Some(client));
        let untrusting = ClientAddress::decide(peer, &headers, &TrustedProxies::none());
        assert_eq!(untrusting, ClientAddress(peer.address));
    }
}
