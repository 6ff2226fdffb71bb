/** A driver in assembly, and the disk that it drives: when a request completes, and what has happened by then. */
import { describe, expect, test } from "vitest";
import { boot, guestEvents, HANDLER, NOTING_TRAPS, SHUTDOWN, x } from "../boot.fixture.ts";
import type { MachineConfig } from "../create.ts";
import { full } from "../techniques/full.ts";
import { native } from "../techniques/native.ts";
import { rewritingTrap } from "../techniques/rewriting.ts";

const DESCRIPTORS = 0x8028_0000;
const AVAILABLE = 0x8028_1000;
const USED = 0x8028_2000;
const HEADERS = 0x8028_3000;
const STATUS = 0x8028_4000;
const BUFFERS = 0x8029_0000;
const SECTOR = 512;

const disk = Uint8Array.from({ length: 64 * SECTOR }, (_, at) => (at >>> 9) * 3 + (at & 0xff));

interface Request {
  /** 0 reads, 1 writes. */
  readonly type: 0 | 1;
  readonly sector: number;
  readonly sectors: number;
}
const word = (address: number, value: number, size: "sh" | "sw" | "sd") =>
  `li t2, ${address}\nli t1, ${value}\n${size} t1, 0(t2)\n`;
const register = (offset: number, value: number) => `li t1, ${value}\nsw t1, ${offset}(t0)\n`;

/** Sets queue 0 up. t0 is the device's address, and stays it. */
const SET_UP = `li t0, 0x10001000\n${register(0x70, 3)}${register(0x24, 1)}${register(0x20, 1)}${register(0x70, 11)}${register(0x38, 16)}${register(0x80, DESCRIPTORS)}${register(0x90, AVAILABLE)}${register(0xa0, USED)}${register(0x44, 1)}${register(0x70, 15)}`;

/** Writes request n into memory and makes it available; nobody has told the device. */
function prepared({ type, sector, sectors }: Request, n: number): string {
  const descriptor = (k: number, address: number, length: number, flags: number) => {
    const at = DESCRIPTORS + 16 * (3 * n + k);
    return (
      word(at, address, "sd") +
      word(at + 8, length, "sw") +
      word(at + 12, flags, "sh") +
      word(at + 14, 3 * n + k + 1, "sh")
    );
  };
  return (
    word(HEADERS + 16 * n, type, "sw") +
    word(HEADERS + 16 * n + 8, sector, "sd") +
    word(STATUS + n, 0xff, "sw") +
    descriptor(0, HEADERS + 16 * n, 16, 1) +
    descriptor(1, BUFFERS + 0x4000 * n, sectors * SECTOR, type === 0 ? 3 : 1) +
    descriptor(2, STATUS + n, 1, 2) +
    word(AVAILABLE + 4 + 2 * n, 3 * n, "sh") +
    word(AVAILABLE + 2, n + 1, "sh")
  );
}
const DOORBELL = "sw x0, 0x50(t0)\n";
const spin = (steps: number) => `li t3, ${steps}\n1: addi t3, t3, -2\nbnez t3, 1b\n`;

/** Runs a driver; gives the steps of the doorbells, and for each completion the step and the length of the payload's first part. */
function run(source: string, options: Partial<MachineConfig> = {}, slice = 1_000_000) {
  const machine = boot(`${NOTING_TRAPS}${SET_UP}${source}${SHUTDOWN}${HANDLER}`, { disk, ...options });
  while (machine.run(machine.step + slice).kind === "until");
  expect(machine.end).toEqual({ reason: "poweroff", code: 0 });
  const events = guestEvents(machine);
  const doorbells = events
    .filter((event) => event.kind === "device.write" && event.offset === 0x50)
    .map(({ step }) => step);
  // A completion ends by moving the used ring's index.
  const completions = events
    .filter((event) => event.kind === "dma" && event.write === 1 && event.address === BigInt(USED + 2))
    .map(({ step }) => step);
  return { machine, events, doorbells, completions };
}

describe("T8: a request completes at its doorbell plus a latency of its own", () => {
  const READ: Request = { type: 0, sector: 3, sectors: 1 };
  const LONG: Request = { type: 0, sector: 8, sectors: 8 };
  const WRITE: Request = { type: 1, sector: 3, sectors: 1 };
  /** Doorbell to completion of a request that is alone. */
  const latency = (request: Request) => {
    const { doorbells, completions } = run(prepared(request, 0) + DOORBELL + spin(6000));
    expect([doorbells.length, completions.length]).toEqual([1, 1]);
    return completions[0]! - doorbells[0]!;
  };

  test("which grows with its length, and not with where it is, what is there, or when it comes", () => {
    const one = latency(READ);
    expect(one).toBe(5000 + SECTOR / 16);
    expect(latency(LONG)).toBe(5000 + (8 * SECTOR) / 16);
    expect(latency(WRITE)).toBe(one);
    expect(latency({ ...READ, sector: 40 })).toBe(one);
    const late = run(`${spin(12_345 & ~1)}${prepared(READ, 0)}${DOORBELL}${spin(6000)}`);
    expect(late.completions[0]! - late.doorbells[0]!).toBe(one);
    const other = run(prepared(READ, 0) + DOORBELL + spin(6000), { disk: disk.map((byte) => byte ^ 0xff) });
    expect(other.completions[0]! - other.doorbells[0]!).toBe(one);
  });

  test("whatever else is in flight: a short one that is told of later comes first", () => {
    const { doorbells, completions, machine } = run(
      prepared(LONG, 0) + DOORBELL + spin(100) + prepared(READ, 1) + DOORBELL + spin(9000),
    );
    expect(completions).toEqual([doorbells[0]! + latency(LONG), doorbells[1]! + latency(READ)].sort((a, b) => a - b));
    expect(completions[0]).toBe(doorbells[1]! + latency(READ));
    const { memory } = machine.parts.platform;
    // The used ring has the heads in order of completion.
    expect([memory.read(USED + 4, 4), memory.read(USED + 12, 4)]).toEqual([3n, 0n]);
  });

  test("whatever the technique, the tier, the slices, and whether anybody looks", () => {
    const source = prepared(READ, 0) + DOORBELL + prepared(WRITE, 1) + DOORBELL + spin(8000);
    const expected = run(source);
    for (const technique of [native, full, rewritingTrap]) {
      for (const [tier, slice] of [
        ["reference", 997],
        ["interpreter", 1],
        ["jit", 5000],
      ] as const) {
        const again = run(source, { technique, tier, threshold: 2 }, slice);
        expect(again.events, `${technique.name} ${tier}`).toEqual(expected.events);
        expect(again.machine.digest()).toEqual(expected.machine.digest());
      }
    }
    const unlogged = run(source, { logging: false });
    expect(unlogged.machine.digest()).toEqual(expected.machine.digest());
  });

  test("and touches memory then, not before: the guest sees its buffer change between two instructions", () => {
    const poll = (steps: number) =>
      `${prepared(READ, 0)}${DOORBELL}${spin(steps & ~1)}${steps % 2 === 0 ? "" : "nop\n"}li t2, ${BUFFERS}\nld s2, 0(t2)\nld s3, 0(t2)\n${spin(6000)}`;
    const bytes = new DataView(disk.buffer, 3 * SECTOR).getBigUint64(0, true);
    const seen = new Set<string>();
    // Round the completion, whose step the first run tells.
    const { doorbells, completions } = run(poll(2000));
    const distance = completions[0]! - doorbells[0]!;
    for (let steps = distance - 10; steps < distance - 2; steps++) {
      const { machine } = run(poll(steps));
      seen.add(
        [x(machine, 18), x(machine, 19)]
          .map((value) => (value === bytes ? "new" : value === 0n ? "old" : "torn"))
          .join(" "),
      );
    }
    expect([...seen].sort()).toEqual(["new new", "old new", "old old"]);
  });

  test("a write takes its data from memory as it is at completion", () => {
    const { machine } = run(
      `${word(BUFFERS, 1, "sd")}${prepared(WRITE, 0)}${DOORBELL}${word(BUFFERS, 2, "sd")}${spin(6000)}${word(BUFFERS, 3, "sd")}${prepared({ ...READ }, 1)}${DOORBELL}${spin(6000)}li t2, ${BUFFERS + 0x4000}\nld s2, 0(t2)\n`,
    );
    expect(x(machine, 18)).toBe(2n);
  });
});
