// Drives the sandbox with Google's own client for Node (`googleapis`), which is told nothing but `rootUrl`.
//
// Usage: node main.mjs ROOT MODULES DOCUMENT   (http://127.0.0.1:PORT, a folder with node_modules, Google's document as Swagger)
//
// Each behaviour stands by itself: its own people, its own events. Every answer is held against the document besides. Prints what
// does not hold, and `googleapis: N of M behaviours`; exit status 0 when all hold but those of ABSENT.
import { behaviours, close } from './harness.mjs';

await import('./oauth.mjs');
await import('./calendars.mjs');
await import('./events.mjs');
await import('./lists.mjs');
await import('./refusals.mjs');
await import('./other.mjs');
const { ABSENT } = await import('./absent.mjs');

const failed = [];
for (const { name, check } of behaviours) {
  try {
    await check();
  } catch (error) {
    failed.push(name);
    if (!ABSENT.has(name)) console.log(`NOT ${name}: ${error.message.slice(0, 400)}`);
  }
}
for (const name of ABSENT.keys()) {
  if (!failed.includes(name)) console.log(`NOT absent any more, or not tried: ${name}`);
}
close();
const names = new Set(behaviours.map(({ name }) => name));
if (names.size !== behaviours.length) console.log('NOT every name is there once');
console.log(`googleapis: ${behaviours.length - failed.length} of ${behaviours.length} behaviours`);
const expected = failed.every((name) => ABSENT.has(name)) && [...ABSENT.keys()].every((name) => failed.includes(name));
process.exit(expected && names.size === behaviours.length ? 0 : 1);
