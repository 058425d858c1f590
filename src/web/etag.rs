//! Versions as entity tags (RFC 9110 §8.8.3, §13.1.1): `"v7"`, strong, one per change.

/// The entity tag of a version, quotes included.
#[must_use]
pub fn etag(version: i64) -> String {
    format!("\"v{version}\"")
}

/// The version that `If-Match` allows to be changed; `None`: any. Quotes may be missing; a tag that is none of ours (weak ones
/// included) matches nothing, as the RFC asks.
#[must_use]
pub fn if_match(header: Option<&str>) -> Option<i64> {
    let text = header.map(str::trim).filter(|text| *text != "*")?;
    let version = text.split(',').find_map(|tag| tag.trim().trim_matches('"').strip_prefix('v')?.parse().ok());
    // No version is negative, so this one is always stale.
    Some(version.unwrap_or(-1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_comes_back_as_its_version() {
        assert_eq!(if_match(Some(&etag(7))), Some(7));
        assert_eq!(if_match(Some("\"x\", \"v8\"")), Some(8));
        assert_eq!((if_match(None), if_match(Some("*"))), (None, None));
    }

    #[test]
    fn a_tag_that_is_not_ours_matches_nothing() {
        for foreign in ["\"abc\"", "W/\"v7\"", ""] {
            assert_eq!(if_match(Some(foreign)), Some(-1), "{foreign}");
        }
    }
}
