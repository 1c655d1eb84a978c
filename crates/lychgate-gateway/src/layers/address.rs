//! Whose address a request comes from.
//!
//! A forwarding header is a claim. It is believed only as far as the proxies that wrote it are listed:
//! the walk goes from right to left, from the peer inward, and stops at the first address that is no listed proxy.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use ipnet::IpNet;

/// How many entries of a forwarding header are read. More is nobody's real chain of proxies.
const ENTRIES_MAX: usize = 32;

/// The client's address: the peer's own, unless listed proxies vouch for another.
#[must_use]
pub fn client(peer: SocketAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let mut address = peer.ip().to_canonical();
    if !is_trusted(address, trusted) {
        return address;
    }
    let values: Vec<&str> = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok()).collect();
    for entry in values.iter().rev().flat_map(|value| value.rsplit(',')).take(ENTRIES_MAX) {
        let Some(claimed) = parse(entry.trim()) else { return address };
        address = claimed;
        if !is_trusted(address, trusted) {
            return address;
        }
    }
    address
}

/// Whether `address` belongs to a listed proxy.
#[must_use]
pub fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|network| network.contains(&address.to_canonical()))
}

/// An address, with or without a port.
fn parse(entry: &str) -> Option<IpAddr> {
    let bare = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(entry);
    let address =
        bare.parse::<IpAddr>().ok().or_else(|| entry.parse::<SocketAddr>().ok().map(|with_port| with_port.ip()));
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        let trusted: Vec<IpNet> = trusted.iter().map(|network| network.parse().unwrap()).collect();
        client(SocketAddr::new(peer.parse().unwrap(), 1), &headers, &trusted).to_string()
    }

    #[test]
    fn nobody_is_believed_by_default() {
        assert_eq!(seen("192.0.2.1", &["203.0.113.9"], &[]), "192.0.2.1");
    }

    #[test]
    fn the_walk_goes_right_to_left_and_stops_at_the_first_stranger() {
        let proxies = ["10.0.0.0/8"];
        for (forwarded, client) in [
            (&["203.0.113.9"][..], "203.0.113.9"),
            (&["6.6.6.6, 203.0.113.9"][..], "203.0.113.9"),
            (&["6.6.6.6, 203.0.113.9, 10.1.1.1"][..], "203.0.113.9"),
            (&["6.6.6.6", "203.0.113.9"][..], "203.0.113.9"),
            (&["203.0.113.9:4711"][..], "203.0.113.9"),
            (&["[2001:db8::1]:4711"][..], "2001:db8::1"),
            (&["[2001:db8::1]"][..], "2001:db8::1"),
            (&["::ffff:203.0.113.9"][..], "203.0.113.9"),
            (&["203.0.113.9, nonsense"][..], "10.9.9.9"),
            (&[][..], "10.9.9.9"),
            (&["10.2.2.2"][..], "10.2.2.2"),
        ] {
            assert_eq!(seen("10.9.9.9", forwarded, &proxies), client, "{forwarded:?}");
        }
        assert_eq!(seen("192.0.2.1", &["203.0.113.9"], &proxies), "192.0.2.1", "the peer is no listed proxy");
    }
}
