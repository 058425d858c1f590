//! What a request asks for.
//!
//! Everything is at two places: below `/google`, and at the origin, where clients look that set nothing but the origin.

use chrono::{DateTime, Utc};

use super::{GoogleLookAlike, SandboxAnswer, colors, errors::SandboxRefusal, watch};
use crate::sandbox::reply::{Reply, SandboxRequest};

/// Where everything stands besides the origin.
pub(super) const ROOT: &str = "/google";
const API: &str = "/calendar/v3/";

/// A path without what stands before Google's own.
pub(super) fn path(asked: &SandboxRequest) -> &str {
    asked.path.strip_prefix(ROOT).filter(|rest| rest.starts_with('/')).unwrap_or(&asked.path)
}

/// Whether a path is one of the API's.
pub(super) fn is_api(asked: &SandboxRequest) -> bool {
    path(asked).starts_with(API)
}

/// The pieces of the path below `/calendar/v3`.
fn pieces(asked: &SandboxRequest) -> Vec<String> {
    let below = SandboxRequest { path: path(asked).to_owned(), ..SandboxRequest::default() };
    below.pieces().into_iter().skip(2).collect()
}

/// The name of what is asked, as the discovery document has it: what counts and faults are filed under.
pub(super) fn operation(asked: &SandboxRequest) -> &'static str {
    match path(asked) {
        "/o/oauth2/v2/auth" | "/o/oauth2/auth" => "consent",
        "/token" | "/oauth2/token" | "/oauth2/v4/token" | "/o/oauth2/token" => "token",
        "/revoke" | "/oauth2/revoke" | "/o/oauth2/revoke" => "revoke",
        "/tokeninfo" | "/oauth2/v3/tokeninfo" | "/oauth2/v2/tokeninfo" | "/oauth2/v1/tokeninfo" => "tokeninfo",
        "/v1/userinfo" | "/userinfo" | "/oauth2/v3/userinfo" => "userinfo",
        "/oauth2/v2/userinfo" | "/oauth2/v1/userinfo" => "oauth2.userinfo",
        "/.well-known/openid-configuration" => "openid-configuration",
        "/batch/calendar/v3" => "batch",
        _ if is_api(asked) => {
            let pieces = pieces(asked);
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            method(&asked.method, &pieces)
        }
        _ => "other",
    }
}

fn method(verb: &str, pieces: &[&str]) -> &'static str {
    match (verb, pieces) {
        ("GET", ["users", "me", "calendarList"]) => "calendarList.list",
        ("POST", ["users", "me", "calendarList"]) => "calendarList.insert",
        ("POST", ["users", "me", "calendarList", "watch"]) => "calendarList.watch",
        ("GET", ["users", "me", "calendarList", _]) => "calendarList.get",
        ("PATCH", ["users", "me", "calendarList", _]) => "calendarList.patch",
        ("PUT", ["users", "me", "calendarList", _]) => "calendarList.update",
        ("DELETE", ["users", "me", "calendarList", _]) => "calendarList.delete",
        ("GET", ["users", "me", "settings"]) => "settings.list",
        ("POST", ["users", "me", "settings", "watch"]) => "settings.watch",
        ("GET", ["users", "me", "settings", _]) => "settings.get",
        ("GET", ["colors"]) => "colors.get",
        ("POST", ["freeBusy"]) => "freebusy.query",
        ("POST", ["channels", "stop"]) => "channels.stop",
        ("POST", ["calendars"]) => "calendars.insert",
        (_, ["calendars", _]) => match verb {
            "GET" => "calendars.get",
            "PATCH" => "calendars.patch",
            "PUT" => "calendars.update",
            "DELETE" => "calendars.delete",
            _ => "other",
        },
        ("POST", ["calendars", _, "clear"]) => "calendars.clear",
        (_, ["calendars", _, "acl", ..]) => match (verb, pieces.get(3..).unwrap_or_default()) {
            ("GET", []) => "acl.list",
            ("POST", []) => "acl.insert",
            ("POST", ["watch"]) => "acl.watch",
            ("GET", [_]) => "acl.get",
            ("PATCH", [_]) => "acl.patch",
            ("PUT", [_]) => "acl.update",
            ("DELETE", [_]) => "acl.delete",
            _ => "other",
        },
        (_, ["calendars", _, "events", ..]) => match (verb, pieces.get(3..).unwrap_or_default()) {
            ("GET", []) => "events.list",
            ("POST", []) => "events.insert",
            ("POST", ["import"]) => "events.import",
            ("POST", ["quickAdd"]) => "events.quickAdd",
            ("POST", ["watch"]) => "events.watch",
            ("GET", [_]) => "events.get",
            ("PATCH", [_]) => "events.patch",
            ("PUT", [_]) => "events.update",
            ("DELETE", [_]) => "events.delete",
            ("POST", [_, "move"]) => "events.move",
            ("GET", [_, "instances"]) => "events.instances",
            _ => "other",
        },
        _ => "other",
    }
}

impl GoogleLookAlike {
    pub(super) fn route(&mut self, now: DateTime<Utc>, asked: &SandboxRequest) -> Reply {
        let done = match operation(asked) {
            "consent" => Ok(self.consent(now, asked)),
            "token" => Ok(self.token(now, asked)),
            "revoke" => Ok(self.revoke(asked)),
            "tokeninfo" => Ok(self.token_info(now, asked)),
            "userinfo" => Ok(self.user_info(now, asked, false)),
            "oauth2.userinfo" => Ok(self.user_info(now, asked, true)),
            "openid-configuration" => Ok(super::identity::configuration(asked)),
            "batch" => self.batch(now, asked),
            name => self.calendar_api(now, asked, name),
        };
        done.unwrap_or_else(|refusal| refusal.reply())
    }

    fn calendar_api(&mut self, now: DateTime<Utc>, asked: &SandboxRequest, name: &str) -> SandboxAnswer {
        if !is_api(asked) {
            return Err(SandboxRefusal::new(404, "global", "notFound"));
        }
        let caller = self.caller(now, asked)?;
        let pieces = pieces(asked);
        let at = |place: usize| pieces.get(place).map(String::as_str).unwrap_or_default();
        // Ids in the path: of an entry or a setting, of a calendar, of what is in a calendar.
        let (mine, calendar, inside) = (at(3), at(1), at(3));
        match name {
            "calendarList.list" => self.calendar_list(&caller, asked),
            "calendarList.insert" => self.insert_entry(now, &caller, asked),
            "calendarList.get" => self.calendar_entry(&caller, mine, asked),
            "calendarList.patch" | "calendarList.update" => self.change_entry(now, &caller, mine, asked),
            "calendarList.delete" => self.delete_entry(now, &caller, mine, asked),
            "calendarList.watch" => self.watch(now, &caller, watch::Subject::List, asked),
            "settings.list" => self.list_settings(&caller, asked),
            "settings.get" => self.get_setting(&caller, mine, asked),
            "settings.watch" => self.watch(now, &caller, watch::Subject::Settings, asked),
            "colors.get" => colors::get(&caller, asked),
            "freebusy.query" => self.free_busy(&caller, asked),
            "channels.stop" => self.stop(&caller, asked),
            "calendars.insert" => self.insert_calendar(now, &caller, asked),
            "calendars.get" => self.calendar_resource(&caller, calendar, asked),
            "calendars.patch" | "calendars.update" => self.change_calendar(&caller, calendar, asked),
            "calendars.delete" => self.delete_calendar(now, &caller, calendar),
            "calendars.clear" => self.clear_calendar(now, &caller, calendar),
            "acl.list" => self.list_rules(&caller, calendar, asked),
            "acl.get" => self.get_rule(&caller, calendar, inside, asked),
            "acl.insert" => self.insert_rule(now, &caller, calendar, asked),
            "acl.patch" | "acl.update" => self.change_rule(now, &caller, calendar, inside, asked),
            "acl.delete" => self.delete_rule(now, &caller, calendar, inside),
            "acl.watch" => self.watch(now, &caller, watch::Subject::Rules(calendar), asked),
            "events.list" => self.list_events(now, &caller, calendar, asked),
            "events.insert" => self.insert(now, &caller, calendar, asked),
            "events.import" => self.import(now, &caller, calendar, asked),
            "events.quickAdd" => self.quick_add(now, &caller, calendar, asked),
            "events.watch" => self.watch(now, &caller, watch::Subject::Events(calendar), asked),
            "events.get" => self.get(&caller, calendar, inside, asked),
            "events.patch" | "events.update" => self.change(now, &caller, calendar, inside, asked),
            "events.delete" => self.delete(now, &caller, calendar, inside, asked),
            "events.move" => self.move_event(now, &caller, calendar, inside, asked),
            "events.instances" => self.instances(&caller, calendar, inside, asked),
            _ => Err(SandboxRefusal::new(404, "global", "notFound")),
        }
    }
}
