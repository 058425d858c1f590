//! What goes wrong between the process and the server, drawn from the seed at every request.

use rand::{Rng, rngs::StdRng};

use super::dav::{Answer, Asked, Server};

/// One thing that goes wrong, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The server is busy for a moment.
    Status(u16),
    /// 429, with the n-th of several ways to say when to come back.
    TooMany(u8),
    /// The connection dies before the server has seen anything.
    ResetBefore,
    /// The server does what it is asked, and its answer is lost.
    ResetAfter,
    /// The answer is lost and the write is applied so many seconds later.
    Zombie(u64),
    /// No answer within any patience; the write is applied.
    Stall,
    /// Half of the body, then nothing.
    Truncated,
    /// A login page, with 200; what is asked is not done.
    Html,
    /// The credential is refused once.
    Refused,
    /// Every sync token given out so far is forgotten.
    Forget,
}

/// How often, in a thousand requests, something goes wrong.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weather {
    pub faults_in_1000: u32,
    /// Writes are answered with a page for people too.
    pub pages_for_writes: bool,
}

impl Weather {
    pub fn draw(self, rng: &mut StdRng, writes: bool) -> Fault {
        if rng.random_range(0..1000) >= self.faults_in_1000 {
            return Fault::None;
        }
        match rng.random_range(0..11) {
            0 => Fault::Status([500, 502, 503, 504][rng.random_range(0..4)]),
            1 => Fault::TooMany(rng.random_range(0..4)),
            3 | 4 => Fault::ResetAfter,
            5 if writes => Fault::Zombie(rng.random_range(5..120)),
            6 => Fault::Stall,
            7 if !writes => Fault::Truncated,
            8 if !writes || self.pages_for_writes => Fault::Html,
            9 => Fault::Refused,
            10 => Fault::Forget,
            _ => Fault::ResetBefore,
        }
    }
}

/// What the connection does with a request.
pub enum Outcome<A> {
    /// Answers.
    Answer(A),
    /// Answers, but only half of the body arrives.
    Half(A),
    /// Dies.
    Reset,
    /// Dies, and the request is applied after so many seconds.
    ResetThenApply(u64),
    /// Answers after so many seconds.
    Late(u64, A),
}

/// Handles one request under a fault.
pub fn handle(server: &mut Server, asked: &Asked, fault: Fault) -> Outcome<Answer> {
    match fault {
        Fault::None => Outcome::Answer(server.answer(asked)),
        Fault::Status(status) => Outcome::Answer(Answer::plain(status)),
        Fault::TooMany(form) => {
            let wait = match form {
                0 => vec![("retry-after", "7".to_owned())],
                1 => vec![("retry-after", "Thu, 01 Jan 2026 00:00:00 GMT".to_owned())],
                2 => vec![("retry-after", "soon".to_owned())],
                _ => Vec::new(),
            };
            Outcome::Answer(Answer { headers: wait, ..Answer::plain(429) })
        }
        Fault::ResetBefore => Outcome::Reset,
        Fault::ResetAfter => {
            server.answer(asked);
            Outcome::Reset
        }
        Fault::Zombie(after) => Outcome::ResetThenApply(after),
        Fault::Stall => {
            let answer = server.answer(asked);
            Outcome::Late(90, answer)
        }
        Fault::Truncated => Outcome::Half(server.answer(asked)),
        Fault::Html => Outcome::Answer(Answer {
            status: 200,
            headers: vec![("content-type", "text/html".into())],
            body: "<!doctype html><html><body>Please log in</body></html>".into(),
        }),
        Fault::Refused => Outcome::Answer(Answer {
            headers: vec![("www-authenticate", "Basic realm=\"sim\"".into())],
            ..Answer::plain(401)
        }),
        Fault::Forget => {
            for collection in server.calendars.values_mut() {
                collection.horizon = collection.seq + 1;
            }
            Outcome::Answer(server.answer(asked))
        }
    }
}
