//! The server itself, over TCP.

use std::net::TcpListener;

use actix_web::rt;
use calwarden::web;
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
    let server = web::server(app.desk.clone(), listener, 1).expect("a server");
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
