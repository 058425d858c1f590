"""Says when events begin by the VTIMEZONE of their own file, as `dateutil` reads it, which is not ours.

Standard input is a JSON list of calendars' texts; standard output a JSON list with a list for each: a row for each event without a rule
that begins at a time of such a zone: [UID, wall time, seconds since 1970].
"""
import io, json, sys
from datetime import datetime

from dateutil import tz


def unfolded(text):
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\n ", "").replace("\n\t", "").split("\n")


def zones(lines):
    """The definitions that `dateutil` can read, by name."""
    found, block = {}, None
    for line in lines:
        word = line.strip().upper()
        if word == "BEGIN:VTIMEZONE":
            block = []
        if block is not None:
            block.append(line)
        if word == "END:VTIMEZONE" and block:
            text = "BEGIN:VCALENDAR\r\n" + "\r\n".join(block) + "\r\nEND:VCALENDAR\r\n"
            try:
                known = tz.tzical(io.StringIO(text))
                found.update((name, known.get(name)) for name in known.keys())
            except (ValueError, AttributeError, KeyError, TypeError):
                pass
            block = None
    return found


def events(lines):
    inside, held = [], {}
    for line in lines:
        name, _, value = line.partition(":")
        word = name.strip().upper()
        if word == "BEGIN":
            inside.append(value.strip().upper())
            if inside[-1] == "VEVENT":
                held = {}
        elif word == "END":
            if value.strip().upper() == "VEVENT":
                yield held
            if inside:
                inside.pop()
        elif inside and inside[-1] == "VEVENT":
            held.setdefault(word.split(";")[0], (name, value.strip()))


def rows(text):
    lines = unfolded(text)
    known = zones(lines)
    for event in events(lines):
        if "RRULE" in event or "RECURRENCE-ID" in event or "DTSTART" not in event or "UID" not in event:
            continue
        name, value = event["DTSTART"]
        parameters = dict(part.partition("=")[::2] for part in name.split(";")[1:])
        zone = known.get(parameters.get("TZID", "").strip('"'))
        if zone is None:
            continue
        try:
            wall = datetime.strptime(value, "%Y%m%dT%H%M%S")
        except ValueError:
            continue
        # What the clocks pass over or show twice has no single answer.
        if tz.datetime_ambiguous(wall, zone) or not tz.datetime_exists(wall, zone):
            continue
        yield [event["UID"][1], value, int(wall.replace(tzinfo=zone).timestamp())]


print(json.dumps([list(rows(text)) for text in json.load(sys.stdin)]))
