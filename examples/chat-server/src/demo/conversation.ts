import type { Connection, Stanza } from '@stanzaport/core';
import xml from '@xmpp/xml';
import { ChatClient } from '../client/chat-client.ts';
import { NS } from '../namespaces.ts';
import { CAST } from './cast.ts';
import { format } from './format.ts';
import { type Move, move } from './move.ts';
import type { Timeline } from './timeline.ts';

/** Where a conversation takes place. */
export interface Stage {
  readonly timeline: Timeline;
  /** A new connection, secured for `domain`. */
  readonly connect: (domain: string) => Promise<Connection>;
  readonly signal: AbortSignal;
}

type Role = keyof typeof CAST;

/** Somebody on stage. */
interface Player {
  readonly name: Role;
  readonly client: ChatClient;
}

/** William Shakespeare, Romeo and Juliet, act 2, scene 2. */
const BALCONY: readonly (readonly [speaker: 'juliet' | 'romeo', text: string])[] = [
  ['juliet', 'What man art thou, that thus bescreened in night so stumblest on my counsel?'],
  ['romeo', 'By a name I know not how to tell thee who I am.'],
  ['juliet', 'Art thou not Romeo, and a Montague?'],
  ['romeo', 'Neither, fair maid, if either thee dislike.'],
];

/** The beginning of the scene, said while the connection of both moves to another address. */
const SOFT: readonly string[] = [
  'But, soft! what light through yonder window breaks?',
  'It is the east, and Juliet is the sun.',
  'Arise, fair sun, and kill the envious moon,',
  'Who is already sick and pale with grief,',
  'That thou, her maid, art far more fair than she.',
];

/** Plays the whole conversation; rejects at the first stanza that does not arrive. */
export async function play(stage: Stage): Promise<void> {
  const { timeline, signal } = stage;
  await using first = await connect(stage, 'the first connection', CAST.juliet.domain);
  const [juliet, romeo] = [await enter(stage, first, 'juliet'), await enter(stage, first, 'romeo')];
  timeline.tell('', '        two accounts of two hosts, two streams of one connection');

  for (const [speaker, text] of BALCONY) {
    await say(stage, speaker === 'juliet' ? [juliet, romeo] : [romeo, juliet], text);
  }

  await sayWhileMoving(stage, first, [romeo, juliet]);

  await using second = await connect(stage, 'a second connection', CAST.nurse.domain);
  const nurse = await enter(stage, second, 'nurse', 'PLAIN');
  nurse.client.sendPresence({ to: juliet.client.jid });
  await timeline.expect('juliet', 'presence of the nurse', juliet.client.next(isPresence, signal));
  await say(stage, [nurse, juliet], 'Madam!');
  await say(stage, [juliet, nurse], 'Anon, good nurse!');
  await say(stage, [juliet, romeo], 'A thousand times good night!');

  const ping = juliet.client.request('get', xml('ping', { xmlns: NS.ping }), romeo.client.jid, signal);
  await timeline.expect('juliet', 'pong of Romeo', ping);

  for (const player of [nurse, juliet, romeo]) {
    await leave(stage, player);
    if (player !== nurse) continue;
    await timeline.expect('juliet', 'the nurse is unavailable', juliet.client.next(isUnavailable, signal));
  }
}

async function connect({ timeline, connect }: Stage, what: string, domain: string): Promise<Connection> {
  const connection = await connect(domain);
  const { alpn, tlsVersion, verdict } = connection.security;
  const proof = verdict?.verified ? `certificate proves ${verdict.matched}` : 'no certificate asked';
  timeline.tell('', `${what}: ${connection.transport}, ${tlsVersion ?? 'no TLS'}, ALPN ${alpn}, ${proof}`);
  return connection;
}

async function enter(
  { timeline, signal }: Stage,
  connection: Connection,
  name: Role,
  mechanism: 'SCRAM-SHA-256' | 'PLAIN' = 'SCRAM-SHA-256',
): Promise<Player> {
  const { domain } = CAST[name];
  const { security } = connection;
  // Another host on the same connection is spoken to only if its certificate is good for that host, too.
  if (security.verdict !== null && !security.verify({ domain, purpose: 'c2s-server' }).verified) {
    throw new Error(`the certificate of this connection does not prove ${domain}`);
  }
  const client = await ChatClient.login(connection, { ...CAST[name], mechanism });
  timeline.tell(name, `logged in as ${client.jid} by ${mechanism}`);
  client.sendPresence();
  await timeline.expect(name, 'own presence', client.next(isPresence, signal));
  return { name, client };
}

async function say({ timeline, signal }: Stage, [from, to]: readonly [Player, Player], text: string): Promise<void> {
  timeline.tell(from.name, `→ ${to.name}: ${text}`);
  from.client.sendMessage(to.client.jid, text);
  const said = (stanza: Stanza): boolean => stanza.from === from.client.jid && bodyOf(stanza) === text;
  await timeline.expect(to.name, `message of ${from.name}`, to.client.next(said, signal));
}

/** Lines that go on while the connection under them migrates; the gap is the longest time between two of them. */
async function sayWhileMoving(stage: Stage, connection: Connection, pair: readonly [Player, Player]): Promise<void> {
  const { timeline, signal } = stage;
  let gapMs = 0;
  let migration: Promise<Move> | null = null;
  for (const line of SOFT) {
    const beganMs = performance.now();
    await say(stage, pair, line);
    if (migration === null) migration = move(connection, signal);
    else gapMs = Math.max(gapMs, performance.now() - beganMs);
  }
  const outcome = await migration;
  if (outcome?.moved) {
    const route = `${format(outcome.from)} → ${format(outcome.to)}`;
    timeline.tell(
      '',
      `the connection migrated ${route} meanwhile: longest gap ${gapMs.toFixed(1)} ms, no new handshake`,
    );
  } else if (outcome !== null) timeline.tell('', outcome.why);
}

async function leave({ timeline }: Stage, { name, client }: Player): Promise<void> {
  const { clean, error } = await client.close();
  if (!clean) throw error;
  timeline.tell(name, 'logged out');
}

function isPresence({ name, type }: Stanza): boolean {
  return name === 'presence' && type === undefined;
}

function isUnavailable({ name, type }: Stanza): boolean {
  return name === 'presence' && type === 'unavailable';
}

function bodyOf({ name, element }: Stanza): string | null {
  return name === 'message' ? element.getChildText('body') : null;
}
