/** Every shape of descriptor table there is for small queues, against a second reading of VIRTIO 1.2, section 2.7.5. */
import { expect, test } from "vitest";
import { BusError } from "../machine/device.ts";
import { type Chain, emptyQueue, giveBack, QueueError, type QueueState, takeChains } from "./virtqueue.ts";

const [DRIVER, DEVICE, DATA] = [0x100n, 0x200n, 0x300n] as const;

function bench(size: number): { queue: QueueState; view: DataView; memory: Parameters<typeof takeChains>[1] } {
  const ram = new Uint8Array(0x400);
  const check = (address: bigint, length: number): number => {
    if (address + BigInt(length) > BigInt(ram.length)) throw new BusError("no RAM");
    return Number(address);
  };
  return {
    queue: { ...emptyQueue(), size, ready: true, driver: DRIVER, device: DEVICE },
    view: new DataView(ram.buffer),
    memory: {
      read: (address, length) => ram.slice(check(address, length), check(address, length) + length),
      write: (address, bytes) => ram.set(bytes, check(address, bytes.length)),
    },
  };
}

interface Descriptor {
  readonly flags: number;
  readonly next: number;
}

/** The rules in words of their own: follow the chain with a set of what was seen. */
function expected(table: readonly Descriptor[], head: number): Chain | "broken" {
  const seen = new Set<number>();
  const order: number[] = [];
  for (let index: number | undefined = head; index !== undefined; ) {
    const descriptor: Descriptor | undefined = table[index];
    if (descriptor === undefined || seen.has(index) || (descriptor.flags & 4) !== 0) return "broken";
    seen.add(index);
    order.push(index);
    index = (descriptor.flags & 1) !== 0 ? descriptor.next : undefined;
  }
  const writes = order.map((index) => (table[index]?.flags ?? 0) & 2);
  if (writes.some((write, at) => write === 0 && writes.slice(0, at).some((before) => before !== 0))) return "broken";
  const buffer = (index: number) => ({ address: DATA + BigInt(index), length: index + 1 });
  return {
    head,
    readable: order.filter((_, at) => writes[at] === 0).map(buffer),
    writable: order.filter((_, at) => writes[at] !== 0).map(buffer),
  };
}

test.each([1, 2, 4])("a queue of %i: every combination of flags and next of up to three descriptors", (size) => {
  const { queue, view, memory } = bench(size);
  // In the table of 4 without INDIRECT, which ends a chain in the same way in the smaller ones.
  const flagChoices = size === 4 ? 4 : 8;
  const choices = Array.from({ length: flagChoices * (size + 1) }, (_, at) => ({
    flags: at % flagChoices,
    next: Math.floor(at / flagChoices),
  }));
  const varied = Math.min(size, 3);
  const heads = size === 4 ? [0, 4] : Array.from({ length: size + 1 }, (_, head) => head);
  let cases = 0;
  const broken = { ours: 0, theirs: 0 };
  const tables = (count: number): Descriptor[][] =>
    count === 0 ? [[]] : tables(count - 1).flatMap((table) => choices.map((choice) => [...table, choice]));
  for (const table of tables(varied)) {
    const whole = Array.from({ length: size }, (_, index) => table[index] ?? { flags: 0, next: 0 });
    for (const [index, { flags, next }] of whole.entries()) {
      view.setBigUint64(16 * index, DATA + BigInt(index), true);
      view.setUint32(16 * index + 8, index + 1, true);
      view.setUint16(16 * index + 12, flags, true);
      view.setUint16(16 * index + 14, next, true);
    }
    for (const head of heads) {
      queue.nextAvailable = 0;
      view.setUint16(Number(DRIVER) + 2, 1, true);
      view.setUint16(Number(DRIVER) + 4, head, true);
      const wanted = expected(whole, head);
      let got: Chain | "broken" | undefined;
      try {
        got = takeChains(queue, memory, 0)[0];
      } catch (error) {
        if (!(error instanceof QueueError)) throw error;
        got = "broken";
      }
      cases++;
      if (got === "broken") broken.ours++;
      if (wanted === "broken") broken.theirs++;
      // toEqual on tens of thousands of cases would take a minute.
      if (got === "broken" || wanted === "broken" ? got !== wanted : !sameChain(got, wanted)) {
        expect({ whole, head, got }).toEqual({ whole, head, got: wanted });
      }
    }
  }
  expect(cases).toBe(choices.length ** varied * heads.length);
  expect(broken.ours).toBe(broken.theirs);
  expect(broken.ours).toBeGreaterThan(0);
  expect(broken.ours).toBeLessThan(cases);
});

function sameChain(a: Chain | undefined, b: Chain): boolean {
  const text = (chain: Chain): string =>
    [chain.readable, chain.writable]
      .map((buffers) => buffers.map(({ address, length }) => `${address}+${length}`).join())
      .join(";");
  return a !== undefined && a.head === b.head && text(a) === text(b);
}

test.each([1, 2, 4, 8])(
  "every available index there is, against a queue of %i that has come to any position",
  (size) => {
    const { queue, view, memory } = bench(size);
    for (let index = 0; index < size; index++) view.setUint32(16 * index + 8, 1, true);
    for (let slot = 0; slot < size; slot++) view.setUint16(Number(DRIVER) + 4 + 2 * slot, slot, true);
    for (const position of [0, 1, size, 0x7fff, 0xfffe, 0xffff]) {
      for (let ahead = 0; ahead <= 0xffff; ahead += ahead < 20 || ahead > 0xffe0 ? 1 : 97) {
        queue.nextAvailable = position;
        view.setUint16(Number(DRIVER) + 2, (position + ahead) & 0xffff, true);
        if (ahead > size) expect(() => takeChains(queue, memory, 0)).toThrow(QueueError);
        else {
          const slots = Array.from({ length: ahead }, (_, at) => (position + at) % size);
          expect(takeChains(queue, memory, 0).map(({ head }) => head)).toEqual(slots);
          expect(queue.nextAvailable).toBe((position + ahead) & 0xffff);
        }
      }
    }
  },
);

test("a chain of exactly 2^32 bytes is the longest", () => {
  const { queue, view, memory } = bench(2);
  view.setUint16(Number(DRIVER) + 2, 1, true);
  view.setUint32(8, 0xffff_ffff, true);
  view.setUint16(12, 1, true);
  view.setUint16(14, 1, true);
  view.setUint32(16 + 8, 1, true);
  expect(takeChains(queue, memory, 0)).toHaveLength(1);
  queue.nextAvailable = 0;
  view.setUint32(16 + 8, 2, true);
  expect(() => takeChains(queue, memory, 0)).toThrow("a chain has at most 2^32 bytes: 4294967297");
});

test("used elements go round the ring, each before the index that shows it", () => {
  const { queue, view, memory } = bench(2);
  const writes: bigint[] = [];
  const watched = {
    ...memory,
    write: (address: bigint, bytes: Uint8Array) => {
      writes.push(address);
      memory.write(address, bytes);
    },
  };
  queue.nextUsed = 0xffff;
  expect(giveBack(queue, watched, 1, 77)).toBe(true);
  expect([view.getUint32(0x20c, true), view.getUint32(0x210, true), view.getUint16(0x202, true)]).toEqual([1, 77, 0]);
  giveBack(queue, watched, 0, 5);
  expect([view.getUint32(0x204, true), view.getUint32(0x208, true), view.getUint16(0x202, true)]).toEqual([0, 5, 1]);
  expect(writes).toEqual([0x20cn, 0x202n, 0x204n, 0x202n]);
});
