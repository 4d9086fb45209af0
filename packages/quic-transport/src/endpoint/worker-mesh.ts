import { rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { TransportError } from '@stanzaport/core';
import type { HandedDatagram } from './hand-over-frames.ts';
import type { WorkerFolder } from './worker-folder.ts';
import { WorkerLink, type WorkerLinkHandler } from './worker-link.ts';

/** How long a worker that starts waits until the others know it; one of them may be busy. */
const GREETING_MS = 2_000;

/** What a door says behind which nobody is: left behind by one that died, or removed meanwhile. */
const ABSENT: ReadonlySet<string | undefined> = new Set(['ECONNREFUSED', 'ENOENT']);

/** What a mesh is made for. */
export interface WorkerMeshOptions {
  readonly folder: WorkerFolder;
  /** Names the port. */
  readonly port: string;
  /** Of this worker. */
  readonly number: number;
}

/**
 * The workers of one port, each connected to each other over unix sockets. A worker is alive as long as its connection
 * stands, and the kernel says at once when it falls.
 */
export class WorkerMesh implements WorkerLinkHandler {
  readonly #options: WorkerMeshOptions;
  readonly #onHanded: (handed: HandedDatagram) => void;
  readonly #server: Server;
  readonly #links = new Map<number, WorkerLink>();
  /** All there are: two workers that start at the same moment have two. */
  readonly #open = new Set<WorkerLink>();
  readonly #greetings = new Map<WorkerLink, () => void>();
  #isTaking = false;
  #takers: readonly number[] = [];

  private constructor(options: WorkerMeshOptions, onHanded: (handed: HandedDatagram) => void) {
    this.#options = options;
    this.#onHanded = onHanded;
    this.#server = createServer((socket) => this.#link(socket, null));
    // A process that has no file descriptor left cannot accept the next one, which is no reason to end.
    this.#server.on('error', () => undefined);
  }

  /**
   * Resolves when every other worker that runs knows this one, or has not answered in two seconds.
   * @throws TransportError `XMPP_ADDRESS_IN_USE` when the number is taken, `XMPP_BAD_OPTION` when the folder is of no use.
   */
  static async open(options: WorkerMeshOptions, onHanded: (handed: HandedDatagram) => void): Promise<WorkerMesh> {
    const mesh = new WorkerMesh(options, onHanded);
    try {
      await mesh.#listen();
      // Whoever starts at the same time has its door already, or will see this one.
      await mesh.#meetOthers();
    } catch (error) {
      await mesh.close();
      throw error;
    }
    return mesh;
  }

  /** The numbers of those that let new clients in, in order; this one among them from {@link ready} to {@link drain}. */
  get takers(): readonly number[] {
    return this.#takers;
  }

  find(number: number): WorkerLink | undefined {
    return this.#links.get(number);
  }

  /** Tells the others that this one lets new clients in, and what they hand on is taken. */
  ready(): void {
    this.#take(true);
  }

  /** Tells the others to give this one no new clients. */
  drain(): void {
    this.#take(false);
  }

  async close(): Promise<void> {
    for (const link of this.#open) link.close();
    if (!this.#server.listening) return;
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  onHello(link: WorkerLink): void {
    this.#links.set(link.number, link);
    this.#findTakers();
    this.#greetings.get(link)?.();
  }

  onHanded(handed: HandedDatagram): void {
    this.#onHanded(handed);
  }

  onTaking(): void {
    this.#findTakers();
  }

  onClosed(link: WorkerLink): void {
    this.#open.delete(link);
    this.#greetings.get(link)?.();
    if (this.#links.get(link.number) !== link) return;
    this.#links.delete(link.number);
    this.#findTakers();
  }

  async #listen(): Promise<void> {
    const { folder, port, number } = this.#options;
    const door = folder.doorOf(port, number);
    try {
      await this.#bind(door);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw cannotOpen(door, error);
      const occupant = await this.#connect(door);
      if (occupant !== null) {
        occupant.destroy();
        throw new TransportError('XMPP_ADDRESS_IN_USE', `quic.workers: worker ${number} is running already`);
      }
      // Left behind by one that died.
      rmSync(door, { force: true });
      await this.#bind(door).catch((cause) => {
        throw cannotOpen(door, cause);
      });
    }
  }

  #bind(door: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      // Not by way of the primary of node:cluster, which would share it among all workers.
      this.#server.listen({ path: door, exclusive: true }, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
  }

  async #meetOthers(): Promise<void> {
    const { folder, port, number: own } = this.#options;
    const others = folder.numbers(port).filter((number) => number !== own);
    await Promise.all(
      others.map(async (number) => {
        const socket = await this.#connect(folder.doorOf(port, number));
        if (socket === null) return;
        const link = this.#link(socket, number);
        this.#links.set(number, link);
        await this.#greeting(link);
      }),
    );
    this.#findTakers();
  }

  /** Resolves when the other one has said who it is, which it does when it knows who this is. */
  #greeting(link: WorkerLink): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#greetings.delete(link);
        resolve();
      };
      const timer = setTimeout(done, GREETING_MS);
      this.#greetings.set(link, done);
    });
  }

  /** @returns null where nobody is. @throws TransportError `XMPP_BAD_OPTION` where that cannot be told. */
  #connect(door: string): Promise<Socket | null> {
    return new Promise((resolve, reject) => {
      const socket = connect(door);
      const onError = (error: NodeJS.ErrnoException): void => {
        if (ABSENT.has(error.code)) resolve(null);
        else reject(cannotOpen(door, error));
      };
      socket.once('error', onError);
      socket.once('connect', () => {
        socket.off('error', onError);
        resolve(socket);
      });
    });
  }

  #link(socket: Socket, number: number | null): WorkerLink {
    const link = new WorkerLink(socket, number, this.#options.number, this);
    this.#open.add(link);
    if (this.#isTaking) link.tellTaking(true);
    return link;
  }

  #take(isTaking: boolean): void {
    this.#isTaking = isTaking;
    for (const link of this.#open) link.tellTaking(isTaking);
    this.#findTakers();
  }

  #findTakers(): void {
    const others = [...this.#links.values()].filter((link) => link.isTaking).map(({ number }) => number);
    const takers = this.#isTaking ? [this.#options.number, ...others] : others;
    this.#takers = takers.sort((one, other) => one - other);
  }
}

function cannotOpen(door: string, cause: unknown): TransportError {
  const { code } = cause as NodeJS.ErrnoException;
  return new TransportError('XMPP_BAD_OPTION', `quic.workers: ${door} cannot be opened (${code})`, { cause });
}
