//! A wire that remembers: it carries HTTP between the program under test and a server, and knows what was asked.

use std::{
    io::{BufRead, BufReader, Write, copy},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// A request that went over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    pub path: String,
    /// It was to be done only to the version that was named.
    pub conditional: bool,
}

/// The wire. It carries until the test process ends.
pub struct Wire {
    port: u16,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Wire {
    /// Before a server on this port.
    pub fn before(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let wire = Self { port, seen: Arc::clone(&seen) };
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let seen = Arc::clone(&seen);
                thread::spawn(move || carry(client, server, &seen));
            }
        });
        wire
    }

    /// The port of this end.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The address of this end.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// The requests since the last asking that were to change something.
    pub fn changes(&self) -> Vec<Request> {
        let mut seen = std::mem::take(&mut *self.seen.lock().expect("nobody fell"));
        seen.retain(|request| !["GET", "OPTIONS", "PROPFIND", "REPORT"].contains(&request.method.as_str()));
        seen
    }
}

/// One connection: answers are carried as they come, requests one by one.
fn carry(client: TcpStream, server: u16, seen: &Mutex<Vec<Request>>) -> Option<()> {
    let mut to_server = TcpStream::connect(("127.0.0.1", server)).ok()?;
    let (mut answers, mut to_client) = (to_server.try_clone().ok()?, client.try_clone().ok()?);
    thread::spawn(move || {
        let _ = copy(&mut answers, &mut to_client);
        let _ = to_client.shutdown(Shutdown::Both);
    });
    let mut asked = BufReader::new(client);
    while let Some((head, body)) = next(&mut asked) {
        seen.lock().ok()?.push(read(&head)?);
        to_server.write_all(head.as_bytes()).and_then(|()| to_server.write_all(&body)).ok()?;
    }
    to_server.shutdown(Shutdown::Both).ok()
}

/// The next request: its head, and the body that the head announces.
fn next(asked: &mut impl BufRead) -> Option<(String, Vec<u8>)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        asked.read_line(&mut head).ok().filter(|read| *read > 0)?;
    }
    let length = header(&head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    asked.read_exact(&mut body).ok()?;
    Some((head, body))
}

fn read(head: &str) -> Option<Request> {
    let mut words = head.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    Some(Request { method, path, conditional: header(head, "if-match").is_some() })
}

fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let fields = head.lines().filter_map(|line| line.split_once(':'));
    fields.into_iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}
