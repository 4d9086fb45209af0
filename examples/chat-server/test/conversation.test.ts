import { expect, test } from 'vitest';
import { play } from '../src/demo/conversation.ts';
import { MissingStanza, Timeline } from '../src/demo/timeline.ts';
import { startTestServer } from './harness.ts';

test('[Q-17] the conversation of npm start plays over two connections, and every stanza arrives', async () => {
  await using server = await startTestServer();
  const lines: string[] = [];
  const timeline = new Timeline((line) => lines.push(line));
  let connections = 0;
  const connect: typeof server.connect = (domain) => {
    connections += 1;
    return server.connect(domain);
  };
  await play({ timeline, connect, signal: AbortSignal.timeout(20_000) });
  expect(connections).toBe(2);
  expect([timeline.arrived, timeline.expected]).toEqual([18, 18]);
  expect(lines.filter((line) => line.includes('over memory cannot migrate'))).toHaveLength(1);
  expect(lines.filter((line) => line.includes('logged out'))).toHaveLength(3);
  expect(server.program.chat.sessionCount).toBe(0);
});

test('the timeline does not count what has not arrived', async () => {
  const timeline = new Timeline(() => undefined);
  const arrival = timeline.expect('juliet', 'message of romeo', Promise.reject(new Error('the stream has ended')));
  await expect(arrival).rejects.toBeInstanceOf(MissingStanza);
  expect([timeline.arrived, timeline.expected]).toEqual([0, 1]);
});
