//! Stands between the program under test and a server: passes each exchange on, keeps the last of them for a failure's message, and
//! does to them what a network and a server in trouble do.

use std::{
    collections::VecDeque,
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// Exchanges that are kept, and bytes of each body that a message shows.
const KEPT: usize = 25;
const SHOWN: usize = 1_500;

/// A request, as it came.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub body: Vec<u8>,
    head: Vec<String>,
}

impl Request {
    pub fn says(&self, text: &str) -> bool {
        String::from_utf8_lossy(&self.body).contains(text)
    }
}

/// What becomes of an exchange.
pub enum Fate {
    Pass,
    /// The server never hears of it; this status answers.
    Answer(u16),
    /// The server does it, and the connection ends without an answer.
    LoseAnswer,
    /// The server does it, and half of its answer comes.
    CutAnswer,
    /// Another body goes to the server.
    Send(Vec<u8>),
}

type Judge = Box<dyn FnMut(&Request) -> Fate + Send>;

struct Inner {
    server: u16,
    judge: Mutex<Option<Judge>>,
    seen: Mutex<VecDeque<String>>,
}

/// The man in the middle. He works until the test process ends.
pub struct Middleman {
    port: u16,
    inner: Arc<Inner>,
}

impl Middleman {
    /// Before a server on this port.
    pub fn before(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let inner = Arc::new(Inner { server, judge: Mutex::default(), seen: Mutex::default() });
        let ours = Arc::clone(&inner);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let inner = Arc::clone(&ours);
                thread::spawn(move || inner.carry(&client));
            }
        });
        Self { port, inner }
    }

    /// The address of this end, without a slash.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// From now on every exchange is judged by this.
    pub fn judge(&self, judge: impl FnMut(&Request) -> Fate + Send + 'static) {
        *self.inner.judge.lock().expect("nobody fell") = Some(Box::new(judge));
    }

    /// From now on all pass.
    pub fn calm(&self) {
        *self.inner.judge.lock().expect("nobody fell") = None;
    }

    /// The last exchanges, for a failure's message.
    pub fn recent(&self) -> String {
        let seen = self.inner.seen.lock().map(|seen| seen.iter().cloned().collect::<Vec<_>>());
        seen.unwrap_or_default().join("\n")
    }
}

impl Inner {
    /// One connection is one exchange.
    fn carry(&self, client: &TcpStream) -> Option<()> {
        let mut request = next(&mut BufReader::new(client))?;
        let fate = match self.judge.lock().ok()?.as_mut() {
            Some(judge) => judge(&request),
            None => Fate::Pass,
        };
        let mut to_client = client;
        if let Fate::Send(body) = &fate {
            request.body.clone_from(body);
        }
        let became = match fate {
            Fate::Pass => "passed",
            Fate::Answer(_) => "answered for the server",
            Fate::Send(_) => "sent with another body",
            Fate::LoseAnswer => "answer lost",
            Fate::CutAnswer => "answer cut",
        };
        let answer = match fate {
            Fate::Answer(status) => {
                format!("HTTP/1.1 {status} Test\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").into_bytes()
            }
            // None at all is kept too.
            _ => pass(self.server, &request).unwrap_or_default(),
        };
        self.keep(&request, &answer, became);
        let through = match became {
            "answer lost" => 0,
            "answer cut" => head_end(&answer) + (answer.len() - head_end(&answer)) / 2,
            _ => answer.len(),
        };
        let (head, body) = answer.get(..through)?.split_at(head_end(&answer).min(through));
        // Some servers do not say that they end the connection, as they were asked to.
        let close: &[u8] = if head.is_empty() { b"" } else { b"connection: close\r\n\r\n" };
        let head = head.strip_suffix(b"\r\n").unwrap_or(head);
        to_client.write_all(&[head, close, body].concat()).ok()?;
        client.shutdown(Shutdown::Both).ok()
    }

    fn keep(&self, request: &Request, answer: &[u8], became: &str) {
        let show = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN)]).into_owned();
        let condition: Vec<_> =
            request.head.iter().filter(|line| line.to_ascii_lowercase().starts_with("if-")).cloned().collect();
        let exchange = format!(
            ">>> {} {} {} ({became})\n{}\n<<< {}\n",
            request.method,
            request.path,
            condition.join(", "),
            show(&request.body),
            show(&readable(answer))
        );
        if let Ok(mut seen) = self.seen.lock() {
            seen.push_back(exchange);
            if seen.len() > KEPT {
                seen.pop_front();
            }
        }
    }
}

/// An answer as a person reads it: its pieces in one, and unpacked as far as is shown.
fn readable(answer: &[u8]) -> Vec<u8> {
    let (head, mut rest) = answer.split_at(head_end(answer));
    let words = String::from_utf8_lossy(head).to_ascii_lowercase();
    let mut body = Vec::new();
    if words.contains("transfer-encoding: chunked") {
        while let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
            let length = String::from_utf8_lossy(&rest[..at]).trim().to_owned();
            let length = usize::from_str_radix(&length, 16).unwrap_or(0);
            let end = rest.len().min(at + 1 + length);
            body.extend_from_slice(&rest[at + 1..end]);
            rest = &rest[rest.len().min(end + 2)..];
        }
    } else {
        body.extend_from_slice(rest);
    }
    if words.contains("content-encoding: gzip") {
        let mut plain = Vec::new();
        let _ = flate2::read::MultiGzDecoder::new(body.as_slice()).take(SHOWN as u64).read_to_end(&mut plain);
        body = plain;
    }
    [head, &body].concat()
}

fn head_end(answer: &[u8]) -> usize {
    answer.windows(4).position(|four| four == b"\r\n\r\n").map_or(0, |at| at + 4)
}

/// One request to the server, and its whole answer as it came.
fn pass(server: u16, request: &Request) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(("127.0.0.1", server)).ok()?;
    let mut head = format!("{} {} HTTP/1.1\r\n", request.method, request.path);
    for line in &request.head {
        head.push_str(line);
        head.push_str("\r\n");
    }
    let length = request.body.len();
    head = format!("{head}content-length: {length}\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).ok()?;
    // A server may answer before it has read all.
    let _ = stream.write_all(&request.body);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    (!answer.is_empty()).then_some(answer)
}

/// The next request of a connection.
fn next(asked: &mut impl BufRead) -> Option<Request> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        asked.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let first = lines.first()?.clone();
    let mut words = first.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let is = |line: &String, name: &str| line.to_ascii_lowercase().starts_with(name);
    let length = lines.iter().find(|line| is(line, "content-length:"));
    let length = length.and_then(|line| line.split_once(':')?.1.trim().parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    asked.read_exact(&mut body).ok()?;
    lines.remove(0);
    lines.retain(|line| !is(line, "content-length:") && !is(line, "connection:"));
    Some(Request { method, path, body, head: lines })
}
