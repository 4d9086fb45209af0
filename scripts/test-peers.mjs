// npm run test:peers: the tests against XMPP programs that nobody here wrote. They have to be installed, by root on
// Debian 12: examples/chat-server/test/peers/install.sh; one that is missing fails its tests. Arguments go to Vitest.
import { programs, runNode } from './lib/run.mjs';
import { setup } from './setup.mjs';

await setup();
process.exitCode = await runNode(programs.vitest, ['run', '--config=vitest.peers.config.ts', ...process.argv.slice(2)]);
