//! How a request's body comes in: only so many at once, only so long, and none that is slow.
//!
//! **Invariant:** what all bodies together take in memory is bounded, and a body that does not come gives its place up; a request
//! without a body needs no place.

use std::time::Duration;

use actix_web::{
    http::header::{CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING},
    web,
};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

use super::problem::{Problem, ProblemCode};

/// Longest body of a request that needs no key, in bytes.
pub const OPEN_BODY_BYTES_MAX: usize = 64 * 1024;
/// Bodies without a key that may be on their way at once.
const OPEN_BODIES_MAX: usize = 128;
/// Kilobytes of bodies with a key that may be on their way at once.
const KEYED_KILOBYTES_MAX: usize = 32 * 1024;
/// Each of them counts for so many at least.
const KEYED_KILOBYTES_MIN: usize = 64;
/// In each period as much as this must come, or the rest of the body.
const PERIOD_BYTES_MIN: usize = 64 * 1024;
const PERIOD: Duration = Duration::from_secs(10);

/// The places for bodies.
#[derive(Debug)]
pub struct Intake {
    open: Semaphore,
    keyed: Semaphore,
}

impl Default for Intake {
    fn default() -> Self {
        Self { open: Semaphore::new(OPEN_BODIES_MAX), keyed: Semaphore::new(KEYED_KILOBYTES_MAX) }
    }
}

impl Intake {
    /// Reads a body of at most `max` bytes; without a key, of [`OPEN_BODY_BYTES_MAX`] at most.
    pub async fn read(
        &self,
        headers: &HeaderMap,
        payload: web::Payload,
        has_key: bool,
        max: usize,
    ) -> Result<Bytes, Problem> {
        let max = if has_key { max } else { max.min(OPEN_BODY_BYTES_MAX) };
        let _place = match declared(headers, max)? {
            // Without either header HTTP/1.1 has no body: reading ends at once.
            None => None,
            Some(0) => return Ok(Bytes::new()),
            Some(length) if has_key => Some(self.keyed_place(length).await?),
            Some(_) => Some(self.open_place()?),
        };
        receive(payload, max).await
    }

    /// Whoever has no key waits for nothing: waiting would hold a connection.
    fn open_place(&self) -> Result<SemaphorePermit<'_>, Problem> {
        self.open.try_acquire().map_err(|_| full())
    }

    async fn keyed_place(&self, declared: usize) -> Result<SemaphorePermit<'_>, Problem> {
        let kilobytes = declared.div_ceil(1024).clamp(KEYED_KILOBYTES_MIN, KEYED_KILOBYTES_MAX);
        let places = self.keyed.acquire_many(u32::try_from(kilobytes).unwrap_or(u32::MAX));
        timeout(PERIOD, places).await.ok().and_then(Result::ok).ok_or_else(full)
    }
}

fn full() -> Problem {
    Problem::new(ProblemCode::Unavailable, "too many bodies are on their way; send it again in a moment")
        .header("Retry-After", &1)
}

fn too_large(max: usize) -> Problem {
    Problem::new(ProblemCode::BodyTooLarge, format!("a body is {max} bytes long at most"))
}

/// How long the body may become, as its headers say.
fn declared(headers: &HeaderMap, max: usize) -> Result<Option<usize>, Problem> {
    let Some(length) = headers.get(CONTENT_LENGTH) else {
        return Ok(headers.contains_key(TRANSFER_ENCODING).then_some(max));
    };
    let length: Option<usize> = length.to_str().ok().and_then(|text| text.trim().parse().ok());
    length.filter(|length| *length <= max).ok_or_else(|| too_large(max)).map(Some)
}

async fn receive(mut payload: web::Payload, max: usize) -> Result<Bytes, Problem> {
    let mut body = BytesMut::new();
    let mut ended = false;
    while !ended {
        let enough = body.len().saturating_add(PERIOD_BYTES_MIN);
        let period = async {
            while body.len() < enough {
                let Some(chunk) = payload.next().await else { return Ok(true) };
                let chunk =
                    chunk.map_err(|_| Problem::new(ProblemCode::MalformedJson, "the body did not arrive whole"))?;
                if body.len().saturating_add(chunk.len()) > max {
                    return Err(too_large(max));
                }
                body.extend_from_slice(&chunk);
            }
            Ok(false)
        };
        let late = || {
            Problem::new(
                ProblemCode::BodyTooSlow,
                "the body came too slowly; send at least 64 kB in 10 s, or all of it",
            )
        };
        ended = timeout(PERIOD, period).await.map_err(|_| late())??;
    }
    Ok(body.freeze())
}

#[cfg(test)]
mod tests {
    use actix_web::{FromRequest as _, http::header::HeaderValue, test::TestRequest};

    use super::*;

    fn headers(name: actix_web::http::header::HeaderName, value: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_static(value));
        headers
    }

    async fn payload(body: Vec<u8>) -> web::Payload {
        let (request, mut payload) = TestRequest::post().set_payload(body).to_http_parts();
        web::Payload::from_request(&request, &mut payload).await.expect("a payload")
    }

    #[test]
    fn a_declared_length_beyond_the_limit_is_refused_before_a_byte_is_read() {
        assert_eq!(declared(&headers(CONTENT_LENGTH, "65536"), OPEN_BODY_BYTES_MAX).expect("fits"), Some(65_536));
        for length in ["65537", "99999999999999999999", "many"] {
            let refused = declared(&headers(CONTENT_LENGTH, length), OPEN_BODY_BYTES_MAX).expect_err(length);
            assert_eq!(refused.code, ProblemCode::BodyTooLarge);
        }
        assert_eq!(declared(&HeaderMap::new(), 10).expect("none"), None);
        let unknown = declared(&headers(TRANSFER_ENCODING, "chunked"), 10).expect("allowed");
        assert_eq!(unknown, Some(10), "nobody knows: all of it");
    }

    #[actix_web::test]
    async fn a_body_longer_than_declared_is_refused_all_the_same() {
        let intake = Intake::default();
        let long = payload(vec![b'x'; OPEN_BODY_BYTES_MAX + 1]).await;
        let read = intake.read(&headers(TRANSFER_ENCODING, "chunked"), long, false, 1024 * 1024).await;
        assert_eq!(read.expect_err("too long").code, ProblemCode::BodyTooLarge);
        let fits = payload(vec![b'x'; OPEN_BODY_BYTES_MAX + 1]).await;
        let read = intake.read(&headers(TRANSFER_ENCODING, "chunked"), fits, true, 1024 * 1024).await;
        assert_eq!(read.expect("with a key").len(), OPEN_BODY_BYTES_MAX + 1);
    }

    #[actix_web::test]
    async fn when_all_places_are_taken_a_stranger_is_refused_and_an_empty_body_is_not() {
        let intake = Intake::default();
        let taken: Vec<_> = (0..OPEN_BODIES_MAX).map(|_| intake.open_place().expect("a place")).collect();
        let read = intake.read(&headers(CONTENT_LENGTH, "2"), payload(b"{}".to_vec()).await, false, 1_000).await;
        assert_eq!(read.expect_err("full").code, ProblemCode::Unavailable);
        let read = intake.read(&headers(CONTENT_LENGTH, "0"), payload(Vec::new()).await, false, 1_000).await;
        assert_eq!(read.expect("a notification"), Bytes::new());
        drop(taken);
        let read = intake.read(&headers(CONTENT_LENGTH, "2"), payload(b"{}".to_vec()).await, false, 1_000).await;
        assert_eq!(read.expect("a place again"), Bytes::from_static(b"{}"));
    }

    #[actix_web::test]
    async fn bodies_with_a_key_take_no_more_than_their_share_of_memory() {
        let intake = Intake::default();
        let mut held = 0;
        let mut places = Vec::new();
        while let Ok(place) = intake.keyed.try_acquire_many(1024) {
            held += 1;
            places.push(place);
        }
        assert_eq!(held, KEYED_KILOBYTES_MAX / 1024);
        drop(places);
        assert!(intake.keyed_place(1024 * 1024).await.is_ok());
    }

    #[actix_web::test]
    async fn a_body_that_does_not_come_is_given_up() {
        tokio::time::pause();
        let (request, _) = TestRequest::post().to_http_parts();
        let never: actix_web::dev::Payload =
            actix_web::dev::Payload::Stream { payload: Box::pin(futures_util::stream::pending()) };
        let stalled = web::Payload::from_request(&request, &mut { never }).await.expect("a payload");
        let intake = Intake::default();
        let read =
            timeout(Duration::from_mins(1), intake.read(&headers(CONTENT_LENGTH, "10"), stalled, false, 1_000)).await;
        assert_eq!(read.expect("given up in time").expect_err("too slow").code, ProblemCode::BodyTooSlow);
        assert_eq!(intake.open.available_permits(), OPEN_BODIES_MAX, "and its place is free");
    }
}
