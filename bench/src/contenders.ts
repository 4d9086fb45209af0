import type { Contender } from './contender.ts';

/** Who is measured, and the name of each in the tables. */
export const TITLES = {
  bare: 'bare engine',
  quic: 'Stanzaport, QUIC',
  'direct-tls': 'Stanzaport, Direct TLS',
  naive: 'naive stack',
  matrixai: '@matrixai/quic classes',
  http3: '@currentspace/http3 raw QUIC',
  tls: 'node:tls',
  'tls-no-delay': 'node:tls, no delay',
} as const;

export type ContenderName = keyof typeof TITLES;

/** Each is loaded only in the processes that run it: no contender pays for another. */
export async function loadContender(name: ContenderName): Promise<Contender> {
  switch (name) {
    case 'bare':
      return (await import('./contenders/bare.ts')).bare;
    case 'quic':
      return (await import('./contenders/stanzaport.ts')).quic;
    case 'direct-tls':
      return (await import('./contenders/stanzaport.ts')).directTls;
    case 'naive':
      return (await import('./contenders/naive.ts')).naive;
    case 'matrixai':
      return (await import('./contenders/matrixai.ts')).matrixai;
    case 'http3':
      return (await import('./contenders/http3.ts')).http3;
    case 'tls':
      return (await import('./contenders/node-tls.ts')).createNodeTls({ noDelay: false });
    case 'tls-no-delay':
      return (await import('./contenders/node-tls.ts')).createNodeTls({ noDelay: true });
  }
}
