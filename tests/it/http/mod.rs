//! The HTTP API on a real store, with scripted servers behind it.

mod accounts;
mod app;
mod connection;
mod contract;
mod direction;
mod document;
mod events;
mod google;
mod google_habits;
mod history;
mod holds;
mod hostile;
mod idempotency;
mod landing;
mod leaving;
mod planning;
mod privacy;
mod selection;
mod series;
mod shared_spaces;
mod tenancy;
mod zone_rules;

/// Runs each of these on both databases.
macro_rules! on_both_databases {
    ($($promise:ident),+ $(,)?) => {
        mod sqlite {
            $(#[actix_web::test]
            async fn $promise() {
                super::$promise(None).await;
            })+
        }
        mod postgres {
            $(#[actix_web::test]
            async fn $promise() {
                super::$promise(Some(crate::support::postgres::fresh_database().await)).await;
            })+
        }
    };
}
use on_both_databases;
