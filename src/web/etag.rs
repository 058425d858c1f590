//! Versions as entity tags (RFC 9110 §8.8.3, §13.1.1): `"v7"`, strong, one per change.

use super::problem::{Problem, ProblemCode};

/// The entity tag of a version, quotes included.
#[must_use]
pub fn etag(version: i64) -> String {
    format!("\"v{version}\"")
}

/// What `If-Match` says of the version that is to be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfMatch {
    /// Any.
    Any,
    /// This one and no other.
    Version(i64),
}

impl IfMatch {
    /// The version expected, if one is.
    #[must_use]
    pub fn version(self) -> Option<i64> {
        match self {
            Self::Any => None,
            Self::Version(version) => Some(version),
        }
    }

    /// Refuses another version than the expected one.
    pub fn admit(self, version: i64) -> Result<(), Problem> {
        match self {
            Self::Version(expected) if expected != version => Err(Problem::new(
                ProblemCode::Stale,
                "it has changed since it was read; read it again and repeat the change",
            )),
            Self::Version(_) | Self::Any => Ok(()),
        }
    }
}

/// Reads the header. Quotes may be missing; a tag that is none of ours (weak ones included) matches nothing, as the RFC asks.
#[must_use]
pub fn if_match(header: Option<&str>) -> IfMatch {
    let Some(text) = header.map(str::trim) else { return IfMatch::Any };
    if text == "*" {
        return IfMatch::Any;
    }
    let version = text.split(',').find_map(|tag| tag.trim().trim_matches('"').strip_prefix('v')?.parse().ok());
    // No version is negative, so this one is always stale.
    IfMatch::Version(version.unwrap_or(-1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_comes_back_as_its_version() {
        assert_eq!(if_match(Some(&etag(7))), IfMatch::Version(7));
        assert_eq!(if_match(Some("\"x\", \"v8\"")), IfMatch::Version(8));
        assert_eq!((if_match(None), if_match(Some("*"))), (IfMatch::Any, IfMatch::Any));
    }

    #[test]
    fn a_tag_that_is_not_ours_matches_nothing() {
        for foreign in ["\"abc\"", "W/\"v7\"", ""] {
            assert!(if_match(Some(foreign)).admit(7).is_err(), "{foreign}");
        }
    }
}
