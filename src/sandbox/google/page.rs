//! `/`: what is in the look-alike's calendars, for people; and a form to add to them, as another client would.

use chrono::{DateTime, Duration, Utc};
use maud::{DOCTYPE, PreEscaped, html};
use serde_json::{Map, Value, json};

use super::{GoogleLookAlike, expand};
use crate::{
    domain::time::Window,
    sandbox::reply::{Reply, SandboxRequest},
};

/// How far ahead is shown.
const AHEAD: Duration = Duration::days(14);
const STYLE: &str = "body{font:1rem/1.45 system-ui,sans-serif;margin:.5rem;color-scheme:light dark}\
    form{display:flex;gap:.5rem;margin:.5rem 0}input,select,button{font:inherit;padding:.3rem .6rem}input{flex:1}\
    table{border-collapse:collapse;width:100%}td{padding:.2rem .6rem;border-top:1px solid #8884;vertical-align:top}\
    iframe{width:100%;height:60vh;border:0}";

impl GoogleLookAlike {
    /// The page, its list (which refreshes itself), and what its form brings.
    pub(super) fn page(&mut self, now: DateTime<Utc>, asked: &SandboxRequest) -> Reply {
        match (asked.method.as_str(), asked.path.as_str()) {
            ("POST", "/") => {
                let form = asked.form();
                let given = |name: &str| form.get(name).map(|text| text.trim()).unwrap_or_default();
                self.add_by_hand(now, given("email"), given("title"));
                Reply { status: 303, headers: vec![("location".to_owned(), "/".to_owned())], ..Reply::default() }
            }
            ("GET", "/list") => self.list(now),
            _ => self.outer(),
        }
    }

    fn outer(&self) -> Reply {
        whole(
            None,
            &html! {
                form method="post" {
                    select name="email" aria-label="Whose" { @for email in self.people.keys() { option { (email) } } }
                    input name="title" aria-label="What" placeholder="Something the day after tomorrow" required maxlength="100";
                    button { "Add at Google" }
                }
                iframe src="/list" title="Events" {}
            },
        )
    }

    fn list(&self, now: DateTime<Utc>) -> Reply {
        let window = Window { from: now, to: now + AHEAD };
        let mut rows = Vec::new();
        for (email, person) in &self.people {
            for calendar in person.calendars.values().filter(|held| !held.deleted) {
                for stored in calendar.events.values().filter(|one| !one.cancelled()) {
                    if stored.text("recurringEventId").is_empty() {
                        let shown = expand::occurrences(calendar, &stored.item, Some(window));
                        rows.extend(shown.into_iter().filter_map(|item| row(email, &item, &calendar.time_zone)));
                    }
                }
            }
        }
        rows.sort();
        whole(
            Some(2),
            &html! {
                table { @for (start, email, title) in &rows {
                    tr { td { (start.format("%a %d %b, %H:%M")) } td { (email.split('@').next().unwrap_or_default()) } td { (title) } }
                } }
            },
        )
    }

    fn add_by_hand(&mut self, now: DateTime<Utc>, email: &str, title: &str) {
        let zone = chrono_tz::Europe::Paris;
        let day = (now.with_timezone(&zone) + Duration::days(2)).date_naive();
        let Some(noon) = day.and_hms_opt(12, 0, 0).and_then(|at| at.and_local_timezone(zone).earliest()) else {
            return;
        };
        let time = |at: DateTime<chrono_tz::Tz>| json!({ "dateTime": at.to_rfc3339(), "timeZone": zone.name() });
        let event = json!({ "summary": title, "start": time(noon), "end": time(noon + Duration::hours(1)) });
        // A person or a title that is not there adds nothing.
        if !title.is_empty() {
            let _ = self.put_raw(now, email, None, &json!({ "event": event }));
        }
    }
}

fn row(email: &str, item: &Map<String, Value>, zone: &str) -> Option<(chrono::NaiveDateTime, String, String)> {
    let (start, _) = expand::bounds(item, zone)?;
    let zone: chrono_tz::Tz = zone.parse().ok()?;
    let title = item.get("summary").and_then(Value::as_str).unwrap_or_default();
    Some((start.with_timezone(&zone).naive_local(), email.to_owned(), title.to_owned()))
}

fn whole(refresh: Option<u32>, body: &maud::Markup) -> Reply {
    let text = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                @if let Some(seconds) = refresh { meta http-equiv="refresh" content=(seconds); }
                title { "Sandbox Google" }
                style { (PreEscaped(STYLE)) }
            }
            body { (body) }
        }
    };
    Reply::page(200, text.into_string())
}
