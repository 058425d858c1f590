// calendars, calendarList, acl, settings, colors.
import { control, eq, it, ok, person, primary, event, refused } from './harness.mjs';

const made = async (who, summary = 'Work', more = {}) => (await who.calendars.insert({ requestBody: { summary, ...more } })).data;
const listed = async (who, more) => (await who.calendarList.list(more)).data;
const ids = async (who, more) => (await listed(who, more)).items.map((item) => item.id);

it('calendars.insert: a new calendar with its title', async () => eq((await made(await person())).summary, 'Work'));
it('calendars.insert: it is in the list at once, as its owner', async () => {
  const who = await person();
  const { id } = await made(who);
  eq((await who.calendarList.get({ calendarId: id })).data.accessRole, 'owner');
});
it('calendars.insert: the zone of the primary calendar by default', async () => eq((await made(await person('Asia/Tokyo'))).timeZone, 'Asia/Tokyo'));
it('calendars.insert: its own zone, description and place', async () => {
  const held = await made(await person(), 'Work', { timeZone: 'America/New_York', description: 'd', location: 'l' });
  eq([held.timeZone, held.description, held.location], ['America/New_York', 'd', 'l']);
});
it('calendars.insert: without a title it is refused', async () => refused((await person()).calendars.insert({ requestBody: {} }), 400, 'required'));
it('calendars.insert: an unknown zone is refused', async () => {
  await refused((await person()).calendars.insert({ requestBody: { summary: 'a', timeZone: 'Mars/Base' } }), 400, 'invalid');
});
it('calendars.insert: a secondary calendar names its data owner', async () => {
  const who = await person();
  eq((await made(who)).dataOwner, who.email);
});
it('calendars.get: primary is an alias', async () => {
  const who = await person();
  eq((await who.calendars.get({ calendarId: 'primary' })).data.id, who.email);
});
it('calendars.get: an unknown one is 404', async () => refused((await person()).calendars.get({ calendarId: 'nothing' }), 404, 'notFound', { domain: 'global' }));
it('calendars.patch: the title alone changes', async () => {
  const who = await person();
  const { id } = await made(who, 'Work', { description: 'kept' });
  const { data } = await who.calendars.patch({ calendarId: id, requestBody: { summary: 'Play' } });
  eq([data.summary, data.description], ['Play', 'kept']);
});
it('calendars.update: what is left out is taken away', async () => {
  const who = await person();
  const { id } = await made(who, 'Work', { description: 'lost' });
  const { data } = await who.calendars.update({ calendarId: id, requestBody: { summary: 'Play' } });
  eq([data.summary, data.description], ['Play', undefined]);
});
it('calendars.update: a title is needed', async () => {
  const who = await person();
  await refused(who.calendars.update({ calendarId: (await made(who)).id, requestBody: {} }), 400, 'required');
});
it('calendars.patch: the ETag changes', async () => {
  const who = await person();
  const held = await made(who);
  const { data } = await who.calendars.patch({ calendarId: held.id, requestBody: { summary: 'Play' } });
  ok(data.etag !== held.etag, 'another version');
});
it('calendars.patch: a reader may not', async () => {
  const who = await person();
  const { id } = await control('POST', 'calendars', { email: who.email, summary: 'Theirs', role: 'reader' });
  await refused(who.calendars.patch({ calendarId: id, requestBody: { summary: 'Mine' } }), 403, 'forbidden');
});
it('calendars.patch: the zone moves how its events are shown', async () => {
  const who = await person();
  const one = await primary(who).insert(event('One'));
  await who.calendars.patch({ calendarId: 'primary', requestBody: { timeZone: 'America/New_York' } });
  eq((await primary(who).get(one.id)).start.dateTime, '2027-06-07T03:00:00-04:00');
});
it('calendars.delete: it is gone', async () => {
  const who = await person();
  const { id } = await made(who);
  eq((await who.calendars.delete({ calendarId: id })).status, 204);
  await refused(who.events.list({ calendarId: id }), 404, 'notFound');
});
it('calendars.delete: the list says deleted', async () => {
  const who = await person();
  const { id } = await made(who);
  const { nextSyncToken } = await listed(who);
  await who.calendars.delete({ calendarId: id });
  eq((await listed(who, { syncToken: nextSyncToken })).items.map((item) => [item.id, item.deleted]), [[id, true]]);
});
it('calendars.delete: never the primary one', async () => refused((await person()).calendars.delete({ calendarId: 'primary' }), 400, 'invalid'));
it('calendars.clear: the primary calendar is empty after it', async () => {
  const who = await person();
  await primary(who).insert(event('One'));
  eq((await who.calendars.clear({ calendarId: 'primary' })).status, 204);
  eq(await primary(who).titles(), []);
});
it('calendars.clear: only the primary one', async () => {
  const who = await person();
  await refused(who.calendars.clear({ calendarId: (await made(who)).id }), 400, 'invalid');
});

it('calendarList.list: kind, ETag and a sync token on the last page', async () => {
  const held = await listed(await person());
  ok(held.kind === 'calendar#calendarList' && held.etag && held.nextSyncToken && !held.nextPageToken, JSON.stringify(held));
});
it('calendarList.list: one entry is the primary one', async () => {
  const who = await person();
  eq((await listed(who)).items.filter((item) => item.primary).map((item) => item.id), [who.email]);
});
it('calendarList.list: by pages', async () => {
  const who = await person();
  const first = await listed(who, { maxResults: 1 });
  ok(first.nextPageToken && !first.nextSyncToken, 'a page token and no sync token');
  const second = await listed(who, { maxResults: 1, pageToken: first.nextPageToken });
  ok(second.items[0].id !== first.items[0].id && second.nextSyncToken, 'the other one');
});
it('calendarList.list: minAccessRole', async () => {
  const who = await person();
  await control('POST', 'calendars', { email: who.email, summary: 'Theirs', role: 'reader' });
  eq([(await ids(who)).length, (await ids(who, { minAccessRole: 'writer' })).length], [3, 2]);
});
it('calendarList.list: an unknown role is refused', async () => refused((await person()).calendarList.list({ minAccessRole: 'king' }), 400, 'invalidParameter'));
it('calendarList.list: a sync token brings nothing when nothing changed', async () => {
  const who = await person();
  eq((await listed(who, { syncToken: (await listed(who)).nextSyncToken })).items, []);
});
it('calendarList.list: a sync token brings what changed', async () => {
  const who = await person();
  const { nextSyncToken } = await listed(who);
  await who.calendarList.patch({ calendarId: who.family, requestBody: { summaryOverride: 'Us' } });
  eq((await listed(who, { syncToken: nextSyncToken })).items.map((item) => item.summaryOverride), ['Us']);
});
it('calendarList.list: a new title of a calendar does not bring its entry back', async () => {
  const who = await person();
  const { nextSyncToken } = await listed(who);
  await who.calendars.patch({ calendarId: who.family, requestBody: { summary: 'Us' } });
  eq((await listed(who, { syncToken: nextSyncToken })).items, []);
});
it('calendarList.list: a bad sync token is 410', async () => refused((await person()).calendarList.list({ syncToken: 'x' }), 410, 'fullSyncRequired'));
it('calendarList.list: expired tokens are 410', async () => {
  const who = await person();
  const { nextSyncToken } = await listed(who);
  await control('POST', 'expire-sync-tokens');
  await refused(who.calendarList.list({ syncToken: nextSyncToken }), 410, 'fullSyncRequired');
});
it('calendarList.list: minAccessRole may not come with a sync token', async () => {
  const who = await person();
  const { nextSyncToken } = await listed(who);
  await refused(who.calendarList.list({ syncToken: nextSyncToken, minAccessRole: 'owner' }), 400, 'invalid');
});
it('calendarList.list: showHidden=false may not come with a sync token', async () => {
  const who = await person();
  const { nextSyncToken } = await listed(who);
  await refused(who.calendarList.list({ syncToken: nextSyncToken, showHidden: false }), 400, 'invalid');
});
it('calendarList.list: hidden ones are left out unless asked for', async () => {
  const who = await person();
  await who.calendarList.patch({ calendarId: who.family, requestBody: { hidden: true } });
  eq([(await ids(who)).length, (await ids(who, { showHidden: true })).length], [1, 2]);
});
it('calendarList.list: a hidden one comes with a sync token', async () => {
  const who = await person();
  const { nextSyncToken } = await listed(who);
  await who.calendarList.patch({ calendarId: who.family, requestBody: { hidden: true } });
  eq((await listed(who, { syncToken: nextSyncToken })).items.map((item) => item.hidden), [true]);
});
it('calendarList.get: primary is an alias', async () => {
  const who = await person();
  eq((await who.calendarList.get({ calendarId: 'primary' })).data.id, who.email);
});
it('calendarList.get: ETag in the header, and 304 for the same', async () => {
  const who = await person();
  const answer = await who.calendarList.get({ calendarId: 'primary' });
  eq(answer.headers.get('etag'), answer.data.etag);
  const again = who.calendarList.get({ calendarId: 'primary' }, { headers: { 'If-None-Match': answer.data.etag } });
  eq((await again).status, 304);
});
it('calendarList.insert: a calendar taken out comes back', async () => {
  const who = await person();
  await who.calendarList.delete({ calendarId: who.family });
  await who.calendarList.insert({ requestBody: { id: who.family } });
  ok((await ids(who)).includes(who.family), 'it is back');
});
it('calendarList.insert: a public calendar of holidays', async () => {
  const who = await person();
  const id = 'en.uk#holiday@group.v.calendar.google.com';
  eq((await who.calendarList.insert({ requestBody: { id } })).data.accessRole, 'reader');
  eq((await who.events.list({ calendarId: id })).data.items, []);
});
it('calendarList.insert: an unknown one is 404', async () => refused((await person()).calendarList.insert({ requestBody: { id: 'no@example.com' } }), 404, 'notFound'));
it('calendarList.insert: an id is needed', async () => refused((await person()).calendarList.insert({ requestBody: {} }), 400, 'required'));
it('calendarList.patch: a colour by its id brings its background', async () => {
  const who = await person();
  const { data } = await who.calendarList.patch({ calendarId: who.family, requestBody: { colorId: '9' } });
  eq(data.backgroundColor, (await who.colors.get()).data.calendar[9].background);
});
it('calendarList.patch: colours by RGB need colorRgbFormat', async () => {
  const who = await person();
  const requestBody = { backgroundColor: '#7bd149', foregroundColor: '#ffffff' };
  const plain = (await who.calendarList.patch({ calendarId: who.family, requestBody })).data;
  const rgb = (await who.calendarList.patch({ calendarId: who.family, requestBody, colorRgbFormat: true })).data;
  eq([plain.backgroundColor, rgb.backgroundColor, rgb.colorId], ['#9fe1e7', '#7bd149', '9']);
});
it('calendarList.patch: an unknown colour is refused', async () => {
  const who = await person();
  await refused(who.calendarList.patch({ calendarId: who.family, requestBody: { colorId: '99' } }), 400, 'invalid');
});
it('calendarList.patch: default reminders, and what events inherit', async () => {
  const who = await person();
  const defaultReminders = [{ method: 'email', minutes: 10 }];
  await who.calendarList.patch({ calendarId: 'primary', requestBody: { defaultReminders } });
  eq((await primary(who).list()).defaultReminders, defaultReminders);
});
it('calendarList.patch: a sixth default reminder is refused', async () => {
  const who = await person();
  const defaultReminders = Array(6).fill({ method: 'popup', minutes: 1 });
  await refused(who.calendarList.patch({ calendarId: 'primary', requestBody: { defaultReminders } }), 400, 'tooManyReminders');
});
it('calendarList.patch: notification settings of an unknown type are refused', async () => {
  const requestBody = { notificationSettings: { notifications: [{ method: 'email', type: 'party' }] } };
  await refused((await person()).calendarList.patch({ calendarId: 'primary', requestBody }), 400, 'invalid');
});
it('calendarList.update: what is left out is taken away', async () => {
  const who = await person();
  await who.calendarList.patch({ calendarId: who.family, requestBody: { summaryOverride: 'Us', hidden: true } });
  const { data } = await who.calendarList.update({ calendarId: who.family, requestBody: { selected: true } });
  eq([data.summaryOverride, data.hidden, data.defaultReminders], [undefined, undefined, []]);
});
it('calendarList.delete: out of the list, and there as a calendar', async () => {
  const who = await person();
  eq((await who.calendarList.delete({ calendarId: who.family })).status, 204);
  await refused(who.calendarList.get({ calendarId: who.family }), 404, 'notFound');
  eq((await who.calendars.get({ calendarId: who.family })).data.id, who.family);
});
it('calendarList.delete: showDeleted shows it', async () => {
  const who = await person();
  await who.calendarList.delete({ calendarId: who.family });
  eq((await listed(who, { showDeleted: true })).items.filter((item) => item.deleted).map((item) => item.id), [who.family]);
});

it('acl.list: the owner is there', async () => {
  const who = await person();
  eq((await who.acl.list({ calendarId: 'primary' })).data.items.map((rule) => [rule.id, rule.role]), [[`user:${who.email}`, 'owner']]);
});
const share = (who, role = 'reader') => who.acl.insert({ calendarId: 'primary', requestBody: { role, scope: { type: 'user', value: 'bob@example.com' } } });
it('acl.insert: somebody may read', async () => eq((await share(await person())).data.id, 'user:bob@example.com'));
it('acl.insert: everybody may see when one is busy', async () => {
  const requestBody = { role: 'freeBusyReader', scope: { type: 'default' } };
  eq((await (await person()).acl.insert({ calendarId: 'primary', requestBody })).data.id, 'default');
});
it('acl.insert: an unknown role is refused', async () => refused(share(await person(), 'king'), 400, 'invalid'));
it('acl.insert: a scope is needed', async () => {
  await refused((await person()).acl.insert({ calendarId: 'primary', requestBody: { role: 'reader' } }), 400, 'required');
});
it('acl.get: one rule, and 404 for one that is not there', async () => {
  const who = await person();
  await share(who);
  eq((await who.acl.get({ calendarId: 'primary', ruleId: 'user:bob@example.com' })).data.role, 'reader');
  await refused(who.acl.get({ calendarId: 'primary', ruleId: 'user:eve@example.com' }), 404, 'notFound');
});
it('acl.patch: another role', async () => {
  const who = await person();
  await share(who);
  eq((await who.acl.patch({ calendarId: 'primary', ruleId: 'user:bob@example.com', requestBody: { role: 'writer' } })).data.role, 'writer');
});
it('acl.update: another role', async () => {
  const who = await person();
  await share(who);
  eq((await who.acl.update({ calendarId: 'primary', ruleId: 'user:bob@example.com', requestBody: { role: 'writer' } })).data.role, 'writer');
});
it('acl.delete: gone, and with a sync token the role is none', async () => {
  const who = await person();
  await share(who);
  const { nextSyncToken } = (await who.acl.list({ calendarId: 'primary' })).data;
  eq((await who.acl.delete({ calendarId: 'primary', ruleId: 'user:bob@example.com' })).status, 204);
  eq((await who.acl.list({ calendarId: 'primary' })).data.items.length, 1);
  eq((await who.acl.list({ calendarId: 'primary', syncToken: nextSyncToken })).data.items.map((rule) => rule.role), ['none']);
});
it('acl: nobody changes their own access', async () => {
  const who = await person();
  await refused(who.acl.delete({ calendarId: 'primary', ruleId: `user:${who.email}` }), 403, 'cannotChangeOwnAcl');
});
it('acl: a reader of a calendar may not see its rules', async () => {
  const who = await person();
  const { id } = await control('POST', 'calendars', { email: who.email, summary: 'Theirs', role: 'reader' });
  await refused(who.acl.list({ calendarId: id }), 403, 'forbidden');
});

it('settings.list: the zone and the rest', async () => {
  const { items } = (await (await person('Asia/Tokyo')).settings.list()).data;
  eq(items.find((item) => item.id === 'timezone').value, 'Asia/Tokyo');
  ok(items.length >= 10, 'all of them');
});
it('settings.list: a sync token brings nothing when nothing changed', async () => {
  const who = await person();
  eq((await who.settings.list({ syncToken: (await who.settings.list()).data.nextSyncToken })).data.items, []);
});
it('settings.list: by pages', async () => {
  const who = await person();
  const first = (await who.settings.list({ maxResults: 5 })).data;
  eq([first.items.length, Boolean(first.nextPageToken)], [5, true]);
});
it('settings.list: a bad sync token is 410', async () => refused((await person()).settings.list({ syncToken: 'x' }), 410, 'fullSyncRequired'));
it('settings.get: one', async () => eq((await (await person()).settings.get({ setting: 'weekStart' })).data.value, '1'));
it('settings.get: an unknown one is 404', async () => refused((await person()).settings.get({ setting: 'mood' }), 404, 'notFound'));
it('settings.get: the zone follows the primary calendar', async () => {
  const who = await person();
  await who.calendars.patch({ calendarId: 'primary', requestBody: { timeZone: 'Asia/Tokyo' } });
  eq((await who.settings.get({ setting: 'timezone' })).data.value, 'Asia/Tokyo');
});

it('colors.get: 24 of calendars and 11 of events', async () => {
  const { data } = await (await person()).colors.get();
  eq([Object.keys(data.calendar).length, Object.keys(data.event).length], [24, 11]);
});
it('colors.get: each with background and foreground', async () => {
  const { data } = await (await person()).colors.get();
  ok([...Object.values(data.event), ...Object.values(data.calendar)].every((one) => one.background.startsWith('#') && one.foreground.startsWith('#')), 'both');
});
