//! The subjects, each by the name that its line in the list has.

mod caldav;
mod feed;
mod google;

pub use caldav::{cyrus, davical, icloud, radicale, sogo, xandikos};
pub use feed::feed;
pub use google::{google, google_for_reading};
