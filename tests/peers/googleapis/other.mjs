// Busy time, channels, batches, exceptions and rules, guests' copies.
import { ROOT, at, control, eq, event, it, listener, notified, ok, person, primary, refused, weekly } from './harness.mjs';

const span = { timeMin: '2027-06-01T00:00:00Z', timeMax: '2027-07-01T00:00:00Z' };
const busy = async (who, items = [{ id: 'primary' }], more = {}) => (await who.freebusy.query({ requestBody: { ...span, items, ...more } })).data;

it('freebusy: what takes time', async () => {
  const who = await person();
  await primary(who).insert(event('One'));
  eq((await busy(who)).calendars.primary.busy, [{ start: '2027-06-07T07:00:00Z', end: '2027-06-07T08:00:00Z' }]);
});
it('freebusy: in another zone', async () => {
  const who = await person();
  await primary(who).insert(event('One'));
  eq((await busy(who, undefined, { timeZone: 'Asia/Tokyo' })).calendars.primary.busy[0].start, '2027-06-07T16:00:00+09:00');
});
it('freebusy: spans that touch are one', async () => {
  const who = await person();
  await primary(who).insert({ start: at(7, 9), end: at(7, 10) });
  await primary(who).insert({ start: at(7, 10), end: at(7, 11) });
  eq((await busy(who)).calendars.primary.busy.length, 1);
});
it('freebusy: what is transparent takes none', async () => {
  const who = await person();
  await primary(who).insert(event('One', 7, { transparency: 'transparent' }));
  eq((await busy(who)).calendars.primary.busy, []);
});
it('freebusy: every instance of a series', async () => {
  const who = await person();
  await primary(who).insert(weekly('W'));
  eq((await busy(who)).calendars.primary.busy.length, 4);
});
it('freebusy: an unknown calendar is an error of its own', async () => {
  const { calendars } = await busy(await person(), [{ id: 'primary' }, { id: 'x@example.com' }]);
  eq([calendars['x@example.com'].errors[0].reason, calendars.primary.errors], ['notFound', undefined]);
});
it('freebusy: calendarExpansionMax', async () => {
  const who = await person();
  const { calendars } = await busy(who, [{ id: who.email }, { id: who.family }], { calendarExpansionMax: 1 });
  eq(Object.values(calendars).map((one) => one.errors?.[0].reason).filter(Boolean), ['tooManyCalendarsRequested']);
});
it('freebusy: calendarExpansionMax over 50 is refused', async () => {
  await refused(busy(await person(), [], { calendarExpansionMax: 51 }), 400, 'invalid');
});
it('freebusy: an empty time is refused', async () => {
  await refused(busy(await person(), [], { timeMax: span.timeMin }), 400, 'timeRangeEmpty', { domain: 'calendar' });
});
it('freebusy: a time is needed', async () => refused((await person()).freebusy.query({ requestBody: { items: [] } }), 400, 'required'));

let channels = 0;
const channel = async (more = {}) => ({ id: `node-${channels += 1}`, type: 'web_hook', address: await listener(), ...more });
const watch = async (who, more) => {
  const requestBody = await channel(more);
  return (await who.events.watch({ calendarId: 'primary', requestBody })).data;
};
it('events.watch: id, resource, expiration', async () => {
  const held = await watch(await person());
  ok(held.kind === 'api#channel' && held.resourceId && held.resourceUri.includes('/events') && Number(held.expiration) > Date.now(), JSON.stringify(held));
});
it('events.watch: a week by default', async () => {
  const left = Number((await watch(await person())).expiration) - Date.now();
  ok(left > 6.9 * 86_400_000 && left <= 7 * 86_400_000, `${left}`);
});
it('events.watch: as long as asked for', async () => {
  ok(Number((await watch(await person(), { params: { ttl: '60' } })).expiration) - Date.now() <= 60_000, 'a minute');
});
it('events.watch: sync is the first notification, its number 1, its token ours', async () => {
  const held = await watch(await person(), { token: 'ours' });
  const [first] = await notified(held.id, 1);
  eq([first['x-goog-resource-state'], first['x-goog-message-number'], first['x-goog-channel-token']], ['sync', '1', 'ours']);
});
it('events.watch: a change is told', async () => {
  const who = await person();
  const held = await watch(who);
  await primary(who).insert(event('One'));
  const [, second] = await notified(held.id, 2);
  eq([second['x-goog-resource-state'], second['x-goog-resource-id']], ['exists', held.resourceId]);
});
it('events.watch: another calendar is not', async () => {
  const who = await person();
  const held = await watch(who);
  await who.events.insert({ calendarId: who.family, requestBody: event('Elsewhere') });
  await primary(who).insert(event('Here'));
  eq((await notified(held.id, 2)).length, 2);
});
it('events.watch: the same channel id again is refused', async () => {
  const who = await person();
  const requestBody = await channel();
  await who.events.watch({ calendarId: 'primary', requestBody });
  await refused(who.events.watch({ calendarId: 'primary', requestBody }), 400, 'channelIdNotUnique');
});
it('events.watch: http elsewhere is refused', async () => refused(watch(await person(), { address: 'http://example.com/x' }), 400, 'push.webhookUrlNotHttps'));
it('events.watch: an unknown type is refused', async () => refused(watch(await person(), { type: 'pigeon' }), 400, 'invalid'));
it('events.watch: an address is needed', async () => refused(watch(await person(), { address: undefined }), 400, 'required'));
it('calendarList.watch: a change of the list is told', async () => {
  const who = await person();
  const held = (await who.calendarList.watch({ requestBody: await channel() })).data;
  await who.calendars.insert({ requestBody: { summary: 'New' } });
  eq((await notified(held.id, 2))[1]['x-goog-resource-uri'], held.resourceUri);
});
it('settings.watch: a channel', async () => {
  ok((await (await person()).settings.watch({ requestBody: await channel() })).data.resourceUri.includes('/settings'), 'of settings');
});
it('acl.watch: a change of the rules is told', async () => {
  const who = await person();
  const held = (await who.acl.watch({ calendarId: 'primary', requestBody: await channel() })).data;
  await who.acl.insert({ calendarId: 'primary', requestBody: { role: 'reader', scope: { type: 'default' } } });
  eq((await notified(held.id, 2)).length, 2);
});
it('channels.stop: 204, and nothing more is told', async () => {
  const who = await person();
  const held = await watch(who);
  await notified(held.id, 1);
  eq((await who.channels.stop({ requestBody: { id: held.id, resourceId: held.resourceId } })).status, 204);
  const other = await watch(who);
  await primary(who).insert(event('One'));
  await notified(other.id, 2);
  eq((await notified(held.id, 1)).length, 1);
});
it('channels.stop: an unknown one is 404', async () => refused((await person()).channels.stop({ requestBody: { id: 'x', resourceId: 'y' } }), 404, 'notFound'));
it('channels.stop: not somebody else\'s', async () => {
  const held = await watch(await person());
  await refused((await person()).channels.stop({ requestBody: { id: held.id, resourceId: held.resourceId } }), 404, 'notFound');
});

/** What the parts of a batch answer: status and JSON. */
async function batch(token, requests, at = `${ROOT}/batch/calendar/v3`) {
  const parts = requests.map(([line, body], n) => `--b\r\nContent-Type: application/http\r\nContent-ID: <${n}>\r\n\r\n${line}\r\n` +
    (body ? `Content-Type: application/json\r\n\r\n${JSON.stringify(body)}\r\n` : '\r\n'));
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'multipart/mixed; boundary=b' };
  const answer = await fetch(at, { method: 'POST', headers, body: `${parts.join('')}--b--` });
  const text = await answer.text();
  const boundary = answer.headers.get('content-type').split('boundary=')[1];
  return text.split(`--${boundary}`).slice(1, -1).map((part) => ({
    id: part.match(/Content-ID: <response-(.*)>/)?.[1], status: Number(part.match(/HTTP\/1\.1 (\d+)/)[1]),
    body: part.includes('{') ? JSON.parse(part.slice(part.indexOf('{'))) : undefined,
  }));
}
it('batch: inner paths from the origin', async () => {
  const { token } = await person();
  eq((await batch(token, [['GET /calendar/v3/users/me/calendarList']])).map((part) => part.status), [200]);
});
it('batch: inner paths below /google', async () => {
  const { token } = await person();
  eq((await batch(token, [['GET /google/calendar/v3/calendars/primary']])).map((part) => part.status), [200]);
});
it('batch: inner paths as whole addresses', async () => {
  const { token } = await person();
  eq((await batch(token, [['GET https://www.googleapis.com/calendar/v3/calendars/primary']])).map((part) => part.status), [200]);
});
it('batch: at its place below /google too', async () => {
  const { token } = await person();
  eq((await batch(token, [['GET /calendar/v3/calendars/primary']], `${ROOT}/google/batch/calendar/v3`)).map((part) => part.status), [200]);
});
it('batch: each part by itself, with its id', async () => {
  const { token } = await person();
  const found = await batch(token, [['POST /calendar/v3/calendars/primary/events', event('One')], ['GET /calendar/v3/calendars/primary/events/nothing']]);
  eq(found.map((part) => [part.id, part.status]), [['0', 200], ['1', 404]]);
});
it('batch: a part that is no call of the API is refused', async () => {
  const { token } = await person();
  eq((await batch(token, [['GET /batch/calendar/v3']])).map((part) => part.status), [400]);
});

it('the same calendar is at the origin and below /google', async () => {
  const who = await person();
  await primary(who).insert(event('One'));
  const answer = await fetch(`${ROOT}/google/calendar/v3/calendars/primary/events`, { headers: { authorization: `Bearer ${who.token}` } });
  eq((await answer.json()).items.map((item) => item.summary), ['One']);
});
it('a rate limit on command', async () => {
  const who = await person();
  await control('POST', 'faults', { operation: 'colors.get', status: 403, reason: 'rateLimitExceeded' });
  await refused(who.colors.get(), 403, 'rateLimitExceeded', { domain: 'usageLimits' });
});
it('a fault of a new method by its name', async () => {
  const who = await person();
  await control('POST', 'faults', { operation: 'calendars.insert', status: 503 });
  await refused(who.calendars.insert({ requestBody: { summary: 'x' } }), 503, 'backendError');
});

it('an exception whose slot a cut rule no longer has stays', async () => {
  const calls = primary(await person());
  const series = await calls.insert(weekly('W'));
  await calls.patch((await calls.instances(series.id))[3].id, { summary: 'Stray' });
  await control('POST', 'settings', { keep_exceptions: true });
  await calls.patch(series.id, { recurrence: ['RRULE:FREQ=WEEKLY;COUNT=2'] });
  await control('POST', 'settings', { keep_exceptions: false });
  eq(await calls.titles(), ['Stray', 'W']);
});
it('a guest who has a calendar here gets a copy', async () => {
  const bob = await person();
  await primary(await person()).insert(event('Together', 7, { attendees: [{ email: bob.email }] }), { sendUpdates: 'all' });
  eq(await primary(bob).titles(), ['Together']);
});
it('who is given a calendar by a rule can read it', async () => {
  const [who, bob] = [await person(), await person()];
  await who.acl.insert({ calendarId: 'primary', requestBody: { role: 'reader', scope: { type: 'user', value: bob.email } } });
  eq((await bob.events.list({ calendarId: who.email })).data.accessRole, 'reader');
});
it('a reader of free and busy sees no titles', async () => {
  const who = await person();
  const { id } = await control('POST', 'calendars', { email: who.email, summary: 'Theirs', role: 'freeBusyReader' });
  await control('POST', 'events', { email: who.email, calendar: id, event: event('Secret') });
  eq((await who.events.list({ calendarId: id })).data.items.map((item) => item.summary), [null]);
});
it('a reader sees no details of private events', async () => {
  const who = await person();
  const { id } = await control('POST', 'calendars', { email: who.email, summary: 'Theirs', role: 'reader' });
  await control('POST', 'events', { email: who.email, calendar: id, event: event('Secret', 7, { visibility: 'private' }) });
  eq((await who.events.list({ calendarId: id })).data.items.map((item) => item.summary), [null]);
});
it('an event of somebody else is not changed by a guest', async () => {
  const who = await person();
  const made = await control('POST', 'events', { email: who.email, event: event('Theirs', 7, { organizer: { email: 'boss@example.com' } }) });
  await refused(primary(who).update(made.id, event('Mine')), 403, 'forbiddenForNonOrganizer');
});
it('reminders alone do not change the time of change', async () => {
  const calls = primary(await person());
  const one = await calls.insert(event('One'));
  await new Promise((later) => setTimeout(later, 5));
  eq((await calls.patch(one.id, { reminders: { useDefault: false } })).updated, one.updated);
});
