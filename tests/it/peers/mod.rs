//! The release binary against servers that are not ours.

mod bad_input;
mod crashes;
mod feeds;
mod full_disk;
mod google;
mod googleapis;
mod kills;
mod midnight;
mod planned;
mod planned_google;
mod repeats;
mod two_way;
