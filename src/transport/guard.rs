//! The SSRF guard: which addresses this server lets its users make it contact.
//!
//! - **private**: loopback, RFC 1918, CGNAT and ULA; reachable only when the operator says so.
//! - **allowed host**: a name, address or network that the operator lists, for one server at home.
//!
//! **Invariant:** a URL is checked as the `url` crate canonicalises it, every redirect hop again, and every resolved
//! address before a connection is made to it. What is in no list of public use is refused, forms that carry an IPv4
//! address inside an IPv6 one included: no calendar is published under those, and each is a way around the list.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use url::{Host, Url};

use crate::domain::failure::{FailureClass, ProviderError};

/// What the operator allows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressPolicy {
    /// Private addresses, local names and plain `http` are allowed.
    pub allow_private: bool,
    /// Host names, addresses (`192.168.1.5`) and networks (`192.168.1.0/24`) that are exempt from every check but that
    /// of the scheme's being `http` or `https`.
    pub allow_hosts: Vec<String>,
}

/// Why an address may not be contacted; never says which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressRefused {
    /// Another scheme than `https`.
    #[error("the address must begin with https://")]
    Scheme,
    /// `https://user:password@…`
    #[error("the address must not carry a user name or password")]
    Userinfo,
    /// No host.
    #[error("the address names no host")]
    NoHost,
    /// A name of a local network.
    #[error("the address names a host of a local network; an operator can allow it")]
    LocalName,
    /// A literal or resolved address that is not public.
    #[error("the address is not on the public internet; an operator can allow it")]
    Address,
}

impl From<AddressRefused> for ProviderError {
    fn from(why: AddressRefused) -> Self {
        Self::new(FailureClass::AddressNotAllowed, why.to_string())
    }
}

/// Never contacted, whatever the operator allows wholesale: not hosts of calendars, and the places where clouds keep
/// their credentials.
const NEVER_V4: [Ipv4Net; 12] = [
    v4(0, 0, 0, 0, 8),          // "this network", RFC 791
    v4(100, 100, 100, 200, 32), // a cloud's metadata, inside CGNAT
    v4(169, 254, 0, 0, 16),     // link-local, RFC 3927; 169.254.169.254 is cloud metadata
    v4(192, 0, 0, 0, 24),       // protocol assignments, RFC 6890
    v4(192, 0, 2, 0, 24),       // documentation, RFC 5737
    v4(192, 31, 196, 0, 24),    // AS112, RFC 7535
    v4(192, 52, 193, 0, 24),    // AMT, RFC 7450
    v4(192, 88, 99, 0, 24),     // 6to4 relays, RFC 7526
    v4(198, 51, 100, 0, 24),    // documentation
    v4(203, 0, 113, 0, 24),     // documentation
    v4(224, 0, 0, 0, 4),        // multicast, RFC 5771
    v4(240, 0, 0, 0, 4),        // reserved and broadcast, RFC 1112
];

/// Private IPv4 networks.
const PRIVATE_V4: [Ipv4Net; 6] = [
    v4(10, 0, 0, 0, 8),     // RFC 1918
    v4(100, 64, 0, 0, 10),  // CGNAT, RFC 6598
    v4(127, 0, 0, 0, 8),    // loopback, RFC 1122
    v4(172, 16, 0, 0, 12),  // RFC 1918
    v4(192, 168, 0, 0, 16), // RFC 1918
    v4(198, 18, 0, 0, 15),  // benchmarking, RFC 2544
];

/// Never contacted, inside the global unicast block.
const NEVER_V6: [Ipv6Net; 6] = [
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), // protocol assignments, Teredo among them, RFC 2928 and 4380
    v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), // documentation, RFC 3849
    v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16), // 6to4, RFC 3056: any IPv4 address inside
    v6([0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0], 48), // AS112, RFC 7534
    v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), // documentation, RFC 9637
    v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254], 128), // a cloud's metadata, inside ULA
];

/// All public IPv6 there is (RFC 4291 §2.4). NAT64, mapped, compatible, discard, link-local, site-local and multicast
/// are outside.
const GLOBAL_V6: Ipv6Net = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

/// Unique local addresses (RFC 4193).
const ULA: Ipv6Net = v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7);

/// Last labels of names that resolve inside a network only.
const LOCAL_SUFFIXES: [&str; 15] = [
    "localhost",
    "local",
    "localdomain",
    "internal",
    "intranet",
    "lan",
    "home",
    "corp",
    "private",
    "home.arpa",
    "test",
    "example",
    "invalid",
    "svc",
    "onion",
];

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(segments: [u16; 8], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::from_segments(segments), prefix)
}

impl AddressPolicy {
    /// Whether the operator lists this host by name, in whatever spelling of case and trailing dots.
    #[must_use]
    pub fn lists_host(&self, host: &str) -> bool {
        let host = plain_name(host);
        self.allow_hosts.iter().any(|listed| plain_name(listed) == host)
    }

    fn lists_address(&self, ip: IpAddr) -> bool {
        self.allow_hosts.iter().any(|listed| {
            let listed = listed.trim().trim_matches(['[', ']']);
            listed.parse::<IpAddr>().is_ok_and(|held| held == ip)
                || listed.parse::<IpNet>().is_ok_and(|net| net.contains(&ip))
        })
    }
}

/// Whether a connection to this address may be made.
#[must_use]
pub fn address_allowed(ip: IpAddr, policy: &AddressPolicy) -> bool {
    if policy.lists_address(ip) {
        return true;
    }
    match ip {
        IpAddr::V4(ip) => {
            let private = PRIVATE_V4.iter().any(|net| net.contains(&ip));
            !NEVER_V4.iter().any(|net| net.contains(&ip)) && (policy.allow_private || !private)
        }
        IpAddr::V6(ip) => {
            let private = ip == Ipv6Addr::LOCALHOST || ULA.contains(&ip);
            let usable = if private { policy.allow_private } else { GLOBAL_V6.contains(&ip) };
            usable && !NEVER_V6.iter().any(|net| net.contains(&ip))
        }
    }
}

/// Checks everything that a URL shows without asking the DNS.
pub fn check_url(url: &Url, policy: &AddressPolicy) -> Result<(), AddressRefused> {
    let host = match (url.scheme(), url.host()) {
        ("http" | "https", Some(host)) => host,
        ("http" | "https", None) => return Err(AddressRefused::NoHost),
        _ => return Err(AddressRefused::Scheme),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(AddressRefused::Userinfo);
    }
    let listed = match &host {
        Host::Domain(name) => policy.lists_host(name),
        Host::Ipv4(ip) => policy.lists_address(IpAddr::V4(*ip)),
        Host::Ipv6(ip) => policy.lists_address(IpAddr::V6(*ip)),
    };
    if listed {
        return Ok(());
    }
    if url.scheme() != "https" && !policy.allow_private {
        return Err(AddressRefused::Scheme);
    }
    let address = match host {
        Host::Domain(name) => {
            let usable = policy.allow_private || !is_local_name(name);
            return if usable { Ok(()) } else { Err(AddressRefused::LocalName) };
        }
        Host::Ipv4(ip) => IpAddr::V4(ip),
        Host::Ipv6(ip) => IpAddr::V6(ip),
    };
    if address_allowed(address, policy) { Ok(()) } else { Err(AddressRefused::Address) }
}

/// Whether a name can only be one of a local network: a single label, or under a suffix that is never public.
fn is_local_name(name: &str) -> bool {
    let name = plain_name(name);
    let under = |suffix: &str| name.strip_suffix(suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    !name.contains('.') || LOCAL_SUFFIXES.iter().any(|suffix| under(suffix))
}

/// `LocalHost..` is `localhost`.
fn plain_name(name: &str) -> String {
    name.trim().trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests;
