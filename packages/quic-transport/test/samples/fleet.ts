import { QuicLbConnectionIds, quicTransportModule } from '@stanzaport/quic-transport';
import type { ContainerModule } from 'inversify';

/** What all servers behind one address have to have in common, and the one thing that is each one's own. */
export interface Fleet {
  /** 32 secret bytes: clients of a server that was started again learn so at once. */
  readonly staticKey: Uint8Array;
  /** 48 secret bytes each, the newest first: a client resumes on whatever server it is led to. */
  readonly ticketKeys: readonly Uint8Array[];
  /** 16 secret bytes, known to the balancer. */
  readonly balancerKey: Uint8Array;
  /** 8 bytes, this server's own. */
  readonly serverId: Uint8Array;
}

/** One server behind a load balancer that speaks QUIC-LB: packets of a migrated connection find it. */
export function quicInFleet({ staticKey, ticketKeys, balancerKey, serverId }: Fleet): ContainerModule {
  return quicTransportModule({
    listen: [{ port: 443, kinds: ['c2s', 's2s'] }],
    staticKey,
    ticketKeys,
    connectionIds: new QuicLbConnectionIds({ configId: 0, serverId, nonceBytes: 8, key: balancerKey }),
  });
}
