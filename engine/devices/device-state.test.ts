/**
 * What every device owes snapshots and digests: restored in the middle of anything, it goes on as if nothing had happened.
 *
 * The accesses are random but seeded; a field that save or load forgets shows as a different read, line, deadline or state.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BusError, type Clock, type Device, type DeviceMemory, type InterruptLine } from "../machine/device.ts";
import { Ata } from "./ata.ts";
import { Clint } from "./clint.ts";
import { StateReader, StateWriter } from "./device-state.ts";
import { GoldfishRtc } from "./goldfish-rtc.ts";
import { Plic } from "./plic.ts";
import { TestFinisher } from "./test-finisher.ts";
import { Uart16550 } from "./uart16550.ts";
import { VirtioBlock } from "./virtio-block.ts";
import { VirtioMmio } from "./virtio-mmio.ts";

/** A machine around one device: everything the device can move is in `seen`. */
class Surroundings {
  now = 0;
  due: number | null = null;
  levels: boolean[] = [];
  readonly ram = new Uint8Array(0x4000);
  readonly seen: string[] = [];

  line(): InterruptLine {
    const index = this.levels.push(false) - 1;
    return {
      set: (asserted) => {
        this.levels[index] = asserted;
      },
    };
  }
  readonly clock: Clock = {
    now: () => this.now,
    schedule: (at) => {
      this.due = at;
    },
  };
  readonly memory: DeviceMemory = {
    read: (address, length) => this.ram.slice(this.#at(address, length), this.#at(address, length) + length),
    write: (address, bytes) => this.ram.set(bytes, this.#at(address, bytes.length)),
  };
  #at(address: bigint, length: number): number {
    if (address + BigInt(length) > BigInt(this.ram.length)) throw new BusError("no RAM");
    return Number(address);
  }
}

interface Subject {
  make(around: Surroundings): Device;
  /** Offsets worth an access, and the sizes that registers have. */
  readonly offsets: readonly number[];
  readonly sizes: readonly number[];
  readonly values: readonly bigint[];
  /** What else can happen to it. */
  readonly disturb?: (device: Device, value: number) => void;
}

const words = (...ranges: (readonly [number, number])[]): number[] =>
  ranges.flatMap(([from, to]) => Array.from({ length: (to - from) / 4 }, (_, at) => from + 4 * at));

const SUBJECTS: Record<string, Subject> = {
  "the 16550": {
    make: (around) => new Uart16550({ line: around.line(), onTransmit: (byte) => around.seen.push(`sent ${byte}`) }),
    offsets: [0, 1, 2, 3, 4, 5, 6, 7],
    sizes: [1],
    values: [0n, 1n, 2n, 3n, 7n, 0x0fn, 0x10n, 0x13n, 0x1fn, 0x80n, 0x83n, 0xc1n, 0xffn],
    disturb: (device, value) => (device as Uart16550).receive(new Uint8Array(value % 40).fill(value)),
  },
  "the CLINT": {
    make: (around) =>
      new Clint({ clock: around.clock, software: around.line(), timer: around.line(), stepsPerTick: 10 }),
    offsets: [0, 4, 0x4000, 0x4004, 0xbff8, 0xbffc],
    sizes: [4, 8],
    values: [0n, 1n, 2n, 10n, 40n, 0xffff_ffffn, 0xffff_ffff_ffff_fff0n],
  },
  "the PLIC": {
    make: (around) => new Plic({ sources: 40, contexts: [around.line(), around.line()] }),
    offsets: [...words([0, 0x14]), 0x1000, 0x1004, 0x2000, 0x2004, 0x2080, 0x20_0000, 0x20_0004, 0x20_1000, 0x20_1004],
    sizes: [4],
    values: [0n, 1n, 2n, 3n, 4n, 5n, 7n, 33n, 0xffff_ffffn],
    disturb: (device, value) => (device as Plic).source((value % 40) + 1).set(value >= 128),
  },
  "the test finisher": {
    make: (around) => new TestFinisher({ onFinish: (kind, code) => around.seen.push(`${kind} ${code}`) }),
    offsets: [0, 4],
    sizes: [4],
    values: [0x3333n, 0x5555n, 0x7777n],
  },
  "the RTC": {
    make: (around) =>
      new GoldfishRtc({ line: around.line(), clock: around.clock, startSeconds: 5, nanosecondsPerStep: 10 }),
    offsets: words([0, 0x24]),
    sizes: [4],
    values: [0n, 1n, 0x2a05_f200n, 0x2a06_0000n, 0xffff_ffffn],
  },
  "an ATA disk": {
    make: (around) =>
      new Ata({ name: "ata0", line: around.line(), clock: around.clock, image: new Uint8Array(8192).fill(0x11) }),
    offsets: [4, 8, 12, 16, 20, 24, 28, 28, 28, 0x800],
    sizes: [1],
    values: [0n, 1n, 2n, 4n, 0x20n, 0x30n, 0x40n, 0x50n, 0xe7n, 0xecn],
    disturb: (device, value) => {
      // A driver that gets on with it: data, or a command that is a good one.
      if (value < 160) {
        for (let word = 0; word < value; word++) {
          if (value % 2 === 0) device.read(0, 2);
          else device.write(0, 2, BigInt(value * word));
        }
        return;
      }
      for (const [offset, byte] of [
        [0x800, 0n],
        [8, BigInt(value % 4)],
        [12, BigInt(value % 16)],
        [16, 0n],
        [20, 0n],
        [24, 0x40n],
        [28, value % 3 === 0 ? 0x30n : 0x20n],
      ] as const)
        device.write(offset, 1, byte);
    },
  },
  "a virtio block device": {
    make: (around) =>
      new VirtioMmio({
        name: "virtio0",
        line: around.line(),
        clock: around.clock,
        memory: around.memory,
        backend: new VirtioBlock({ image: new Uint8Array(8192).fill(0x11) }),
      }),
    offsets: [
      ...words([0x10, 0x18], [0x20, 0x28], [0x30, 0x3c], [0x60, 0x68], [0x80, 0xa8]),
      0x44,
      0x50,
      0x50,
      0x50,
      0x70,
    ],
    sizes: [4],
    values: [0n, 1n, 2n, 4n, 8n, 0x0fn, 0x200n, 0x1000n],
    disturb: (device, value) => {
      // A driver that gets on with it, so that the random stores hit a running device.
      const put = (offset: number, word: bigint): void => device.write(offset, 4, word);
      if (value >= 96) return put(0x50, 0n);
      for (const [offset, word] of [
        [0x70, 0n],
        [0x70, 3n],
        [0x24, 1n],
        [0x20, 1n],
        [0x24, 0n],
        [0x20, 0n],
        [0x70, 0x0bn],
        [0x30, 0n],
        [0x38, 8n],
        [0x80, 0n],
        [0x90, 0x200n],
        [0xa0, 0x400n],
        [0x44, 1n],
        [0x70, 0x0fn],
      ] as const) {
        put(offset, word);
      }
    },
  },
};

/** A queue of 8 at 0, 0x200 and 0x400 with two requests in it: an OUT of 1,024 bytes and an IN of 512. */
function layRequests(ram: Uint8Array): void {
  const view = new DataView(ram.buffer);
  const chains = [
    [
      [0x1000, 16, 1],
      [0x2000, 1024, 1],
      [0x1100, 1, 2],
    ],
    [
      [0x1010, 16, 1],
      [0x3000, 512, 3],
      [0x1101, 1, 2],
    ],
  ] as const;
  let index = 0;
  for (const [slot, chain] of chains.entries()) {
    view.setUint16(0x204 + 2 * slot, index, true);
    for (const [address, length, flags] of chain) {
      view.setBigUint64(16 * index, BigInt(address), true);
      view.setUint32(16 * index + 8, length, true);
      view.setUint16(16 * index + 12, flags, true);
      view.setUint16(16 * index + 14, index + 1, true);
      index++;
    }
  }
  view.setUint32(0x1000, 1, true);
  view.setBigUint64(0x1008, 3n, true);
  ram.fill(0x77, 0x2000, 0x2400);
  view.setUint16(0x202, 2, true);
}

type Act = readonly [kind: number, offset: number, size: number, value: number, disturbance: number];

function perform(
  subject: Subject,
  device: Device,
  around: Surroundings,
  [kind, offset, size, value, disturbance]: Act,
): void {
  const pick = <T>(from: readonly T[], index: number): T => from[index % from.length] as T;
  const at = pick(subject.offsets, offset);
  const bytes = pick(subject.sizes, size);
  try {
    if (kind < 4) around.seen.push(`${at}: ${device.read(at, bytes)}`);
    else if (kind < 8) device.write(at, bytes, pick(subject.values, value));
    else if (kind < 10) subject.disturb?.(device, disturbance);
    else {
      around.now = Math.max(
        around.now + disturbance,
        kind > 10 && around.due !== null && around.due < 1e6 ? around.due : 0,
      );
      if (around.due !== null && around.due <= around.now) device.due?.();
    }
  } catch (error) {
    if (!(error instanceof BusError)) throw error;
    around.seen.push("bus error");
  }
  around.seen.push(`${around.levels.join()} due ${around.due}`);
}

const acts = fc.array(fc.tuple(fc.nat(11), fc.nat(255), fc.nat(1), fc.nat(255), fc.nat(255)), {
  size: "medium",
  maxLength: 60,
});

describe.each(Object.entries(SUBJECTS))("%s", (_, subject) => {
  const start = (): { around: Surroundings; device: Device } => {
    const around = new Surroundings();
    layRequests(around.ram);
    return { around, device: subject.make(around) };
  };

  test("restored in the middle of anything, goes on as if nothing had happened; save, load, save gives the same bytes", () => {
    fc.assert(
      fc.property(acts, acts, acts, (before, elsewhere, after) => {
        const original = start();
        for (const act of before) perform(subject, original.device, original.around, act);
        const state = original.device.save();
        // Restored over a device that has been somewhere else: nothing of that may be left.
        const restored = start();
        for (const act of elsewhere) perform(subject, restored.device, restored.around, act);
        restored.around.now = original.around.now;
        restored.around.ram.set(original.around.ram);
        restored.device.load(state);
        expect(restored.device.save()).toEqual(state);
        expect([restored.around.levels, restored.around.due]).toEqual([original.around.levels, original.around.due]);
        original.around.seen.length = restored.around.seen.length = 0;
        for (const act of after) {
          perform(subject, original.device, original.around, act);
          perform(subject, restored.device, restored.around, act);
        }
        expect(restored.around.seen).toEqual(original.around.seen);
        expect(restored.device.save()).toEqual(original.device.save());
        expect(restored.around.ram.every((byte, at) => byte === original.around.ram[at])).toBe(true);
      }),
      { seed: 2, numRuns: 150 },
    );
  });

  test("a state cut short, too long, or of another kind is refused, and changes nothing", () => {
    const { around, device } = start();
    for (let round = 0; round < 60; round++) {
      perform(subject, device, around, [round % 12, round * 7, round, round * 3, (round * 37) & 255]);
    }
    const state = device.save();
    const target = start().device;
    const untouched = target.save();
    const step = Math.max(1, Math.floor(state.length / 200));
    for (let length = 0; length < state.length; length += step) {
      expect(() => target.load(state.subarray(0, length))).toThrow(RangeError);
    }
    expect(() => target.load(Uint8Array.of(...state, 0))).toThrow(
      /must end with its last field: 1 bytes follow|must be/,
    );
    expect(() => target.load(new StateWriter("toaster/1").finish())).toThrow(
      /its state must be of kind ".*": "toaster\/1"/,
    );
    expect(target.save()).toEqual(untouched);
  });

  test("any damage to a state is refused or makes another good device, never an exception of another kind", () => {
    const { around, device } = start();
    for (let round = 0; round < 60; round++)
      perform(subject, device, around, [round % 10, round * 5, 0, round, (round * 91) & 255]);
    const state = device.save();
    fc.assert(
      fc.property(fc.nat(state.length - 1), fc.nat(255), acts, (at, value, after) => {
        const damaged = state.slice();
        damaged[at] = value;
        const target = start();
        try {
          target.device.load(damaged);
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
          return;
        }
        expect(target.device.save()).toEqual(damaged);
        for (const act of after) perform(subject, target.device, target.around, act);
      }),
      { seed: 3, numRuns: 150 },
    );
  });

  test("a reset device is as good as new", () => {
    fc.assert(
      fc.property(acts, (before) => {
        const used = start();
        for (const act of before) perform(subject, used.device, used.around, act);
        // The lines of the PLIC's sources and the contents of a disk are not its own to reset.
        if (used.device instanceof Plic) for (let id = 1; id <= 40; id++) used.device.source(id).set(false);
        const fresh = start();
        used.device.reset();
        fresh.device.reset();
        // Up to the number of requests in flight; the disk comes after it.
        const ignoringDisk = (state: Uint8Array): Uint8Array =>
          used.device instanceof VirtioMmio ? state.subarray(0, 78) : state;
        expect(ignoringDisk(used.device.save())).toEqual(ignoringDisk(fresh.device.save()));
        expect(used.around.levels).toEqual(fresh.around.levels);
      }),
      { seed: 4, numRuns: 50 },
    );
  });
});

test("numbers of every width come back as they were", () => {
  const state = new StateWriter("t/1")
    .u8(255)
    .bool(true)
    .u16(65_535)
    .u32(0xffff_fffe)
    .u64(0xfedc_ba98_7654_3210n)
    .count(Number.MAX_SAFE_INTEGER)
    .bytes(new Uint8Array(200).fill(3))
    .finish();
  const from = new StateReader(state, "t/1", "thing");
  expect([from.u8(), from.bool(), from.u16(), from.u32()]).toEqual([255, true, 65_535, 0xffff_fffe]);
  expect(from.u64()).toBe(0xfedc_ba98_7654_3210n);
  expect(from.count()).toBe(Number.MAX_SAFE_INTEGER);
  expect(from.bytes(200)).toEqual(new Uint8Array(200).fill(3));
  from.end();
});

test("flags, counts and lengths outside their range are refused", () => {
  const reader = (write: (to: StateWriter) => StateWriter) =>
    new StateReader(write(new StateWriter("t/1")).finish(), "t/1", "thing");
  expect(() => reader((to) => to.u8(2)).bool()).toThrow("Cannot restore thing as a flag must be at most 1: 2");
  expect(() => reader((to) => to.u64(1n << 53n)).count()).toThrow(
    "Cannot restore thing as a count must be below 2^53: 9007199254740992",
  );
  expect(() => reader((to) => to.u32(9)).bytes(8)).toThrow("Cannot restore thing as a length must be at most 8: 9");
  expect(() => reader((to) => to.u32(9)).bytes(9)).toThrow(
    "Cannot restore thing as its state must be whole: it ends after 8 bytes",
  );
});
