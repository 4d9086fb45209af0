// Started by watchdog.test.ts: keeps the event loop busy, inside or outside of what the watchdog looks at.
import { Watchdog } from '../../dist/watchdog.js';

const [where, stallMs, busyMs] = process.argv.slice(2);
const watchdog = Watchdog.acquire(Number(stallMs));
// The watchdog keeps no process alive by itself.
const alive = setInterval(() => undefined, 1_000);
await watchdog.ready;
clearInterval(alive);
if (where === 'inside') watchdog.enter();
const end = performance.now() + Number(busyMs);
while (performance.now() < end);
if (where === 'inside') watchdog.leave();
process.stdout.write('survived');
await watchdog.release();
