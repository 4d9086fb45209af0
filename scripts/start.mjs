// npm start: makes everything ready, then plays the conversation of examples/chat-server over real sockets.
// With --once it ends after the conversation, 0 only if every expected stanza arrived.
import { runNode, say } from './lib/run.mjs';
import { setup } from './setup.mjs';

await setup();
say('examples/chat-server');
process.exitCode = await runNode('examples/chat-server/dist/demo.js', process.argv.slice(2));
