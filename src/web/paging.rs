//! Lists in pages: `{"data":[…],"next_cursor":…}`, a cursor that only we can read.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};

use super::problem::Problem;

/// Rows of a page when nothing is asked.
pub const LIMIT_DEFAULT: u32 = 100;
/// Rows of a page at most.
pub const LIMIT_MAX: u32 = 500;
/// Longest cursor we ever gave out, in bytes, with room.
const CURSOR_BYTES_MAX: usize = 1_024;

/// One page of a list.
#[derive(Clone, Debug, Serialize)]
pub struct Page<T> {
    /// The rows.
    pub data: Vec<T>,
    /// Where the next page begins; `null`: this is the last.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// A page out of `limit + 1` rows asked for: the last one too many says that there is more.
    pub fn cut<C: Serialize>(mut rows: Vec<T>, limit: u32, mark: impl Fn(&T) -> C) -> Self {
        let kept = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = rows.len() > kept;
        rows.truncate(kept);
        let next_cursor = rows.last().filter(|_| more).map(|last| seal(&mark(last)));
        Self { data: rows, next_cursor }
    }

    /// A list that has one page.
    #[must_use]
    pub fn whole(data: Vec<T>) -> Self {
        Self { data, next_cursor: None }
    }

    /// The same page with its rows in another form.
    #[must_use]
    pub fn map<U>(self, convert: impl FnMut(T) -> U) -> Page<U> {
        Page { data: self.data.into_iter().map(convert).collect(), next_cursor: self.next_cursor }
    }
}

/// A place in a list, for outside.
#[must_use]
pub fn seal<C: Serialize>(mark: &C) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(mark).unwrap_or_default())
}

/// A place in a list, come back.
pub fn open<C: DeserializeOwned>(cursor: &str) -> Result<C, Problem> {
    let refused = || Problem::invalid("cursor", "this is no cursor of this list; begin again without one");
    if cursor.len() > CURSOR_BYTES_MAX {
        return Err(refused());
    }
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| refused())?;
    serde_json::from_slice(&bytes).map_err(|_| refused())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_row_too_many_gives_a_cursor_to_the_last_one_shown() {
        let page = Page::cut(vec![1, 2, 3], 2, |row| *row);
        assert_eq!(page.data, [1, 2]);
        let cursor = page.next_cursor.expect("there is more");
        assert_eq!(open::<i32>(&cursor).expect("ours"), 2);
        assert_eq!(Page::cut(vec![1, 2], 2, |row| *row).next_cursor, None);
    }

    #[test]
    fn a_foreign_cursor_is_a_field_error() {
        for foreign in ["%", "abc", &"A".repeat(5_000)] {
            let problem = open::<i32>(foreign).expect_err("refused");
            assert_eq!(problem.field.as_deref(), Some("cursor"));
        }
    }
}
