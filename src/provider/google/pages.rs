//! Pages of a list, as large as an answer may be.
//!
//! **Invariant:** an answer that is too large is asked for again with half as many objects, down to one; the one object that is
//! too large by itself is named, and stands in nobody's way.

use super::{
    Google,
    classify::{self, GoogleAction},
    item::Item,
    request::Portion,
};
use crate::{provider::Result, transport::OutgoingRequest};

/// Objects per page; the most Google gives.
pub(super) const PAGE_MAX: u32 = 2_500;
/// What a page is sized for, in bytes, once its objects are known to be large: half of what an answer may be.
const PAGE_BYTES: usize = 5 * 1024 * 1024;

/// One page.
pub(super) struct GooglePage {
    /// It, as Google sent it.
    pub answer: Item,
    /// How many objects the next one is asked for.
    pub next_size: u32,
    /// It says who its objects are and nothing else, for they are too large.
    pub outline: bool,
}

impl Google {
    /// Asks for one page.
    pub(super) async fn page(
        &self,
        size: u32,
        doing: GoogleAction,
        request: impl Fn(Portion) -> OutgoingRequest + Send,
    ) -> Result<GooglePage> {
        let mut portion = Portion { size: size.clamp(1, PAGE_MAX), outline: false };
        loop {
            match self.send(request(portion)).await {
                Ok(response) => {
                    let answer = classify::list(&response, doing, self.world.now())?;
                    let next_size = next_size(portion.size, answer.items().count(), response.body.len());
                    return Ok(GooglePage { answer, next_size, outline: portion.outline });
                }
                Err(error) if !error.is_too_large() || portion.outline => return Err(error),
                Err(_) if portion.size == 1 => portion.outline = true,
                Err(_) => portion.size /= 2,
            }
        }
    }
}

/// How many objects the next page is asked for: twice as many at most, and no more than fit if they are like these.
fn next_size(size: u32, objects: usize, bytes: usize) -> u32 {
    let fit = PAGE_BYTES.saturating_mul(objects.max(1)) / bytes.max(1);
    let fit = u32::try_from(fit).unwrap_or(PAGE_MAX);
    size.saturating_mul(2).min(fit).clamp(1, PAGE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_grows_twofold_at_most_and_holds_what_fits() {
        // Small objects: as many as Google gives.
        assert_eq!(next_size(PAGE_MAX, 2_500, 1_000_000), PAGE_MAX);
        // 1,250 of 4.4 kB: what fits, though twice as many were allowed.
        assert_eq!(next_size(1_250, 1_250, 1_250 * 4_400), 1_191);
        // After one large object the pages grow again, step by step.
        assert_eq!(next_size(1, 1, 400), 2);
        assert_eq!(next_size(2, 2, 800), 4);
        // An empty page says nothing of what is to come.
        assert_eq!(next_size(8, 0, 0), 16);
        assert_eq!(next_size(1, 1, usize::MAX), 1);
    }
}
