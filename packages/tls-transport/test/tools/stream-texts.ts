import type { Connection, StanzaStream, TransportError } from '@stanzaport/core';
import { firstValueFrom } from 'rxjs';

/** What a stream gives: source texts, and how it ends. */
export function collectTexts(stream: StanzaStream): { readonly stanzas: string[]; readonly ended: Promise<string> } {
  const stanzas: string[] = [];
  const ended = new Promise<string>((resolve) => {
    stream.stanzas$.subscribe({
      next: (stanza) => stanzas.push(stanza.source),
      error: (error: TransportError & { condition?: string }) => resolve(error.condition ?? error.code),
      complete: () => resolve('clean'),
    });
  });
  return { stanzas, ended };
}

/** The stream the peer has opened, authenticated. */
export async function takeStream({ streams$ }: Connection): Promise<StanzaStream> {
  const stream = await firstValueFrom(streams$);
  stream.markAuthenticated();
  return stream;
}
