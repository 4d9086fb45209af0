import { fileURLToPath } from 'node:url';
import { Program } from './program.ts';

const CLIENT = fileURLToPath(new URL('../client.py', import.meta.url));

/** What a client on slixmpp is told; see client.py. */
export interface SlixmppOptions {
  /** Full. */
  readonly jid: string;
  readonly password: string;
  readonly tls: 'starttls' | 'direct-tls';
  readonly port: number;
  /** PEM file, the only CA to trust. */
  readonly ca: string;
  /** The only one to use, without channel binding. @defaultValue slixmpp chooses */
  readonly mechanism?: 'SCRAM-SHA-256' | 'PLAIN';
  /** Full JIDs: whom to talk to, and to hear `count` lines from. */
  readonly to?: readonly string[];
  readonly count?: number;
  readonly text?: string;
  /** Whether to talk at once, to who may not be there. */
  readonly unannounced?: boolean;
}

/** What has become of it. */
export interface SlixmppResult {
  readonly jid: string;
  readonly tls: string | null;
  readonly alpn: string | null;
  readonly mechanism: string | null;
  /** Bodies by the full JID they came from, in the order they came. */
  readonly received: Readonly<Record<string, readonly string[]>>;
  /** null where all was said and heard. */
  readonly error: string | null;
}

/** Runs a client on slixmpp to its end. */
export async function runSlixmpp(options: SlixmppOptions): Promise<SlixmppResult> {
  const { jid, password, tls, port, ca, mechanism, to = [], count = 0, text = '', unannounced = false } = options;
  const args = [`--jid=${jid}`, `--password=${password}`, `--tls=${tls}`, `--port=${port}`, `--ca=${ca}`];
  args.push(...to.map((peer) => `--to=${peer}`), `--count=${count}`, `--text=${text}`);
  if (mechanism !== undefined) args.push(`--mechanism=${mechanism}`);
  if (unannounced) args.push('--unannounced');
  await using program = await Program.start(CLIENT, args);
  const line = await program.line(/^\{/);
  await program.end();
  return JSON.parse(line);
}
