//! Calendar servers that are not ours, each kept by `tests/peers/servers.py`, which ends with the test however that ends.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::{Value, json};

use super::{peers::PASSWORD, process::peer_program};

/// People whom each server knows: `p0` and so on, as many as `servers.py` makes.
const PEOPLE: usize = 100;

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Radicale,
    Xandikos,
    Cyrus,
    Davical,
    Sogo,
}

/// What becomes of an event that ends when it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Points {
    /// It stays one.
    Kept,
    /// Nobody may store one.
    Refused,
    /// One without an end gets an hour.
    AnHour,
}

/// What a server may do and others do not. What RFC 4791 or its own documents allow it, no check counts as a failure of ours.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "a table of independent freedoms")]
pub struct Habits {
    /// As `servers.py` calls it.
    pub name: &'static str,
    /// Where a person's calendars are; `{}` is the person.
    pub home: &'static str,
    /// It knows one person only: each check has a server of its own.
    pub one_person: bool,
    /// `/.well-known/caldav` of this program alone leads to the calendars (at `SOGo` the web server before it does that).
    pub well_known: bool,
    /// A wrong password is refused.
    pub asks_password: bool,
    /// The names of objects that it answers with an error, and which.
    pub refuses_names: &'static [(&'static str, u16)],
    /// The names of objects that it says to have stored and then never lists.
    pub hides_names: &'static [&'static str],
    /// What it makes of an event that ends when it begins.
    pub points: Points,
    /// What it answers to an object of 11 MB, where it does not take it.
    pub refuses_big: Option<u16>,
    /// It can be made to forget the history behind its sync tokens.
    pub forgets: bool,
    /// It takes sync tokens that it never gave, where RFC 6578 §3.2 has it refuse them.
    pub takes_any_token: bool,
    /// A condition of a `PUT` about whether the object is there (RFC 9110 §13.1) does not count: what is there is written over, what is
    /// gone is made again.
    pub puts_blindly: bool,
    /// What it stores otherwise than it was sent, as the contents of `provider_contract` are called.
    pub rewrites: &'static [&'static str],
}

/// None of these freedoms.
pub const ANY: Habits = Habits {
    name: "",
    home: "/{}/",
    one_person: false,
    well_known: true,
    asks_password: true,
    refuses_names: &[],
    hides_names: &[],
    points: Points::Kept,
    refuses_big: None,
    forgets: false,
    takes_any_token: false,
    puts_blindly: false,
    rewrites: &[],
};

impl Kind {
    /// The table of the servers and their freedoms.
    pub const fn habits(self) -> Habits {
        match self {
            // PUT …/com,ma.ics: 400 (a path with one of these is unsafe to it). PUT of 11 MB: 412 (its max_resource_size).
            Self::Radicale => Habits {
                name: "radicale",
                refuses_names: &[("com,ma", 400), ("quote'quote", 400), ("question%3Fmark", 400)],
                refuses_big: Some(412),
                ..ANY
            },
            Self::Xandikos => {
                Habits { name: "xandikos", home: "/ada/calendars/", one_person: true, asks_password: false, ..ANY }
            }
            // PUT with DTSTART alone, with DTEND = DTSTART or with DURATION:PT0S: 403 valid-calendar-data, "DTEND must occur after DTSTART".
            // SUMMARY loses the blanks at its end.
            Self::Cyrus => Habits {
                name: "cyrus",
                home: "/dav/calendars/user/{}/",
                forgets: true,
                points: Points::Refused,
                rewrites: &["blanks around a title"],
                ..ANY
            },
            // PUT and GET …/per%25cent.ics: 500; …/brackets%5B1%5D.ics: 400. A report since data:,120, which is to come: 207.
            Self::Davical => Habits {
                name: "davical",
                home: "/caldav.php/{}/",
                forgets: true,
                refuses_names: &[("per%25cent", 500), ("brackets%5B1%5D", 400)],
                takes_any_token: true,
                ..ANY
            },
            // PUT …/quote'quote.ics: 204, GET: 200, and no PROPFIND or REPORT ever lists it. PUT with DTSTART alone, GET: DURATION:PT1H.
            // PUT with If-None-Match: * over an object: 204; with If-Match where there is none any more: 201. A time without a zone gets a Z,
            // and a URL the backslashes of a text.
            Self::Sogo => Habits {
                name: "sogo",
                home: "/SOGo/dav/{}/Calendar/",
                well_known: false,
                hides_names: &["quote'quote"],
                points: Points::AnHour,
                takes_any_token: true,
                puts_blindly: true,
                rewrites: &["no zone", "an address with marks"],
                ..ANY
            },
        }
    }
}

/// A running server.
pub struct Stranger {
    pub kind: Kind,
    pub port: u16,
    people: AtomicUsize,
    pipes: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
    _keeper: Child,
}

impl Stranger {
    /// Starts one and waits until it is ready.
    pub fn start(kind: Kind) -> Self {
        let name = kind.habits().name;
        let prefix = format!("{name}-");
        let folder =
            tempfile::Builder::new().prefix(&prefix).tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder").keep();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/servers.py");
        let mut command = Command::new(peer_program("python"));
        command.arg(script).arg(name).arg(&folder).arg(PASSWORD);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut keeper = command.spawn().expect("python starts");
        let to = keeper.stdin.take().expect("a pipe");
        let mut from = BufReader::new(keeper.stdout.take().expect("a pipe"));
        let mut line = String::new();
        from.read_line(&mut line).expect("an answer");
        let ready: Value = serde_json::from_str(&line).unwrap_or_default();
        let port = ready["port"].as_u64().and_then(|port| u16::try_from(port).ok());
        let port = port.unwrap_or_else(|| {
            panic!("{name} does not start (tests/run installs it; it needs root): {}", ready["failed"])
        });
        Self { kind, port, people: AtomicUsize::new(0), pipes: Mutex::new((to, from)), _keeper: keeper }
    }

    /// The one of this kind that the tests of this process share.
    pub fn shared(kind: Kind) -> &'static Self {
        static SHARED: [OnceLock<Stranger>; 5] = [const { OnceLock::new() }; 5];
        SHARED[kind as usize].get_or_init(|| Self::start(kind))
    }

    /// Somebody who has nothing here yet.
    pub fn person(&self) -> String {
        let n = self.people.fetch_add(1, Ordering::Relaxed);
        assert!(n < PEOPLE, "servers.py makes {PEOPLE} people");
        format!("p{n}")
    }

    /// `start`, `stop`, `keep`, `restore` or `forget`: see `servers.py`.
    pub fn command(&self, word: &str) {
        let mut pipes = self.pipes.lock().expect("nobody fell");
        writeln!(pipes.0, "{word}").expect("the keeper listens");
        let mut line = String::new();
        pipes.1.read_line(&mut line).expect("an answer");
        assert_eq!(line.trim(), "done", "{:?}: {word}", self.kind);
    }
}

/// What an independent program reads in calendar objects: rows of title, start and end, and what is wrong with them.
pub fn read_objects(texts: &[String]) -> (Vec<[String; 3]>, Vec<String>) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/ics_reader.py");
    let mut reader = Command::new(peer_program("python"));
    let mut reader =
        reader.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("python");
    let mut line = json!(texts).to_string();
    line.push('\n');
    reader.stdin.take().expect("a pipe").write_all(line.as_bytes()).expect("python listens");
    let ended = reader.wait_with_output().expect("python ends");
    let errors = String::from_utf8_lossy(&ended.stderr).into_owned();
    let answer: Value = serde_json::from_slice(&ended.stdout).unwrap_or_else(|_| panic!("{errors}\n{texts:#?}"));
    let rows = serde_json::from_value(answer["seen"].clone()).expect("rows");
    (rows, serde_json::from_value(answer["wrong"].clone()).expect("sentences"))
}
