"""Drives the sandbox with Google's official client and its bundled discovery document.

Usage: google_client.py ROOT   (http://127.0.0.1:PORT)

Every answer is checked against the document's schemas: an unknown field or a wrong type ends the run. Prints one line per
step; exit status 0 when all held.
"""
import base64, datetime, hashlib, http.server, json, sys, threading, urllib.parse, urllib.request

import googleapiclient.discovery_cache as cache
import httplib2
from google.auth.transport.requests import Request  # noqa: F401  (the library refreshes through it)
from google.oauth2.credentials import Credentials
from google_auth_httplib2 import AuthorizedHttp
from googleapiclient.discovery import build_from_document
from googleapiclient.errors import HttpError
from googleapiclient.http import BatchHttpRequest

ROOT = sys.argv[1]
DOCUMENT = json.loads((cache.DISCOVERY_DOC_DIR and open(cache.DISCOVERY_DOC_DIR + "/calendar.v3.json").read()))
SCHEMAS = DOCUMENT["schemas"]


def check(value, schema, path):
    """Holds a value against a schema of the document."""
    if "$ref" in schema:
        schema = SCHEMAS[schema["$ref"]]
    kind = schema.get("type", "any")
    wrong = lambda: SystemExit(f"{path}: {json.dumps(value)[:80]} is no {kind}")
    if kind == "object":
        if not isinstance(value, dict):
            raise wrong()
        known, others = schema.get("properties", {}), schema.get("additionalProperties")
        for name, inside in value.items():
            if name in known:
                check(inside, known[name], f"{path}.{name}")
            elif others:
                check(inside, others, f"{path}.{name}")
            else:
                raise SystemExit(f"{path}.{name}: the document knows no such field")
    elif kind == "array":
        if not isinstance(value, list):
            raise wrong()
        for n, inside in enumerate(value):
            check(inside, schema["items"], f"{path}[{n}]")
    elif kind == "string":
        if not isinstance(value, str):
            raise wrong()
        if "enum" in schema and value not in schema["enum"]:
            raise SystemExit(f"{path}: {value} is none of {schema['enum']}")
        if schema.get("format") == "date-time":
            datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))
    elif kind == "boolean" and not isinstance(value, bool):
        raise wrong()
    elif kind in ("integer", "number") and (isinstance(value, bool) or not isinstance(value, (int, float))):
        raise wrong()
    return value


def method(name):
    at = DOCUMENT
    for piece in name.split("."):
        at = at["resources"][piece] if piece in at.get("resources", {}) else at["methods"][piece]
    return at


def run(request):
    """Executes a request of the library; the answer is checked against the schema of its method."""
    answer = request.execute()
    response = method(request.methodId.removeprefix("calendar.")).get("response")
    if response:
        check(answer, response, request.methodId)
    elif answer not in ("", b"", None):
        raise SystemExit(f"{request.methodId}: an answer where none is documented")
    return answer


def refused(status, reason, request):
    try:
        request.execute()
    except HttpError as error:
        told = json.loads(error.content)["error"]
        if error.status_code == status == told["code"] and told["errors"][0]["reason"] == reason:
            return
        raise SystemExit(f"{request.methodId}: {error.status_code} {error.content}, not {status} {reason}")
    raise SystemExit(f"{request.methodId}: done, though {status} {reason} was to come")


def control(verb, path, body=None):
    request = urllib.request.Request(f"{ROOT}/control{path}", json.dumps(body or {}).encode(), method=verb)
    return json.loads(urllib.request.urlopen(request).read())


def step(words):
    print("ok", words, flush=True)


def expect(what, found, wanted):
    if found != wanted:
        raise SystemExit(f"{what}: {found!r}, not {wanted!r}")


class Hook(http.server.BaseHTTPRequestHandler):
    heard = []
    bell = threading.Condition()

    def do_POST(self):
        with Hook.bell:
            Hook.heard.append(self.headers)
            Hook.bell.notify_all()
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def heard(state):
    with Hook.bell:
        if not Hook.bell.wait_for(lambda: any(h["X-Goog-Resource-State"] == state for h in Hook.heard), 10):
            raise SystemExit(f"no {state} notification came")
        return next(h for h in Hook.heard if h["X-Goog-Resource-State"] == state)


def consent(email):
    """The whole consent with PKCE, as a browser and a backend do it."""
    control("POST", "/settings", {"auto_approve": True})
    verifier = "v" * 50
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    scopes = ["openid", "https://www.googleapis.com/auth/calendar"]
    query = urllib.parse.urlencode({
        "client_id": "official", "redirect_uri": "http://127.0.0.1/back", "response_type": "code", "scope": " ".join(scopes),
        "access_type": "offline", "prompt": "consent", "state": "s1", "login_hint": email, "code_challenge": challenge,
        "code_challenge_method": "S256",
    })

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_):
            return None

    try:
        urllib.request.build_opener(Stay).open(f"{ROOT}/google/o/oauth2/v2/auth?{query}")
        raise SystemExit("the consent did not redirect")
    except urllib.error.HTTPError as answer:
        back = dict(urllib.parse.parse_qsl(urllib.parse.urlparse(answer.headers["location"]).query))
    expect("state", back["state"], "s1")
    form = {"grant_type": "authorization_code", "code": back["code"], "client_id": "official", "client_secret": "secret",
            "redirect_uri": "http://127.0.0.1/back", "code_verifier": verifier}
    post = lambda fields: urllib.request.urlopen(f"{ROOT}/google/token", urllib.parse.urlencode(fields).encode())
    token = json.loads(post(form).read())
    try:
        post(form)
        raise SystemExit("a code was good twice")
    except urllib.error.HTTPError as answer:
        expect("a used code", json.loads(answer.read())["error"], "invalid_grant")
    control("POST", "/settings", {"auto_approve": False})
    return token


def main():
    control("POST", "/users", {"email": "ada@example.com"})
    token = consent("ada@example.com")
    credentials = Credentials(token=token["access_token"], refresh_token=token["refresh_token"],
                              token_uri=f"{ROOT}/google/token", client_id="official", client_secret="secret")
    service = build_from_document(DOCUMENT, http=AuthorizedHttp(credentials, httplib2.Http()),
                                  client_options={"api_endpoint": f"{ROOT}/google/calendar/v3"})
    step("consent with PKCE, exchange, a code is good once")

    calendars = run(service.calendarList().list())["items"]
    expect("calendars", sorted(c["summary"] for c in calendars), ["Family", "ada@example.com"])
    run(service.calendarList().get(calendarId="primary"))
    run(service.colors().get())
    run(service.settings().list())
    step("calendar list")

    events = service.events()
    zone = "Europe/Paris"
    at = lambda day, hour: {"dateTime": f"2026-12-{day:02}T{hour:02}:00:00", "timeZone": zone}
    one = run(events.insert(calendarId="primary", body={"id": "abcde12345", "summary": "One", "start": at(1, 9), "end": at(1, 10)}))
    expect("offset", one["start"]["dateTime"], "2026-12-01T09:00:00+01:00")
    refused(409, "duplicate", events.insert(calendarId="primary", body={"id": "abcde12345", "summary": "x", "start": at(1, 9), "end": at(1, 10)}))
    refused(400, "invalid", events.insert(calendarId="primary", body={"id": "Not-Valid", "start": at(1, 9), "end": at(1, 10)}))
    refused(400, "required", events.insert(calendarId="primary", body={"summary": "no times"}))
    series = run(events.insert(calendarId="primary", body={"summary": "Weekly", "start": at(7, 9), "end": at(7, 10),
                                                           "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=4"]}))
    run(events.insert(calendarId="primary", body={"summary": "Day", "start": {"date": "2026-12-24"}, "end": {"date": "2026-12-25"},
                                                  "extendedProperties": {"private": {"mark": "m"}}}))
    step("insert: chosen id, duplicate, bad id, missing times, series, all-day")

    instances = run(events.instances(calendarId="primary", eventId=series["id"]))["items"]
    expect("instances", [i["start"]["dateTime"][:10] for i in instances], ["2026-12-07", "2026-12-14", "2026-12-21", "2026-12-28"])
    expect("instance id", instances[1]["id"], f"{series['id']}_20261214T080000Z")
    moved = run(events.patch(calendarId="primary", eventId=instances[1]["id"], body={"start": at(15, 9), "end": at(15, 10)}))
    expect("original start", moved["originalStartTime"]["dateTime"], "2026-12-14T09:00:00+01:00")
    run(events.delete(calendarId="primary", eventId=instances[2]["id"]))
    left = run(events.instances(calendarId="primary", eventId=series["id"]))["items"]
    expect("left", len(left), 3)
    step("instances: exception by patch, cancelled by delete")

    full = run(events.list(calendarId="primary", maxResults=2))
    pages, token = [full], full.get("nextPageToken")
    while token:
        pages.append(run(events.list(calendarId="primary", maxResults=2, pageToken=token)))
        token = pages[-1].get("nextPageToken")
    expect("a token on the last page only", ["nextSyncToken" in p for p in pages], [False] * (len(pages) - 1) + [True])
    sync = pages[-1]["nextSyncToken"]
    expect("single events", len(run(events.list(calendarId="primary", singleEvents=True, orderBy="startTime"))["items"]), 5)
    expect("mark", len(run(events.list(calendarId="primary", privateExtendedProperty="mark=m"))["items"]), 1)
    refused(400, "invalid", events.list(calendarId="primary", orderBy="startTime"))
    refused(400, "invalid", events.list(calendarId="primary", syncToken=sync, timeMin="2026-12-01T00:00:00Z"))
    step("list: pages, sync token on the last, expanded, by mark, forbidden combinations")

    def guarded(request, etag):
        request.headers["If-Match"] = etag
        return request

    patched = run(guarded(events.patch(calendarId="primary", eventId=one["id"], body={"summary": "Two", "location": "Room"}), one["etag"]))
    if patched["etag"] == one["etag"] or patched["summary"] != "Two" or patched["start"] != one["start"]:
        raise SystemExit("a patch changes what it names, and the version")
    refused(412, "conditionNotMet", guarded(events.patch(calendarId="primary", eventId=one["id"], body={"summary": "Three"}), one["etag"]))
    refused(412, "conditionNotMet", guarded(events.delete(calendarId="primary", eventId=one["id"]), one["etag"]))
    updated = run(events.update(calendarId="primary", eventId=one["id"], body={"summary": "Four", "start": at(1, 9), "end": at(1, 10)}))
    expect("an update replaces", "location" in updated, False)
    step("patch with If-Match, 412, update replaces")

    run(events.delete(calendarId="primary", eventId=one["id"]))
    refused(410, "deleted", events.delete(calendarId="primary", eventId=one["id"]))
    expect("a deleted event can be read", run(events.get(calendarId="primary", eventId=one["id"]))["status"], "cancelled")
    refused(409, "duplicate", events.insert(calendarId="primary", body={"id": "abcde12345", "start": at(1, 9), "end": at(1, 10)}))
    delta = run(events.list(calendarId="primary", syncToken=sync))
    expect("delta", [(i["id"], i["status"]) for i in delta["items"]], [(one["id"], "cancelled")])
    expect("a deletion tells its id alone", sorted(delta["items"][0]), ["etag", "id", "kind", "status"])
    run(events.delete(calendarId="primary", eventId=series["id"]))
    gone = run(events.list(calendarId="primary", syncToken=delta["nextSyncToken"]))["items"]
    expect("a series goes whole", sorted(i["status"] for i in gone), ["cancelled"] * len(gone))
    step("deletions: 410 the second time, ids are never free again, sync token tells them")

    control("POST", "/expire-sync-tokens")
    refused(410, "fullSyncRequired", events.list(calendarId="primary", syncToken=delta["nextSyncToken"]))
    again = run(events.list(calendarId="primary"))
    expect("a full list after 410", [i["summary"] for i in again["items"]], ["Day"])
    step("410, then a full list")

    hook = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=hook.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{hook.server_port}/hook"
    channel = run(events.watch(calendarId="primary", body={"id": "channel-1", "type": "web_hook", "address": address, "token": "secret"}))
    expect("sync message", (heard("sync")["X-Goog-Message-Number"], heard("sync")["X-Goog-Channel-Token"]), ("1", "secret"))
    refused(400, "channelIdNotUnique", events.watch(calendarId="primary", body={"id": "channel-1", "type": "web_hook", "address": address}))
    run(events.insert(calendarId="primary", body={"summary": "Told", "start": at(2, 9), "end": at(2, 10)}))
    expect("resource", heard("exists")["X-Goog-Resource-ID"], channel["resourceId"])
    run(service.channels().stop(body={"id": "channel-1", "resourceId": channel["resourceId"]}))
    refused(404, "notFound", service.channels().stop(body={"id": "channel-1", "resourceId": channel["resourceId"]}))
    step("watch, sync, exists, stop")

    busy = run(service.freebusy().query(body={"timeMin": "2026-12-01T00:00:00Z", "timeMax": "2026-12-31T00:00:00Z",
                                              "items": [{"id": "primary"}, {"id": "nobody@example.com"}]}))["calendars"]
    expect("busy", busy["primary"]["busy"][0], {"start": "2026-12-02T08:00:00Z", "end": "2026-12-02T09:00:00Z"})
    expect("unknown", busy["nobody@example.com"]["errors"][0]["reason"], "notFound")
    step("free/busy")

    told = {}
    batch = BatchHttpRequest(callback=lambda id, answer, error: told.__setitem__(id, error.status_code if error else answer["summary"]),
                             batch_uri=f"{ROOT}/google/batch/calendar/v3")
    for n in range(3):
        batch.add(events.insert(calendarId="primary", body={"summary": f"Batch {n}", "start": at(3, n), "end": at(3, n + 1)}), request_id=str(n))
    batch.add(events.get(calendarId="primary", eventId="nothing"), request_id="3")
    batch.execute(http=AuthorizedHttp(credentials, httplib2.Http()))
    expect("batch", told, {"0": "Batch 0", "1": "Batch 1", "2": "Batch 2", "3": 404})
    step("batch: each part by itself")

    family = next(c["id"] for c in calendars if c["summary"] == "Family")
    moving = run(events.insert(calendarId="primary", body={"summary": "Moving", "start": at(4, 9), "end": at(4, 10)}))
    expect("moved", run(events.move(calendarId="primary", eventId=moving["id"], destination=family))["id"], moving["id"])
    expect("not here", run(events.get(calendarId="primary", eventId=moving["id"]))["status"], "cancelled")
    imported = run(events.import_(calendarId="primary", body={"iCalUID": "u1@elsewhere", "summary": "Imported", "start": at(5, 9), "end": at(5, 10)}))
    expect("by uid", [i["id"] for i in run(events.list(calendarId="primary", iCalUID="u1@elsewhere"))["items"]], [imported["id"]])
    step("move, import")

    control("POST", "/expire-access-tokens")
    run(events.list(calendarId="primary"))
    step("an expired token is refreshed by the library")
    control("POST", "/faults", {"operation": "events.list", "status": 403, "reason": "rateLimitExceeded"})
    refused(403, "rateLimitExceeded", events.list(calendarId="primary"))
    run(events.list(calendarId="primary"))
    step("faults on command")
    urllib.request.urlopen(f"{ROOT}/google/revoke", urllib.parse.urlencode({"token": credentials.token}).encode())
    try:
        events.list(calendarId="primary").execute()
        raise SystemExit("a revoked grant still serves")
    except Exception as error:
        expect("revoked", "invalid_grant" in str(error), True)
    step("revoke ends the grant")
    print("all held")


main()
