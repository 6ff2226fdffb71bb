/** Sections are those of Virtual I/O Device (VIRTIO) 1.2. The guest here is hostile as often as not. */
import { describe, expect, test } from "vitest";
import { BusError, type DeviceMemory } from "../machine/device.ts";
import { type VirtioBackend, VirtioMmio } from "./virtio-mmio.ts";
import type { Chain } from "./virtqueue.ts";

const RAM = 0x8000_0000n;
const RAM_BYTES = 0x10_000;
const [DESCRIPTORS, DRIVER, DEVICE, DATA] = [RAM, RAM + 0x1000n, RAM + 0x2000n, RAM + 0x3000n] as const;
const [NEXT, WRITE, INDIRECT] = [1, 2, 4] as const;
const [ACKNOWLEDGE_DRIVER, FEATURES_OK, DRIVER_OK, NEEDS_RESET] = [3, 8, 4, 64] as const;

/** Answers each request with 4 bytes of 0xaa; as slow as its first buffer is long. */
class EchoBackend implements VirtioBackend {
  readonly deviceId = 42;
  readonly features = 1n << 5n;
  readonly queueSizes: readonly number[];
  readonly config = Uint8Array.of(1, 2, 3, 4, 5, 6);
  completed: Chain[] = [];
  constructor(size: number) {
    this.queueSizes = [size];
  }
  latency(_queue: number, chain: Chain): number {
    return 100 + (chain.readable[0]?.length ?? 0);
  }
  complete(_queue: number, chain: Chain, memory: DeviceMemory): number {
    this.completed.push(chain);
    const [target] = chain.writable;
    if (target === undefined) return 0;
    memory.write(target.address, new Uint8Array(Math.min(4, target.length)).fill(0xaa));
    return Math.min(4, target.length);
  }
  save(): Uint8Array {
    return new Uint8Array(0);
  }
  load(): void {}
}

function bench(size = 4) {
  const ram = new Uint8Array(RAM_BYTES);
  const at = (address: bigint, length: number): number => {
    if (address < RAM || address + BigInt(length) > RAM + BigInt(RAM_BYTES)) throw new BusError(`no RAM at ${address}`);
    return Number(address - RAM);
  };
  let accesses = 0;
  const memory: DeviceMemory = {
    read: (address, length) => {
      accesses++;
      const from = at(address, length);
      return ram.slice(from, from + length);
    },
    write: (address, bytes) => {
      accesses++;
      ram.set(bytes, at(address, bytes.length));
    },
  };
  const line = {
    asserted: false,
    set(level: boolean) {
      this.asserted = level;
    },
  };
  const time = { now: 0, due: null as number | null };
  const clock = {
    now: () => time.now,
    schedule: (due: number | null) => {
      time.due = due;
    },
  };
  const backend = new EchoBackend(size);
  const device = new VirtioMmio({ name: "virtio0", line, clock, memory, backend });
  const view = new DataView(ram.buffer);
  const get = (offset: number): number => Number(device.read(offset, 4));
  const put = (offset: number, value: number | bigint): void => device.write(offset, 4, BigInt(value));
  let available = 0;
  const self = {
    device,
    backend,
    line,
    time,
    get,
    put,
    view,
    ram,
    accesses: () => accesses,
    status: () => get(0x070),
    negotiate: (low = 0, high = 1) => {
      put(0x070, 0);
      put(0x070, ACKNOWLEDGE_DRIVER);
      put(0x024, 0);
      put(0x020, low);
      put(0x024, 1);
      put(0x020, high);
      put(0x070, ACKNOWLEDGE_DRIVER | FEATURES_OK);
    },
    setQueue: (queueSize: number, parts: readonly bigint[] = [DESCRIPTORS, DRIVER, DEVICE]) => {
      put(0x030, 0);
      put(0x038, queueSize);
      for (const [part, address] of parts.entries()) {
        put(0x080 + 0x10 * part, address & 0xffff_ffffn);
        put(0x084 + 0x10 * part, address >> 32n);
      }
      put(0x044, 1);
    },
    start: (queueSize = size) => {
      self.negotiate();
      self.setQueue(queueSize);
      put(0x070, ACKNOWLEDGE_DRIVER | FEATURES_OK | DRIVER_OK);
    },
    descriptor: (index: number, address: bigint, length: number, flags = 0, next = 0) => {
      view.setBigUint64(16 * index, address, true);
      view.setUint32(16 * index + 8, length, true);
      view.setUint16(16 * index + 12, flags, true);
      view.setUint16(16 * index + 14, next, true);
    },
    offer: (...heads: number[]) => {
      for (const head of heads) view.setUint16(0x1004 + 2 * (available++ % size), head, true);
      view.setUint16(0x1002, available & 0xffff, true);
    },
    notify: (queue = 0) => put(0x050, queue),
    used: () => ({
      index: view.getUint16(0x2002, true),
      element: (slot: number) => [view.getUint32(0x2004 + 8 * slot, true), view.getUint32(0x2008 + 8 * slot, true)],
    }),
    runTo: (now: number) => {
      time.now = now;
      device.due();
    },
  };
  return self;
}

describe("registers (section 4.2.2)", () => {
  test("a slot without a backend answers magic and version, and has device ID 0", () => {
    const device = new VirtioMmio({
      name: "virtio1",
      line: { set: () => {} },
      clock: { now: () => 0, schedule: () => {} },
      memory: { read: () => new Uint8Array(0), write: () => {} },
    });
    expect([0, 4, 8].map((offset) => device.read(offset, 4))).toEqual([0x7472_6976n, 2n, 0n]);
    device.write(0x070, 4, 1n);
    expect(device.read(0x070, 4)).toBe(0n);
    expect(device.read(0x100, 1)).toBe(0n);
  });

  test("a device names itself and offers its features and VIRTIO_F_VERSION_1", () => {
    const { get, put, device } = bench();
    expect(device.name).toBe("virtio0");
    expect(get(8)).toBe(42);
    put(0x014, 0);
    expect(get(0x010)).toBe(1 << 5);
    put(0x014, 1);
    expect(get(0x010)).toBe(1);
    put(0x014, 2);
    expect(get(0x010)).toBe(0);
  });

  test("a queue that does not exist has size 0", () => {
    const { get, put } = bench(4);
    expect(get(0x034)).toBe(4);
    put(0x030, 1);
    expect(get(0x034)).toBe(0);
    put(0x030, 0xffff_ffff);
    expect(get(0x034)).toBe(0);
    put(0x044, 1);
    expect(get(0x044)).toBe(0);
  });

  test("configuration is read in widths of 1, 2 and 4, and is 0 behind its end", () => {
    const { device } = bench();
    expect(device.read(0x100, 1)).toBe(1n);
    expect(device.read(0x102, 2)).toBe(0x0403n);
    expect(device.read(0x104, 4)).toBe(0x0605n);
    expect(device.read(0x1fc, 4)).toBe(0n);
    device.write(0x100, 1, 9n);
    expect(device.read(0x100, 1)).toBe(1n);
    for (const [offset, size] of [
      [0x100, 8],
      [0x101, 2],
    ] as const) {
      expect(() => device.read(offset, size)).toThrow(BusError);
      expect(() => device.write(offset, size, 0n)).toThrow(BusError);
    }
  });

  test("shared memory regions do not exist: length and base are -1", () => {
    const { get } = bench();
    expect([0x0b0, 0x0b4, 0x0b8, 0x0bc].map(get)).toEqual([0, 0, 0, 0].map(() => 0xffff_ffff));
  });

  test.each([
    [0, 1],
    [0, 2],
    [0, 8],
    [2, 4],
  ])("an access at %i of %i bytes reaches no register", (offset, size) => {
    const { device } = bench();
    expect(() => device.read(offset, size)).toThrow(BusError);
    expect(() => device.write(offset, size, 0n)).toThrow(BusError);
  });
});

describe("starting (section 3.1)", () => {
  test("FEATURES_OK holds for a subset of what was offered", () => {
    const { negotiate, status } = bench();
    negotiate(1 << 5);
    expect(status()).toBe(ACKNOWLEDGE_DRIVER | FEATURES_OK);
  });

  test("FEATURES_OK holds for a driver that names VIRTIO_F_VERSION_1 and nothing else, after a reset too", () => {
    const { negotiate, put, status } = bench();
    negotiate(1);
    put(0x070, 0);
    put(0x024, 1);
    put(0x020, 1);
    put(0x070, ACKNOWLEDGE_DRIVER | FEATURES_OK);
    expect(status()).toBe(ACKNOWLEDGE_DRIVER | FEATURES_OK);
  });

  test.each([
    ["a bit that was not offered", 1, 1],
    ["no VIRTIO_F_VERSION_1", 1 << 5, 0],
    ["a bit of the upper word", 0, 3],
  ])("FEATURES_OK does not hold for %s", (_, low, high) => {
    const { negotiate, status } = bench();
    negotiate(low, high);
    expect(status()).toBe(ACKNOWLEDGE_DRIVER);
  });

  test("FEATURES_OK does not hold for a bit from 64 on", () => {
    const { negotiate, put, status } = bench();
    negotiate();
    put(0x070, 0);
    put(0x024, 2);
    put(0x020, 1);
    put(0x024, 1);
    put(0x020, 1);
    put(0x070, ACKNOWLEDGE_DRIVER | FEATURES_OK);
    expect(status()).toBe(ACKNOWLEDGE_DRIVER);
  });

  test("features are settled by FEATURES_OK: later stores change nothing", () => {
    const { negotiate, put, status, device } = bench();
    negotiate();
    const before = device.save();
    put(0x020, 0xffff_ffff);
    expect(device.save()).toEqual(before);
    expect(status()).toBe(ACKNOWLEDGE_DRIVER | FEATURES_OK);
  });

  test("nothing is consumed before DRIVER_OK", () => {
    const { negotiate, setQueue, descriptor, offer, notify, time, accesses } = bench();
    negotiate();
    setQueue(4);
    descriptor(0, DATA, 8);
    offer(0);
    notify();
    expect(time.due).toBeNull();
    expect(accesses()).toBe(0);
  });

  test.each([
    ["size 0", 0, [DESCRIPTORS, DRIVER, DEVICE]],
    ["a size that is no power of two", 3, [DESCRIPTORS, DRIVER, DEVICE]],
    ["a size above the largest", 8, [DESCRIPTORS, DRIVER, DEVICE]],
    ["descriptors off a 16-byte boundary", 4, [DESCRIPTORS + 8n, DRIVER, DEVICE]],
    ["an available ring off a 2-byte boundary", 4, [DESCRIPTORS, DRIVER + 1n, DEVICE]],
    ["a used ring off a 4-byte boundary", 4, [DESCRIPTORS, DRIVER, DEVICE + 2n]],
  ])("a queue with %s needs a reset", (_, size, parts) => {
    const { negotiate, setQueue, status, get } = bench();
    negotiate();
    setQueue(size, parts);
    expect(status() & NEEDS_RESET).toBe(NEEDS_RESET);
    expect(get(0x060)).toBe(0); // Nobody is told before DRIVER_OK (section 2.1.2).
    expect(get(0x044)).toBe(0);
  });

  test("an address is set by halves, each of which replaces its own", () => {
    const { put, start, descriptor, offer, notify, runTo, used } = bench();
    start();
    put(0x044, 0);
    for (const offset of [0x084, 0x080, 0x094, 0x090, 0x0a4, 0x0a0]) put(offset, 0xffff_ffff);
    for (const [part, address] of [DESCRIPTORS, DRIVER, DEVICE].entries()) {
      put(0x080 + 0x10 * part, address);
      put(0x084 + 0x10 * part, 0);
    }
    put(0x044, 1);
    descriptor(0, DATA, 8);
    offer(0);
    notify();
    runTo(108);
    expect(used().index).toBe(1);
  });

  test("a queue in use cannot be moved", () => {
    const { start, put, device } = bench();
    start();
    const before = device.save();
    put(0x038, 2);
    for (const offset of [0x080, 0x084, 0x090, 0x094, 0x0a0, 0x0a4]) put(offset, 0);
    expect(device.save()).toEqual(before);
  });
});

describe("requests (section 2.7, guest-time rule T8)", () => {
  test("one is carried out at doorbell + latency, not before, and comes back on the used ring", () => {
    const { start, descriptor, offer, notify, time, runTo, used, line, get, put, ram } = bench();
    start();
    descriptor(2, DATA, 7, NEXT, 0);
    descriptor(0, DATA + 0x100n, 16, WRITE);
    offer(2);
    time.now = 1000;
    notify();
    expect(time.due).toBe(1107);
    expect(used().index).toBe(0);
    expect(ram[0x3100]).toBe(0);
    runTo(1107);
    expect(ram.slice(0x3100, 0x3105)).toEqual(Uint8Array.of(0xaa, 0xaa, 0xaa, 0xaa, 0));
    expect(used().index).toBe(1);
    expect(used().element(0)).toEqual([2, 4]);
    expect(line.asserted).toBe(true);
    expect(get(0x060)).toBe(1);
    put(0x064, 1);
    expect(line.asserted).toBe(false);
    expect(time.due).toBeNull();
  });

  test("requests complete by their own latencies, not in the order of the ring", () => {
    const { start, descriptor, offer, notify, runTo, used, time } = bench();
    start();
    descriptor(0, DATA, 50);
    descriptor(1, DATA, 10);
    offer(0, 1);
    notify();
    expect(time.due).toBe(110);
    runTo(110);
    expect(used().index).toBe(1);
    expect(used().element(0)[0]).toBe(1);
    expect(time.due).toBe(150);
    runTo(150);
    expect(used().element(1)[0]).toBe(0);
  });

  test("requests of one moment complete in the order of their doorbells", () => {
    const { start, descriptor, offer, notify, runTo, used } = bench();
    start();
    for (const index of [0, 1, 2, 3]) descriptor(index, DATA, 10);
    offer(3, 1);
    notify();
    offer(2, 0);
    notify();
    runTo(110);
    expect([0, 1, 2, 3].map((slot) => used().element(slot)[0])).toEqual([3, 1, 2, 0]);
  });

  test("a request's latency does not depend on what else is in flight", () => {
    const alone = bench();
    alone.start();
    alone.descriptor(0, DATA, 33);
    alone.offer(0);
    alone.notify();
    const crowded = bench();
    crowded.start();
    crowded.descriptor(1, DATA, 500);
    crowded.descriptor(0, DATA, 33);
    crowded.offer(1, 0);
    crowded.notify();
    expect(crowded.time.due).toBe(alone.time.due);
  });

  test("what the guest changes in a descriptor after the doorbell is not seen (one consistent copy)", () => {
    const { start, descriptor, offer, notify, runTo, backend } = bench();
    start();
    descriptor(0, DATA, 8);
    offer(0);
    notify();
    descriptor(0, 0n, 0, INDIRECT);
    runTo(108);
    expect(backend.completed).toEqual([{ head: 0, readable: [{ address: DATA, length: 8 }], writable: [] }]);
  });

  test("a driver that asks for no interrupt gets none (section 2.7.7)", () => {
    const { start, descriptor, offer, notify, runTo, used, line, view } = bench();
    start();
    view.setUint16(0x1000, 1, true);
    descriptor(0, DATA, 8);
    offer(0);
    notify();
    runTo(108);
    expect(used().index).toBe(1);
    expect(line.asserted).toBe(false);
  });

  test("both indices wrap at 2^16", () => {
    const { start, descriptor, offer, notify, runTo, used, time, status } = bench(4);
    start();
    descriptor(0, DATA, 8);
    for (let request = 0; request < 0x1_0003; request++) {
      offer(0);
      notify();
      runTo(time.now + 108);
    }
    expect(used().index).toBe(3);
    expect(status() & NEEDS_RESET).toBe(0);
  });

  test("a reset gives up what is in flight", () => {
    const { start, descriptor, offer, notify, runTo, used, put, time, backend } = bench();
    start();
    descriptor(0, DATA, 8);
    offer(0);
    notify();
    put(0x070, 0);
    expect(time.due).toBeNull();
    runTo(108);
    expect(used().index).toBe(0);
    expect(backend.completed).toEqual([]);
  });

  test("a queue that is stopped gives up what is in flight, and starts again from index 0", () => {
    const { start, descriptor, offer, notify, runTo, put, get, time, backend, status } = bench();
    start();
    descriptor(0, DATA, 8);
    offer(0);
    notify();
    put(0x044, 0);
    expect(get(0x044)).toBe(0);
    expect(time.due).toBeNull();
    put(0x044, 1);
    notify();
    runTo(108);
    expect(backend.completed).toHaveLength(1);
    expect(status() & NEEDS_RESET).toBe(0);
  });
});

describe("a hostile driver", () => {
  test.each<[string, (device: ReturnType<typeof bench>) => void]>([
    [
      "a chain that loops",
      ({ descriptor, offer }) => {
        descriptor(0, DATA, 8, NEXT, 1);
        descriptor(1, DATA, 8, NEXT, 0);
        offer(0);
      },
    ],
    [
      "a next beyond the table",
      ({ descriptor, offer }) => {
        descriptor(0, DATA, 8, NEXT, 4);
        offer(0);
      },
    ],
    ["a head beyond the table", ({ offer }) => offer(4)],
    ["a head of 65,535", ({ offer }) => offer(0xffff)],
    [
      "an indirect descriptor",
      ({ descriptor, offer }) => {
        descriptor(0, DATA, 16, INDIRECT);
        offer(0);
      },
    ],
    [
      "a descriptor without bytes",
      ({ descriptor, offer }) => {
        descriptor(0, DATA, 0);
        offer(0);
      },
    ],
    [
      "a chain longer than 2^32 bytes",
      ({ descriptor, offer }) => {
        descriptor(0, DATA, 0xffff_ffff, NEXT, 1);
        descriptor(1, DATA, 2);
        offer(0);
      },
    ],
    [
      "a readable descriptor after a writable one",
      ({ descriptor, offer }) => {
        descriptor(0, DATA, 8, WRITE | NEXT, 1);
        descriptor(1, DATA, 8);
        offer(0);
      },
    ],
    ["an available index that jumps", ({ view }) => view.setUint16(0x1002, 5, true)],
    ["an available index that goes back", ({ view }) => view.setUint16(0x1002, 0xffff, true)],
    [
      "one descriptor twice in flight",
      ({ descriptor, offer, notify }) => {
        descriptor(0, DATA, 8, NEXT, 1);
        descriptor(1, DATA, 8, NEXT, 2);
        descriptor(2, DATA, 8);
        offer(0);
        notify();
        offer(0);
      },
    ],
  ])("%s stops the device: it needs a reset, says so, and gives nothing back", (_, attack) => {
    const device = bench();
    device.start();
    attack(device);
    device.notify();
    expect(device.status() & NEEDS_RESET).toBe(NEEDS_RESET);
    expect(device.get(0x060)).toBe(2); // Section 2.1.2: a configuration change notification.
    expect(device.line.asserted).toBe(true);
    expect(device.time.due).toBeNull();
    expect(device.used().index).toBe(0);
    // The driver cannot clear the bit but by a reset; after that all works again.
    device.put(0x070, 0x0f);
    expect(device.status() & NEEDS_RESET).toBe(NEEDS_RESET);
    device.start();
    expect(device.status()).toBe(ACKNOWLEDGE_DRIVER | FEATURES_OK | DRIVER_OK);
  });

  test.each([
    ["descriptors", [0xffff_ffff_ffff_fff0n, DRIVER, DEVICE]],
    ["the available ring", [DESCRIPTORS, 0n, DEVICE]],
    ["the end of the available ring", [DESCRIPTORS, RAM + BigInt(RAM_BYTES) - 4n, DEVICE]],
    ["the used ring", [DESCRIPTORS, DRIVER, 0x1000_0000n]],
  ])("%s outside RAM stop the device", (_, parts) => {
    const { negotiate, setQueue, put, descriptor, offer, view, notify, runTo, status } = bench();
    negotiate();
    setQueue(4, parts);
    put(0x070, ACKNOWLEDGE_DRIVER | FEATURES_OK | DRIVER_OK);
    descriptor(0, DATA, 8);
    offer(0);
    view.setUint16(RAM_BYTES - 2, 1, true);
    notify();
    runTo(108);
    expect(status() & NEEDS_RESET).toBe(NEEDS_RESET);
  });

  test("a failure at completion drops the other requests too", () => {
    const { start, descriptor, offer, notify, runTo, status, used, backend, time } = bench();
    start();
    descriptor(0, 0n, 8, WRITE);
    descriptor(1, DATA, 8);
    offer(0, 1);
    notify();
    runTo(500);
    expect(status() & NEEDS_RESET).toBe(NEEDS_RESET);
    expect(backend.completed).toHaveLength(1);
    expect(used().index).toBe(0);
    expect(time.due).toBeNull();
  });

  test.each([1, 255, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff])("a doorbell of queue %i is ignored", (queue) => {
    const { start, notify, status, accesses } = bench();
    start();
    notify(queue);
    expect(status() & NEEDS_RESET).toBe(0);
    expect(accesses()).toBe(0);
  });

  test("doorbells without requests cost one look at the ring each, and keep nothing", () => {
    const { start, notify, accesses, device } = bench();
    start();
    const before = device.save();
    for (let doorbell = 0; doorbell < 1000; doorbell++) notify();
    expect(accesses()).toBe(1000);
    expect(device.save()).toEqual(before);
  });

  test("the work of one doorbell is bounded by the queue's size, whatever the descriptors say", () => {
    const size = 256;
    const { start, descriptor, offer, notify, accesses, status } = bench(size);
    start();
    // Every chain runs through the whole table.
    for (let index = 0; index < size; index++) descriptor(index, DATA, 1, index < size - 1 ? NEXT : 0, index + 1);
    offer(...Array.from({ length: size }, () => 0));
    notify();
    expect(status() & NEEDS_RESET).toBe(NEEDS_RESET);
    expect(accesses()).toBeLessThanOrEqual(2 * size + 1);
  });

  test("rings that overlap each other end as whatever they then say, never as an exception", () => {
    for (let offset = 0n; offset < 64n; offset += 2n) {
      const { negotiate, setQueue, put, descriptor, notify, runTo, view, device } = bench();
      negotiate();
      setQueue(4, [DESCRIPTORS, DESCRIPTORS + offset, DESCRIPTORS + (offset & ~3n)]);
      put(0x070, ACKNOWLEDGE_DRIVER | FEATURES_OK | DRIVER_OK);
      descriptor(0, DATA, 8, WRITE);
      view.setUint16(Number(offset) + 2, 1, true);
      notify();
      runTo(1000);
      expect(device.read(0x070, 4) & 0x0fn).toBe(0x0fn);
    }
  });
});
