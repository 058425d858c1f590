"""Reads calendar objects with `icalendar` and `dateutil`, which are not ours, for what a person would see in them.

Each line of standard input is a JSON list of objects' texts; each line of output is a JSON object: "seen" has a row for each
occurrence that begins in 2026 or 2027 ([title, start, end]; a date, an instant in UTC, or a wall time), "wrong" has a sentence for
what no program should have written.
"""
import json, sys
from datetime import date, datetime, timedelta, timezone

import icalendar
from dateutil.rrule import rrulestr

FROM, TO = date(2026, 1, 1), date(2027, 12, 31)
OCCURRENCES_MAX = 2_000


def is_day(at):
    return not isinstance(at, datetime)


def shown(at):
    if is_day(at):
        return at.isoformat()
    if at.tzinfo is None:
        return at.isoformat()
    return at.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def wall(at):
    return datetime(at.year, at.month, at.day) if is_day(at) else at.replace(tzinfo=None)


def listed(event, name):
    found = event.get(name, [])
    return [at.dt for one in (found if isinstance(found, list) else [found]) for at in one.dts]


def span(event, wrong):
    start = event["DTSTART"].dt
    title = str(event.get("SUMMARY", ""))
    if "DTEND" in event:
        end = event["DTEND"].dt
        if is_day(start) != is_day(end):
            wrong.append(f"{title}: DTSTART {start} and DTEND {end} are of two kinds")
            return start, start
        if end <= start:
            wrong.append(f"{title}: DTEND {end} is not after DTSTART {start}")
        if "DURATION" in event:
            wrong.append(f"{title}: both DTEND and DURATION")
        return start, end
    if "DURATION" in event:
        return start, start + event["DURATION"].dt
    return start, start + timedelta(days=1) if is_day(start) else start


def starts(event):
    """When it begins: itself, or each occurrence of its rule that is not left out."""
    start = event["DTSTART"].dt
    if "RRULE" not in event:
        found = [wall(start)]
    else:
        rule = event["RRULE"].to_ical().decode()
        until = event["RRULE"].get("UNTIL")
        if until:
            until = until[0]
            if not is_day(until) and until.tzinfo and not is_day(start) and start.tzinfo:
                until = until.astimezone(start.tzinfo)
            parts = [part for part in rule.split(";") if not part.startswith("UNTIL=")]
            rule = ";".join([*parts, "UNTIL=" + wall(until).strftime("%Y%m%dT%H%M%S")])
        found = []
        for at in rrulestr(rule, dtstart=wall(start)):
            if at.date() > TO or len(found) == OCCURRENCES_MAX:
                break
            found.append(at)
    found += [wall(at) for at in listed(event, "RDATE")]
    out = {shown(at) for at in listed(event, "EXDATE")}
    if is_day(start):
        return [at.date() for at in sorted(set(found)) if shown(at.date()) not in out]
    zoned = [at.replace(tzinfo=start.tzinfo) for at in sorted(set(found))]
    return [at for at in zoned if shown(at) not in out]


def read(texts):
    seen, wrong = [], []
    for text in texts:
        events = icalendar.Calendar.from_ical(text).walk("VEVENT")
        other = {shown(event["RECURRENCE-ID"].dt): event for event in events if "RECURRENCE-ID" in event}
        rows = []
        for event in events:
            start, end = span(event, wrong)
            if "RECURRENCE-ID" in event:
                rows.append((event, start, end))
                continue
            for at in starts(event):
                if shown(at) not in other:
                    # A wall time's end is as far away on the wall, as RFC 5545 has it for DTEND.
                    until = at + (end - start) if is_day(at) else (wall(at) + (wall(end) - wall(start))).replace(tzinfo=end.tzinfo)
                    rows.append((event, at, until))
        for event, start, end in rows:
            if FROM <= (start if is_day(start) else start.date()) <= TO and event.get("STATUS") != "CANCELLED":
                seen.append([str(event.get("SUMMARY", "")), shown(start), shown(end)])
    return {"seen": sorted(seen), "wrong": wrong}


for line in sys.stdin:
    print(json.dumps(read(json.loads(line))), flush=True)
