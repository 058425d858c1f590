//! The client against servers on this thread: `hyper` for well-behaved ones, bare sockets for the others.

use std::{
    convert::Infallible,
    io::Write,
    sync::{Mutex, PoisonError},
};

use http_body_util::{BodyExt, Full};
use hyper::{http, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::*;
use crate::domain::secret::Secret;

/// What a server was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Asked {
    method: String,
    path: String,
    body: String,
    authorization: Option<String>,
    header: http::HeaderMap,
}

type Answer = http::Response<Full<Bytes>>;

/// A well-behaved server; it keeps what it was asked.
struct Server {
    url: Url,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    async fn start(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = Url::parse(&format!("http://{}/", listener.local_addr().expect("bound"))).expect("a URL");
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (answer, log) = (Arc::new(answer), Arc::clone(&asked));
        tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.expect("a connection");
                let (answer, log) = (Arc::clone(&answer), Arc::clone(&log));
                let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                    let (answer, log) = (Arc::clone(&answer), Arc::clone(&log));
                    async move {
                        let (head, body) = request.into_parts();
                        let body = body.collect().await.expect("a body").to_bytes();
                        let authorization = head.headers.get("authorization");
                        let asked = Asked {
                            method: head.method.to_string(),
                            path: head.uri.path().to_owned(),
                            body: String::from_utf8(body.to_vec()).expect("text"),
                            authorization: authorization.map(|value| value.to_str().expect("text").to_owned()),
                            header: head.headers,
                        };
                        let reply = answer(&asked);
                        log.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
                        Ok::<_, Infallible>(reply)
                    }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service),
                );
            }
        });
        Self { url, asked }
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A server that hands each connection to `serve`, once it has read a request's header.
async fn raw_server<F>(serve: impl Fn(TcpStream) -> F + Send + Sync + 'static) -> Url
where
    F: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = Url::parse(&format!("http://{}/", listener.local_addr().expect("bound"))).expect("a URL");
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.expect("a connection");
            let mut header = Vec::new();
            while !header.ends_with(b"\r\n\r\n") {
                header.push(socket.read_u8().await.expect("a header"));
            }
            serve(socket).await;
        }
    });
    url
}

fn ok(body: impl Into<Bytes>) -> Answer {
    http::Response::new(Full::new(body.into()))
}

fn redirect(status: u16, to: &str) -> Answer {
    http::Response::builder().status(status).header("location", to).body(Full::default()).expect("an answer")
}

fn client() -> HttpClient {
    client_with(10 * 1024 * 1024)
}

fn client_with(body_max: usize) -> HttpClient {
    let policy = AddressPolicy { allow_private: false, allow_hosts: vec!["127.0.0.1".to_owned()] };
    HttpClient::new(ClientConfig { policy, body_max, ..ClientConfig::default() }).expect("a client")
}

fn propfind(url: &Url) -> OutgoingRequest {
    OutgoingRequest {
        headers: vec![("depth", "1".to_owned()), ("content-type", "application/xml".to_owned())],
        body: Bytes::from_static(b"<propfind/>"),
        ..OutgoingRequest::new("PROPFIND", url.clone())
    }
}

fn with_password(request: OutgoingRequest) -> OutgoingRequest {
    let credential = Credential::Basic { username: Secret::new("ada"), password: Secret::new("pw") };
    OutgoingRequest { credential: Some(credential), ..request }
}

fn put(url: &Url) -> OutgoingRequest {
    OutgoingRequest {
        body: Bytes::from_static(b"BEGIN:VCALENDAR"),
        writes: true,
        ..OutgoingRequest::new("PUT", url.clone())
    }
}

#[tokio::test]
async fn an_answer_comes_back_whole_whatever_its_status() {
    let server = Server::start(|_| {
        http::Response::builder().status(404).header("ETag", "\"x\"").body(Full::from("gone")).expect("an answer")
    })
    .await;
    let answer = client().send(with_password(propfind(&server.url))).await.expect("an answer");
    assert_eq!((answer.status, &answer.body[..], answer.header("etag")), (404, &b"gone"[..], Some("\"x\"")));
    let asked = server.asked();
    assert_eq!(asked[0].authorization.as_deref(), Some("Basic YWRhOnB3"));
    assert_eq!(asked[0].header["user-agent"], concat!("calwarden/", env!("CARGO_PKG_VERSION")));
    assert_eq!(asked[0].header["depth"], "1");
}

#[tokio::test]
async fn a_redirect_keeps_method_and_body() {
    for status in [301, 302, 307, 308] {
        let server = Server::start(move |asked| match asked.path.as_str() {
            "/" => redirect(status, "/dav/"),
            _ => ok("here"),
        })
        .await;
        let answer = client().send(with_password(propfind(&server.url))).await.expect("an answer");
        assert_eq!(answer.url.path(), "/dav/", "{status}");
        let asked = server.asked();
        let second = (asked[1].method.as_str(), asked[1].body.as_str(), asked[1].authorization.is_some());
        assert_eq!(second, ("PROPFIND", "<propfind/>", true), "{status}");
    }
}

#[tokio::test]
async fn see_other_becomes_a_get() {
    let server = Server::start(|asked| if asked.path == "/" { redirect(303, "/there") } else { ok("there") }).await;
    let post = OutgoingRequest { method: "POST", writes: false, ..propfind(&server.url) };
    client().send(post).await.expect("an answer");
    let asked = server.asked();
    assert_eq!((asked[1].method.as_str(), asked[1].body.as_str()), ("GET", ""));
    assert!(!asked[1].header.contains_key("content-type"));
    // What only reads stays what it is: Cyrus, sabre and SOGo send discovery on so (RFC 6764 §5).
    client().send(propfind(&server.url)).await.expect("an answer");
    let asked = server.asked();
    assert_eq!((asked[3].method.as_str(), asked[3].body.as_str()), ("PROPFIND", "<propfind/>"));
}

#[tokio::test]
async fn a_credential_does_not_follow_to_another_origin_nor_back() {
    let home: Arc<Mutex<Option<Url>>> = Arc::default();
    let back = Arc::clone(&home);
    let other = Server::start(move |_| {
        let home = back.lock().unwrap_or_else(PoisonError::into_inner).clone().expect("started");
        redirect(307, home.join("/again").expect("a URL").as_str())
    })
    .await;
    let away = other.url.to_string();
    let server = Server::start(move |asked| if asked.path == "/" { redirect(307, &away) } else { ok("again") }).await;
    *home.lock().unwrap_or_else(PoisonError::into_inner) = Some(server.url.clone());
    let answer = client().send(with_password(propfind(&server.url))).await.expect("an answer");
    assert_eq!(answer.url.path(), "/again");
    let sent: Vec<_> =
        [server.asked(), other.asked()].concat().into_iter().map(|a| a.authorization.is_some()).collect();
    assert_eq!(sent, [true, false, false]);
}

#[tokio::test]
async fn a_write_does_not_follow_to_another_origin() {
    let other = Server::start(|_| ok("taken")).await;
    let away = other.url.to_string();
    let server = Server::start(move |asked| redirect(307, if asked.path == "/" { "/home" } else { &away })).await;
    let answer = client().send(put(&server.url)).await.expect("an answer");
    assert_eq!((answer.status, answer.url.path()), (307, "/home"));
    assert_eq!(server.asked()[1].body, "BEGIN:VCALENDAR");
    assert_eq!(other.asked(), []);
}

/// Where a redirect leads, and whether the credential goes with it.
fn hop(from: &str, to: &str, trusted_suffix: Option<&'static str>) -> Option<(String, bool)> {
    let request = with_password(propfind(&Url::parse(from).expect(from)));
    let request = OutgoingRequest { trusted_suffix, ..request };
    let answer = http::Response::builder().status(307).header("location", to).body("").expect("an answer");
    next_hop(&request, &reqwest::Response::from(answer)).map(|next| (next.url.to_string(), next.credential.is_some()))
}

#[test]
fn only_hosts_of_the_same_keeper_are_given_the_credential() {
    let from = "https://caldav.icloud.com/";
    let kept = |to: &str| hop(from, to, Some("icloud.com")).expect("followed").1;
    assert!(kept("https://p42-caldav.icloud.com/1/"));
    assert!(kept("https://p42-caldav.icloud.com:443/1/"));
    assert!(kept("//p42-caldav.icloud.com/1/"));
    for to in [
        "https://eviicloud.com/",
        "https://icloud.com.evil.example/",
        "http://p42-caldav.icloud.com/",
        "https://p42-caldav.icloud.com:8443/",
        "http://caldav.icloud.com/",
        "https://caldav.icloud.com:444/",
    ] {
        assert!(!kept(to), "{to}");
    }
    assert_eq!(hop(from, "https://p42-caldav.icloud.com/", None).map(|(_, kept)| kept), Some(false));
    assert_eq!(
        hop("https://evil.example/", "https://icloud.com/", Some("icloud.com")).map(|(_, kept)| kept),
        Some(false)
    );
}

#[tokio::test]
async fn a_redirect_to_a_private_address_is_refused() {
    for to in
        ["http://10.0.0.1/", "https://169.254.169.254/latest", "https://localhost/", "//0x7f.2/", "file:///etc/passwd"]
    {
        let server = Server::start(move |_| redirect(302, to)).await;
        let why = client().send(propfind(&server.url)).await.expect_err("refused");
        assert_eq!(why.class, FailureClass::AddressNotAllowed, "{to}");
        assert_eq!(server.asked().len(), 1);
    }
}

#[tokio::test]
async fn a_name_that_resolves_to_a_private_address_is_refused() {
    let port = Server::start(|_| ok("inside")).await.url.port().expect("a port");
    let url = format!("http://localhost:{port}/");
    let strict = HttpClient::new(ClientConfig::default()).expect("a client");
    // Around the check of the name, so that the resolver is what refuses.
    let error = strict.client.get(&url).send().await.expect_err("refused");
    assert_eq!(unsent(true, &error).class, FailureClass::AddressNotAllowed);
    let policy = AddressPolicy { allow_private: true, ..AddressPolicy::default() };
    let open = HttpClient::new(ClientConfig { policy, ..ClientConfig::default() }).expect("a client");
    let answer = open.send(OutgoingRequest::new("GET", Url::parse(&url).expect("a URL"))).await.expect("allowed");
    assert_eq!(answer.body, "inside");
}

#[test]
fn only_the_allowed_among_several_addresses_are_used() {
    let found: Vec<SocketAddr> = vec!["1.1.1.1:0".parse().expect("v4"), "10.0.0.1:0".parse().expect("v4")];
    let kept = allowed_only("example.org", found.clone(), &AddressPolicy::default()).expect("one left");
    assert_eq!(kept, &found[..1]);
    let none = allowed_only("example.org", found[1..].to_vec(), &AddressPolicy::default());
    assert_eq!(none, Err(AddressRefused::Address));
    let listed = AddressPolicy { allow_private: false, allow_hosts: vec!["nas.example.org".to_owned()] };
    assert_eq!(allowed_only("nas.example.org", found.clone(), &listed), Ok(found));
}

#[tokio::test]
async fn a_circle_of_redirects_ends() {
    let server = Server::start(|_| redirect(302, "/")).await;
    let why = client().send(propfind(&server.url)).await.expect_err("a circle");
    assert_eq!(why.class, FailureClass::Malformed);
    assert_eq!(server.asked().len(), 6);
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(plain).expect("memory");
    encoder.finish().expect("memory")
}

fn gzipped(body: Vec<u8>) -> Answer {
    http::Response::builder().header("content-encoding", "gzip").body(Full::from(body)).expect("an answer")
}

#[tokio::test]
async fn a_packed_body_is_unpacked_and_a_bomb_is_not() {
    let server = Server::start(|asked| {
        assert_eq!(asked.header["accept-encoding"], "gzip");
        gzipped(if asked.path == "/bomb" { gzip(&vec![0; 8 * 1024 * 1024]) } else { gzip(b"BEGIN:VCALENDAR") })
    })
    .await;
    let answer = client().send(propfind(&server.url)).await.expect("an answer");
    assert_eq!((&answer.body[..], answer.header("content-length")), (&b"BEGIN:VCALENDAR"[..], None));
    let why = client().send(propfind(&server.url.join("/bomb").expect("a URL"))).await.expect_err("a bomb");
    assert_eq!(why.class, FailureClass::Malformed);
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_announced_or_endless() {
    let endless = raw_server(|mut socket| async move {
        socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.expect("open");
        while socket.write_all(&[b'x'; 4096]).await.is_ok() {}
    })
    .await;
    let announced = Server::start(|_| ok(vec![b'x'; 50_001])).await.url;
    for url in [endless, announced] {
        let why = client_with(50_000).send(propfind(&url)).await.expect_err("too large");
        assert_eq!((why.class, why.detail), (FailureClass::Malformed, ProviderError::too_large().detail));
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_begin_to_answer_is_left_after_fifteen_seconds() {
    for (request, class) in
        [(propfind as fn(&Url) -> OutgoingRequest, FailureClass::Transient), (put, FailureClass::Ambiguous)]
    {
        let url = raw_server(|socket| async move {
            tokio::time::sleep(Duration::from_hours(1)).await;
            drop(socket);
        })
        .await;
        let start = Instant::now();
        let why = client().send(request(&url)).await.expect_err("silence");
        assert_eq!((why.class, start.elapsed().as_secs()), (class, 15));
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_trickles_is_left_after_a_minute() {
    let url = raw_server(|mut socket| async move {
        socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.expect("open");
        while socket.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    })
    .await;
    let start = Instant::now();
    let why = client().send(propfind(&url)).await.expect_err("too slow");
    assert_eq!((why.class, start.elapsed().as_secs()), (FailureClass::Transient, 60));
}

#[tokio::test]
async fn a_lost_answer_leaves_a_write_open_and_a_read_to_be_tried_again() {
    let closed = raw_server(|socket| async move { drop(socket) }).await;
    let cut = raw_server(|mut socket| async move {
        socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").await.expect("open");
    })
    .await;
    for url in [closed, cut] {
        assert_eq!(client().send(propfind(&url)).await.expect_err("lost").class, FailureClass::Transient);
        assert_eq!(client().send(put(&url)).await.expect_err("lost").class, FailureClass::Ambiguous);
    }
}

#[tokio::test]
async fn a_write_that_found_no_server_was_not_applied() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = Url::parse(&format!("http://{}/", listener.local_addr().expect("bound"))).expect("a URL");
    drop(listener);
    let why = client().send(put(&url)).await.expect_err("nobody there");
    assert_eq!(why.class, FailureClass::Transient);
    assert!(!why.detail.contains("127.0.0.1"), "{why}");
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_distinguished_from_one_that_is_away() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = Url::parse(&format!("https://{}/", listener.local_addr().expect("bound"))).expect("a URL");
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.expect("a connection");
        socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.expect("open");
    });
    let why = client().send(put(&url)).await.expect_err("no TLS");
    assert_eq!(why.class, FailureClass::Transient);
    assert!(why.detail.contains("encrypted"), "{why}");
}

#[test]
fn a_machine_without_roots_gets_those_of_mozilla() {
    HttpClient::new(ClientConfig::default()).expect("installs the cryptography");
    assert!(mozilla_roots().alpn_protocols == [b"http/1.1"] && webpki_roots::TLS_SERVER_ROOTS.len() > 50);
    let config = Arc::new(ClientConfig::default());
    builder(&config).tls_backend_preconfigured(mozilla_roots()).build().expect("a client");
}
