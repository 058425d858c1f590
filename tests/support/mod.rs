//! What several tests need.

use std::path::PathBuf;

/// The folder of calendars, rules and answers that tests read in place: `CALWARDEN_CORPORA`, else `../shared/corpora`.
pub fn corpora() -> PathBuf {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora");
    let folder = std::env::var_os("CALWARDEN_CORPORA").map_or_else(beside, PathBuf::from);
    assert!(folder.is_dir(), "no corpora at {}: set CALWARDEN_CORPORA", folder.display());
    folder
}
