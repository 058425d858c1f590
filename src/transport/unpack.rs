//! Collects a body, decompressed on the way, within a size and a ratio.
//!
//! **Invariant:** no more than the limit plus one decoder buffer is ever held, however little was received: the limit
//! is checked where each piece is written, not after a chunk was decompressed.
//! **Invariant:** what is received and gives nothing is bounded too, so that time is.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::write::MultiGzDecoder;

use crate::{
    domain::failure::{FailureClass, ProviderError},
    transport::error::{Result, TOO_LARGE, TOO_PACKED},
};

/// Most decompressed bytes to one received byte.
const RATIO_MAX: u64 = 100;

/// Below this many decompressed bytes no ratio is held against a body: short repetitive calendars pack very well.
const RATIO_FLOOR_BYTES: u64 = 1024 * 1024;

/// How many more bytes than it has given so far a packed body may have been received in. Packing adds 18 bytes and a few in
/// ten thousand, so a body that is far longer packed than not is made of empty members, each of which costs time.
const IDLE_BYTES_MAX: u64 = 64 * 1024;

/// Packed bytes that are handled between two looks at the limits.
const STEP_BYTES: usize = 4 * 1024;

/// A body on its way in.
pub(super) enum Unpacker {
    /// As sent.
    Plain(BoundedSink),
    /// `Content-Encoding: gzip` (RFC 9110 §8.4.1.3).
    Gzip(Box<MultiGzDecoder<BoundedSink>>),
}

impl Unpacker {
    /// For a `Content-Encoding` (`None`: there is none) and a limit in bytes.
    pub(super) fn new(encoding: Option<&str>, max: usize) -> Result<Self> {
        let sink = BoundedSink { held: Vec::new(), max, received: 0, packed: false, refused: None };
        match encoding.map(|word| word.trim().to_ascii_lowercase()).as_deref() {
            None | Some("" | "identity") => Ok(Self::Plain(sink)),
            Some("gzip" | "x-gzip") => {
                Ok(Self::Gzip(Box::new(MultiGzDecoder::new(BoundedSink { packed: true, ..sink }))))
            }
            Some(_) => Err(malformed("the answer is encoded in a way that was not asked for")),
        }
    }

    /// Takes one received piece.
    pub(super) fn push(&mut self, piece: &[u8]) -> Result<()> {
        let written = match self {
            Self::Plain(sink) => sink.write_all(piece),
            Self::Gzip(decoder) => piece.chunks(STEP_BYTES).try_for_each(|step| {
                let sink = decoder.get_mut();
                sink.received = sink.received.saturating_add(u64::try_from(step.len()).unwrap_or(u64::MAX));
                decoder.write_all(step)?;
                decoder.get_mut().check_idle()
            }),
        };
        written.map_err(|_| self.why())
    }

    /// The whole body, once everything was received.
    pub(super) fn finish(self) -> Result<Bytes> {
        match self {
            Self::Plain(sink) => Ok(sink.held.into()),
            // An empty body has no gzip header (some servers label their empty answers anyway).
            Self::Gzip(decoder) if decoder.get_ref().received == 0 => Ok(Bytes::new()),
            Self::Gzip(mut decoder) => {
                let ended = decoder.try_finish();
                let refused = decoder.get_ref().refused;
                match (ended, decoder.finish()) {
                    (Ok(()), Ok(sink)) => Ok(sink.held.into()),
                    _ => Err(malformed(refused.unwrap_or(DAMAGED))),
                }
            }
        }
    }

    fn why(&self) -> ProviderError {
        let sink = match self {
            Self::Plain(sink) => sink,
            Self::Gzip(decoder) => decoder.get_ref(),
        };
        malformed(sink.refused.unwrap_or(DAMAGED))
    }
}

const DAMAGED: &str = "the answer's compression is damaged or cut off";
const IDLE: &str = "the answer's compression is long and holds next to nothing";

fn malformed(why: &str) -> ProviderError {
    ProviderError::new(FailureClass::Malformed, why)
}

/// A sink with a limit.
pub(super) struct BoundedSink {
    held: Vec<u8>,
    max: usize,
    received: u64,
    packed: bool,
    refused: Option<&'static str>,
}

impl BoundedSink {
    fn check_idle(&mut self) -> io::Result<()> {
        let given = u64::try_from(self.held.len()).unwrap_or(u64::MAX);
        if self.received > given.saturating_add(IDLE_BYTES_MAX) {
            self.refused = Some(IDLE);
            return Err(io::Error::other("over the limit"));
        }
        Ok(())
    }
}

impl Write for BoundedSink {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let length = self.held.len().saturating_add(piece.len());
        let unpacked = u64::try_from(length).unwrap_or(u64::MAX);
        if length > self.max {
            self.refused = Some(TOO_LARGE);
        } else if self.packed && unpacked > RATIO_FLOOR_BYTES && unpacked > self.received.saturating_mul(RATIO_MAX) {
            self.refused = Some(TOO_PACKED);
        }
        if self.refused.is_some() {
            return Err(io::Error::other("over the limit"));
        }
        self.held.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(plain).expect("memory");
        encoder.finish().expect("memory")
    }

    fn unpack(encoding: Option<&str>, max: usize, body: &[u8]) -> Result<Bytes> {
        let mut unpacker = Unpacker::new(encoding, max)?;
        for piece in body.chunks(1000) {
            unpacker.push(piece)?;
        }
        unpacker.finish()
    }

    /// Bytes that hardly compress.
    fn noise(length: usize) -> Vec<u8> {
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        };
        (0..length).map(|_| next()).collect()
    }

    #[test]
    fn a_body_comes_out_as_it_was_sent() {
        let plain = noise(100_000);
        assert_eq!(unpack(None, 100_000, &plain).expect("plain"), plain);
        assert_eq!(unpack(Some("GZIP"), 100_000, &gzip(&plain)).expect("gzip"), plain);
        assert_eq!(unpack(Some("gzip"), 10, b"").expect("empty"), Bytes::new());
    }

    #[test]
    fn two_members_are_one_body() {
        let two = [gzip(b"one "), gzip(b"two")].concat();
        assert_eq!(unpack(Some("gzip"), 100, &two).expect("gzip"), "one two");
    }

    #[test]
    fn a_body_over_the_limit_is_refused_packed_or_not() {
        for (encoding, body) in [(None, noise(1001)), (Some("gzip"), gzip(&noise(1001)))] {
            let why = unpack(encoding, 1000, &body).expect_err("too large");
            assert_eq!((why.class, why.detail.as_str()), (FailureClass::Malformed, TOO_LARGE));
        }
    }

    #[test]
    fn a_bomb_is_refused_while_it_still_is_small() {
        let bomb = gzip(&vec![0; 50 * 1024 * 1024]);
        let mut unpacker = Unpacker::new(Some("gzip"), usize::MAX).expect("gzip");
        let why = bomb.chunks(1000).find_map(|piece| unpacker.push(piece).err()).expect("refused");
        assert_eq!(why.detail, TOO_PACKED);
        assert!(why.is_too_large(), "what was asked for may be asked for in smaller pieces");
        let Unpacker::Gzip(decoder) = unpacker else { panic!("gzip") };
        assert!(decoder.get_ref().held.len() <= 2 * 1024 * 1024, "{}", decoder.get_ref().held.len());
    }

    #[test]
    fn endless_empty_members_are_refused_by_what_was_received() {
        let empty = gzip(b"");
        let mut unpacker = Unpacker::new(Some("gzip"), usize::MAX).expect("gzip");
        // One piece of two million members: the limit holds inside a piece too.
        let why = unpacker.push(&empty.repeat(2_000_000)).expect_err("refused");
        assert_eq!(why.detail, IDLE);
        let Unpacker::Gzip(decoder) = unpacker else { panic!("gzip") };
        assert!(decoder.get_ref().received <= IDLE_BYTES_MAX + 4096, "{}", decoder.get_ref().received);
        let small = [gzip(&noise(3)).repeat(2000), gzip(&noise(30_000))].concat();
        assert_eq!(unpack(Some("gzip"), 100_000, &small).expect("gzip").len(), 36_000, "small members are legal");
    }

    #[test]
    fn a_short_repetitive_body_is_no_bomb() {
        let plain = vec![b'a'; 1_000_000];
        assert_eq!(unpack(Some("gzip"), 1_000_000, &gzip(&plain)).expect("gzip").len(), 1_000_000);
    }

    #[test]
    fn a_damaged_or_cut_off_body_is_malformed() {
        let whole = gzip(&noise(5000));
        let mut damaged = whole.clone();
        damaged[2500] ^= 0xff;
        for body in [&whole[..whole.len() - 9], &damaged[..], b"BEGIN:VCALENDAR"] {
            let why = unpack(Some("gzip"), 100_000, body).expect_err("damaged");
            assert_eq!((why.class, why.detail.as_str()), (FailureClass::Malformed, DAMAGED));
        }
        assert_eq!(unpack(Some("br"), 100, b"x").expect_err("unknown").class, FailureClass::Malformed);
    }
}
