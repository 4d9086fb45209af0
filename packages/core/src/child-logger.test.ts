import { pino } from 'pino';
import { expect, test } from 'vitest';
import { childLogger } from './child-logger.ts';

/** A pino logger, the records it has written, and how many children it was asked for. */
function stage(level: string) {
  const records: Record<string, unknown>[] = [];
  const root = pino({ level, base: null, timestamp: false }, { write: (line) => records.push(JSON.parse(line)) });
  let children = 0;
  const counted = Object.assign(Object.create(root), {
    child: (bindings: object) => {
      children += 1;
      return root.child(bindings);
    },
  });
  return { root: counted, records, children: () => children };
}

test('[POL-09] the bindings of a child and of its own child stand in the record, as pino writes them', () => {
  const { root, records } = stage('debug');
  const stream = childLogger(childLogger(root, { connectionId: 'quic-1' }), { streamId: '4' });
  stream.debug({ code: 'XMPP_TIMEOUT' }, 'ended');
  stream.warn('odd');
  expect(records).toEqual([
    { level: 20, connectionId: 'quic-1', streamId: '4', code: 'XMPP_TIMEOUT', msg: 'ended' },
    { level: 40, connectionId: 'quic-1', streamId: '4', msg: 'odd' },
  ]);
});

test('[TC-08] nothing is made for records that nobody wants, and one child for all that somebody does', () => {
  const { root, records, children } = stage('info');
  const logger = childLogger(root, { connectionId: 'quic-1' });
  for (let count = 0; count < 3; count++) {
    logger.trace({}, 'no');
    logger.debug({}, 'no');
  }
  expect([children(), records.length, logger.isLevelEnabled('debug')]).toEqual([0, 0, false]);
  logger.info('one');
  logger.error({ code: 'x' }, 'two');
  expect([children(), records.map(({ msg }) => msg)]).toEqual([1, ['one', 'two']]);
});
