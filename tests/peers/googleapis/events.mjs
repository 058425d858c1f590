// Single events and series: making, changing, deleting, moving, importing; and who would have been mailed.
import { at, control, eq, event, it, ok, person, primary, refused, weekly } from './harness.mjs';

it('events.insert: kind, status, uid, creator, organizer, link', async () => {
  const who = await person();
  const one = await primary(who).insert(event('One'));
  eq([one.kind, one.status, one.iCalUID, one.eventType], ['calendar#event', 'confirmed', `${one.id}@google.com`, 'default']);
  eq([one.creator, one.organizer], [{ email: who.email, self: true }, { email: who.email, self: true }]);
  ok(one.htmlLink.startsWith('https://') && one.created && one.updated && one.etag.startsWith('"'), 'the rest');
});
it('events.insert: the id that the caller wants', async () => eq((await primary(await person()).insert(event('One', 7, { id: 'abc12' }))).id, 'abc12'));
it('events.insert: reminders are the default ones', async () => eq((await primary(await person()).insert(event('One'))).reminders, { useDefault: true }));
it('events.insert: sequence begins at 0', async () => eq((await primary(await person()).insert(event('One'))).sequence, 0));
it('events.insert: a wall time with a zone', async () => {
  eq((await primary(await person()).insert(event('One'))).start, { dateTime: '2027-06-07T09:00:00+02:00', timeZone: 'Europe/Paris' });
});
it('events.insert: the offset is that of the calendar, the zone that of the event', async () => {
  const one = await primary(await person()).insert({ start: at(7, 9, 'America/New_York'), end: at(7, 10, 'America/New_York') });
  eq(one.start, { dateTime: '2027-06-07T15:00:00+02:00', timeZone: 'America/New_York' });
});
it('events.insert: an offset without a zone', async () => {
  const one = await primary(await person()).insert({ start: { dateTime: '2027-06-07T09:00:00Z' }, end: { dateTime: '2027-06-07T10:00:00Z' } });
  eq(one.start.dateTime, '2027-06-07T11:00:00+02:00');
});
it('events.insert: a whole day', async () => {
  const one = await primary(await person()).insert({ start: { date: '2027-06-07' }, end: { date: '2027-06-08' } });
  eq([one.start, one.end], [{ date: '2027-06-07' }, { date: '2027-06-08' }]);
});
it('events.insert: of no length', async () => {
  const one = await primary(await person()).insert({ start: at(7, 9), end: at(7, 9) });
  eq(one.start, one.end);
});
it('events.insert: guests have not answered', async () => {
  const one = await primary(await person()).insert(event('One', 7, { attendees: [{ email: 'bob@example.com' }] }));
  eq(one.attendees, [{ email: 'bob@example.com', responseStatus: 'needsAction' }]);
});
it('events.insert: the organizer among the guests is marked', async () => {
  const who = await person();
  const one = await primary(who).insert(event('One', 7, { attendees: [{ email: who.email, responseStatus: 'accepted' }] }));
  eq(one.attendees, [{ email: who.email, responseStatus: 'accepted', self: true, organizer: true }]);
});
it('events.insert: extended properties of both kinds', async () => {
  const extendedProperties = { private: { a: '1' }, shared: { b: '2' } };
  eq((await primary(await person()).insert(event('One', 7, { extendedProperties }))).extendedProperties, extendedProperties);
});
it('events.insert: what may not be written is ignored', async () => {
  const one = await primary(await person()).insert(event('One', 7, { htmlLink: 'http://x', created: '2001-01-01T00:00:00Z', hangoutLink: 'x' }));
  ok(one.htmlLink !== 'http://x' && !one.created.startsWith('2001') && !one.hangoutLink, JSON.stringify(one));
});
it('events.insert: defaults are not written out', async () => {
  const one = await primary(await person()).insert(event('One', 7, { transparency: 'opaque', visibility: 'default' }));
  eq([one.transparency, one.visibility], [undefined, undefined]);
});
it('events.insert: a series', async () => eq((await primary(await person()).insert(weekly('W'))).recurrence, ['RRULE:FREQ=WEEKLY;COUNT=4']));
it('events.insert: into a secondary calendar, whose organizer it is', async () => {
  const who = await person();
  const { data } = await who.events.insert({ calendarId: who.family, requestBody: event('One') });
  eq([data.organizer.email, data.organizer.self, data.organizer.displayName], [who.family, true, 'Family']);
});
it('events.insert: focus time, out of office, working location', async () => {
  const calls = primary(await person());
  const place = { eventType: 'workingLocation', workingLocationProperties: { type: 'homeOffice', homeOffice: {} } };
  const kinds = [{ eventType: 'focusTime' }, { eventType: 'outOfOffice' }, place];
  const made = [];
  for (const more of kinds) made.push((await calls.insert(event('K', 7, more))).eventType);
  eq(made, ['focusTime', 'outOfOffice', 'workingLocation']);
});
it('events.insert: a conference is made with conferenceDataVersion=1', async () => {
  const conferenceData = { createRequest: { requestId: 'r1', conferenceSolutionKey: { type: 'hangoutsMeet' } } };
  const one = await primary(await person()).insert(event('One', 7, { conferenceData }), { conferenceDataVersion: 1 });
  eq([one.conferenceData.createRequest.status.statusCode, one.conferenceData.entryPoints[0].uri], ['success', one.hangoutLink]);
});
it('events.insert: without conferenceDataVersion it is ignored', async () => {
  const conferenceData = { createRequest: { requestId: 'r1', conferenceSolutionKey: { type: 'hangoutsMeet' } } };
  const one = await primary(await person()).insert(event('One', 7, { conferenceData }));
  eq([one.conferenceData, one.hangoutLink], [undefined, undefined]);
});
it('events.insert: attachments need supportsAttachments', async () => {
  const calls = primary(await person());
  const attachments = [{ fileUrl: 'https://example.com/a', title: 'a' }];
  const plain = await calls.insert(event('One', 7, { attachments }));
  const full = await calls.insert(event('Two', 7, { attachments }), { supportsAttachments: true });
  eq([plain.attachments, full.attachments], [undefined, attachments]);
});
it('events.insert: maxAttendees shortens the answer', async () => {
  const attendees = ['a', 'b', 'c'].map((name) => ({ email: `${name}@example.com` }));
  const one = await primary(await person()).insert(event('One', 7, { attendees }), { maxAttendees: 1 });
  eq([one.attendees, one.attendeesOmitted], [[], true]);
});

it('events.get: ETag in the header', async () => {
  const who = await person();
  const one = await primary(who).insert(event('One'));
  eq((await who.events.get({ calendarId: 'primary', eventId: one.id })).headers.get('etag'), one.etag);
});
it('events.get: 304 for the same version', async () => {
  const who = await person();
  const one = await primary(who).insert(event('One'));
  const again = who.events.get({ calendarId: 'primary', eventId: one.id }, { headers: { 'If-None-Match': one.etag } });
  eq((await again).status, 304);
});
it('events.get: 200 for another version', async () => {
  const who = await person();
  const one = await primary(who).insert(event('One'));
  await primary(who).patch(one.id, { summary: 'Two' });
  eq((await who.events.get({ calendarId: 'primary', eventId: one.id }, { headers: { 'If-None-Match': one.etag } })).data.summary, 'Two');
});
it('events.get: in another zone', async () => {
  const calls = primary(await person());
  const one = await calls.insert(event('One'));
  eq((await calls.get(one.id, { timeZone: 'Asia/Tokyo' })).start, { dateTime: '2027-06-07T16:00:00+09:00', timeZone: 'Europe/Paris' });
});
it('events.get: a part of it', async () => {
  const calls = primary(await person());
  const one = await calls.insert(event('One'));
  eq(await calls.get(one.id, { fields: 'summary,start/timeZone' }), { summary: 'One', start: { timeZone: 'Europe/Paris' } });
});
it('events.get: a deleted one is cancelled', async () => {
  const calls = primary(await person());
  const one = await calls.insert(event('One'));
  await calls.remove(one.id);
  eq((await calls.get(one.id)).status, 'cancelled');
});
it('events.get: an instance by its id', async () => {
  const calls = primary(await person());
  const series = await calls.insert(weekly('W'));
  const [, second] = await calls.instances(series.id);
  eq((await calls.get(second.id)).recurringEventId, series.id);
});

it('events.patch: what is not named stays', async () => {
  const calls = primary(await person());
  const one = await calls.insert(event('One', 7, { location: 'Here' }));
  const two = await calls.patch(one.id, { summary: 'Two' });
  eq([two.summary, two.location], ['Two', 'Here']);
});
it('events.patch: null takes away', async () => {
  const calls = primary(await person());
  const one = await calls.insert(event('One', 7, { location: 'Here' }));
  eq((await calls.patch(one.id, { location: null })).location, undefined);
});
it('events.patch: objects merge', async () => {
  const calls = primary(await person());
  const one = await calls.insert(event('One', 7, { extendedProperties: { private: { a: '1', b: '2' } } }));
  eq((await calls.patch(one.id, { extendedProperties: { private: { a: null, c: '3' } } })).extendedProperties, { private: { b: '2', c: '3' } });
});
it('events.patch: lists are replaced', async () => {
  const calls = primary(await person());
  const one = await calls.insert(event('One', 7, { attendees: [{ email: 'a@example.com' }, { email: 'b@example.com' }] }));
  eq((await calls.patch(one.id, { attendees: [{ email: 'c@example.com' }] })).attendees.map((a) => a.email), ['c@example.com']);
});
it('events.patch: from timed to a whole day', async () => {
  const calls = primary(await person());
  const one = await calls.insert(event('One'));
  const day = (date) => ({ date, dateTime: null, timeZone: null });
  eq((await calls.patch(one.id, { start: day('2027-06-07'), end: day('2027-06-08') })).start, { date: '2027-06-07' });
});
it('events.patch: a new ETag and a later time of change', async () => {
  const calls = primary(await person());
  const one = await calls.insert(event('One'));
  const two = await calls.patch(one.id, { summary: 'Two' });
  ok(two.etag !== one.etag && two.updated >= one.updated, 'another version');
});
it('events.patch: another time counts the sequence up', async () => {
  const calls = primary(await person());
  const one = await calls.insert(event('One'));
  eq((await calls.patch(one.id, { end: at(7, 11) })).sequence, 1);
});
it('events.patch: another title does not', async () => {
  const calls = primary(await person());
  const one = await calls.insert(event('One'));
  eq((await calls.patch(one.id, { summary: 'Two' })).sequence, 0);
});
it('events.patch: a higher sequence is taken', async () => {
  const calls = primary(await person());
  const one = await calls.insert(event('One'));
  eq((await calls.patch(one.id, { sequence: 7 })).sequence, 7);
});
it('events.patch: If-Match with the version that is there', async () => {
  const who = await person();
  const one = await primary(who).insert(event('One'));
  const options = { headers: { 'If-Match': one.etag } };
  eq((await who.events.patch({ calendarId: 'primary', eventId: one.id, requestBody: { summary: 'Two' } }, options)).data.summary, 'Two');
});
it('events.patch: If-Match with another version is 412', async () => {
  const who = await person();
  const one = await primary(who).insert(event('One'));
  await primary(who).patch(one.id, { summary: 'Two' });
  const options = { headers: { 'If-Match': one.etag } };
  await refused(who.events.patch({ calendarId: 'primary', eventId: one.id, requestBody: {} }, options), 412, 'conditionNotMet', { location: 'If-Match' });
});
it('events.patch: status cancelled deletes', async () => {
  const calls = primary(await person());
  const one = await calls.insert(event('One'));
  eq((await calls.patch(one.id, { status: 'cancelled' })).status, 'cancelled');
  eq(await calls.titles(), []);
});
it('events.patch: back to the default reminders', async () => {
  const calls = primary(await person());
  const one = await calls.insert(event('One', 7, { reminders: { useDefault: false, overrides: [{ method: 'popup', minutes: 5 }] } }));
  eq((await calls.patch(one.id, { reminders: { useDefault: true } })).reminders, { useDefault: true });
});
it('events.patch: no reminders at all', async () => {
  const calls = primary(await person());
  const one = await calls.insert(event('One'));
  eq((await calls.patch(one.id, { reminders: { useDefault: false } })).reminders, { useDefault: false });
});
it('events.patch: a conference stays without conferenceDataVersion', async () => {
  const calls = primary(await person());
  const conferenceData = { createRequest: { requestId: 'r1' } };
  const one = await calls.insert(event('One', 7, { conferenceData }), { conferenceDataVersion: 1 });
  eq((await calls.patch(one.id, { conferenceData: null })).hangoutLink, one.hangoutLink);
});
it('events.patch: a conference is taken away with it', async () => {
  const calls = primary(await person());
  const conferenceData = { createRequest: { requestId: 'r1' } };
  const one = await calls.insert(event('One', 7, { conferenceData }), { conferenceDataVersion: 1 });
  eq((await calls.patch(one.id, { conferenceData: null }, { conferenceDataVersion: 1 })).hangoutLink, undefined);
});
it('events.patch: a conference request with the same id is ignored', async () => {
  const calls = primary(await person());
  const conferenceData = { createRequest: { requestId: 'r1' } };
  const one = await calls.insert(event('One', 7, { conferenceData }), { conferenceDataVersion: 1 });
  eq((await calls.patch(one.id, { conferenceData }, { conferenceDataVersion: 1 })).hangoutLink, one.hangoutLink);
});
it('events.update: what is left out is taken away', async () => {
  const calls = primary(await person());
  const one = await calls.insert(event('One', 7, { location: 'Here', colorId: '3' }));
  const two = await calls.update(one.id, event('Two'));
  eq([two.summary, two.location, two.colorId, two.iCalUID], ['Two', undefined, undefined, one.iCalUID]);
});
it('events.update: a conference stays without conferenceDataVersion', async () => {
  const calls = primary(await person());
  const conferenceData = { createRequest: { requestId: 'r1' } };
  const one = await calls.insert(event('One', 7, { conferenceData }), { conferenceDataVersion: 1 });
  eq((await calls.update(one.id, event('Two'))).hangoutLink, one.hangoutLink);
});

it('events.delete: 204, and it is out of the list', async () => {
  const calls = primary(await person());
  const one = await calls.insert(event('One'));
  eq((await calls.remove(one.id)).status, 204);
  eq(await calls.titles(), []);
});
it('events.delete: a second time is 410', async () => {
  const calls = primary(await person());
  const one = await calls.insert(event('One'));
  await calls.remove(one.id);
  await refused(calls.remove(one.id), 410, 'deleted', { domain: 'global' });
});
it('events.delete: an id is never free again', async () => {
  const calls = primary(await person());
  await calls.insert(event('One', 7, { id: 'abc12' }));
  await calls.remove('abc12');
  await refused(calls.insert(event('Two', 7, { id: 'abc12' })), 409, 'duplicate');
});
it('events.delete: If-Match with another version is 412', async () => {
  const who = await person();
  const one = await primary(who).insert(event('One'));
  await refused(who.events.delete({ calendarId: 'primary', eventId: one.id }, { headers: { 'If-Match': '"1"' } }), 412, 'conditionNotMet');
});
it('events.delete: one instance, the others stay', async () => {
  const calls = primary(await person());
  const series = await calls.insert(weekly('W'));
  await calls.remove((await calls.instances(series.id))[1].id);
  eq((await calls.instances(series.id)).length, 3);
});
it('events.delete: a deleted instance is a cancelled exception, no EXDATE', async () => {
  const calls = primary(await person());
  const series = await calls.insert(weekly('W'));
  const [, second] = await calls.instances(series.id);
  await calls.remove(second.id);
  const { items } = await calls.list();
  eq(items.find((item) => item.id === series.id).recurrence, series.recurrence);
  const hole = items.find((item) => item.status === 'cancelled');
  eq([hole.recurringEventId, hole.originalStartTime.dateTime], [series.id, second.originalStartTime.dateTime]);
});

it('instances: each with its series and its original start', async () => {
  const calls = primary(await person());
  const series = await calls.insert(weekly('W'));
  const all = await calls.instances(series.id);
  eq(all.map((one) => one.start.dateTime.slice(0, 10)), ['2027-06-07', '2027-06-14', '2027-06-21', '2027-06-28']);
  ok(all.every((one) => one.recurringEventId === series.id && !one.recurrence && one.iCalUID === series.iCalUID), 'each');
});
it('instances: within a time', async () => {
  const calls = primary(await person());
  const series = await calls.insert(weekly('W'));
  eq((await calls.instances(series.id, { timeMin: '2027-06-10T00:00:00Z', timeMax: '2027-06-25T00:00:00Z' })).length, 2);
});
it('instances: by the original start, though it was moved', async () => {
  const calls = primary(await person());
  const series = await calls.insert(weekly('W'));
  const [, second] = await calls.instances(series.id);
  await calls.patch(second.id, { start: at(15, 12), end: at(15, 13) });
  const found = await calls.instances(series.id, { originalStart: second.originalStartTime.dateTime });
  eq(found.map((one) => one.start.dateTime), ['2027-06-15T12:00:00+02:00']);
});
it('instances: cancelled ones with showDeleted', async () => {
  const calls = primary(await person());
  const series = await calls.insert(weekly('W'));
  await calls.remove((await calls.instances(series.id))[0].id);
  eq((await calls.instances(series.id, { showDeleted: true })).length, 4);
});
it('instances: by pages', async () => {
  const who = await person();
  const series = await primary(who).insert(weekly('W'));
  const first = (await who.events.instances({ calendarId: 'primary', eventId: series.id, maxResults: 3 })).data;
  const second = (await who.events.instances({ calendarId: 'primary', eventId: series.id, maxResults: 3, pageToken: first.nextPageToken })).data;
  eq([first.items.length, second.items.length], [3, 1]);
});
it('instances: an unknown series is 404', async () => refused(primary(await person()).instances('nothing'), 404, 'notFound'));
it('instances: keep their wall time over a change of clocks', async () => {
  const calls = primary(await person());
  const series = await calls.insert({ start: { dateTime: '2027-10-25T09:00:00', timeZone: 'Europe/Paris' },
    end: { dateTime: '2027-10-25T10:00:00', timeZone: 'Europe/Paris' }, recurrence: ['RRULE:FREQ=WEEKLY;COUNT=2'] });
  eq((await calls.instances(series.id)).map((one) => one.start.dateTime), ['2027-10-25T09:00:00+02:00', '2027-11-01T09:00:00+01:00']);
});
it('a changed instance is an exception in the list', async () => {
  const calls = primary(await person());
  const series = await calls.insert(weekly('W'));
  const [, second] = await calls.instances(series.id);
  await calls.patch(second.id, { summary: 'Other' });
  eq(await calls.titles(), ['Other', 'W']);
});
it('a series takes its exceptions with it when deleted', async () => {
  const calls = primary(await person());
  const series = await calls.insert(weekly('W'));
  await calls.patch((await calls.instances(series.id))[1].id, { summary: 'Other' });
  await calls.remove(series.id);
  eq(await calls.titles(), []);
});

const mails = async (id) => (await control('GET', 'mails')).mails.filter((mail) => mail.event === id);
const guests = { attendees: [{ email: 'bob@elsewhere.com' }] };
it('sendUpdates: nobody is mailed by default', async () => {
  const one = await primary(await person()).insert(event('One', 7, guests));
  eq((await mails(one.id)).map((mail) => [mail.sendUpdates, mail.to]), [['none', []]]);
});
it('sendUpdates=all mails every guest', async () => {
  const one = await primary(await person()).insert(event('One', 7, guests), { sendUpdates: 'all' });
  eq((await mails(one.id)).map((mail) => [mail.operation, mail.to]), [['events.insert', ['bob@elsewhere.com']]]);
});
it('sendUpdates=externalOnly leaves out who has a calendar here', async () => {
  const bob = await person();
  const attendees = [{ email: bob.email }, { email: 'eve@elsewhere.com' }];
  const one = await primary(await person()).insert(event('One', 7, { attendees }), { sendUpdates: 'externalOnly' });
  eq((await mails(one.id))[0].to, ['eve@elsewhere.com']);
});
it('sendUpdates: the organizer mails nobody about themselves', async () => {
  const who = await person();
  const one = await primary(who).insert(event('One', 7, { attendees: [{ email: who.email }] }), { sendUpdates: 'all' });
  eq(await mails(one.id), []);
});
it('sendNotifications=true is the older word for all', async () => {
  const one = await primary(await person()).insert(event('One', 7, guests), { sendNotifications: true });
  eq((await mails(one.id))[0].to, ['bob@elsewhere.com']);
});
it('sendUpdates: a guest who was taken off is told, and of a deletion all are', async () => {
  const calls = primary(await person());
  const one = await calls.insert(event('One', 7, guests));
  await calls.patch(one.id, { attendees: [{ email: 'eve@elsewhere.com' }] }, { sendUpdates: 'all' });
  await calls.remove(one.id, { sendUpdates: 'all' });
  eq((await mails(one.id)).slice(1).map((mail) => mail.to), [['bob@elsewhere.com', 'eve@elsewhere.com'], ['eve@elsewhere.com']]);
});
