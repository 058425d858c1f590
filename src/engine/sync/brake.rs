//! The brake: a round that would erase much is held until a person has looked (S7, I-15).

use crate::domain::conflict::HoldReason;

/// When deletions are held.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BrakeRules {
    /// An account with at least this many mapped events …
    pub account_min: usize,
    /// … may not lose more than this share of them in one round.
    pub share_max: f64,
    /// A calendar with at least this many mapped events may not lose all of them.
    pub calendar_min: usize,
}

impl Default for BrakeRules {
    fn default() -> Self {
        Self { account_min: 10, share_max: 0.5, calendar_min: 5 }
    }
}

/// What one calendar would lose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Mapped events before the round.
    pub mapped: usize,
    /// How many of them the round would delete here.
    pub deleted: usize,
    /// The publisher may be at fault: a calendar that turns empty is held from its second event on.
    pub doubtful: bool,
}

/// Judges all calendars of one round together; answers, in the same order, which are held.
#[must_use]
pub fn judge(losses: &[Loss], rules: &BrakeRules) -> Vec<Option<HoldReason>> {
    let mapped: usize = losses.iter().map(|loss| loss.mapped).sum();
    let deleted: usize = losses.iter().map(|loss| loss.deleted).sum();
    #[expect(clippy::cast_precision_loss, reason = "counts of one account, far below 2^52")]
    let share = if mapped == 0 { 0.0 } else { deleted as f64 / mapped as f64 };
    let account = mapped >= rules.account_min && share > rules.share_max;
    losses
        .iter()
        .map(|loss| {
            let emptied = loss.deleted > 0 && loss.deleted >= loss.mapped;
            let calendar_min = if loss.doubtful { 2 } else { rules.calendar_min };
            if emptied && loss.mapped >= calendar_min {
                Some(HoldReason::WholeCalendar)
            } else if account && loss.deleted > 0 {
                Some(HoldReason::ShareOfAccount)
            } else {
                None
            }
        })
        .collect()
}
