//! The simulated server's door: HTTP/1.1 on loopback, on the simulation's own thread, in virtual time.

use std::{cell::RefCell, collections::BTreeMap, convert::Infallible, rc::Rc, sync::Arc, time::Duration};

use base64::Engine as _;
use calwarden::domain::{ports::Clock, promise::Promise};
use chrono::{DateTime, Utc};
use http_body_util::{BodyExt, StreamBody};
use hyper::{
    Request, Response,
    body::{Bytes, Frame, Incoming},
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::sync::Notify;

use super::{
    dav::{Asked, Server},
    faults::{Outcome, Weather, handle},
    google::Side,
};

/// What outlives a crash of the process: the server, its weather, and the record of everything asked.
pub struct Outside {
    pub server: Server,
    pub google: Side,
    pub weather: Weather,
    pub rng: StdRng,
    pub trace: Vec<String>,
    /// How many requests were asked.
    pub asked: u64,
    /// At which of them the process dies.
    pub fuse: Option<Fuse>,
    /// Calendars that nobody here may write to, by a part of their paths, each with the time since when.
    only_read: BTreeMap<String, DateTime<Utc>>,
}

/// A write may be under way when its calendar is turned: so long, at most, with all its retries.
const UNDER_WAY: chrono::Duration = chrono::Duration::minutes(3);

/// The end of a process at one request.
#[derive(Clone)]
pub struct Fuse {
    /// The number of the request.
    pub at: u64,
    /// Once the server has done what it is asked; else before that.
    pub after: bool,
    /// Told when it is reached; the request is never answered.
    pub burnt: Rc<Notify>,
}

/// Dies here, if the fuse ends at this request and on this side of its effect.
async fn burn(outside: &Shared, number: u64, after: bool) {
    let fuse = outside.borrow().fuse.clone();
    if let Some(fuse) = fuse.filter(|fuse| fuse.at == number && fuse.after == after) {
        fuse.burnt.notify_one();
        std::future::pending::<()>().await;
    }
}

impl Outside {
    pub fn new(seed: u64, server: Server, google: Side, weather: Weather) -> Shared {
        let rng = StdRng::seed_from_u64(seed ^ 0x5eed);
        Rc::new(RefCell::new(Self {
            server,
            google,
            weather,
            rng,
            trace: Vec::new(),
            asked: 0,
            fuse: None,
            only_read: BTreeMap::new(),
        }))
    }

    /// A calendar's owner has chosen whether anything is written to it.
    pub fn chosen(&mut self, calendar: &str, only_read: bool, now: DateTime<Utc>) {
        self.only_read.remove(calendar);
        if only_read {
            self.only_read.insert(calendar.to_owned(), now);
        }
    }

    /// S2: no write goes to a calendar that is only read.
    fn judge_write(&mut self, method: &str, path: &str, now: DateTime<Utc>) {
        let written =
            self.only_read.iter().find(|(calendar, since)| path.contains(*calendar) && now - **since > UNDER_WAY);
        let broken = written.map(|(calendar, since)| {
            Promise::Direction.broken(format!("{method} {path}: {calendar} is only read since {since}"))
        });
        self.server.broken.extend(broken);
    }
}

pub type Shared = Rc<RefCell<Outside>>;

/// Accepts connections until the runtime ends.
pub async fn serve(listener: tokio::net::TcpListener, outside: Shared, clock: Arc<dyn Clock>, life: usize) {
    let began = tokio::time::Instant::now();
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let (outside, clock) = (Rc::clone(&outside), Arc::clone(&clock));
        tokio::task::spawn_local(async move {
            let service = service_fn(move |request| one(request, Rc::clone(&outside), Arc::clone(&clock), began, life));
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

type Body = http_body_util::combinators::BoxBody<Bytes, std::io::Error>;

async fn one(
    request: Request<Incoming>,
    outside: Shared,
    clock: Arc<dyn Clock>,
    began: tokio::time::Instant,
    life: usize,
) -> Result<Response<Body>, std::io::Error> {
    if request.uri().path().starts_with("/google/") {
        return one_of_google(request, outside, clock, began, life).await;
    }
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mut asked = Asked {
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        if_match: header("if-match"),
        if_none_match: header("if-none-match"),
        depth: header("depth"),
        user: header("authorization").and_then(|value| user_of(&value)).unwrap_or_default(),
        body: String::new(),
        at: clock.now().timestamp(),
    };
    let bytes = request.into_body().collect().await.map_err(std::io::Error::other)?.to_bytes();
    asked.body = String::from_utf8_lossy(&bytes).into_owned();
    let (number, wait, fault) = {
        let mut held = outside.borrow_mut();
        held.asked += 1;
        let weather = held.weather;
        let wait = held.rng.random_range(5..800);
        let writes = matches!(asked.method.as_str(), "PUT" | "DELETE");
        if writes {
            held.judge_write(&asked.method, &asked.path, clock.now());
        }
        let fault = weather.draw(&mut held.rng, writes);
        held.trace.push(format!("{life} {:?} {} {} {fault:?}", began.elapsed(), asked.method, asked.path));
        (held.asked, wait, fault)
    };
    tokio::time::sleep(Duration::from_millis(wait)).await;
    burn(&outside, number, false).await;
    let outcome = handle(&mut outside.borrow_mut().server, &asked, fault);
    burn(&outside, number, true).await;
    let later = move || drop(outside.borrow_mut().server.answer(&asked));
    carry(outcome, later, |answer| {
        let headers = answer.headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        (answer.status, headers, Bytes::from(answer.body))
    })
    .await
}

async fn one_of_google(
    request: Request<Incoming>,
    outside: Shared,
    clock: Arc<dyn Clock>,
    began: tokio::time::Instant,
    life: usize,
) -> Result<Response<Body>, std::io::Error> {
    let mut asked =
        calwarden::sandbox::reply::SandboxRequest::target(request.method().as_str(), &request.uri().to_string());
    let headers = request.headers().iter();
    asked.headers =
        headers.filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned()))).collect();
    asked.body = request.into_body().collect().await.map_err(std::io::Error::other)?.to_bytes().to_vec();
    let (number, wait, fault) = {
        let mut held = outside.borrow_mut();
        held.asked += 1;
        let weather = held.weather;
        let wait = held.rng.random_range(5..800);
        let writes = asked.path.contains("/events") && asked.method != "GET" && !asked.path.ends_with("/watch");
        if writes {
            held.judge_write(&asked.method, &asked.path, clock.now());
        }
        let fault = weather.draw(&mut held.rng, writes);
        held.trace.push(format!("{life} {:?} {} {} {fault:?}", began.elapsed(), asked.method, asked.path));
        (held.asked, wait, fault)
    };
    tokio::time::sleep(Duration::from_millis(wait)).await;
    burn(&outside, number, false).await;
    let outcome = outside.borrow_mut().google.handle(clock.now(), &asked, fault);
    burn(&outside, number, true).await;
    let later = move || drop(outside.borrow_mut().google.answer(clock.now(), &asked));
    carry(outcome, later, |reply| (reply.status, reply.headers, Bytes::from(reply.body))).await
}

type Parts = (u16, Vec<(String, String)>, Bytes);

/// Does with an answer what was drawn for it. `later`: the request is carried out after all.
async fn carry<A>(
    outcome: Outcome<A>,
    later: impl FnOnce() + 'static,
    parts: impl Fn(A) -> Parts,
) -> Result<Response<Body>, std::io::Error> {
    match outcome {
        Outcome::Answer(answer) => Ok(respond(parts(answer), false)),
        Outcome::Half(answer) => Ok(respond(parts(answer), true)),
        Outcome::Reset => Err(std::io::Error::other("reset")),
        Outcome::ResetThenApply(after) => {
            tokio::task::spawn_local(async move {
                tokio::time::sleep(Duration::from_secs(after)).await;
                later();
            });
            Err(std::io::Error::other("reset"))
        }
        Outcome::Late(after, answer) => {
            tokio::time::sleep(Duration::from_secs(after)).await;
            Ok(respond(parts(answer), false))
        }
    }
}

/// The user of RFC 7617 credentials.
fn user_of(header: &str) -> Option<String> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(header.strip_prefix("Basic ")?).ok()?;
    Some(String::from_utf8(bytes).ok()?.split_once(':')?.0.to_owned())
}

fn respond((status, headers, whole): Parts, half: bool) -> Response<Body> {
    let mut response = Response::builder().status(status);
    for (name, value) in &headers {
        response = response.header(name, value);
    }
    let body: Body = if half {
        let first = whole.slice(..whole.len() / 2);
        response = response.header("content-length", whole.len().max(1));
        let frames = [Ok(Frame::data(first)), Err(std::io::Error::other("cut"))];
        BodyExt::boxed(StreamBody::new(futures_util::stream::iter(frames)))
    } else {
        http_body_util::Full::new(whole).map_err(|never: Infallible| match never {}).boxed()
    };
    response.body(body).unwrap_or_else(|_| unreachable_response())
}

fn unreachable_response() -> Response<Body> {
    Response::new(http_body_util::Full::new(Bytes::new()).map_err(|never: Infallible| match never {}).boxed())
}
