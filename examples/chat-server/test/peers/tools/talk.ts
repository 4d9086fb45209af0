import type { ChatClient } from '../../../src/client/chat-client.ts';
import type { SlixmppResult } from './slixmpp-client.ts';

/** What client.py says with `--count` and `--text`. */
export function spoken(count: number, text: string): string[] {
  return Array.from({ length: count }, (_, number) => `${number} ${text}`);
}

/**
 * The part of one of our own clients in a conversation: as client.py, it says `count` lines to each of `peers`, and hears
 * as many of each. Begins when all of them are there, which is when the first line of each has come.
 */
export async function talk(
  client: ChatClient,
  { peers, count, text }: { peers: readonly string[]; count: number; text: string },
): Promise<SlixmppResult['received']> {
  const received = new Map<string, string[]>(peers.map((peer) => [peer, []]));
  const isComplete = (): boolean => [...received.values()].every((bodies) => bodies.length >= count);
  const isSilent = (): boolean => [...received.values()].some((bodies) => bodies.length === 0);
  let said = false;
  while (!isComplete()) {
    const { from = '', type, element } = await client.nextMessage();
    if (type === 'error') throw new Error(`bounced by ${from}: ${element.getChild('error')}`);
    received.set(from, [...(received.get(from) ?? []), element.getChildText('body') ?? '']);
    if (said || isSilent()) continue;
    said = true;
    for (const line of spoken(count, text)) for (const peer of peers) client.sendMessage(peer, line);
  }
  return Object.fromEntries(received);
}
