//! The release binary against servers that are not ours.

mod bad_input;
mod crashes;
mod feeds;
mod two_way;
