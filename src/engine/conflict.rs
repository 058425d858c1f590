//! How much a person should care about a disagreement.

use chrono::{DateTime, Duration, Utc};

use crate::domain::conflict::{ConflictKind, Severity};

/// Severity of a dispute about an event that starts at `start`.
#[must_use]
pub fn severity(kind: ConflictKind, fields: &[String], start: DateTime<Utc>, now: DateTime<Utc>) -> Severity {
    let about_time = fields.iter().any(|field| {
        let name = field.rsplit('/').next().unwrap_or(field);
        matches!(name, "time" | "recurrence" | "occurrences" | "occurrence")
    });
    let soon = start >= now && start - now <= Duration::hours(24);
    match kind {
        ConflictKind::DeletedRemotely | ConflictKind::DeletedLocally => Severity::High,
        ConflictKind::Edit if about_time && soon => Severity::High,
        ConflictKind::Edit if about_time => Severity::Normal,
        ConflictKind::Edit => Severity::Low,
    }
}
