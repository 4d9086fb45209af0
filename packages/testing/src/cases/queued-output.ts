import assert from 'node:assert/strict';
import { TransportError } from '@stanzaport/core';
import { assertClosed, assertErrored, assertFails } from './assertions.ts';
import { type CaseDefinition, needsRawPeer } from './case-definition.ts';
import { collect } from './collector.ts';
import { headerText } from './raw-text.ts';
import { jam } from './traffic.ts';

/** TC-06 and TC-13: ends that come while the peer has not taken all. */
export const queuedOutputCases: readonly CaseDefinition[] = [
  {
    requirement: 'TC-06',
    title: 'aborting a connection whose peer does not read gives up at once; the peer sees no clean end',
    // Far beyond the time of a case, so that nothing may wait for it.
    limits: { closeTimeoutMs: 600_000, sendHighWaterMarkBytes: 65_536 },
    async run(scene) {
      const neighbour = await scene.openFirst();
      const connections = await scene.connect();
      const { initiating, receiving } = await scene.openStream(connections);
      await jam(scene, initiating, neighbour);
      const drained = assertFails(scene.wait('drained() to reject', initiating.drained()), 'shutdown');
      const error = new TransportError('XMPP_SHUTDOWN', 'enough');
      connections.client.abort(error);
      await drained;
      assert.equal((await scene.wait('stream.closed', initiating.closed)).error, error);
      assert.equal(initiating.queuedBytes, 0, 'nothing is queued any more');
      await scene.wait('close() after it', connections.client.close());
      const reading = collect(receiving.events$);
      assertErrored(await scene.wait("the peer's end", reading.ended), 'peer-reset', 'peer-closed');
      await assertClosed(receiving.closed, { clean: false, by: 'peer' });
      assert.equal((await scene.wait('the other side', connections.server.closed)).clean, false);
      await scene.roundTrip(neighbour);
    },
  },
  {
    requirement: 'TC-13',
    title: 'a reset while output is queued ends all who wait, with peer-reset',
    limits: { closeTimeoutMs: 600_000, sendHighWaterMarkBytes: 65_536 },
    skipFor: (capabilities) => needsRawPeer(capabilities) ?? (capabilities.reset ? null : 'a reset cannot be told'),
    async run(scene) {
      const neighbour = await scene.openFirst();
      const { bytes } = await scene.openRaw();
      bytes.write(headerText(scene.pair.domain));
      const stream = await scene.takeRaw();
      assert.equal((await scene.nextEvent(stream)).type, 'header');
      stream.sendHeader();
      stream.markAuthenticated();
      await jam(scene, stream, neighbour);
      const drained = assertFails(scene.wait('drained() to reject', stream.drained()), 'peer-reset');
      bytes.destroy();
      await drained;
      const reading = collect(stream.events$);
      assertErrored(await scene.wait('the end', reading.ended), 'peer-reset');
      await assertClosed(stream.closed, { clean: false, by: 'peer', categories: ['peer-reset'] });
      await scene.roundTrip(neighbour);
    },
  },
];
