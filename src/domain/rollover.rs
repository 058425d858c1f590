//! Changes of day, as they are remembered: enough to show what one did, and to take it back.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::{
    block::BlockState,
    ids::{BlockId, RolloverId, SpaceId, TaskId, UserId},
    task::TaskStatus,
    time::Window,
};

/// A block as it was before the change of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OldBlock {
    /// Which.
    pub id: BlockId,
    /// Where it was.
    pub span: Window,
    /// How it stood.
    pub state: BlockState,
}

/// What the change of day did with one task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolledTask {
    /// The instance of the day that ended.
    pub from: TaskId,
    /// The instance that goes on with it, or that comes after it where it was skipped; `None`: it is stale, or was the last.
    pub to: Option<TaskId>,
    /// The new instance's version when it was made: any other one was touched since.
    pub to_version: i64,
    /// How the old instance stood.
    pub status: TaskStatus,
    /// Its blocks, as they were.
    pub blocks: Vec<OldBlock>,
}

/// One change of day of one user. Unique by user and date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rollover {
    /// Ours.
    pub id: RolloverId,
    /// The isolation boundary it belongs to.
    pub space_id: SpaceId,
    /// Whose day it was.
    pub user_id: UserId,
    /// The date that began.
    pub date: NaiveDate,
    /// First and last of the dates in between that had no change of their own (the server was down, or they do not exist).
    pub skipped: Option<(NaiveDate, NaiveDate)>,
    /// What became of each task.
    pub tasks: Vec<RolledTask>,
    /// Tasks whose clock ran: each is carried when it stops.
    pub waiting: Vec<TaskId>,
    /// When it ran.
    pub ran_at: DateTime<Utc>,
    /// When it was taken back.
    pub undone_at: Option<DateTime<Utc>>,
}
