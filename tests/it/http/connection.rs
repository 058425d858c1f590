//! The server itself, over TCP.

use std::net::{SocketAddr, TcpListener};

use actix_web::rt;
use calwarden::web::{self, AppState, WebSettings};
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::app::App;

/// One exchange on an open connection; answers the head.
async fn exchange(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
            if body.len() >= length.unwrap_or(0) {
                return head.to_owned();
            }
        }
        let mut chunk = [0; 4096];
        let many = stream.read(&mut chunk).await.expect("an open connection");
        assert!(many > 0, "the server closed the connection after {text:?}");
        read.extend_from_slice(&chunk[..many]);
    }
}

#[actix_web::test]
async fn a_connection_serves_many_posts_whether_their_bodies_are_wanted_or_not() {
    let (app, account, _) = App::with_ada().await;
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = web::server(app.state.clone(), listener, 1).expect("a server");
    let handle = server.handle();
    let serving = rt::spawn(server);
    let mut stream = TcpStream::connect(address).await.expect("connected");
    for path in ["sync", "pause", "resume"] {
        let body = json!({"unwanted": "x".repeat(200_000)}).to_string();
        let request = format!(
            "POST /v1/accounts/{}/{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n{body}",
            account.id,
            app.key,
            body.len(),
        );
        let head = exchange(&mut stream, &request).await;
        assert!(head.starts_with("HTTP/1.1 202") && !head.contains("connection: close"), "{path}: {head}");
    }
    drop(stream);
    handle.stop(true).await;
    serving.await.expect("it ended").expect("and ended well");
}

/// What the server answers to this, until it closes the connection.
async fn answered(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut read = Vec::new();
    // A server that has not read all may reset the connection after its answer.
    let _ = stream.read_to_end(&mut read).await;
    String::from_utf8_lossy(&read).into_owned()
}

/// A notification whose body has only begun.
async fn stalled(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    let head = "POST /sync/providers/google/webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.expect("sent");
    stream
}

#[actix_web::test]
async fn stalled_bodies_take_few_places_and_hold_up_neither_probes_nor_notifications() {
    let app = App::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = web::server(app.state.clone(), listener, 1).expect("a server");
    let handle = server.handle();
    let serving = rt::spawn(server);
    let mut waiting = Vec::new();
    for _ in 0..200 {
        waiting.push(stalled(address).await);
    }
    // Those beyond the places are refused at once, though not a byte more has come, and give their connections back.
    let mut answers: FuturesUnordered<_> = waiting
        .into_iter()
        .map(|mut stream| async move {
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            answer
        })
        .collect();
    for _ in 128..200 {
        let answer = answers.next().await.expect("one is refused");
        assert!(answer.starts_with(b"HTTP/1.1 503"), "{}", String::from_utf8_lossy(&answer));
    }
    let close = "Host: x\r\nConnection: close\r\n\r\n";
    let live = answered(address, &format!("GET /health/live HTTP/1.1\r\n{close}")).await;
    assert!(live.starts_with("HTTP/1.1 200"), "{live}");
    let notified = format!("POST /sync/providers/google/webhook HTTP/1.1\r\nContent-Length: 0\r\n{close}");
    let notified = answered(address, &notified).await;
    assert!(notified.starts_with("HTTP/1.1 204"), "{notified}");
    // What says that it is too long is refused before it comes.
    let long = "POST /sync/providers/google/webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n";
    let long = answered(address, long).await;
    assert!(long.starts_with("HTTP/1.1 413") && long.contains("65536"), "{long}");
    drop(answers);
    handle.stop(false).await;
    serving.await.expect("it ended").expect("and ended well");
}

#[actix_web::test]
async fn who_shows_no_good_key_is_refused_beyond_their_share_and_told_when_to_come_back() {
    let app = App::start().await;
    let settings = WebSettings { address_per_minute: 3, key_per_minute: 4, ..WebSettings::default() };
    let (services, actors) = (app.state.services.clone(), app.state.actors.clone());
    let state = AppState::new(services, actors, settings, Box::new(String::new));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = web::server(state, listener, 1).expect("a server");
    let handle = server.handle();
    let serving = rt::spawn(server);
    let ask = |path: &str, key: &str| {
        let head =
            format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {key}\r\n\r\n");
        async move { answered(address, &head).await }
    };
    for left in [2, 1, 0] {
        let answer = ask("/docs/style.css", "x").await;
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.contains(&format!("ratelimit-remaining: {left}")),
            "{answer}"
        );
    }
    for path in ["/docs/style.css", "/v1/accounts"] {
        let answer = ask(path, "wrong").await;
        assert!(answer.starts_with("HTTP/1.1 429") && answer.contains("retry-after: 20"), "{answer}");
    }
    assert!(ask("/health/live", "x").await.starts_with("HTTP/1.1 200"), "probes are always answered");
    for _ in 0..4 {
        assert!(ask("/v1/accounts", &app.key).await.starts_with("HTTP/1.1 200"), "a good key has its own share");
    }
    let answer = ask("/v1/accounts", &app.key).await;
    assert!(answer.starts_with("HTTP/1.1 429") && answer.contains("\"rate_limited\""), "{answer}");
    handle.stop(false).await;
    serving.await.expect("it ended").expect("and ended well");
}
