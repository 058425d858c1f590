//! The vault against swapped rows, wrong keys, altered texts and a key file that changes under it.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    sync::atomic::{AtomicU64, Ordering},
};

use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::domain::ports::{Clock, Random};

/// Bytes that never repeat, without being random.
#[derive(Default)]
struct Counted(AtomicU64);

impl Random for Counted {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let next = self.0.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
            chunk.copy_from_slice(&next[..chunk.len()]);
        }
    }
}

struct Noon;

impl Clock for Noon {
    fn now(&self) -> DateTime<Utc> {
        "2026-11-20T12:00:00Z".parse().expect("a time")
    }
}

/// Worlds that never draw the same bytes.
fn world() -> World {
    static STREAM: AtomicU64 = AtomicU64::new(1);
    let start = STREAM.fetch_add(1 << 32, Ordering::Relaxed);
    World { clock: Arc::new(Noon), random: Arc::new(Counted(AtomicU64::new(start))) }
}

fn ring(folder: &TempDir) -> KeyRing {
    KeyRing::load(folder.path(), None, world()).expect("a ring")
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

const KIND: SecretKind = SecretKind::Password;

fn account(n: u128) -> AccountId {
    AccountId(Uuid::from_u128(n))
}

fn sealed(ring: &KeyRing, text: &str) -> SealedSecret {
    ring.seal(account(1), KIND, &Secret::new(text)).expect("sealed")
}

#[test]
fn a_secret_comes_back_as_it_went_in() {
    let folder = folder();
    let ring = ring(&folder);
    for text in ["", "hunter2", "パスワード", &"x".repeat(100_000)] {
        assert_eq!(ring.open(&sealed(&ring, text)).expect("opened").expose(), text);
    }
}

#[test]
fn the_same_secret_never_looks_the_same_twice_nor_like_itself() {
    let folder = folder();
    let ring = ring(&folder);
    let (one, two) = (sealed(&ring, "hunter2"), sealed(&ring, "hunter2"));
    assert_ne!(one.sealed[1..13], two.sealed[1..13], "the nonces");
    assert_ne!(one.sealed[13..], two.sealed[13..], "the texts");
    assert!(!one.sealed.windows(7).any(|bytes| bytes == b"hunter2"));
    assert_eq!(one.sealed.len(), 1 + 12 + 7 + 16);
}

#[test]
fn a_row_swapped_with_another_does_not_open() {
    let folder = folder();
    let ring = ring(&folder);
    let row = sealed(&ring, "hunter2");
    assert!(ring.open(&row).is_ok());
    let other_account = SealedSecret { account_id: account(2), ..row.clone() };
    let other_kind = SealedSecret { kind: SecretKind::Username, ..row };
    for swapped in [other_account, other_kind] {
        assert!(matches!(ring.open(&swapped), Err(VaultError::NotOpened { .. })), "{swapped:?}");
    }
}

#[test]
fn a_wrong_key_does_not_open_even_under_the_right_name() {
    let (here, there) = (folder(), folder());
    let (one, two) = (ring(&here), ring(&there));
    let row = sealed(&one, "hunter2");
    assert!(matches!(two.open(&row), Err(VaultError::UnknownKey(id)) if id == row.key_id));
    let renamed = SealedSecret { key_id: two.current_id().expect("id"), ..row };
    assert!(matches!(two.open(&renamed), Err(VaultError::NotOpened { .. })));
}

#[test]
fn every_altered_bit_and_every_cut_is_noticed() {
    let folder = folder();
    let ring = ring(&folder);
    let row = sealed(&ring, "hunter2");
    for bit in 0..row.sealed.len() * 8 {
        let mut altered = row.clone();
        altered.sealed[bit / 8] ^= 1 << (bit % 8);
        assert!(ring.open(&altered).is_err(), "bit {bit}");
    }
    for length in 0..row.sealed.len() {
        let cut = SealedSecret { sealed: row.sealed[..length].to_vec(), ..row.clone() };
        assert!(ring.open(&cut).is_err(), "cut to {length}");
    }
}

#[test]
fn nothing_secret_is_printed() {
    let folder = folder();
    let ring = ring(&folder);
    let row = sealed(&ring, "hunter2");
    let file = fs::read_to_string(folder.path().join(KEY_FILE_NAME)).expect("the file");
    let key = file.lines().find_map(|line| line.strip_prefix("key = \"")).expect("a key").trim_end_matches('"');
    let bytes = bytes_of(key).expect("bytes");
    let swapped = SealedSecret { account_id: account(2), ..row.clone() };
    let shown = format!("{ring:?} {:?} {row:?} {:?}", ring.list(), ring.open(&swapped));
    assert!(shown.contains(&row.key_id), "the id may be shown: {shown}");
    assert!(!shown.contains("hunter2") && !shown.contains(key), "{shown}");
    assert!(!shown.contains(&format!("{:?}", &bytes[..8]).replace(['[', ']'], "")), "{shown}");
}

#[test]
fn the_first_start_makes_a_key_for_its_owner_alone_and_the_next_one_finds_it() {
    let folder = folder();
    let deeper = folder.path().join("data");
    let first = KeyRing::load(&deeper, None, world()).expect("a ring");
    let row = sealed(&first, "hunter2");
    let mode = |path: &Path| fs::metadata(path).expect("metadata").permissions().mode() & 0o777;
    assert_eq!((mode(&deeper), mode(&deeper.join(KEY_FILE_NAME))), (0o700, 0o600));
    let again = KeyRing::load(&deeper, None, world()).expect("a ring");
    assert_eq!(again.open(&row).expect("opened").expose(), "hunter2");
    let left: Vec<_> = fs::read_dir(&deeper).expect("listing").map(|e| e.expect("entry").file_name()).collect();
    assert_eq!(left.len(), 2, "the file and its lock: {left:?}");
}

#[test]
fn many_first_starts_at_once_agree_on_one_key() {
    let folder = folder();
    let ids: Vec<String> = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..8).map(|_| scope.spawn(|| ring(&folder).current_id().expect("id"))).collect();
        starts.into_iter().map(|start| start.join().expect("joined")).collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

#[test]
fn a_key_file_that_others_can_read_is_refused() {
    let folder = folder();
    drop(ring(&folder));
    let path = folder.path().join(KEY_FILE_NAME);
    for mode in [0o640, 0o604, 0o620, 0o644] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("chmod");
        let why = KeyRing::load(folder.path(), None, world()).expect_err("refused").to_string();
        assert!(why.contains("chmod 600") && why.contains(&format!("{mode:04o}")), "{why}");
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).expect("chmod");
    assert!(KeyRing::load(folder.path(), None, world()).is_ok(), "read-only for the owner is fine");
}

#[test]
fn a_damaged_key_file_is_named_by_its_line_and_not_quoted() {
    let folder = folder();
    drop(ring(&folder));
    let path = folder.path().join(KEY_FILE_NAME);
    let good = fs::read_to_string(&path).expect("the file");
    let key = good.lines().find(|line| line.starts_with("key = ")).expect("a key").to_owned();
    let other = good.replace(&key[7..11], if key.contains("AAAA") { "BBBB" } else { "AAAA" });
    for (bad, reason) in [
        (String::new(), "no key"),
        (good.replace("key = ", "key : "), "line 7"),
        (good.replace(&key, "colour = \"red\""), "line"),
        (other, "does not match its id"),
    ] {
        fs::write(&path, &bad).expect("written");
        let why = KeyRing::load(folder.path(), None, world()).expect_err(&bad).to_string();
        assert!(why.contains(reason), "{reason}: {why}");
        assert!(!why.contains(&key[7..30]), "{why}");
    }
}

#[test]
fn a_rotation_by_another_process_is_noticed_while_serving() {
    let folder = folder();
    let (server, tool) = (ring(&folder), ring(&folder));
    let before = sealed(&server, "old");
    let new_id = tool.rotate().expect("rotated");
    assert_ne!(new_id, before.key_id);
    let by_tool = sealed(&tool, "new");
    assert_eq!(by_tool.key_id, new_id);
    assert_eq!(server.open(&by_tool).expect("opened").expose(), "new", "an unknown id makes it look again");
    assert_eq!(sealed(&server, "x").key_id, new_id, "it seals under the new key");
    assert_eq!(server.open(&before).expect("opened").expose(), "old", "the old key still opens");
}

#[test]
fn a_server_seals_under_the_new_key_before_it_has_met_one() {
    let folder = folder();
    let (server, tool) = (ring(&folder), ring(&folder));
    let new_id = tool.rotate().expect("rotated");
    assert_eq!(server.current_id().expect("id"), new_id);
    assert_eq!(sealed(&server, "x").key_id, new_id);
}

#[test]
fn rotations_at_once_forget_no_key() {
    let folder = folder();
    let first = ring(&folder).current_id().expect("id");
    let mut ids: Vec<String> = std::thread::scope(|scope| {
        let tools: Vec<_> = (0..6).map(|_| scope.spawn(|| ring(&folder).rotate().expect("rotated"))).collect();
        tools.into_iter().map(|tool| tool.join().expect("joined")).collect()
    });
    ids.push(first);
    let mut kept: Vec<String> = ring(&folder).list().expect("list").into_iter().map(|key| key.id).collect();
    ids.sort();
    kept.sort();
    assert_eq!(kept, ids);
}

#[test]
fn a_key_file_that_vanished_stops_sealing_but_not_opening() {
    let folder = folder();
    let ring = ring(&folder);
    let row = sealed(&ring, "hunter2");
    fs::remove_file(folder.path().join(KEY_FILE_NAME)).expect("removed");
    assert!(matches!(ring.seal(account(1), KIND, &Secret::new("x")), Err(VaultError::KeyFile { .. })));
    assert!(matches!(ring.rotate(), Err(VaultError::KeyFile { .. })));
    assert_eq!(ring.open(&row).expect("opened").expose(), "hunter2");
}

#[test]
fn the_environments_first_key_seals_and_the_files_keys_still_open() {
    let folder = folder();
    let from_file = sealed(&ring(&folder), "file");
    let (new, old) = ("ab12".repeat(16), "cd34".repeat(16));
    let load = |text: &str| KeyRing::load(folder.path(), Some(&Secret::new(text)), world());
    let older = sealed(&load(&old).expect("a ring"), "older");
    let ring = load(&format!("{new}, {old}")).expect("a ring");
    let origins: Vec<_> = ring.list().expect("list").iter().map(|key| key.origin).collect();
    assert_eq!(origins, [KeyOrigin::Environment, KeyOrigin::Environment, KeyOrigin::File]);
    assert_ne!(sealed(&ring, "x").key_id, older.key_id);
    assert_eq!(ring.open(&older).expect("opened").expose(), "older");
    assert_eq!(ring.open(&from_file).expect("opened").expose(), "file");
    assert!(matches!(ring.rotate(), Err(VaultError::FromEnvironment)));
}

#[test]
fn with_the_environments_key_no_file_is_made() {
    let folder = folder();
    let ring = KeyRing::load(folder.path(), Some(&Secret::new("ab12".repeat(16))), world()).expect("a ring");
    assert_eq!(ring.open(&sealed(&ring, "x")).expect("opened").expose(), "x");
    assert_eq!(fs::read_dir(folder.path()).expect("listing").count(), 0);
}

#[test]
fn a_wrong_environment_key_is_reported_by_its_place() {
    let folder = folder();
    let text = format!("{},s3cret", "ab12".repeat(16));
    let why = KeyRing::load(folder.path(), Some(&Secret::new(text)), world()).expect_err("refused").to_string();
    assert!(why.contains("key 2") && !why.contains("s3cret"), "{why}");
}
