//! Planned work: contexts, tasks and their blocks, plans and proposals, focus, the change of day.
//!
//! - **reflect**: bring a block's event to what the block says.
//!
//! **Invariant:** a block and its event change in one transaction, with the write that the event owes; nothing is sent from here.
//! **Invariant:** only what belongs to a shared, mapped context has an event: what is private never leaves (S9).

pub mod availability;
pub mod blocks;
pub mod compute;
pub mod contexts;
pub mod due;
mod gather;
mod imports;
mod outside;
pub mod pace;
mod person;
pub mod plan_day;
mod planned;
pub mod proposals;
mod publish;
mod restate;
pub mod roll_over;
pub mod rules;
pub mod run_focus;
pub mod tasks;
pub mod worked;

pub(in crate::service) use outside::Hand;
