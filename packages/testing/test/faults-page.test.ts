import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { FAULT_NAMES } from '../src/fault-arguments.ts';
import { NO_FAULTS, UdpForwarder } from '../src/index.ts';
import { hardDay } from './samples/commands.ts';
import { UdpEndpoint } from './tools/udp-endpoint.ts';

const page = read('../../../docs/network-faults.md');
const program = fileURLToPath(new URL('../dist/fault-cli.js', import.meta.url));

function read(file: string): string {
  return readFileSync(new URL(file, import.meta.url), 'utf8');
}

describe('docs/network-faults.md', () => {
  test('shows the very samples that run here, and no others', () => {
    const blocks = [...page.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, text]) => text);
    expect(blocks).toEqual([read('./samples/bad-network.ts'), read('./samples/commands.ts')]);
  });

  test('[QT-19] its first sample runs to its end', async () => {
    await expect(import('./samples/bad-network.ts')).resolves.toBeDefined();
  });

  test('[QT-05] its commands do what the comments say', async () => {
    await using server = await UdpEndpoint.echo();
    await using client = await UdpEndpoint.open();
    await using forwarder = await UdpForwarder.open({ target: server.address, seed: 7 });
    let questions = 0;
    // What a reliable transport does: it asks again until it is answered.
    await hardDay(forwarder, async () => {
      const question = `question ${questions++}`;
      await expect
        .poll(() => {
          if (!client.texts.includes(question)) client.send(question, forwarder.address);
          return client.texts;
        })
        .toContain(question);
    });
    const seenAt = new Set(server.arrived.map(({ from }) => `${from.address} ${from.port}`));
    expect(seenAt.size).toBe(3);
    expect(server.arrived.at(-1)?.from.address).toBe('127.0.0.3');
    expect(forwarder.counters.toClient.dropped).toBe(1);
    expect(forwarder.counters.toClient.dead).toBeGreaterThan(0);
    expect(forwarder.toClient).toMatchObject({ loss: 0.02, lossBurst: 3 });
  });

  test('[TC-09] tells every fault, its name on the command line, and its default', () => {
    const rows = [...page.matchAll(/^\| `(\w+)` \| `([\w-]+)` \| (\w+) \|/gm)];
    expect(Object.fromEntries(rows.map(([, field, , value]) => [field, Number(value)]))).toEqual(NO_FAULTS);
    expect(Object.fromEntries(rows.map(([, field, name]) => [name, field]))).toEqual(FAULT_NAMES);
  });
});

describe('stanzaport-faults', () => {
  let child: ChildProcessByStdio<Writable, Readable, Readable> | null = null;

  afterEach(async () => {
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });

  /** Runs the built program as a user does. */
  function run(args: readonly string[]): {
    started: NonNullable<typeof child>;
    exit: Promise<unknown[]>;
    lines: Interface;
  } {
    const started = spawn(process.execPath, [program, ...args], { stdio: 'pipe' });
    child = started;
    return { started, exit: once(started, 'exit'), lines: createInterface({ input: started.stdout }) };
  }

  /** The arguments that the page shows, with ports that are free here. */
  function argumentsOfThePage(port: number): string[] {
    const shown = /^npx stanzaport-faults (.*)$/m.exec(page)?.[1] ?? '';
    return shown.replace('127.0.0.1:4000', '127.0.0.1:0').replace('127.0.0.1:443', `127.0.0.1:${port}`).split(' ');
  }

  test('[QT-05] forwards as the page says, takes its commands, and ends by itself', async () => {
    await using server = await UdpEndpoint.echo();
    await using client = await UdpEndpoint.open();
    const { started, exit, lines } = run(argumentsOfThePage(server.address.port));
    const output = lines[Symbol.asyncIterator]();
    const answer = async (): Promise<string> => (await output.next()).value;
    const command = (text: string): Promise<string> => {
      started.stdin.write(`${text}\n`);
      return answer();
    };
    const [, port] = /^forwards 127\.0\.0\.1:(\d+) to 127\.0\.0\.1:\d+, seed 7$/.exec(await answer()) ?? [];
    const forwarder = { address: '127.0.0.1', port: Number(port) };
    client.send('hail', forwarder);
    expect((await client.received(1)).text).toBe('hail');
    expect(await command('loss 0')).toBe('done');
    expect(await command('rebind 127.0.0.3')).toMatch(/^clients are seen at 127\.0\.0\.3:\d+$/);
    client.send('again', forwarder);
    await client.received(2);
    expect((await server.received(2)).from.address).toBe('127.0.0.3');
    for (const each of ['die', 'revive', 'hold', 'release', 'drop 3', 'loss 0.1'])
      expect(await command(each)).toBe('done');
    for (const each of ['die up', 'drop -1', 'loss lots', 'loss 2', 'lose 1', 'rebind 198.51.100.1', 'constructor 1']) {
      expect(await command(each)).toMatch(/is no|is not|there is no|cannot be bound/);
    }
    expect(await command('stats')).toMatch(/^client {5}127\.0\.0\.1:\d+ seen as 127\.0\.0\.3:\d+$/);
    expect(await answer()).toBe('to server  received 2, receivedBytes 9, sent 2, sentBytes 9');
    expect(await answer()).toBe('to client  received 2, receivedBytes 9, sent 2, sentBytes 9');
    started.stdin.write('quit\n');
    expect(await exit).toEqual([0, null]);
  });

  test('[TC-08] goes on without a standard input, and ends in order by a signal', async () => {
    const { started, exit, lines } = run(['--target', '[::1]:9']);
    started.stdin.end();
    const [line] = await once(lines, 'line');
    expect(line).toMatch(/^forwards \[::1\]:\d+ to \[::1\]:9, seed 1$/);
    started.kill('SIGTERM');
    expect(await exit).toEqual([0, null]);
  });

  test.each([
    [['--target', '127.0.0.1:9', '--loss', '2'], 'faults.loss: 2 is not a number from 0 to 1'],
    [['--target', '127.0.0.1:9', '--to-server-delay', 'long'], "to-server-delay: 'long' is no number"],
    [['--target', '127.0.0.1'], "target: '127.0.0.1' is not host:port"],
    [['--target', '127.0.0.1:9', '--lose', '1'], "Unknown option '--lose'"],
    [[], 'stanzaport-faults --target HOST:PORT'],
  ])('[TC-09] says what is wrong with %j', async (args, message) => {
    const { started, exit } = run(args);
    let text = '';
    started.stderr.on('data', (chunk) => {
      text += String(chunk);
    });
    const ended = once(started.stderr, 'end');
    expect(await exit).toEqual([1, null]);
    await ended;
    expect(text).toContain(message);
  });
});
