//! Planned work: contexts, tasks and their blocks, plans and proposals, focus, the change of day.
//!
//! - **reflect**: bring a block's event to what the block says.
//!
//! Whatever changes a task, moves a block, takes its time or begins a day owes the user a plan, in the transaction that stores it;
//! what concerns no block owes none ([`crate::engine::replan`]). The planner's actor makes what is due, a few users
//! at once (two seconds after an edit; after a change of day, spread over twenty minutes): gather what is stored, [compile](crate::engine::agenda::compile) it into numbers,
//! [plan](crate::engine::scheduling::plan), and offer the difference as a proposal, or apply it where the user has chosen so. A
//! proposal remembers a digest of what it was made from: accepted while that is the same, each change is one update of one block's
//! event, through the same queue as any edit; otherwise it is out of date, says so, and a new plan is owed.
//!
//! A change of a block's event comes in with a round like any other and the block follows in the transaction that stores it: a
//! block that was moved stays where it was put and waits for its owner's yes. Where a calendar makes tasks, an imported event
//! becomes one in the transaction that stores it: a timed event is the task's block itself, a whole day its due date. Such an event
//! is followed and never written.
//!
//! **Invariant:** a block and its event change in one transaction, with the write that the event owes; nothing is sent from here.
//! **Invariant:** only what belongs to a shared, mapped context has an event: what is private never leaves (S9).

pub mod availability;
pub mod blocks;
pub mod compute;
pub mod contexts;
pub mod due;
mod event_changed;
mod gather;
mod imports;
pub mod make_plan;
pub mod pace;
mod person;
mod planned;
pub mod proposals;
mod publish;
mod restate;
pub mod roll_over;
pub mod rules;
pub mod run_focus;
pub mod tasks;
pub mod worked;
