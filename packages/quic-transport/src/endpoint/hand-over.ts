import { createHash } from 'node:crypto';
import type { HandedDatagram } from './hand-over-frames.ts';
import { isLongHeader, MIN_INITIAL_DATAGRAM_BYTES, MIN_INITIAL_DCID_BYTES, parseLongHeader } from './packet-header.ts';
import type { PortSharing } from './port-sharing.ts';
import type { UdpSocket } from './udp-socket.ts';
import type { WorkerConnectionIdGenerator } from './worker-connection-ids.ts';
import type { WorkerFolder } from './worker-folder.ts';
import { WorkerMesh } from './worker-mesh.ts';

/** What workers have handed to each other; each number only ever grows. */
export interface HandOverCounters {
  /** Datagrams that came here and were handed on to the worker whose they are. */
  handedOn: number;
  /** Datagrams that were handed on to this worker. */
  handedIn: number;
  /** Datagrams of other workers that were dropped, because too many were waiting for them. */
  handOverDrops: number;
}

/** This process among the workers of its ports. */
export interface Worker {
  readonly number: number;
  readonly folder: WorkerFolder;
  readonly sharing: PortSharing;
  readonly ids: WorkerConnectionIdGenerator;
}

/**
 * Leads datagrams that come to the wrong worker to the right one: by the number in the connection ID, and what still
 * has a connection ID of the client's own making by who lets new clients in. What was handed on is never handed on
 * again, so that nothing goes round in circles.
 */
export class HandOver {
  readonly counters: HandOverCounters = { handedOn: 0, handedIn: 0, handOverDrops: 0 };
  readonly #worker: Worker;
  readonly #mesh: WorkerMesh;
  readonly #seed: number;

  private constructor(worker: Worker, mesh: WorkerMesh) {
    this.#worker = worker;
    this.#mesh = mesh;
    this.#seed = Buffer.from(worker.folder.deriveKey('first packets')).readUInt32LE();
  }

  /**
   * To be open before the port is: a worker that knew nothing of the others would reset their connections.
   * @param onHanded takes what others hand on. @throws TransportError as {@link WorkerMesh.open}.
   */
  static async open(
    worker: Worker,
    { host, port }: { readonly host: string; readonly port: number },
    onHanded: (handed: HandedDatagram) => void,
  ): Promise<HandOver> {
    const { folder, number } = worker;
    const late: { handOver?: HandOver } = {};
    const mesh = await WorkerMesh.open({ folder, number, port: nameOf(host, port) }, (handed) => {
      if (late.handOver === undefined) return;
      late.handOver.counters.handedIn += 1;
      onHanded(handed);
    });
    late.handOver = new HandOver(worker, mesh);
    return late.handOver;
  }

  /**
   * A datagram that belongs to no connection here.
   * @returns whether it is another worker's, and nothing more is to be done about it.
   */
  take(datagram: Buffer, remoteAddress: string, remotePort: number, socket: UdpSocket): boolean {
    const owner = isLongHeader(datagram) ? this.#ownerOfLong(datagram) : this.#ownerOfShort(datagram);
    const link = owner === null || owner === this.#worker.number ? undefined : this.#mesh.find(owner);
    if (link === undefined) return false;
    if (link.hand({ datagram, remoteAddress, remotePort, localAddress: socket.address.address })) {
      this.counters.handedOn += 1;
    } else {
      this.counters.handOverDrops += 1;
    }
    return true;
  }

  /** From now on what others hand on is taken, new clients too. */
  ready(): void {
    this.#mesh.ready();
  }

  /** From now on new clients are the others', if there are any. */
  drain(): void {
    this.#mesh.drain();
  }

  close(): Promise<void> {
    return this.#mesh.close();
  }

  #ownerOfShort(datagram: Buffer): number | null {
    const end = 1 + this.#worker.ids.bytes;
    return datagram.length <= end ? null : this.#numberIn(datagram.subarray(1, end));
  }

  #ownerOfLong(datagram: Buffer): number | null {
    const header = parseLongHeader(datagram);
    if (header === null || header.type === 'other-version') return null;
    const { type, destinationConnectionId } = header;
    const named =
      destinationConnectionId.length === this.#worker.ids.bytes ? this.#numberIn(destinationConnectionId) : null;
    if (named !== null && (named === this.#worker.number || this.#mesh.find(named) !== undefined)) return named;
    const isFirst = (type === 'initial' && datagram.length >= MIN_INITIAL_DATAGRAM_BYTES) || type === '0-rtt';
    if (!isFirst || destinationConnectionId.length < MIN_INITIAL_DCID_BYTES) return null;
    return this.#takerOf(destinationConnectionId);
  }

  /** Who lets in the client that has chosen this ID: all its first packets have to come together. */
  #takerOf(connectionId: Uint8Array): number | null {
    const { takers } = this.#mesh;
    // The kernel leads what comes from one address to one socket.
    if (this.#worker.sharing === 'reuse-port' && takers.includes(this.#worker.number)) return null;
    let hash = this.#seed;
    for (let index = 0; index < MIN_INITIAL_DCID_BYTES; index++) {
      hash = Math.imul(hash ^ (connectionId[index] as number), 0x01000193);
    }
    return takers[(hash >>> 8) % takers.length] ?? null;
  }

  #numberIn(connectionId: Uint8Array): number | null {
    try {
      return this.#worker.ids.workerOf(connectionId);
    } catch {
      // Whatever somebody else's code makes of bytes from the network is no reason to fall over them.
      return null;
    }
  }
}

/** Workers of one address and port meet; a name says which. Both wildcards have the addresses of IPv4. */
function nameOf(host: string, port: number): string {
  if (host === '::' || host === '0.0.0.0') return `${port}-any`;
  return `${port}-${createHash('sha256').update(host).digest('hex').slice(0, 8)}`;
}
