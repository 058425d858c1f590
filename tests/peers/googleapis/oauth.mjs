// Consent, tokens, who somebody is.
import { AUTH, BACK, ROOT, CodeChallengeMethod, client, consent, control, eq, it, limited, oauth, ok, person, refused } from './harness.mjs';

const READ = `${AUTH}calendar.readonly`;
const WRITE = `${AUTH}calendar.events`;
const ask = (auth, more) => new URL(auth.generateAuthUrl({ scope: [READ, WRITE], access_type: 'offline', state: 's', ...more }));
const allow = (email) => ({ account: email, decision: 'allow' });
const failure = async (promise) => {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('done, though it was to fail');
};

it('consent: the code and the state come back', async () => {
  const { email } = await person();
  const back = await consent(ask(oauth()), allow(email));
  ok(back.code && back.state === 's', JSON.stringify(back));
});
it('consent: the granted scopes come back beside the code', async () => {
  const { email } = await person();
  eq((await consent(ask(oauth()), allow(email))).scope.split(' ').sort(), [READ, WRITE].sort());
});
it('consent: denied is access_denied', async () => {
  const { email } = await person();
  eq((await consent(ask(oauth()), { account: email, decision: 'deny' })).error, 'access_denied');
});
it('consent: the page has a box to untick for every scope', async () => {
  const page = await (await fetch(ask(oauth()))).text();
  eq([...page.matchAll(/type="checkbox"/g)].length, 2);
});
it('consent: what is unticked on the page is not granted', async () => {
  const { email } = await person();
  const auth = oauth();
  const url = ask(auth);
  const page = await (await fetch(url)).text();
  const shown = page.match(/type="hidden" name="(scopes_shown)"/)[1];
  const form = new URLSearchParams([...url.searchParams, ['account', email], ['decision', 'allow'], [shown, '1'], [`yes:${READ}`, '1']]);
  const answer = await fetch(`${ROOT}/o/oauth2/v2/auth`, { method: 'POST', body: form, redirect: 'manual' });
  const code = new URL(answer.headers.get('location')).searchParams.get('code');
  eq((await auth.getToken(code)).tokens.scope, READ);
});
it('consent: all unticked is access_denied', async () => {
  const { email } = await person();
  const url = ask(oauth());
  const form = new URLSearchParams([...url.searchParams, ['account', email], ['decision', 'allow'], ['scopes_shown', '1']]);
  const answer = await fetch(`${ROOT}/o/oauth2/v2/auth`, { method: 'POST', body: form, redirect: 'manual' });
  eq(new URL(answer.headers.get('location')).searchParams.get('error'), 'access_denied');
});
it('consent: a test can have scopes unticked', async () => {
  const { email } = await person();
  await control('POST', 'settings', { untick_scopes: ['calendar.events'] });
  const back = await consent(ask(oauth()), allow(email));
  await control('POST', 'settings', { untick_scopes: [] });
  eq(back.scope, READ);
});
it('consent: include_granted_scopes adds what was granted before', async () => {
  const { email } = await person();
  const auth = oauth();
  await auth.getToken((await consent(ask(auth, { scope: [READ] }), allow(email))).code);
  const back = await consent(ask(auth, { scope: [WRITE], include_granted_scopes: true }), allow(email));
  eq(back.scope.split(' ').sort(), [READ, WRITE].sort());
});
it('consent: without response_type=code there is a page and no way back', async () => {
  eq((await fetch(`${ROOT}/o/oauth2/v2/auth?client_id=a&redirect_uri=${BACK}`, { redirect: 'manual' })).status, 400);
});
it('token: the exchange gives an access token, its life and its scopes', async () => {
  const { email } = await person();
  const auth = oauth();
  const { tokens } = await auth.getToken((await consent(ask(auth), allow(email))).code);
  ok(tokens.access_token && tokens.token_type === 'Bearer' && tokens.expiry_date > Date.now(), JSON.stringify(tokens));
});
it('token: offline gives a refresh token the first time', async () => {
  const { email } = await person();
  const auth = oauth();
  ok((await auth.getToken((await consent(ask(auth), allow(email))).code)).tokens.refresh_token, 'a refresh token');
});
it('token: the second time there is none', async () => {
  const { email } = await person();
  const auth = oauth();
  await auth.getToken((await consent(ask(auth), allow(email))).code);
  eq((await auth.getToken((await consent(ask(auth), allow(email))).code)).tokens.refresh_token, undefined);
});
it('token: with prompt=consent there is one again', async () => {
  const { email } = await person();
  const auth = oauth();
  await auth.getToken((await consent(ask(auth), allow(email))).code);
  ok((await auth.getToken((await consent(ask(auth, { prompt: 'consent' }), allow(email))).code)).tokens.refresh_token, 'one');
});
it('token: online gives no refresh token', async () => {
  const { email } = await person();
  const auth = oauth();
  eq((await auth.getToken((await consent(ask(auth, { access_type: 'online' }), allow(email))).code)).tokens.refresh_token, undefined);
});
it('token: a code is good once', async () => {
  const { email } = await person();
  const auth = oauth();
  const { code } = await consent(ask(auth), allow(email));
  await auth.getToken(code);
  eq((await failure(auth.getToken(code))).response.data.error, 'invalid_grant');
});
it('token: PKCE holds', async () => {
  const { email } = await person();
  const auth = oauth();
  const { codeVerifier, codeChallenge } = await auth.generateCodeVerifierAsync();
  const more = { code_challenge: codeChallenge, code_challenge_method: CodeChallengeMethod.S256 };
  const { code } = await consent(ask(auth, more), allow(email));
  ok((await auth.getToken({ code, codeVerifier })).tokens.access_token, 'a token');
});
it('token: PKCE with another verifier is invalid_grant', async () => {
  const { email } = await person();
  const auth = oauth();
  const { codeChallenge } = await auth.generateCodeVerifierAsync();
  const more = { code_challenge: codeChallenge, code_challenge_method: CodeChallengeMethod.S256 };
  const { code } = await consent(ask(auth, more), allow(email));
  eq((await failure(auth.getToken({ code, codeVerifier: 'x'.repeat(43) }))).response.data.error, 'invalid_grant');
});
it('token: the library refreshes by itself, and the refresh token stays', async () => {
  const { email } = await person();
  const auth = oauth();
  const { tokens } = await auth.getToken((await consent(ask(auth), allow(email))).code);
  auth.setCredentials({ refresh_token: tokens.refresh_token });
  ok((await auth.getAccessToken()).token, 'a token');
  eq(auth.credentials.refresh_token, tokens.refresh_token);
});
it('token: an unknown refresh token is invalid_grant', async () => {
  const auth = oauth();
  auth.setCredentials({ refresh_token: '1//nothing' });
  const error = await failure(auth.getAccessToken());
  eq([error.response.status, error.response.data.error], [400, 'invalid_grant']);
});
it('token: the hundred-and-first refresh token ends the first', async () => {
  const { email } = await person();
  const auth = oauth();
  const one = async () => (await auth.getToken((await consent(ask(auth, { prompt: 'consent' }), allow(email))).code)).tokens.refresh_token;
  const first = await one();
  for (let n = 0; n < 100; n += 1) await one();
  auth.setCredentials({ refresh_token: first });
  eq((await failure(auth.getAccessToken())).response.data.error, 'invalid_grant');
});
it('tokeninfo: scopes, audience and time left', async () => {
  const { email } = await person();
  const auth = oauth();
  const { tokens } = await auth.getToken((await consent(ask(auth), allow(email))).code);
  const info = await auth.getTokenInfo(tokens.access_token);
  eq([info.aud, info.scopes.sort()], ['node', [READ, WRITE].sort()]);
  ok(info.expiry_date > Date.now(), 'it has time left');
});
it('tokeninfo: an unknown token is invalid_token', async () => {
  eq((await failure(oauth().getTokenInfo('nothing'))).response.data.error, 'invalid_token');
});
it('userinfo: the same sub as in the id token', async () => {
  const { email } = await person();
  const auth = oauth();
  const { tokens } = await auth.getToken((await consent(ask(auth, { scope: ['openid', 'email', READ] }), allow(email))).code);
  const claims = JSON.parse(Buffer.from(tokens.id_token.split('.')[1], 'base64url'));
  const info = await (await fetch(`${ROOT}/oauth2/v3/userinfo`, { headers: { authorization: `Bearer ${tokens.access_token}` } })).json();
  eq(info, { sub: claims.sub, email, email_verified: true });
});
it('userinfo: 401 without a good token', async () => {
  eq((await fetch(`${ROOT}/oauth2/v3/userinfo`)).status, 401);
});
it('revoke: an access token ends its grant', async () => {
  const { email } = await person();
  const auth = oauth();
  const { tokens } = await auth.getToken((await consent(ask(auth), allow(email))).code);
  eq((await auth.revokeToken(tokens.access_token)).status, 200);
  auth.setCredentials({ refresh_token: tokens.refresh_token });
  eq((await failure(auth.getAccessToken())).response.data.error, 'invalid_grant');
});
it('revoke: a second time is 400', async () => {
  const { email } = await person();
  const auth = oauth();
  const { tokens } = await auth.getToken((await consent(ask(auth), allow(email))).code);
  await auth.revokeToken(tokens.refresh_token);
  eq((await failure(auth.revokeToken(tokens.refresh_token))).response.status, 400);
});
it('a bad token is 401 authError with its header named', async () => {
  await refused(client('nothing').calendarList.list(), 401, 'authError', { domain: 'global', location: 'Authorization', locationType: 'header' });
});
it('scopes: reading alone may not write', async () => {
  const who = await limited('calendar.readonly');
  await refused(who.events.insert({ calendarId: 'primary', requestBody: {} }), 403, 'insufficientPermissions');
});
it('scopes: calendar.events may not list calendars', async () => {
  await refused((await limited('calendar.events')).calendarList.list(), 403, 'insufficientPermissions');
});
it('scopes: calendar.events reads the primary calendar by its alias', async () => {
  eq((await (await limited('calendar.events')).events.list({ calendarId: 'primary' })).data.items, []);
});
it('scopes: calendar.events may not ask for busy time', async () => {
  const requestBody = { timeMin: '2027-06-01T00:00:00Z', timeMax: '2027-06-02T00:00:00Z', items: [] };
  await refused((await limited('calendar.events')).freebusy.query({ requestBody }), 403, 'insufficientPermissions');
});
it('scopes: settings need their own', async () => {
  await refused((await limited('calendar.events')).settings.list(), 403, 'insufficientPermissions');
  eq((await (await limited('calendar.settings.readonly')).settings.list()).data.kind, 'calendar#settings');
});
it('discovery: the endpoints are named', async () => {
  eq((await (await fetch(`${ROOT}/.well-known/openid-configuration`)).json()).token_endpoint, `${ROOT}/token`);
});
