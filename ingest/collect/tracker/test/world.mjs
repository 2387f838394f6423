// A place to run in whose time, storage and collector a test holds in its hand.
import { memoryStorage } from '../dist/index.js';

export function world({ storage = memoryStorage(), answers = [] } = {}) {
  let now = 1_793_491_200_000;
  let id = 0;
  let timers = [];
  let on;
  const w = {
    storage,
    answers,
    /** Bodies that arrived, parsed. */
    sent: [],
    beacons: [],
    beaconTakes: true,
    get now() {
      return now;
    },
    get nextIn() {
      return timers.length ? Math.min(...timers.map((t) => t.at)) - now : undefined;
    },
    leave: () => on.leave(),
    back: () => on.back(),
    /** Lets time pass, running what is due in order, and the promises between. */
    async pass(ms) {
      const until = now + ms;
      for (;;) {
        await settled();
        const due = timers.filter((t) => t.at <= until).sort((a, b) => a.at - b.at)[0];
        if (!due) break;
        timers = timers.filter((t) => t !== due);
        now = Math.max(now, due.at);
        due.run();
      }
      now = until;
    },
    platform: {
      name: 'test',
      now: () => now,
      random: () => 0,
      uuid: () => `id-${++id}`,
      setTimer: (run, afterMs) => {
        const timer = { run, at: now + afterMs };
        timers.push(timer);
        return timer;
      },
      clearTimer: (timer) => void (timers = timers.filter((t) => t !== timer)),
      storage,
      send: async (url, body) => {
        const answer = w.answers.shift() ?? { status: 202 };
        if (answer === 'down') throw new TypeError('network');
        w.sent.push(JSON.parse(body));
        return answer;
      },
      sendLast: (url, body) => {
        if (w.beaconTakes) w.beacons.push(JSON.parse(body));
        return w.beaconTakes;
      },
      listen: (handlers) => {
        on = handlers;
        return () => void (on = { leave() {}, back() {} });
      },
      page: () => ({ page: '/p/5', referrer: '' }),
    },
  };
  return w;
}

async function settled() {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}
