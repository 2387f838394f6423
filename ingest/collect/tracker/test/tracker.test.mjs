import assert from 'node:assert/strict';
import { test } from 'node:test';
import { start, memoryStorage, retryAfterMs, uuid, SESSION_IDLE_MS } from '../dist/index.js';
import { world } from './world.mjs';

const options = { url: 'https://collect.example/v1/clicks', communityId: 12 };
const ids = (batch) => batch.map((event) => event.event_id);

test('an event carries who, where and when, and what the caller says', async () => {
  const w = world();
  const tracker = start({ ...options, userId: 7 }, w.platform);
  const id = tracker.track('cart', { sku_id: 5, properties: { from: 'list' } });
  await w.pass(1999);
  assert.equal(w.sent.length, 0, 'waits for company');
  await w.pass(1);
  assert.deepEqual(w.sent, [[{
    event_id: id, type: 'cart', ts: 1_793_491_200_000, anonymous_id: 'id-2', session_id: 'id-3', platform: 'test',
    user_id: 7, community_id: 12, page: '/p/5', referrer: '', sku_id: 5, properties: { from: 'list' },
  }]]);
  assert.deepEqual(tracker.state(), { waiting: 0, dropped: 0 });
  tracker.setUser(undefined);
  tracker.setCommunity(13);
  tracker.view();
  await w.pass(2000);
  assert.equal('user_id' in w.sent[1][0], false);
  assert.equal(w.sent[1][0].community_id, 13);
});

test('a full batch is sent at once, and no batch is larger', async () => {
  const w = world();
  const tracker = start({ ...options, batchEvents: 3 }, w.platform);
  for (let i = 0; i < 7; i++) tracker.view();
  await w.pass(0);
  assert.deepEqual(w.sent.map((batch) => batch.length), [3, 3]);
  await w.pass(2000);
  assert.deepEqual(w.sent.map((batch) => batch.length), [3, 3, 1]);
});

test('a batch is bounded by its bytes, counted as they are sent', async () => {
  const w = world();
  const tracker = start({ ...options, batchEvents: 4, batchBytes: 900 }, w.platform);
  for (let i = 0; i < 4; i++) tracker.track('search', { properties: { q: '鲜活基围虾'.repeat(20) } });
  await w.pass(10_000);
  assert.deepEqual(w.sent.map((batch) => batch.length), [1, 1, 1, 1]);
});

test('what fails is sent again with the same ids, later and later', async () => {
  const w = world({ answers: ['down', { status: 503 }, { status: 500 }, { status: 202 }] });
  const tracker = start(options, w.platform);
  const id = tracker.view();
  await w.pass(2000);
  const waits = [];
  for (let i = 0; i < 3; i++) {
    waits.push(w.nextIn);
    await w.pass(w.nextIn);
  }
  assert.deepEqual(waits, [2000, 2000, 2000], 'half of 1, 2 and 4 s, and no sooner than a batch');
  assert.deepEqual(w.sent.map(ids), [[id], [id], [id]]);
  assert.equal(tracker.state().waiting, 0);
});

test('the wait grows to a ceiling and never ends', async () => {
  const w = world({ answers: Array(40).fill('down') });
  const tracker = start(options, w.platform);
  tracker.view();
  await w.pass(2000);
  for (let i = 0; i < 38; i++) await w.pass(w.nextIn);
  assert.equal(w.nextIn, 150_000);
  await w.pass(1_000_000);
  assert.equal(tracker.state().waiting, 0);
});

test('the collector is given the time it asks for, whatever happens meanwhile', async () => {
  const w = world({ answers: [{ status: 429, retryAfterMs: 20_000 }] });
  const tracker = start({ ...options, batchEvents: 2 }, w.platform);
  tracker.view();
  await w.pass(2000);
  for (let i = 0; i < 9; i++) tracker.view();
  w.back();
  w.leave();
  await w.pass(19_000);
  assert.equal(w.sent.length + w.beacons.length, 1, 'patience');
  await w.pass(10_000);
  assert.equal(w.sent.flat().length, 11);
  assert.equal(tracker.state().waiting, 0);
});

test('what is refused for good is not sent again', async () => {
  const w = world({ answers: [{ status: 400 }] });
  const refused = [];
  const tracker = start({ ...options, onRefused: (status, events) => refused.push([status, events]) }, w.platform);
  tracker.view();
  await w.pass(60_000);
  assert.deepEqual(refused, [[400, 1]]);
  assert.equal(w.sent.length, 1);
});

test('a batch that is too large is halved', async () => {
  const w = world({ answers: [{ status: 413 }, { status: 413 }] });
  const tracker = start({ ...options, batchEvents: 4 }, w.platform);
  for (let i = 0; i < 4; i++) tracker.view();
  await w.pass(10_000);
  assert.deepEqual(w.sent.map((batch) => batch.length), [4, 2, 1, 3]);
});

test('a page that goes away hands its events over; what is not taken stays for the next page', async () => {
  const w = world();
  const first = start(options, w.platform);
  const id = first.view();
  w.leave();
  assert.deepEqual(w.beacons.map(ids), [[id]]);
  await w.pass(10_000);
  assert.equal(w.sent.length, 0, 'not twice');

  w.beaconTakes = false;
  const later = first.view();
  w.leave();
  first.close();
  const next = world({ storage: w.storage });
  start(options, next.platform);
  await next.pass(0);
  assert.deepEqual(next.sent.map(ids), [[later]]);
});

test('the queue is bounded: the oldest go first', async () => {
  const w = world({ answers: Array(100).fill('down') });
  const tracker = start({ ...options, queueEvents: 5, batchEvents: 100 }, w.platform);
  for (let i = 0; i < 8; i++) tracker.track('search', { properties: { i } });
  assert.deepEqual(tracker.state(), { waiting: 5, dropped: 3 });
  const kept = JSON.parse(w.storage.get('linli.queue')).map((text) => JSON.parse(text).properties.i);
  assert.deepEqual(kept, [3, 4, 5, 6, 7]);
  const heavy = start({ ...options, queueBytes: 2000, storagePrefix: 'b.' }, w.platform);
  for (let i = 0; i < 50; i++) heavy.view();
  const bytes = JSON.parse(w.storage.get('b.queue')).reduce((sum, text) => sum + text.length + 1, 0);
  assert.ok(bytes <= 2000 && bytes > 1500, `${bytes}`);
  assert.equal(heavy.state().waiting + heavy.state().dropped, 50);
});

test('a storage that throws, is full of something else, or is missing does no harm', async () => {
  const broken = { get() { throw new Error('denied'); }, set() { throw new Error('full'); }, remove() { throw new Error('denied'); } };
  const other = memoryStorage();
  for (const key of ['queue', 'anonymous', 'session']) other.set(`linli.${key}`, '{"not":"ours"}');
  for (const storage of [broken, other]) {
    const w = world({ storage });
    const tracker = start(options, w.platform);
    tracker.view();
    tracker.view();
    await w.pass(2000);
    assert.equal(w.sent.flat().length, 2);
    assert.equal(w.sent[0][0].session_id, w.sent[0][1].session_id);
    assert.equal(w.sent[0][0].anonymous_id, w.sent[0][1].anonymous_id);
  }
});

test('a visit ends after half an hour of nothing; the visitor stays', async () => {
  const w = world();
  const tracker = start(options, w.platform);
  tracker.view();
  await w.pass(SESSION_IDLE_MS - 1);
  tracker.view();
  await w.pass(SESSION_IDLE_MS);
  tracker.view();
  const other = start(options, w.platform);
  other.view();
  tracker.reset();
  tracker.view();
  await w.pass(5000);
  const events = w.sent.flat();
  const sessions = events.map((event) => event.session_id);
  assert.equal(sessions[0], sessions[1]);
  assert.notEqual(sessions[1], sessions[2]);
  assert.equal(sessions[2], sessions[3], 'tabs share the visit');
  assert.equal(new Set(events.map((event) => event.anonymous_id)).size, 2);
});

test('closed is closed', async () => {
  const w = world();
  const tracker = start(options, w.platform);
  tracker.view();
  tracker.close();
  tracker.view();
  await w.pass(100_000);
  assert.equal(w.sent.length, 0);
  assert.equal(w.beacons.length, 1);
});

test('ids and waits are read as they are written', () => {
  assert.match(uuid(), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(retryAfterMs('3', 0), 3000);
  assert.equal(retryAfterMs('Thu, 01 Jan 1970 00:00:05 GMT', 1000), 4000);
  assert.equal(retryAfterMs('soon', 0), undefined);
  assert.equal(retryAfterMs(null, 0), undefined);
  assert.equal(retryAfterMs('-1', 0), 0);
});
