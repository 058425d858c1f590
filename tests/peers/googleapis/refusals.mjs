// What Google refuses in the body of an event, and with which words.
import { at, control, eq, event, it, ok, person, primary, refused, weekly } from './harness.mjs';

const add = async (body, more) => primary(await person()).insert(body, more);
const no = (name, body, reason, more, asked) => it(`refused: ${name}`, async () => refused(add(body, asked), 400, reason, more));

no('no start', { end: at(7, 10) }, 'required');
no('no end', { start: at(7, 9) }, 'required');
no('a wall time without a zone', { start: { dateTime: '2027-06-07T09:00:00' }, end: { dateTime: '2027-06-07T10:00:00' } }, 'required', { message: 'Missing time zone definition for start time.' });
no('an unknown zone', { start: at(7, 9, 'Mars/Base'), end: at(7, 10) }, 'invalid', { message: 'Invalid time zone definition for start time.' });
no('a zone as Windows names it', { start: at(7, 9, 'W. Europe Standard Time'), end: at(7, 10) }, 'invalid');
no('a time that is none', { start: { dateTime: 'soon', timeZone: 'UTC' }, end: at(7, 10) }, 'invalid');
no('a day that is none', { start: { date: '2027-02-30' }, end: { date: '2027-03-01' } }, 'invalid');
no('a day and a time at once', { start: { ...at(7, 9), date: '2027-06-07' }, end: at(7, 10) }, 'invalid');
no('a day with a time', { start: { date: '2027-06-07' }, end: at(7, 10) }, 'invalid');
no('an end before the start', { start: at(7, 10), end: at(7, 9) }, 'timeRangeEmpty', { domain: 'calendar', message: 'The specified time range is empty.' });
no('a last day before the first', { start: { date: '2027-06-08' }, end: { date: '2027-06-07' } }, 'timeRangeEmpty');
no('a series without a zone', { start: { dateTime: '2027-06-07T09:00:00Z' }, end: { dateTime: '2027-06-07T10:00:00Z' }, recurrence: ['RRULE:FREQ=DAILY'] }, 'required');
no('a rule that is none', event('x', 7, { recurrence: ['RRULE:FREQ=SOMETIMES'] }), 'invalid');
no('DTSTART in recurrence', event('x', 7, { recurrence: ['DTSTART:20270607T090000Z', 'RRULE:FREQ=DAILY'] }), 'invalid');
no('a sixth reminder', event('x', 7, { reminders: { useDefault: false, overrides: Array(6).fill({ method: 'popup', minutes: 1 }) } }), 'tooManyReminders');
no('a reminder by sms', event('x', 7, { reminders: { useDefault: false, overrides: [{ method: 'sms', minutes: 1 }] } }), 'invalid');
no('a reminder without a method', event('x', 7, { reminders: { useDefault: false, overrides: [{ minutes: 1 }] } }), 'required');
no('a reminder without minutes', event('x', 7, { reminders: { useDefault: false, overrides: [{ method: 'popup' }] } }), 'required');
no('a reminder five weeks before', event('x', 7, { reminders: { useDefault: false, overrides: [{ method: 'popup', minutes: 50400 }] } }), 'invalid');
no('default reminders and others at once', event('x', 7, { reminders: { useDefault: true, overrides: [{ method: 'popup', minutes: 1 }] } }), 'cannotUseDefaultRemindersAndSpecifyOverride', { domain: 'calendar' });
no('status maybe', event('x', 7, { status: 'maybe' }), 'invalid');
no('an unknown transparency', event('x', 7, { transparency: 'glass' }), 'invalid');
no('an unknown visibility', event('x', 7, { visibility: 'secret' }), 'invalid');
no('a guest without an address', event('x', 7, { attendees: [{ displayName: 'Bob' }] }), 'required');
no('a guest whose address is none', event('x', 7, { attendees: [{ email: 'Bob' }] }), 'invalid');
no('an unknown answer of a guest', event('x', 7, { attendees: [{ email: 'b@example.com', responseStatus: 'perhaps' }] }), 'invalid');
no('a colour that is none', event('x', 7, { colorId: '12' }), 'invalid');
no('a title that is a number', event(5), 'invalid');
no('an id with letters that ids have not', event('x', 7, { id: 'wxyz-1' }), 'invalid');
no('an id that is too short', event('x', 7, { id: 'abc' }), 'invalid');
no('id and iCalUID at once', event('x', 7, { id: 'abc12', iCalUID: 'u@x' }), 'invalid');
no('an event from Gmail', event('x', 7, { eventType: 'fromGmail' }), 'eventTypeRestriction');
no('an unknown type of event', event('x', 7, { eventType: 'party' }), 'invalid');
no('a working location without a place', event('x', 7, { eventType: 'workingLocation' }), 'required');
no('focus time for a whole day', { eventType: 'focusTime', start: { date: '2027-06-07' }, end: { date: '2027-06-08' } }, 'invalid');
no('an unknown kind of conference', event('x', 7, { conferenceData: { createRequest: { requestId: 'r', conferenceSolutionKey: { type: 'phone' } } } }), 'invalid', { message: 'Invalid conference type value.' }, { conferenceDataVersion: 1 });
no('a conference request without an id', event('x', 7, { conferenceData: { createRequest: {} } }), 'required', {}, { conferenceDataVersion: 1 });
no('conferenceDataVersion=2', event('x'), 'invalidParameter', { location: 'conferenceDataVersion' }, { conferenceDataVersion: 2 });
no('sendUpdates=some', event('x'), 'invalidParameter', { location: 'sendUpdates', locationType: 'parameter' }, { sendUpdates: 'some' });
no('maxAttendees=0', event('x'), 'invalidParameter', {}, { maxAttendees: 0 });
no('a 26th attachment', event('x', 7, { attachments: Array(26).fill({ fileUrl: 'https://example.com/a' }) }), 'invalid', {}, { supportsAttachments: true });
no('an attachment without an address', event('x', 7, { attachments: [{ title: 'a' }] }), 'required', {}, { supportsAttachments: true });

it('refused: a body that is no JSON', async () => {
  const { token } = await person();
  const answer = await fetch(`${process.argv[2]}/calendar/v3/calendars/primary/events`, { method: 'POST', body: '{', headers: { authorization: `Bearer ${token}` } });
  eq([answer.status, (await answer.json()).error.errors[0].reason], [400, 'parseError']);
});
it('refused: an id that is there', async () => {
  const calls = primary(await person());
  await calls.insert(event('One', 7, { id: 'abc12' }));
  await refused(calls.insert(event('Two', 7, { id: 'abc12' })), 409, 'duplicate', { domain: 'global' });
});
it('refused: an iCalUID that is there', async () => {
  const calls = primary(await person());
  await calls.insert(event('One', 7, { iCalUID: 'u@x' }));
  await refused(calls.insert(event('Two', 7, { iCalUID: 'u@x' })), 409, 'duplicate');
});
it('refused: a lower sequence', async () => {
  const calls = primary(await person());
  const one = await calls.insert(event('One', 7, { sequence: 5 }));
  await refused(calls.patch(one.id, { sequence: 4 }), 400, 'invalid', { message: 'Invalid sequence value.' });
});
it('refused: another type of event afterwards', async () => {
  const calls = primary(await person());
  const one = await calls.insert(event('One'));
  await refused(calls.patch(one.id, { eventType: 'focusTime' }), 400, 'eventTypeRestriction');
});
it('refused: an update without a start', async () => {
  const calls = primary(await person());
  const one = await calls.insert(event('One'));
  await refused(calls.update(one.id, { summary: 'Two' }), 400, 'required');
});
it('refused: a patch that ends before the start', async () => {
  const calls = primary(await person());
  const one = await calls.insert(event('One'));
  await refused(calls.patch(one.id, { end: at(7, 8) }), 400, 'timeRangeEmpty');
});
it('refused: a patch of what is not there', async () => refused(primary(await person()).patch('nothing', {}), 404, 'notFound'));
it('refused: what is refused changes nothing', async () => {
  const calls = primary(await person());
  const one = await calls.insert(event('One'));
  await refused(calls.patch(one.id, { summary: 'Two', status: 'maybe' }), 400, 'invalid');
  eq((await calls.get(one.id)).etag, one.etag);
});
it('refused: a write by a reader', async () => {
  const who = await person();
  const { id } = await control('POST', 'calendars', { email: who.email, summary: 'Theirs', role: 'reader' });
  await refused(who.events.insert({ calendarId: id, requestBody: event('x') }), 403, 'requiredAccessLevel', { domain: 'calendar' });
});
it('refused: timeMin without an offset', async () => refused(primary(await person()).list({ timeMin: '2027-06-07T00:00:00' }), 400, 'badRequest'));
it('refused: timeMax that is a day', async () => refused(primary(await person()).list({ timeMax: '2027-06-07' }), 400, 'badRequest'));
it('refused: timeMin after timeMax', async () => {
  const asked = { timeMin: '2027-06-08T00:00:00Z', timeMax: '2027-06-07T00:00:00Z' };
  await refused(primary(await person()).list(asked), 400, 'timeRangeEmpty', { domain: 'calendar', location: 'timeMax' });
});
it('refused: a path that is none', async () => {
  const { token } = await person();
  eq((await fetch(`${process.argv[2]}/calendar/v3/nothing`, { headers: { authorization: `Bearer ${token}` } })).status, 404);
});

it('import: a copy with its uid', async () => {
  const who = await person();
  const { data } = await who.events.import({ calendarId: 'primary', requestBody: event('One', 7, { iCalUID: 'u@x' }) });
  eq(data.iCalUID, 'u@x');
});
it('import: the same uid again changes the copy and doubles nothing', async () => {
  const who = await person();
  const call = (summary) => who.events.import({ calendarId: 'primary', requestBody: event(summary, 7, { iCalUID: 'u@x' }) });
  const first = (await call('One')).data;
  const second = (await call('Two')).data;
  eq([second.id, await primary(who).titles()], [first.id, ['Two']]);
});
it('import: an older sequence is refused', async () => {
  const who = await person();
  const call = (sequence) => who.events.import({ calendarId: 'primary', requestBody: event('One', 7, { iCalUID: 'u@x', sequence }) });
  await call(5);
  await refused(call(4), 400, 'invalid');
});
it('import: somebody else is the organizer', async () => {
  const who = await person();
  const organizer = { email: 'boss@example.com', displayName: 'Boss' };
  const { data } = await who.events.import({ calendarId: 'primary', requestBody: event('One', 7, { iCalUID: 'u@x', organizer }) });
  eq(data.organizer, organizer);
});
it('import: without a uid it is refused', async () => refused((await person()).events.import({ calendarId: 'primary', requestBody: event('x') }), 400, 'required'));
it('import: focus time is refused', async () => {
  const requestBody = event('x', 7, { iCalUID: 'u@x', eventType: 'focusTime' });
  await refused((await person()).events.import({ calendarId: 'primary', requestBody }), 400, 'eventTypeRestriction');
});
it('import: nobody is mailed', async () => {
  const requestBody = event('x', 7, { iCalUID: 'u@x', attendees: [{ email: 'bob@elsewhere.com' }] });
  const { data } = await (await person()).events.import({ calendarId: 'primary', requestBody });
  eq((await control('GET', 'mails')).mails.filter((mail) => mail.event === data.id && mail.to.length), []);
});

it('move: to another calendar, whose organizer it then has', async () => {
  const who = await person();
  const one = await primary(who).insert(event('One'));
  const { data } = await who.events.move({ calendarId: 'primary', eventId: one.id, destination: who.family });
  eq([data.id, data.organizer.email], [one.id, who.family]);
});
it('move: out of the first', async () => {
  const who = await person();
  const one = await primary(who).insert(event('One'));
  await who.events.move({ calendarId: 'primary', eventId: one.id, destination: who.family });
  eq([await primary(who).titles(), (await primary(who).get(one.id)).status], [[], 'cancelled']);
});
it('move: a series with its exceptions', async () => {
  const who = await person();
  const series = await primary(who).insert(weekly('W'));
  await primary(who).patch((await primary(who).instances(series.id))[1].id, { summary: 'Other' });
  await who.events.move({ calendarId: 'primary', eventId: series.id, destination: who.family });
  const { items } = (await who.events.list({ calendarId: who.family })).data;
  eq(items.map((item) => item.summary).sort(), ['Other', 'W']);
});
it('move: without a destination it is refused by the client', async () => {
  const who = await person();
  const error = await who.events.move({ calendarId: 'primary', eventId: 'abc12' }).catch((why) => why);
  ok(/Missing required parameters: destination/.test(error.message), error.message);
});
it('move: not one instance', async () => {
  const who = await person();
  const series = await primary(who).insert(weekly('W'));
  const [first] = await primary(who).instances(series.id);
  await refused(who.events.move({ calendarId: 'primary', eventId: first.id, destination: who.family }), 400, 'cannotChangeOrganizer');
});
it('move: not focus time', async () => {
  const who = await person();
  const one = await primary(who).insert(event('One', 7, { eventType: 'focusTime' }));
  await refused(who.events.move({ calendarId: 'primary', eventId: one.id, destination: who.family }), 400, 'cannotChangeOrganizer');
});
it('move: to where nobody is 404', async () => {
  const who = await person();
  const one = await primary(who).insert(event('One'));
  await refused(who.events.move({ calendarId: 'primary', eventId: one.id, destination: 'x@example.com' }), 404, 'notFound');
});

const quick = async (text, more) => (await (await person()).events.quickAdd({ calendarId: 'primary', text, ...more })).data;
it('quickAdd: title, day and times', async () => {
  const one = await quick('Appointment on 2027-06-03 10am-10:25am');
  eq([one.summary, one.start.dateTime, one.end.dateTime], ['Appointment', '2027-06-03T10:00:00+02:00', '2027-06-03T10:25:00+02:00']);
});
it('quickAdd: an hour when no end is said', async () => {
  const one = await quick('Lunch on 2027-06-03 at noon');
  eq([one.summary, one.end.dateTime], ['Lunch', '2027-06-03T13:00:00+02:00']);
});
it('quickAdd: a whole day when no time is said', async () => eq((await quick('Holiday 2027-06-03')).start, { date: '2027-06-03' }));
it('quickAdd: text alone is an event of an hour', async () => {
  const one = await quick('Think');
  eq([one.summary, Date.parse(one.end.dateTime) - Date.parse(one.start.dateTime)], ['Think', 3_600_000]);
});
it('quickAdd: without text it is refused', async () => refused((await person()).events.quickAdd({ calendarId: 'primary', text: ' ' }), 400, 'required'));
