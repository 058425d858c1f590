// What the behaviours share: the client, the sandbox's control, checks, and Google's document for every answer.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import http from 'node:http';

export const [ROOT, MODULES, DOCUMENT] = process.argv.slice(2);
const require = createRequire(`${MODULES}/index.js`);
export const { calendar } = require('googleapis/build/src/apis/calendar');
export const { OAuth2Client, CodeChallengeMethod } = require('google-auth-library');
const document = JSON.parse(readFileSync(DOCUMENT, 'utf8'));

export const AUTH = 'https://www.googleapis.com/auth/';
const methods = {};
for (const path of Object.values(document.paths)) {
  for (const operation of Object.values(path)) {
    if (operation.operationId) methods[operation.operationId.replace('calendar.', '')] = operation;
  }
}

/** Holds a value against a schema of the document; answers the first thing that is wrong. */
function wrong(value, schema, at) {
  if (schema.$ref) schema = document.definitions[schema.$ref.split('/').pop()];
  const kind = Array.isArray(value) ? 'array' : typeof value;
  if (schema.type === 'integer' ? !Number.isInteger(value) : schema.type && schema.type !== kind) return `${at} is no ${schema.type}`;
  if (kind === 'array') return value.map((item, n) => wrong(item, schema.items, `${at}[${n}]`)).find(Boolean);
  if (kind !== 'object') return undefined;
  for (const [name, inside] of Object.entries(value)) {
    const known = schema.properties?.[name] ?? schema.additionalProperties;
    if (!known) return `${at}.${name}: there is no such field`;
    const found = wrong(inside, known, `${at}.${name}`);
    if (found) return found;
  }
  return undefined;
}

/** The client's methods of one resource, each answer held against the document. */
function held(resource, name) {
  return new Proxy(resource, {
    get: (target, method) => async (...given) => {
      const answer = await target[method](...given);
      // Nothing has changed: there is no body.
      if (answer.status === 304) return answer;
      const schema = Object.values(methods[`${name}.${method}`].responses)[0].schema;
      if (!schema && answer.data) throw new Error(`${name}.${method}: a body where there is none`);
      const found = schema && wrong(answer.data, schema, `${name}.${method}`);
      if (found) throw new Error(found);
      return answer;
    },
  });
}

/** Google's client with a token, whose answers are held against the document. */
export function client(token) {
  const auth = new OAuth2Client({ clientId: 'node', clientSecret: 'secret' });
  auth.setCredentials({ access_token: token });
  const api = calendar({ version: 'v3', auth, rootUrl: `${ROOT}/`, retry: false });
  const names = ['acl', 'calendarList', 'calendars', 'channels', 'colors', 'events', 'freebusy', 'settings'];
  return Object.fromEntries(names.map((name) => [name, held(api[name], name)]));
}

export async function control(method, path, body) {
  const sent = method === 'GET' ? {} : { body: JSON.stringify(body ?? {}) };
  const answer = await fetch(`${ROOT}/control/${path}`, { method, ...sent });
  if (!answer.ok) throw new Error(`control ${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

let people = 0;
/** Somebody new, with the client that has the person's token. */
export async function person(zone) {
  people += 1;
  const email = `p${people}@example.com`;
  const made = await control('POST', 'users', { email, time_zone: zone ?? 'Europe/Paris' });
  return { email, token: made.access_token, family: made.calendars.find((id) => id !== email), ...client(made.access_token) };
}

/** A person with a token of few scopes. */
export async function limited(...scopes) {
  const { email } = await person();
  const auth = oauth();
  const url = new URL(auth.generateAuthUrl({ scope: scopes.map((name) => AUTH + name) }));
  const { code } = await consent(url, { account: email, decision: 'allow' });
  return { email, ...client((await auth.getToken(code)).tokens.access_token) };
}

export const BACK = 'http://127.0.0.1/back';
export function oauth() {
  return new OAuth2Client({
    clientId: 'node', clientSecret: 'secret', redirectUri: BACK,
    endpoints: {
      oauth2AuthBaseUrl: `${ROOT}/o/oauth2/v2/auth`, oauth2TokenUrl: `${ROOT}/token`,
      oauth2RevokeUrl: `${ROOT}/revoke`, tokenInfoUrl: `${ROOT}/tokeninfo`,
    },
  });
}

/** Where the consent sends the browser back to, as its parameters. */
export async function consent(url, more = {}) {
  for (const [name, value] of Object.entries(more)) url.searchParams.append(name, value);
  const answer = await fetch(url, { redirect: 'manual' });
  if (answer.status !== 302) throw new Error(`the consent answers ${answer.status}`);
  return Object.fromEntries(new URL(answer.headers.get('location')).searchParams);
}

/** As JSON says it: what is not there is null. */
const plain = (value) => JSON.parse(JSON.stringify(value ?? null));

export function eq(found, wanted, what = 'found') {
  if (!isDeepStrictEqual(plain(found), plain(wanted))) {
    throw new Error(`${what}: ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`);
  }
}

export function ok(holds, what) {
  if (!holds) throw new Error(what);
}

/** Refused with a status, a reason, and a whole error body of Google's. */
export async function refused(promise, status, reason, more = {}) {
  let done;
  try {
    done = await promise;
  } catch (error) {
    const found = Number(error.status ?? error.response?.status);
    if (!found) throw error;
    let body = error.response.data;
    if (typeof body === 'string') body = JSON.parse(body);
    const one = body.error.errors[0];
    eq([found, body.error.code, one.reason], [status, status, reason], 'refusal');
    ok(typeof one.domain === 'string' && typeof one.message === 'string' && typeof body.error.message === 'string', 'a whole body');
    for (const [name, value] of Object.entries(more)) eq(one[name], value, name);
    return;
  }
  throw new Error(`done, though ${status} ${reason} was to come: ${JSON.stringify(done.data).slice(0, 200)}`);
}

/** A time on a day of June 2027 in Paris. */
export const at = (day, hour, zone = 'Europe/Paris') => ({
  dateTime: `2027-06-${String(day).padStart(2, '0')}T${String(hour).padStart(2, '0')}:00:00`, timeZone: zone,
});
export const event = (summary, day = 7, more = {}) => ({ summary, start: at(day, 9), end: at(day, 10), ...more });
export const weekly = (summary, more = {}) => event(summary, 7, { recurrence: ['RRULE:FREQ=WEEKLY;COUNT=4'], ...more });

/** Shorthands for the primary calendar of somebody. */
export const primary = (who) => ({
  insert: async (requestBody, more) => (await who.events.insert({ calendarId: 'primary', requestBody, ...more })).data,
  get: async (eventId, more) => (await who.events.get({ calendarId: 'primary', eventId, ...more })).data,
  patch: async (eventId, requestBody, more) => (await who.events.patch({ calendarId: 'primary', eventId, requestBody, ...more })).data,
  update: async (eventId, requestBody, more) => (await who.events.update({ calendarId: 'primary', eventId, requestBody, ...more })).data,
  remove: (eventId, more) => who.events.delete({ calendarId: 'primary', eventId, ...more }),
  list: async (more) => (await who.events.list({ calendarId: 'primary', ...more })).data,
  titles: async (more) => (await who.events.list({ calendarId: 'primary', ...more })).data.items.map((item) => item.summary).sort(),
  instances: async (eventId, more) => (await who.events.instances({ calendarId: 'primary', eventId, ...more })).data.items,
});

const heard = [];
let hook;
/** An address that keeps what is sent to it. */
export async function listener() {
  hook ??= await new Promise((started) => {
    const server = http.createServer((request, answer) => {
      heard.push(request.headers);
      answer.end();
    });
    server.listen(0, '127.0.0.1', () => started(server));
  });
  return `http://127.0.0.1:${hook.address().port}/hook`;
}
export const close = () => hook?.close();

/** The notifications of a channel by their numbers, once there are so many. */
export async function notified(channel, least) {
  for (let tries = 0; tries < 500; tries += 1) {
    const found = heard.filter((headers) => headers['x-goog-channel-id'] === channel);
    const number = (headers) => Number(headers['x-goog-message-number']);
    if (found.length >= least) return found.sort((one, other) => number(one) - number(other));
    await new Promise((later) => setTimeout(later, 20));
  }
  throw new Error(`${channel}: fewer than ${least} notifications`);
}

export const behaviours = [];
/** Names a behaviour. */
export const it = (name, check) => behaviours.push({ name, check });
