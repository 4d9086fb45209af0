// A process that holds one server connection of the engine and does what its parent says, so that what hangs or aborts
// it takes nothing else along. Every request is answered: silence is the failure.
import { EngineError } from '../../dist/engine/port.js';
import { QuicheEngine } from '../../dist/engine/quiche.js';

const engine = new QuicheEngine();
const buffer = Buffer.alloc(65_536);
let connection = null;
let path = null;

const operations = {
  accept(config, options) {
    path = options.path;
    connection = engine.accept(engine.createConfig(config), options);
  },
  connect(config, options) {
    path = options.path;
    connection = engine.connect(engine.createConfig(config), options);
  },
  /** What an endpoint does with a datagram: give it to the engine, poll everything, send what there is. */
  turn(datagram, from = path) {
    let failure = null;
    try {
      connection.receive(datagram, from);
    } catch (thrown) {
      if (!(thrown instanceof EngineError)) throw thrown;
      failure = thrown.failure;
    }
    const events = [];
    for (let event = connection.nextPathEvent(); event !== null; event = connection.nextPathEvent()) events.push(event);
    const retired = [];
    for (let id = connection.nextRetiredConnectionId(); id !== null; id = connection.nextRetiredConnectionId()) {
      retired.push(id);
    }
    const streams = [...connection.readableStreams()].map((id) => ({ id, chunks: readAll(id) }));
    return { failure, events, retired, streams, datagrams: operations.transmit() };
  },
  transmit() {
    const datagrams = [];
    for (let length = connection.transmit(buffer); length > 0; length = connection.transmit(buffer)) {
      datagrams.push(Uint8Array.from(buffer.subarray(0, length)));
    }
    return datagrams;
  },
  call(method, ...args) {
    return connection[method](...args);
  },
  get(property) {
    return connection[property];
  },
};

function readAll(id) {
  const chunks = [];
  try {
    for (let result = connection.read(id, buffer); result !== null; result = connection.read(id, buffer)) {
      chunks.push(buffer.toString('latin1', 0, result[0]));
      if (result[1]) return [...chunks, 'FIN'];
    }
  } catch (thrown) {
    if (!(thrown instanceof EngineError)) throw thrown;
    return [...chunks, thrown.failure];
  }
  return chunks;
}

process.on('message', ({ id, operation, args }) => {
  try {
    process.send({ id, value: operations[operation](...args) });
  } catch (thrown) {
    if (!(thrown instanceof EngineError)) throw thrown;
    process.send({ id, failure: thrown.failure });
  }
});
process.on('disconnect', () => process.exit());
process.send('ready');
