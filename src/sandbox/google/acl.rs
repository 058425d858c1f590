//! Who may see a calendar: `acl`. Rules are kept and listed; nobody else's view follows from them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::{
    GoogleLookAlike, SandboxAnswer, TokenHolder, calendars::SandboxCalendar, checks, errors::SandboxRefusal, shape,
    tokens, watch,
};
use crate::sandbox::reply::{Reply, SandboxRequest};

/// Scopes that may change rules.
const MAY_SHARE: &[&str] = &["calendar", "calendar.acls"];
/// Scopes that may list rules.
pub(super) const MAY_READ_RULES: &[&str] = &["calendar", "calendar.acls", "calendar.acls.readonly"];
/// Roles that a rule gives.
const ROLES: [&str; 6] = ["none", "freeBusyReader", "reader", "writerWithoutPrivateAccess", "writer", "owner"];
/// Most rules of one calendar, deleted ones included.
const RULES_MAX: usize = 1_000;

/// The rules of a calendar.
#[derive(Clone, Debug)]
pub(super) struct AclRules {
    held: BTreeMap<String, AclRule>,
    changes: u64,
}

#[derive(Clone, Debug)]
struct AclRule {
    kind: String,
    value: Option<String>,
    role: String,
    change: u64,
}

impl AclRules {
    /// One owner.
    pub(super) fn new(owner: &str) -> Self {
        let rule =
            AclRule { kind: "user".to_owned(), value: Some(owner.to_owned()), role: "owner".to_owned(), change: 0 };
        Self { held: [(format!("user:{owner}"), rule)].into(), changes: 0 }
    }

    /// Gives a rule a role; `none` takes it away.
    fn set(&mut self, id: &str, kind: &str, value: Option<&str>, role: &str) -> Result<Value, SandboxRefusal> {
        if self.held.len() >= RULES_MAX && !self.held.contains_key(id) {
            return Err(SandboxRefusal::new(403, "usageLimits", "quotaExceeded"));
        }
        self.changes += 1;
        let changed = AclRule {
            kind: kind.to_owned(),
            value: value.map(str::to_owned),
            role: role.to_owned(),
            change: self.changes,
        };
        let body = changed.shown(id);
        self.held.insert(id.to_owned(), changed);
        Ok(body)
    }

    fn living(&self, id: &str) -> Result<&AclRule, SandboxRefusal> {
        let rule = self.held.get(id).filter(|rule| rule.role != "none");
        rule.ok_or_else(|| SandboxRefusal::new(404, "global", "notFound"))
    }
}

impl AclRule {
    fn shown(&self, id: &str) -> Value {
        let mut scope = json!({ "type": self.kind });
        if let (Some(value), Some(fields)) = (&self.value, scope.as_object_mut()) {
            fields.insert("value".to_owned(), json!(value));
        }
        json!({ "kind": "calendar#aclRule", "etag": format!("\"{:020}\"", self.change), "id": id, "scope": scope, "role": self.role })
    }
}

impl GoogleLookAlike {
    fn shared(&self, caller: &TokenHolder, calendar: &str) -> Result<&SandboxCalendar, SandboxRefusal> {
        self.owned(&caller.email, calendar)?;
        self.calendar(&caller.email, calendar)
    }

    pub(super) fn list_rules(&self, caller: &TokenHolder, calendar: &str, asked: &SandboxRequest) -> SandboxAnswer {
        caller.needs(MAY_READ_RULES)?;
        let held = self.shared(caller, calendar)?;
        let since = asked.param("syncToken");
        let since = since.map(|token| tokens::since("acl", held.epoch, held.rules.changes, token)).transpose()?;
        if since.is_some() && asked.param("showDeleted") == Some("false") {
            return Err(SandboxRefusal::invalid("Deleted rules always come with a sync token."));
        }
        let deleted = since.is_some() || asked.flag("showDeleted");
        let rows: Vec<_> = held
            .rules
            .held
            .iter()
            .filter(|(_, rule)| since.is_none_or(|since| rule.change > since) && (deleted || rule.role != "none"))
            .map(|(id, rule)| rule.shown(id))
            .collect();
        let next = tokens::sync_token("acl", held.epoch, held.rules.changes);
        shape::answer(asked, tokens::small_page(asked, "calendar#acl", &rows, &next)?)
    }

    pub(super) fn get_rule(
        &self,
        caller: &TokenHolder,
        calendar: &str,
        id: &str,
        asked: &SandboxRequest,
    ) -> SandboxAnswer {
        caller.needs(&[MAY_READ_RULES, &["calendar.readonly"]].concat())?;
        shape::answer(asked, self.shared(caller, calendar)?.rules.living(id)?.shown(id))
    }

    pub(super) fn insert_rule(
        &mut self,
        now: DateTime<Utc>,
        caller: &TokenHolder,
        calendar: &str,
        asked: &SandboxRequest,
    ) -> SandboxAnswer {
        caller.needs(MAY_SHARE)?;
        self.shared(caller, calendar)?;
        let given = checks::body(asked)?;
        let role = role(&given)?;
        let within = |name: &str| given.get("scope").and_then(|scope| scope.get(name)).and_then(Value::as_str);
        let kind = within("type").ok_or_else(|| SandboxRefusal::required("Missing scope type."))?;
        let (id, value) = match (kind, within("value")) {
            ("default", _) => ("default".to_owned(), None),
            ("user" | "group", Some(value)) if value.contains('@') => (format!("{kind}:{value}"), Some(value)),
            ("domain", Some(value)) if value.contains('.') => (format!("{kind}:{value}"), Some(value)),
            ("user" | "group" | "domain", _) => return Err(SandboxRefusal::invalid("Invalid scope value.")),
            _ => return Err(SandboxRefusal::invalid("Invalid scope type.")),
        };
        self.set_rule(now, caller, calendar, (&id, kind, value), role, asked)
    }

    pub(super) fn change_rule(
        &mut self,
        now: DateTime<Utc>,
        caller: &TokenHolder,
        calendar: &str,
        id: &str,
        asked: &SandboxRequest,
    ) -> SandboxAnswer {
        caller.needs(MAY_SHARE)?;
        let rule = self.shared(caller, calendar)?.rules.living(id)?.clone();
        let given = checks::body(asked)?;
        let wanted = if asked.method == "PATCH" && !given.contains_key("role") { &rule.role } else { role(&given)? };
        self.set_rule(now, caller, calendar, (id, &rule.kind, rule.value.as_deref()), wanted, asked)
    }

    pub(super) fn delete_rule(
        &mut self,
        now: DateTime<Utc>,
        caller: &TokenHolder,
        calendar: &str,
        id: &str,
    ) -> SandboxAnswer {
        caller.needs(MAY_SHARE)?;
        let rule = self.shared(caller, calendar)?.rules.living(id)?.clone();
        self.set_rule(
            now,
            caller,
            calendar,
            (id, &rule.kind, rule.value.as_deref()),
            "none",
            &SandboxRequest::default(),
        )?;
        Ok(Reply::empty(204))
    }

    fn set_rule(
        &mut self,
        now: DateTime<Utc>,
        caller: &TokenHolder,
        calendar: &str,
        (id, kind, value): (&str, &str, Option<&str>),
        role: &str,
        asked: &SandboxRequest,
    ) -> SandboxAnswer {
        if value == Some(caller.email.as_str()) && role != "owner" {
            return Err(SandboxRefusal::new(403, "calendar", "cannotChangeOwnAcl")
                .saying("Cannot change your own access level."));
        }
        let held = self.calendar_mut(&caller.email, calendar)?;
        let body = held.rules.set(id, kind, value, role)?;
        let place = watch::rules_of(&held.id);
        self.notify_place(now, &caller.email, &place);
        shape::answer(asked, body)
    }
}

fn role(given: &Map<String, Value>) -> Result<&str, SandboxRefusal> {
    let role = given.get("role").and_then(Value::as_str).ok_or_else(|| SandboxRefusal::required("Missing role."))?;
    if ROLES.contains(&role) { Ok(role) } else { Err(SandboxRefusal::invalid("Invalid value for: role")) }
}
