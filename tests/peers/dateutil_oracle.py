"""Expands recurrence rules with python-dateutil: one JSON object per line in, one JSON object per line out."""

import datetime
import json
import sys
import types

import dateutil.rrule

# A rule without any occurrence is searched to the calendar's end; a nearer end keeps that short.
dateutil.rrule.datetime = types.SimpleNamespace(**{**vars(datetime), "MAXYEAR": 2035})


def starts(case):
    start, before = (datetime.datetime.fromisoformat(case[name]) for name in ("start", "before"))
    found = []
    for at in dateutil.rrule.rrulestr(case["rule"], dtstart=start):
        if at >= before or len(found) == case["max"]:
            break
        found.append(at.isoformat())
    return found


for line in sys.stdin:
    try:
        answer = {"starts": starts(json.loads(line))}
    except ValueError as refused:
        answer = {"refused": str(refused)}
    print(json.dumps(answer), flush=True)
