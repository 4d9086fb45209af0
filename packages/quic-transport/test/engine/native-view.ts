import dgram from 'node:dgram';
import { quiche } from '@matrixai/quic/native/index.js';

/** What a client of the bare engine sees of a server, where our own port does not tell or does not allow it. */
export interface NativeView {
  /** Code of the CONNECTION_CLOSE the server sent, if any. */
  readonly closeCode: number | undefined;
  readonly established: boolean;
  /** Spare connection IDs the server has supplied. */
  readonly spareConnectionIds: number;
  /** The ID the server goes by. */
  readonly serverConnectionId: Uint8Array;
  /** Transport parameter `disable_active_migration`. */
  readonly forbidsMigration: boolean;
  /** Transport parameter `initial_max_streams_uni`. */
  readonly unidirectionalStreams: number;
}

const LOCAL = { host: '192.0.2.1', port: 1 };
const REMOTE = { host: '192.0.2.2', port: 2 };

/** Connects with the bare engine until `isEnough`, and tells what it sees then. */
export async function lookAt(
  port: number,
  serverName: string | null,
  isEnough: (view: NativeView) => boolean,
): Promise<NativeView> {
  const config = quiche.Config.withBoringSslCtx(true, true, null, null, null, null);
  config.setApplicationProtos(['xmpp-client']);
  config.setInitialMaxData(1e9);
  config.setActiveConnectionIdLimit(8);
  const id = crypto.getRandomValues(new Uint8Array(16));
  const connection = quiche.Connection.connect(serverName, id, LOCAL, REMOTE, config);
  const buffer = Buffer.alloc(1_350);
  const socket = dgram.createSocket('udp4');
  const flush = (): void => {
    for (let sent = connection.send(buffer); sent !== null; sent = connection.send(buffer)) {
      socket.send(Buffer.from(buffer.subarray(0, sent[0])), port, '127.0.0.1');
    }
  };
  const view = (): NativeView => ({
    closeCode: connection.peerError()?.errorCode,
    established: connection.isEstablished(),
    spareConnectionIds: connection.availableDcids(),
    serverConnectionId: connection.destinationId(),
    forbidsMigration: connection.stats().peerDisableActiveMigration,
    unidirectionalStreams: connection.peerStreamsLeftUni(),
  });
  try {
    return await new Promise((resolve) => {
      socket.on('message', (datagram) => {
        connection.recv(datagram, { from: REMOTE, to: LOCAL });
        flush();
        const seen = view();
        if (isEnough(seen)) resolve(seen);
      });
      flush();
    });
  } finally {
    socket.close();
  }
}
