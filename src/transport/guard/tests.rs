//! A generated table of addresses and the ways to write them, and the few things that must pass.

use std::collections::BTreeSet;

use super::*;

/// One address of every kind that is refused by default.
const REFUSED_V4: [[u8; 4]; 33] = [
    [0, 0, 0, 0],
    [0, 0, 0, 1],
    [0, 255, 255, 255],
    [10, 0, 0, 0],
    [10, 0, 0, 1],
    [10, 255, 255, 255],
    [100, 64, 0, 1],
    [100, 100, 100, 200],
    [100, 127, 255, 254],
    [127, 0, 0, 1],
    [127, 0, 0, 2],
    [127, 1, 2, 3],
    [127, 255, 255, 254],
    [169, 254, 0, 1],
    [169, 254, 169, 253],
    [169, 254, 169, 254],
    [172, 16, 0, 1],
    [172, 31, 255, 255],
    [192, 0, 0, 1],
    [192, 0, 0, 170],
    [192, 0, 2, 1],
    [192, 88, 99, 1],
    [192, 168, 0, 1],
    [192, 168, 255, 255],
    [198, 18, 0, 1],
    [198, 19, 255, 255],
    [198, 51, 100, 7],
    [203, 0, 113, 7],
    [224, 0, 0, 1],
    [239, 255, 255, 250],
    [240, 0, 0, 1],
    [254, 0, 0, 1],
    [255, 255, 255, 255],
];

const REFUSED_V6: [&str; 33] = [
    "::",
    "::1",
    "::2",
    "::7f00:1",
    "::8.8.8.8",
    "::ffff:0:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "64:ff9b:1::1",
    "64:ff9b:1:ffff::10.0.0.1",
    "100::1",
    "100:0:0:1::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2001:db8:ffff::1",
    "2002:7f00:1::",
    "2002:808:808::1",
    "2620:4f:8000::1",
    "3fff::1",
    "3fff:fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00::1",
    "fd00:ec2::254",
    "fdff:ffff::1",
    "fe80::1",
    "febf::1",
    "fec0::1",
    "ff02::1",
];

/// Digits that IDNA maps to `0`…`9`.
fn full_width(text: &str) -> String {
    text.chars()
        .map(|c| match c.to_digit(10) {
            Some(digit) => char::from_u32(0xff10 + digit).expect("a digit"),
            None => '\u{3002}',
        })
        .collect()
}

/// `①②⑦.⓪.⓪.①`
fn circled(text: &str) -> String {
    text.chars()
        .map(|c| match c.to_digit(10) {
            Some(0) => '\u{24ea}',
            Some(digit) => char::from_u32(0x2460 + digit - 1).expect("a digit"),
            None => c,
        })
        .collect()
}

/// Every way to write one IPv4 address as a URL's host.
fn spellings([a, b, c, d]: [u8; 4]) -> Vec<String> {
    let whole = u32::from_be_bytes([a, b, c, d]);
    let low = whole & 0x00ff_ffff;
    let tail = whole & 0x0000_ffff;
    let dotted = format!("{a}.{b}.{c}.{d}");
    vec![
        dotted.clone(),
        format!("{dotted}."),
        format!("{whole}"),
        format!("0x{whole:x}"),
        format!("0X{whole:08X}"),
        format!("0{whole:o}"),
        format!("0x{a:x}.0x{b:x}.0x{c:x}.0x{d:x}"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        format!("000{a:o}.{b}.0x{c:x}.{d}"),
        format!("{a}.{low}"),
        format!("0x{a:x}.{low}."),
        format!("{a}.{b}.{tail}"),
        full_width(&dotted),
        circled(&dotted),
        dotted.replace('.', "%2e"),
        dotted.bytes().fold(String::new(), |host, byte| format!("{host}%{byte:02x}")),
        format!("[::ffff:{dotted}]"),
        format!("[::{dotted}]"),
        format!("[::ffff:0:{dotted}]"),
        format!("[64:ff9b::{dotted}]"),
        format!("[64:ff9b:1::{dotted}]"),
        format!("[2002:{:x}:{:x}::1]", whole >> 16, tail),
        format!("[2001:0:4136:e378:8000:63bf:{:x}:{:x}]", !whole >> 16, !tail & 0xffff),
    ]
}

/// Names that resolve inside a network only.
const REFUSED_NAMES: [&str; 24] = [
    "localhost",
    "LOCALHOST",
    "localhost.",
    "localhost..",
    "a.localhost",
    "ｌｏｃａｌｈｏｓｔ",
    "printer.local",
    "printer.local.",
    "printer.LOCAL",
    "printer\u{3002}local",
    "x.y.localdomain",
    "router",
    "router.",
    "nas.lan",
    "nas.home",
    "nas.home.arpa",
    "home.arpa.",
    "vault.internal",
    "metadata.google.internal",
    "metadata.google.internal.",
    "wiki.corp",
    "wiki.intranet",
    "kubernetes.default.svc",
    "kubernetes.default.svc.",
];

fn default_refuses(text: &str) -> bool {
    // A text that is no URL at all cannot be contacted either.
    Url::parse(text).map_or(true, |url| check_url(&url, &AddressPolicy::default()).is_err())
}

#[test]
fn every_spelling_of_every_address_that_is_not_public_is_refused() {
    let mut vectors = BTreeSet::new();
    for address in REFUSED_V4 {
        assert!(!address_allowed(IpAddr::from(address), &AddressPolicy::default()), "{address:?}");
        for host in spellings(address) {
            vectors.insert(format!("https://{host}/cal.ics"));
            vectors.insert(format!("https://{host}:8443/"));
        }
    }
    for address in REFUSED_V6 {
        let ip = address.parse().expect(address);
        assert!(!address_allowed(IpAddr::V6(ip), &AddressPolicy::default()), "{address}");
        vectors.insert(format!("https://[{address}]/cal.ics"));
        vectors.insert(format!("https://[{}]/", address.to_uppercase()));
    }
    for name in REFUSED_NAMES {
        vectors.insert(format!("https://{name}/cal.ics"));
    }
    assert!(vectors.len() >= 300, "{}", vectors.len());
    let passed: Vec<_> = vectors.iter().filter(|text| !default_refuses(text)).collect();
    assert!(passed.is_empty(), "{passed:?}");
}

#[test]
fn most_spellings_are_read_as_the_address_they_hide() {
    // Shows that the table above is refused for its addresses, not because it is no URL.
    let read = spellings([127, 0, 0, 1]).iter().filter(|host| Url::parse(&format!("https://{host}/")).is_ok()).count();
    assert_eq!(read, spellings([127, 0, 0, 1]).len());
    let hidden = Url::parse("https://①②⑦.⓪.⓪.①/").expect("a URL");
    assert_eq!(hidden.host(), Some(Host::Ipv4(Ipv4Addr::LOCALHOST)));
}

#[test]
fn public_addresses_pass() {
    let policy = AddressPolicy::default();
    for ip in ["1.1.1.1", "8.8.8.8", "17.248.146.1", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1"] {
        assert!(address_allowed(ip.parse().expect(ip), &policy), "{ip}");
    }
    for ip in ["2606:4700::1111", "2a00:1450:4001::1", "2400:cb00::1", "2001:4860:4860::8888", "2003::1"] {
        assert!(address_allowed(ip.parse().expect(ip), &policy), "{ip}");
    }
    for url in [
        "https://calendar.example.com/feed.ics",
        "https://p42-caldav.icloud.com:443/published/2/x",
        "https://xn--bcher-kva.example.org/",
        "https://example.org./",
        "https://mylocal.org/",
        "https://localhost.example.com/",
        "https://1.1.1.1/",
        "https://[2606:4700::1111]/",
    ] {
        assert_eq!(check_url(&Url::parse(url).expect(url), &policy), Ok(()), "{url}");
    }
}

#[test]
fn other_schemes_and_user_names_are_refused() {
    let refused = |text: &str| check_url(&Url::parse(text).expect(text), &AddressPolicy::default());
    for url in ["http://example.com/", "ftp://example.com/", "webcal://example.com/", "file:///etc/passwd", "data:,x"] {
        assert_eq!(refused(url), Err(AddressRefused::Scheme), "{url}");
    }
    for url in ["https://ada@example.com/", "https://ada:pw@example.com/", "https://:pw@example.com/"] {
        assert_eq!(refused(url), Err(AddressRefused::Userinfo), "{url}");
    }
    let open = AddressPolicy { allow_private: true, ..AddressPolicy::default() };
    let still = check_url(&Url::parse("https://ada:pw@127.0.0.1/").expect("a URL"), &open);
    assert_eq!(still, Err(AddressRefused::Userinfo));
}

#[test]
fn private_networks_open_when_the_operator_says_so_and_nothing_else_does() {
    let open = AddressPolicy { allow_private: true, ..AddressPolicy::default() };
    let check = |text: &str| check_url(&Url::parse(text).expect(text), &open);
    for url in
        ["http://127.0.0.1:5232/", "https://[::1]/", "http://192.168.1.5/", "http://nas.lan/", "http://[fd12::1]/"]
    {
        assert_eq!(check(url), Ok(()), "{url}");
    }
    for url in [
        "http://169.254.169.254/latest/",
        "http://[fd00:ec2::254]/",
        "http://100.100.100.200/",
        "http://0.0.0.0/",
        "http://224.0.0.1/",
        "http://255.255.255.255/",
        "http://[::ffff:127.0.0.1]/",
        "http://[fe80::1]/",
    ] {
        assert_eq!(check(url), Err(AddressRefused::Address), "{url}");
    }
}

#[test]
fn a_listed_host_address_or_network_is_let_through_alone() {
    let listed = ["NAS.lan", "192.168.1.5", "10.1.0.0/16", "fd12::/16"].map(str::to_owned).to_vec();
    let policy = AddressPolicy { allow_private: false, allow_hosts: listed };
    let check = |text: &str| check_url(&Url::parse(text).expect(text), &policy);
    for url in ["http://nas.lan./", "https://192.168.1.5/", "http://10.1.2.3/", "http://[fd12::9]/"] {
        assert_eq!(check(url), Ok(()), "{url}");
    }
    for url in
        ["https://nas2.lan/", "https://x.nas.lan/", "https://192.168.1.6/", "https://10.2.0.1/", "https://[fd13::1]/"]
    {
        assert!(check(url).is_err(), "{url}");
    }
}

#[test]
fn a_refusal_shows_no_address() {
    let why = check_url(&Url::parse("https://10.0.0.1/secret").expect("a URL"), &AddressPolicy::default());
    let failure = ProviderError::from(why.expect_err("refused"));
    assert_eq!(failure.class, FailureClass::AddressNotAllowed);
    assert!(!failure.to_string().contains("10.0.0.1"), "{failure}");
}
