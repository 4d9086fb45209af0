import dgram from 'node:dgram';
import { once } from 'node:events';
import { isLongHeader, parseLongHeader } from '../../src/endpoint/packet-header.ts';
import type { QuicLbDecoder } from '../../src/index.ts';

const HOST = '127.0.0.1';

/** What the balancer sent to one server. */
export interface BalancedTraffic {
  /** Datagrams whose connection ID named the server. */
  routed: number;
  /** Datagrams that went there for the address they came from. */
  fallen: number;
}

/**
 * A load balancer for QUIC over UDP that keeps no state of connections: the connection ID says where a datagram goes,
 * and where it does not, the client's address (draft-ietf-quic-load-balancers-21 §4.2, the baseline fallback).
 */
export class UdpBalancer {
  readonly traffic: ReadonlyMap<string, BalancedTraffic>;
  readonly #decoder: QuicLbDecoder;
  readonly #ports: ReadonlyMap<string, number>;
  readonly #front = dgram.createSocket('udp4');
  /** By client and server: a server tells clients apart by the port their datagrams come from. */
  readonly #backs = new Map<string, dgram.Socket>();
  readonly #fallback = new Map<string, string>();

  private constructor(decoder: QuicLbDecoder, ports: ReadonlyMap<string, number>) {
    this.#decoder = decoder;
    this.#ports = ports;
    this.traffic = new Map([...ports.keys()].map((serverId) => [serverId, { routed: 0, fallen: 0 }]));
    this.#front.on('message', (datagram, client) => this.#forward(datagram, client));
  }

  /** @param ports of the servers on 127.0.0.1, by server ID in hexadecimal. */
  static async start(decoder: QuicLbDecoder, ports: ReadonlyMap<string, number>): Promise<UdpBalancer> {
    const balancer = new UdpBalancer(decoder, ports);
    balancer.#front.bind(0, HOST);
    await once(balancer.#front, 'listening');
    return balancer;
  }

  get port(): number {
    return this.#front.address().port;
  }

  trafficOf(serverId: string): BalancedTraffic {
    const traffic = this.traffic.get(serverId);
    if (traffic === undefined) throw new Error(`there is no server ${serverId}`);
    return traffic;
  }

  async stop(): Promise<void> {
    const sockets = [this.#front, ...this.#backs.values()];
    await Promise.all(sockets.map((socket) => new Promise<void>((resolve) => socket.close(() => resolve()))));
  }

  #forward(datagram: Buffer, client: dgram.RemoteInfo): void {
    const named = this.#serverIdOf(datagram);
    const serverId = named ?? this.#fallbackOf(`${client.address} ${client.port}`);
    const traffic = this.trafficOf(serverId);
    if (named === null) traffic.fallen += 1;
    else traffic.routed += 1;
    this.#back(client, serverId).send(datagram, this.#ports.get(serverId), HOST);
  }

  /** @returns null when the connection ID names no server there is. */
  #serverIdOf(datagram: Buffer): string | null {
    const connectionId = isLongHeader(datagram)
      ? parseLongHeader(datagram)?.destinationConnectionId
      : datagram.subarray(1);
    const serverId = connectionId === undefined ? null : this.#decoder.serverIdOf(connectionId);
    const name = serverId === null ? '' : Buffer.from(serverId).toString('hex');
    return this.#ports.has(name) ? name : null;
  }

  /** Each new address has its turn with the next server, and stays with it. */
  #fallbackOf(client: string): string {
    const serverIds = [...this.#ports.keys()];
    const serverId = this.#fallback.get(client) ?? (serverIds[this.#fallback.size % serverIds.length] as string);
    this.#fallback.set(client, serverId);
    return serverId;
  }

  #back({ address, port }: dgram.RemoteInfo, serverId: string): dgram.Socket {
    const key = `${address} ${port} ${serverId}`;
    const known = this.#backs.get(key);
    if (known !== undefined) return known;
    const socket = dgram.createSocket('udp4');
    socket.on('message', (datagram) => this.#front.send(datagram, port, address));
    this.#backs.set(key, socket);
    return socket;
  }
}
