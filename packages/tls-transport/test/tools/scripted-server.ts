import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';

/** A TCP server that does to each of its sockets as it is told; what is left of them is destroyed with it. */
export interface ScriptedServer extends AsyncDisposable {
  readonly port: number;
}

export async function serve(script: (tcp: Socket) => unknown): Promise<ScriptedServer> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (tcp) => {
    sockets.add(tcp);
    tcp.on('error', () => undefined);
    script(tcp);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const tcp of sockets) tcp.destroy();
      }),
  };
}
