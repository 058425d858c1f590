#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
#[path = "support/mod.rs"]
mod support;
mod peers {
    #[path = "../it/peers/two_way.rs"]
    mod two_way;
    #[path = "../it/peers/strangers/mod.rs"]
    mod strangers;
}
