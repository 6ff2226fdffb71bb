/** The disk by hypercall: what it moves and when, what it refuses, and that no completion is lost (docs/hypercalls.md, "The disk"). */
import { describe, expect, test } from "vitest";
import { x } from "../boot.fixture.ts";
import { eventsOf } from "../event/record.ts";
import type { Machine } from "../machine/machine.ts";
import { para } from "../techniques/para.ts";
import {
  type Argument,
  call,
  DENIED,
  INVALID_ADDRESS,
  INVALID_PARAM,
  NOT_SUPPORTED,
  ported,
  put,
  RAM_END,
  STAY,
  TABLE,
} from "./hypercalls.fixture.ts";
import { FIELDS } from "./state-page.ts";

const DISK = Uint8Array.from({ length: 64 * 512 }, (_, at) => ((at >> 9) * 3 + at) & 0xff);
const REQUESTS = 0x8031_0000n;
const BUFFER = 0x8032_0000n;
const WAITING = 0x77n;
const [READ, WRITE, FLUSH] = [0, 1, 2] as const;

/** Stores of a request, the `index`th from `REQUESTS` on. */
const request = (index: number, kind: Argument, sector: Argument, address: Argument, sectors: Argument): string =>
  [kind, sector, address, sectors, WAITING]
    .map((word, at) => put(REQUESTS + BigInt(40 * index + 8 * at), BigInt.asUintN(64, BigInt(word))))
    .join("");
const kernel = (source: string, disk: Uint8Array | undefined = DISK): Machine =>
  ported(source, { technique: para, ...(disk === undefined ? {} : { disk }) });
const submitting = (requests: string, count: Argument, address: Argument = REQUESTS): Machine =>
  kernel(`${call("disk")}${requests}${call("submit", address, count)}${STAY}`);

const read = ({ parts }: Machine, address: bigint, length: number): Uint8Array =>
  parts.platform.memory.view(Number(address), length).slice();
const status = ({ parts }: Machine, index = 0): bigint =>
  parts.platform.memory.read(Number(REQUESTS) + 40 * index + 32, 8);
const pending = ({ parts }: Machine): boolean => (parts.platform.guest.pending & 2) !== 0;
const answer = (machine: Machine): [bigint, bigint] => [x(machine, 10), x(machine, 11)];
/** Runs until the `count`th submit was answered, and says at which step. */
function submitted(machine: Machine): number {
  for (;;) {
    machine.run(machine.step + 1);
    const made = [...eventsOf(machine.log.drain())].find((event) => event.kind === "hypercall" && event.call === 17);
    if (made !== undefined) return made.step;
    if (machine.step > 4000) throw new RangeError("the kernel never submits");
  }
}

describe("requests", () => {
  test("`disk` says how many sectors there are, as often as it is asked; without a disk it is not there", () => {
    const machine = kernel(`${call("disk")}mv s2, a1\n${call("disk")}${STAY}`);
    machine.run(200);
    expect([...answer(machine), x(machine, 18)]).toEqual([0n, 64n, 64n]);
    const without = ported(`${call("disk")}${STAY}`);
    without.run(200);
    expect(answer(without)).toEqual([NOT_SUPPORTED, 0n]);
  });

  test("a read moves its sectors at submission plus 5,000 steps and one for each 16 bytes, and no step earlier (T8)", () => {
    const machine = submitting(request(0, READ, 3, BUFFER, 2), 1);
    const at = submitted(machine);
    machine.run(at + 5000 + 64 - 1);
    expect([read(machine, BUFFER, 1024), status(machine), pending(machine)]).toEqual([
      new Uint8Array(1024),
      WAITING,
      false,
    ]);
    machine.run(at + 5000 + 64 + 1);
    expect([read(machine, BUFFER, 1024), status(machine), pending(machine)]).toEqual([
      DISK.slice(3 * 512, 5 * 512),
      0n,
      true,
    ]);
  });

  test("a write takes what the memory holds at its completion", () => {
    const stores = `${request(0, WRITE, 60, BUFFER, 1)}${put(BUFFER, 0x1111n)}`;
    const machine = kernel(`${call("disk")}${stores}${call("submit", REQUESTS, 1)}${put(BUFFER, 0x2222n)}${STAY}`);
    machine.run(8000);
    expect(machine.disk!.slice(60 * 512, 60 * 512 + 8)).toEqual(Uint8Array.of(0x22, 0x22, 0, 0, 0, 0, 0, 0));
    expect(status(machine)).toBe(0n);
  });

  test("a request is read once: what the kernel stores over it afterwards changes nothing", () => {
    const machine = kernel(
      `${call("disk")}${request(0, READ, 1, BUFFER, 1)}${call("submit", REQUESTS, 1)}${request(0, WRITE, 9, 0x10n, 99)}${STAY}`,
    );
    machine.run(8000);
    expect([read(machine, BUFFER, 512), status(machine)]).toEqual([DISK.slice(512, 1024), 0n]);
    expect(machine.disk).toEqual(DISK);
  });

  test("those of one batch complete by their own lengths, each with its status, and a flush needs no more than its kind", () => {
    const machine = submitting(
      request(0, READ, 0, BUFFER, 32) + request(1, READ, 40, BUFFER + 0x8000n, 1) + request(2, FLUSH, -1, -1, -1),
      3,
    );
    const at = submitted(machine);
    expect(answer(machine)).toEqual([0n, 3n]);
    const seen = [5001, 5033, 5000 + 1024 + 1].map((after) => {
      machine.run(at + after);
      return [0, 1, 2].map((index) => status(machine, index));
    });
    expect(seen).toEqual([
      [WAITING, WAITING, 0n],
      [WAITING, 0n, 0n],
      [0n, 0n, 0n],
    ]);
    expect(read(machine, BUFFER, 32 * 512)).toEqual(DISK.slice(0, 32 * 512));
    const moved = [...eventsOf(machine.log.drain())].filter((event) => event.kind === "dma");
    expect(moved.map(({ device }) => device)).toContain("hypercall-disk");
  });
});

describe("hostile requests", () => {
  const refused: [string, string, Argument, Argument, bigint][] = [
    ["a kind that there is not", request(0, 3, 0, BUFFER, 1), 1, REQUESTS, INVALID_PARAM],
    ["a kind of 64 bits", request(0, 2n ** 63n, 0, BUFFER, 1), 1, REQUESTS, INVALID_PARAM],
    ["no sectors", request(0, READ, 0, BUFFER, 0), 1, REQUESTS, INVALID_PARAM],
    ["more sectors than a request has", request(0, READ, 0, BUFFER, 2049), 1, REQUESTS, INVALID_PARAM],
    ["sectors behind the disk's end", request(0, WRITE, 63, BUFFER, 2), 1, REQUESTS, INVALID_PARAM],
    ["a sector that wraps around", request(0, READ, -1, BUFFER, 2), 1, REQUESTS, INVALID_PARAM],
    ["a count that wraps around", request(0, READ, 1, BUFFER, -1), 1, REQUESTS, INVALID_PARAM],
    ["memory behind RAM", request(0, READ, 0, RAM_END, 1), 1, REQUESTS, INVALID_ADDRESS],
    ["memory across the end of RAM", request(0, READ, 0, RAM_END - 256n, 1), 1, REQUESTS, INVALID_ADDRESS],
    ["the VMM's memory", request(0, WRITE, 0, RAM_END + 0x1000n, 1), 1, REQUESTS, INVALID_ADDRESS],
    ["a device's registers", request(0, READ, 0, 0x1000_1000n, 1), 1, REQUESTS, INVALID_ADDRESS],
    ["an address of 64 bits", request(0, READ, 0, -4096, 1), 1, REQUESTS, INVALID_ADDRESS],
    ["an odd address", request(0, READ, 0, BUFFER + 4n, 1), 1, REQUESTS, INVALID_ADDRESS],
    ["65 requests", "", 65, REQUESTS, INVALID_PARAM],
    ["a count of 64 bits", "", -1, REQUESTS, INVALID_PARAM],
    ["requests that lie across the end of RAM", "", 2, RAM_END - 40n, INVALID_ADDRESS],
    ["requests in no memory", "", 1, 0, INVALID_ADDRESS],
    ["requests at an odd address", "", 1, REQUESTS + 4n, INVALID_ADDRESS],
  ];
  test.each(refused)("%s: refused, and nothing happens", (_name, requests, count, address, error) => {
    const machine = submitting(requests, count, address);
    submitted(machine);
    expect(answer(machine)).toEqual([error, 0n]);
    machine.run(machine.step + 10_000);
    expect([machine.disk, pending(machine), machine.end]).toEqual([DISK, false, undefined]);
  });

  test("a batch begins up to the first that is refused, and says how many that were", () => {
    const machine = submitting(
      request(0, READ, 0, BUFFER, 1) + request(1, READ, 99, BUFFER, 1) + request(2, READ, 2, BUFFER + 0x1000n, 1),
      3,
    );
    submitted(machine);
    expect(answer(machine)).toEqual([INVALID_PARAM, 1n]);
    machine.run(machine.step + 10_000);
    expect([0, 1, 2].map((index) => status(machine, index))).toEqual([0n, WAITING, WAITING]);
    expect(read(machine, BUFFER + 0x1000n, 8)).toEqual(new Uint8Array(8));
  });

  test("before `disk` there is nothing to submit to", () => {
    const machine = kernel(`${request(0, READ, 0, BUFFER, 1)}${call("submit", REQUESTS, 1)}${STAY}`);
    submitted(machine);
    expect(answer(machine)).toEqual([DENIED, 0n]);
  });

  test("64 requests are in flight at most", () => {
    const all = Array.from({ length: 64 }, (_, index) => request(index, READ, index, BUFFER, 1)).join("");
    const machine = kernel(
      `${call("disk")}${all}${call("submit", REQUESTS, 64)}mv s2, a1\n${call("submit", REQUESTS, 1)}${STAY}`,
    );
    machine.run(4000);
    expect([x(machine, 18), ...answer(machine)]).toEqual([64n, DENIED, 0n]);
  });

  test("a page table is not read into, whether it is guarded before or behind the submission, and neither is a status", () => {
    const before = kernel(
      `${call("disk")}${call("guard", TABLE)}${request(0, READ, 0, TABLE - 512n, 2)}${call("submit", REQUESTS, 1)}${STAY}`,
    );
    submitted(before);
    expect(answer(before)).toEqual([DENIED, 0n]);
    const behind = kernel(
      `${call("disk")}${request(0, READ, 0, TABLE, 1)}${call("submit", REQUESTS, 1)}${call("guard", TABLE)}${STAY}`,
    );
    behind.run(8000);
    expect([status(behind), read(behind, TABLE, 512)]).toEqual([DENIED, new Uint8Array(512)]);
    const at = kernel(
      `${call("disk")}${request(0, READ, 0, BUFFER, 1)}${call("submit", REQUESTS, 1)}${call("guard", REQUESTS)}${STAY}`,
    );
    at.run(8000);
    expect([status(at), read(at, BUFFER, 512), pending(at)]).toEqual([WAITING, DISK.slice(0, 512), true]);
  });
});

describe("the event", () => {
  /** Counts events in s2 and what is complete of two requests at each in s3, and waits in between. */
  const waiting = (second: number): string => `
    la a0, handler
    ${call("register").replace("li a0, 0\n", "")}
    ${call("enable", 2)}
    ${call("disk")}
    ${request(0, READ, 0, BUFFER, 1)}${request(1, READ, 5, BUFFER + 0x1000n, second)}
    li s4, ${REQUESTS}
    ${call("submit", REQUESTS, 2)}
    2: ${call("block", 1)}
    sb zero, ${FIELDS.sieFlag.offset}(x0)
    j 2b
    .align 2
    handler:
    addi s2, s2, 1
    slli s3, s3, 2
    ld t3, 32(s4)
    seqz t3, t3
    or s3, s3, t3
    ld t3, 72(s4)
    seqz t3, t3
    slli t3, t3, 1
    or s3, s3, t3
    sd a6, ${FIELDS.spill0.offset}(x0)
    sd a7, ${FIELDS.spill1.offset}(x0)
    ${call("return")}
  `;

  test("one for each time at which something completes: two completions apart are two", () => {
    const machine = kernel(waiting(8));
    machine.run(20_000);
    expect([x(machine, 18), x(machine, 19), pending(machine)]).toEqual([2n, 0b01_11n, false]);
    expect(read(machine, BUFFER + 0x1000n, 8 * 512)).toEqual(DISK.slice(5 * 512, 13 * 512));
  });

  test("two at the same time are one event, which finds both complete", () => {
    const machine = kernel(waiting(1));
    machine.run(20_000);
    expect([x(machine, 18), x(machine, 19)]).toEqual([1n, 0b11n]);
  });

  test("with interrupts closed it waits, and the state page says that it does", () => {
    const machine = kernel(
      `${call("enable", 2)}${call("disk")}${request(0, READ, 0, BUFFER, 1)}${call("submit", REQUESTS, 1)}${STAY}`,
    );
    machine.run(8000);
    const vmm = machine.parts.execution as unknown as { state: { read(name: "pending"): bigint } };
    expect([pending(machine), vmm.state.read("pending") !== 0n]).toEqual([true, true]);
  });
});

describe("snapshots", () => {
  test("a run that is saved and restored between any two steps around submission and completion goes on as it would have", () => {
    const source = `${call("enable", 2)}${call("disk")}${request(0, READ, 0, BUFFER, 1)}${request(1, WRITE, 7, BUFFER, 3)}${call("submit", REQUESTS, 2)}${STAY}`;
    const whole = kernel(source);
    whole.run(9000);
    const from = kernel(source);
    const at = submitted(from);
    for (const step of [at + 1, at + 100, at + 5031, at + 5033, at + 5095]) {
      from.run(step);
      const restored = kernel(source);
      restored.load(from.save());
      expect(restored.save()).toEqual(from.save());
      restored.run(9000);
      expect(restored.digest()).toEqual(whole.digest());
      expect(restored.disk).toEqual(whole.disk);
    }
  });

  test("a state with a request outside RAM or off the disk is refused", () => {
    const machine = submitting(request(0, READ, 0, BUFFER, 1), 1);
    submitted(machine);
    const { kept } = machine.parts.execution;
    const words = new BigUint64Array(kept!.save().slice().buffer);
    // Behind the kernel's own fields: the count of words, whether it has the disk, then kind, offset, address, length, status, time.
    const first = words.indexOf(7n);
    for (const [at, value] of [
      [0, 2n ** 40n],
      [1, 2n],
      [2, 9n],
      [3, 2n ** 40n],
      [4, RAM_END],
      [5, 2n ** 40n],
      [6, 0n],
    ] as const) {
      const bad = words.slice();
      bad[first + at] = value;
      expect(() => kept!.load(new Uint8Array(bad.buffer)), String(at)).toThrow(/^Cannot load /);
    }
  });
});
