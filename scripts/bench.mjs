// `npm run bench -- QUESTION [rounds] [--quick] [--json] [--only=NAME,NAME]`: sets up what is missing, then measures.
import { runNode } from './lib/run.mjs';
import { setup } from './setup.mjs';

await setup();
process.exit(await runNode('bench/dist/main.js', process.argv.slice(2)));
