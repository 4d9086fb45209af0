import { describe, expect, test, vi } from 'vitest';
import { NetworkWatch } from './network-watch.ts';

describe('addresses that come and go', () => {
  test('[Q-13] listeners are told what there is now, when it has changed', () => {
    let addresses = ['127.0.0.1', '192.0.2.1'];
    const watch = new NetworkWatch(() => addresses);
    const told: string[][] = [];
    const stop = watch.watch((gone) => told.push([...gone]));
    watch.look();
    expect(told).toEqual([]);
    addresses = ['192.0.2.1', '127.0.0.1'];
    watch.look();
    expect(told).toEqual([]);
    addresses = ['127.0.0.1', '198.51.100.7'];
    watch.look();
    expect(told).toEqual([['192.0.2.1']]);
    addresses = [...addresses, '198.51.100.8'];
    watch.look();
    expect(told).toEqual([['192.0.2.1'], []]);
    stop();
    addresses = [];
    watch.look();
    expect(told).toHaveLength(2);
  });

  test('[TC-11] a system that does not tell, for want of file descriptors, has changed nothing', () => {
    let addresses: readonly string[] | null = null;
    const watch = new NetworkWatch(() => {
      if (addresses === null) throw new Error('EMFILE');
      return addresses;
    });
    const told: string[][] = [];
    const stop = watch.watch((gone) => told.push([...gone]));
    watch.look();
    addresses = ['192.0.2.1'];
    watch.look();
    addresses = null;
    watch.look();
    addresses = [];
    watch.look();
    expect(told).toEqual([[], ['192.0.2.1']]);
    stop();
  });

  test('[TC-08] it asks the system only while somebody listens, and keeps no process alive', () => {
    vi.useFakeTimers();
    try {
      let asked = 0;
      const watch = new NetworkWatch(() => {
        asked += 1;
        return [String(asked)];
      });
      const [stopFirst, stopSecond] = [watch.watch(() => undefined), watch.watch(() => undefined)];
      vi.advanceTimersByTime(3_000);
      expect(asked).toBe(13);
      stopFirst();
      vi.advanceTimersByTime(250);
      expect(asked).toBe(14);
      stopSecond();
      vi.advanceTimersByTime(10_000);
      expect(asked).toBe(14);
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });
});
