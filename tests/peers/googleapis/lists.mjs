// events.list: filters, order, pages, sync tokens.
import { at, control, eq, event, it, ok, person, primary, refused, weekly } from './harness.mjs';

/** Somebody with events of these titles on the 1st, 2nd, … of June. */
async function full(...titles) {
  const who = await person();
  const made = [];
  for (const [n, title] of titles.entries()) made.push(await primary(who).insert(event(title, n + 1)));
  return { who, calls: primary(who), made };
}
const day = (n, hour = 0) => `2027-06-${String(n).padStart(2, '0')}T${String(hour).padStart(2, '0')}:00:00Z`;

it('list: kind, title, zone, role and when it last changed', async () => {
  const { who, calls } = await full('a');
  const held = await calls.list();
  eq([held.kind, held.summary, held.timeZone, held.accessRole], ['calendar#events', who.email, 'Europe/Paris', 'owner']);
  ok(Date.parse(held.updated) > Date.parse('2026-01-01') && held.etag, 'the rest');
});
it('list: default reminders of the calendar', async () => eq((await (await full()).calls.list()).defaultReminders, [{ method: 'popup', minutes: 30 }]));
it('list: an unknown calendar is 404', async () => refused((await person()).events.list({ calendarId: 'x@example.com' }), 404, 'notFound'));
it('list: the same order each time', async () => {
  const { calls } = await full('a', 'b', 'c', 'd');
  eq((await calls.list()).items.map((item) => item.id), (await calls.list()).items.map((item) => item.id));
});
it('list: ETag in the header, 304 for the same', async () => {
  const { who } = await full('a');
  const answer = await who.events.list({ calendarId: 'primary' });
  const again = who.events.list({ calendarId: 'primary' }, { headers: { 'If-None-Match': answer.headers.get('etag') } });
  eq((await again).status, 304);
});
it('list: timeMin bounds the end, exclusive', async () => {
  const { calls } = await full('a', 'b');
  eq(await calls.titles({ timeMin: day(1, 8) }), ['b']);
  eq(await calls.titles({ timeMin: '2027-06-01T07:59:59Z' }), ['a', 'b']);
});
it('list: timeMax bounds the start, exclusive', async () => {
  const { calls } = await full('a', 'b');
  eq(await calls.titles({ timeMax: day(2, 7) }), ['a']);
  eq(await calls.titles({ timeMax: '2027-06-02T07:00:01Z' }), ['a', 'b']);
});
it('list: a series comes when one of its instances is within the time', async () => {
  const calls = primary(await person());
  await calls.insert(weekly('W'));
  eq(await calls.titles({ timeMin: day(20), timeMax: day(25) }), ['W']);
  eq(await calls.titles({ timeMin: '2027-08-01T00:00:00Z', timeMax: '2027-09-01T00:00:00Z' }), []);
});
it('list: singleEvents shows instances and no series', async () => {
  const calls = primary(await person());
  await calls.insert(weekly('W'));
  const { items } = await calls.list({ singleEvents: true });
  eq([items.length, items.some((item) => item.recurrence)], [4, false]);
});
it('list: singleEvents within a time', async () => {
  const calls = primary(await person());
  await calls.insert(weekly('W'));
  eq((await calls.list({ singleEvents: true, timeMin: day(10), timeMax: day(25) })).items.length, 2);
});
it('list: singleEvents shows a moved instance where it is', async () => {
  const calls = primary(await person());
  const series = await calls.insert(weekly('W'));
  await calls.patch((await calls.instances(series.id))[0].id, { start: at(9, 9), end: at(9, 10) });
  eq((await calls.list({ singleEvents: true, timeMin: day(9), timeMax: day(10) })).items.length, 1);
  eq((await calls.list({ singleEvents: true, timeMin: day(7), timeMax: day(8) })).items.length, 0);
});
it('list: orderBy=startTime', async () => {
  const calls = primary(await person());
  for (const n of [3, 1, 2]) await calls.insert(event(`e${n}`, n));
  eq((await calls.list({ singleEvents: true, orderBy: 'startTime' })).items.map((item) => item.summary), ['e1', 'e2', 'e3']);
});
it('list: orderBy=startTime without singleEvents is refused', async () => refused(primary(await person()).list({ orderBy: 'startTime' }), 400, 'invalid'));
it('list: orderBy=updated, the last last', async () => {
  const { calls, made } = await full('a', 'b', 'c');
  await calls.patch(made[0].id, { location: 'Here' });
  eq((await calls.list({ orderBy: 'updated' })).items.map((item) => item.summary), ['b', 'c', 'a']);
});
it('list: an unknown order is refused', async () => refused(primary(await person()).list({ orderBy: 'size' }), 400, 'invalidParameter', { location: 'orderBy' }));
it('list: q in title, description, place', async () => {
  const calls = primary(await person());
  await calls.insert(event('Dentist'));
  await calls.insert(event('b', 7, { description: 'at the dentist' }));
  await calls.insert(event('c', 7, { location: 'Dentist Street' }));
  await calls.insert(event('d'));
  eq(await calls.titles({ q: 'dentist' }), ['Dentist', 'b', 'c']);
});
it('list: q in the names and addresses of guests', async () => {
  const calls = primary(await person());
  await calls.insert(event('a', 7, { attendees: [{ email: 'zoe@example.com' }] }));
  await calls.insert(event('b', 7, { attendees: [{ email: 'x@example.com', displayName: 'Zoe' }] }));
  await calls.insert(event('c'));
  eq(await calls.titles({ q: 'zoe' }), ['a', 'b']);
});
it('list: q in the organizer', async () => {
  const { who, calls } = await full('a');
  eq(await calls.titles({ q: who.email }), ['a']);
});
it('list: q with several words, all of them', async () => {
  const { calls } = await full('big lunch', 'small lunch');
  eq(await calls.titles({ q: 'lunch big' }), ['big lunch']);
});
it('list: q in a working location', async () => {
  const calls = primary(await person());
  const workingLocationProperties = { type: 'officeLocation', officeLocation: { label: 'Tower' } };
  await calls.insert(event('a', 7, { eventType: 'workingLocation', workingLocationProperties }));
  eq(await calls.titles({ q: 'tower' }), ['a']);
});
it('list: iCalUID', async () => {
  const { calls, made } = await full('a', 'b');
  eq(await calls.titles({ iCalUID: made[1].iCalUID }), ['b']);
});
const marked = async () => {
  const calls = primary(await person());
  await calls.insert(event('p', 7, { extendedProperties: { private: { k: '1', l: '2' } } }));
  await calls.insert(event('s', 7, { extendedProperties: { shared: { k: '1' } } }));
  return calls;
};
it('list: privateExtendedProperty', async () => eq(await (await marked()).titles({ privateExtendedProperty: ['k=1'] }), ['p']));
it('list: sharedExtendedProperty', async () => eq(await (await marked()).titles({ sharedExtendedProperty: ['k=1'] }), ['s']));
it('list: extended properties, all of them', async () => {
  eq(await (await marked()).titles({ privateExtendedProperty: ['k=1', 'l=2'] }), ['p']);
  eq(await (await marked()).titles({ privateExtendedProperty: ['k=1', 'l=3'] }), []);
});
it('list: an extended property without = is refused', async () => {
  await refused(primary(await person()).list({ privateExtendedProperty: ['k'] }), 400, 'invalidParameter');
});
it('list: eventTypes', async () => {
  const { calls } = await full('a');
  await calls.insert(event('f', 7, { eventType: 'focusTime' }));
  eq(await calls.titles({ eventTypes: ['focusTime'] }), ['f']);
  eq(await calls.titles({ eventTypes: ['focusTime', 'default'] }), ['a', 'f']);
});
it('list: eventTypes leaves deleted events of other types out', async () => {
  const { calls, made } = await full('a');
  const focus = await calls.insert(event('f', 7, { eventType: 'focusTime' }));
  await calls.remove(made[0].id);
  await calls.remove(focus.id);
  eq((await calls.list({ eventTypes: ['focusTime'], showDeleted: true })).items.map((item) => item.id), [focus.id]);
});
it('list: eventTypes leaves cancelled instances of other types out', async () => {
  const calls = primary(await person());
  const series = await calls.insert(weekly('W'));
  await calls.remove((await calls.instances(series.id))[0].id);
  eq((await calls.list({ eventTypes: ['focusTime'] })).items, []);
});
it('list: an unknown event type is refused', async () => refused(primary(await person()).list({ eventTypes: ['party'] }), 400, 'invalidParameter'));
it('list: deleted events are left out', async () => {
  const { calls, made } = await full('a', 'b');
  await calls.remove(made[0].id);
  eq((await calls.list()).items.map((item) => item.id), [made[1].id]);
});
it('list: deleted events with showDeleted', async () => {
  const { calls, made } = await full('a');
  await calls.remove(made[0].id);
  eq((await calls.list({ showDeleted: true })).items.map((item) => [item.id, item.status]), [[made[0].id, 'cancelled']]);
});
it('list: cancelled instances of a living series come without showDeleted', async () => {
  const calls = primary(await person());
  const series = await calls.insert(weekly('W'));
  await calls.remove((await calls.instances(series.id))[0].id);
  eq((await calls.list()).items.filter((item) => item.status === 'cancelled').length, 1);
});
it('list: with singleEvents they do not', async () => {
  const calls = primary(await person());
  const series = await calls.insert(weekly('W'));
  await calls.remove((await calls.instances(series.id))[0].id);
  eq((await calls.list({ singleEvents: true })).items.length, 3);
});
it('list: with singleEvents and showDeleted they do', async () => {
  const calls = primary(await person());
  const series = await calls.insert(weekly('W'));
  await calls.remove((await calls.instances(series.id))[0].id);
  eq((await calls.list({ singleEvents: true, showDeleted: true })).items.filter((item) => item.status === 'cancelled').length, 1);
});
it('list: with singleEvents and showDeleted no deleted series comes', async () => {
  const calls = primary(await person());
  const series = await calls.insert(weekly('W'));
  await calls.remove(series.id);
  ok(!(await calls.list({ singleEvents: true, showDeleted: true })).items.some((item) => item.id === series.id), 'no series');
});
it('list: updatedMin', async () => {
  const { calls, made } = await full('a', 'b');
  const { updated } = await calls.patch(made[1].id, { location: 'Here' });
  eq((await calls.list({ updatedMin: updated, orderBy: 'updated' })).items.at(-1).id, made[1].id);
  eq((await calls.list({ updatedMin: new Date(Date.now() + 60_000).toISOString() })).items, []);
});
it('list: updatedMin brings deletions without showDeleted', async () => {
  const { calls, made } = await full('a');
  await calls.remove(made[0].id);
  eq((await calls.list({ updatedMin: new Date(Date.now() - 60_000).toISOString() })).items.map((item) => item.status), ['cancelled']);
});
it('list: updatedMin too long ago is 410', async () => {
  await refused(primary(await person()).list({ updatedMin: '2020-01-01T00:00:00Z' }), 410, 'updatedMinTooLongAgo', { location: 'updatedMin' });
});
it('list: timeZone is that of the answer', async () => {
  const { calls } = await full('a');
  const held = await calls.list({ timeZone: 'Asia/Tokyo' });
  eq([held.timeZone, held.items[0].start], ['Asia/Tokyo', { dateTime: '2027-06-01T16:00:00+09:00', timeZone: 'Europe/Paris' }]);
});
it('list: an unknown zone is refused', async () => refused(primary(await person()).list({ timeZone: 'Mars/Base' }), 400, 'invalidParameter', { location: 'timeZone' }));
it('list: maxAttendees leaves the participant alone', async () => {
  const who = await person();
  await primary(who).insert(event('a', 7, { attendees: [{ email: 'x@example.com' }, { email: who.email }] }));
  const [item] = (await primary(who).list({ maxAttendees: 1 })).items;
  eq([item.attendees.map((one) => one.email), item.attendeesOmitted], [[who.email], true]);
});
it('list: maxAttendees that is enough changes nothing', async () => {
  const who = await person();
  await primary(who).insert(event('a', 7, { attendees: [{ email: 'x@example.com' }] }));
  eq((await primary(who).list({ maxAttendees: 1 })).items[0].attendeesOmitted, undefined);
});
it('list: alwaysIncludeEmail and showHiddenInvitations are taken', async () => {
  const { calls } = await full('a');
  eq(await calls.titles({ alwaysIncludeEmail: true, showHiddenInvitations: true }), ['a']);
});
it('list: fields of the items', async () => {
  const { calls } = await full('a');
  eq(await calls.list({ fields: 'items(summary)' }), { items: [{ summary: 'a' }] });
});
it('list: fields with slashes and brackets', async () => {
  const { calls } = await full('a');
  eq(await calls.list({ fields: 'kind,items(start(dateTime),end/timeZone)' }), {
    kind: 'calendar#events', items: [{ start: { dateTime: '2027-06-01T09:00:00+02:00' }, end: { timeZone: 'Europe/Paris' } }],
  });
});
it('list: fields=* is everything', async () => {
  const { calls } = await full('a');
  eq((await calls.list({ fields: '*' })).items[0].summary, 'a');
});
it('list: a field that is none is refused', async () => refused(primary(await person()).list({ fields: 'cheese' }), 400, 'invalidParameter', { location: 'fields' }));
it('list: fields that cannot be read are refused', async () => refused(primary(await person()).list({ fields: 'items(' }), 400, 'invalidParameter'));

it('pages: maxResults, and every event once', async () => {
  const { calls } = await full('a', 'b', 'c', 'd', 'e');
  const found = [];
  let pageToken;
  do {
    const page = await calls.list({ maxResults: 2, pageToken });
    ok(page.items.length <= 2 && Boolean(page.nextPageToken) !== Boolean(page.nextSyncToken), 'one token or the other');
    found.push(...page.items.map((item) => item.summary));
    pageToken = page.nextPageToken;
  } while (pageToken);
  eq(found.sort(), ['a', 'b', 'c', 'd', 'e']);
});
it('pages: a bad page token is refused', async () => refused(primary(await person()).list({ pageToken: 'x' }), 400, 'invalidParameter'));
it('pages: maxResults=0 is refused', async () => refused(primary(await person()).list({ maxResults: 0 }), 400, 'invalidParameter'));
it('pages: more than 2500 is 2500', async () => eq(await (await full('a')).calls.titles({ maxResults: 9999 }), ['a']));

it('sync: nothing changed, nothing comes', async () => {
  const { calls } = await full('a');
  eq((await calls.list({ syncToken: (await calls.list()).nextSyncToken })).items, []);
});
it('sync: what is new, changed and deleted', async () => {
  const { calls, made } = await full('a', 'b');
  const { nextSyncToken } = await calls.list();
  await calls.patch(made[0].id, { summary: 'A' });
  await calls.remove(made[1].id);
  await calls.insert(event('c'));
  eq((await calls.list({ syncToken: nextSyncToken })).items.map((item) => item.summary ?? item.status), ['A', 'cancelled', 'c']);
});
it('sync: a deletion tells its id alone', async () => {
  const { calls, made } = await full('a');
  const { nextSyncToken } = await calls.list();
  await calls.remove(made[0].id);
  eq(Object.keys((await calls.list({ syncToken: nextSyncToken })).items[0]).sort(), ['etag', 'id', 'kind', 'status']);
});
it('sync: by pages, to the end', async () => {
  const { calls } = await full();
  const { nextSyncToken } = await calls.list();
  for (const n of [1, 2, 3]) await calls.insert(event(`e${n}`, n));
  const first = await calls.list({ syncToken: nextSyncToken, maxResults: 2 });
  const second = await calls.list({ syncToken: nextSyncToken, maxResults: 2, pageToken: first.nextPageToken });
  eq([...first.items, ...second.items].map((item) => item.summary), ['e1', 'e2', 'e3']);
  ok(second.nextSyncToken, 'the next one');
});
it('sync: each token is about what came after it', async () => {
  const { calls } = await full('a');
  const one = (await calls.list()).nextSyncToken;
  await calls.insert(event('b'));
  const two = (await calls.list({ syncToken: one })).nextSyncToken;
  eq((await calls.list({ syncToken: two })).items, []);
});
it('sync: a window in the first list, none afterwards', async () => {
  const { calls } = await full('a');
  ok((await calls.list({ timeMin: day(1), timeMax: day(30) })).nextSyncToken, 'a token');
});
for (const [name, value] of Object.entries({
  iCalUID: 'x', orderBy: 'updated', privateExtendedProperty: ['a=b'], q: 'x', sharedExtendedProperty: ['a=b'],
  timeMin: day(1), timeMax: day(30), updatedMin: day(1),
})) {
  it(`sync: ${name} may not come with a sync token`, async () => {
    const { calls } = await full('a');
    await refused(calls.list({ syncToken: (await calls.list()).nextSyncToken, [name]: value }), 400, 'invalid');
  });
}
it('sync: showDeleted=false may not come with a sync token', async () => {
  const { calls } = await full('a');
  await refused(calls.list({ syncToken: (await calls.list()).nextSyncToken, showDeleted: false }), 400, 'invalid');
});
it('sync: no token after a search', async () => eq((await (await full('a')).calls.list({ q: 'a' })).nextSyncToken, undefined));
it('sync: a bad token is 410', async () => refused(primary(await person()).list({ syncToken: 'x' }), 410, 'fullSyncRequired'));
it('sync: an expired token is 410', async () => {
  const { calls } = await full('a');
  const { nextSyncToken } = await calls.list();
  await control('POST', 'expire-sync-tokens');
  await refused(calls.list({ syncToken: nextSyncToken }), 410, 'fullSyncRequired');
});
it('sync: a token of another collection is 410', async () => {
  const who = await person();
  await refused(primary(who).list({ syncToken: (await who.calendarList.list()).data.nextSyncToken }), 410, 'fullSyncRequired');
});
