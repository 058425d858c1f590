//! A web server with one page that a test can change while it runs: a feed, or something that pretends to be one.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

/// What the page answers.
#[derive(Clone, Debug)]
pub struct Page {
    pub status: u16,
    pub kind: &'static str,
    pub body: Vec<u8>,
    pub etag: Option<String>,
    /// Send only so many bytes of the body, though the header promises all.
    pub cut_at: Option<usize>,
}

impl Page {
    /// A calendar.
    pub fn calendar(body: impl Into<Vec<u8>>) -> Self {
        Self { status: 200, kind: "text/calendar", body: body.into(), etag: None, cut_at: None }
    }
}

/// A running server.
pub struct PageServer {
    port: u16,
    page: Arc<Mutex<Page>>,
    requests: Arc<AtomicU32>,
    stop: Arc<AtomicBool>,
}

impl PageServer {
    pub fn start(page: Page) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let server = Self { port, page: Arc::new(Mutex::new(page)), requests: Arc::default(), stop: Arc::default() };
        let (page, requests, stop) = (Arc::clone(&server.page), Arc::clone(&server.requests), Arc::clone(&server.stop));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                requests.fetch_add(1, Ordering::SeqCst);
                let page = page.lock().expect("a page").clone();
                std::thread::spawn(move || answer(&stream, &page));
            }
        });
        server
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/secret-feed-token.ics", self.port)
    }

    pub fn set(&self, page: Page) {
        *self.page.lock().expect("a page") = page;
    }

    pub fn requests(&self) -> u32 {
        self.requests.load(Ordering::SeqCst)
    }
}

impl Drop for PageServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// Answers one request and closes, so that every request is a connection and counts.
fn answer(mut stream: &TcpStream, page: &Page) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    let mut known = None;
    while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("if-none-match:") {
            known = Some(value.trim().to_owned());
        }
        line.clear();
    }
    let same = page.etag.is_some() && page.etag == known;
    let (status, body) = if same { (304, &[][..]) } else { (page.status, page.body.as_slice()) };
    let etag = page.etag.as_ref().map(|etag| format!("etag: {etag}\r\n")).unwrap_or_default();
    let head = format!(
        "HTTP/1.1 {status} Test\r\nconnection: close\r\ncontent-type: {}\r\n{etag}content-length: {}\r\n\r\n",
        page.kind,
        body.len()
    );
    let sent = &body[..page.cut_at.unwrap_or(body.len()).min(body.len())];
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(sent);
}
