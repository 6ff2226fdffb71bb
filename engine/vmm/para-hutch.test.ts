/** hutch's port to the VMM: what it costs in exits, that it executes nothing sensitive, and what it says where there is no VMM. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { createMachine, type MachineConfig } from "../create.ts";
import { eventsOf } from "../event/record.ts";
import { leakyX86, strict } from "../isa/profile.ts";
import { siteClassOf } from "../isa/sites.ts";
import { symbolsOf } from "../machine/image.ts";
import type { Machine } from "../machine/machine.ts";
import { full } from "../techniques/full.ts";
import { native } from "../techniques/native.ts";
import { para } from "../techniques/para.ts";
import { CALL } from "./hypercalls.ts";
import type { Vmm } from "./vmm.ts";

const kernel = readFileSync(new URL("../../experiments/guests/hutch/prebuilt/hutch-para.elf", import.meta.url));

const hutch = (append: string, options: Partial<MachineConfig> = {}): Machine =>
  createMachine({
    kernel,
    append,
    memoryBytes: 16 << 20,
    rtcSeconds: 0,
    machineMode: false,
    profile: strict,
    technique: para,
    logging: true,
    disk: new Uint8Array(1 << 20),
    tier: "interpreter",
    ...options,
  });
const said = (machine: Machine): string => new TextDecoder().decode(machine.console);

/** Exits by reason from the begin mark to the end mark. */
function measured(command: string): { exits: Record<string, number>; calls: number; machine: Machine } {
  const machine = hutch(command);
  expect(machine.run(10_000_000)).toMatchObject({ kind: "end", reason: "poweroff", code: 0 });
  const exits: Record<string, number> = {};
  let [inside, calls] = [false, 0];
  for (const event of eventsOf(machine.log.drain())) {
    if (event.kind === "mark") inside = event.code >>> 8 === 1 || (inside && event.code >>> 8 !== 2);
    else if (event.kind === "vmm.exit" && inside) exits[event.reason] = (exits[event.reason] ?? 0) + 1;
    else if (event.kind === "hypercall" && inside) calls++;
  }
  return { exits, calls, machine };
}

describe("hutch-para", () => {
  test("null-syscall costs 2 exits: into the kernel, and out of it", () => {
    expect(measured("null-syscall 50").exits).toEqual({ "environment-call": 50, hypercall: 50 });
  });

  test("context-switch costs 2: the address space changes with the return", () => {
    const { exits } = measured("context-switch 200");
    expect(exits["environment-call"]).toBe(200);
    expect(exits.hypercall).toBe(200);
    // Roots and leaves are filled in the first few, and kept.
    expect(exits["page-fault"]).toBeLessThan(25);
    expect(
      Object.keys(exits).filter((reason) => !["environment-call", "hypercall", "page-fault"].includes(reason)),
    ).toEqual([]);
  });

  test("irq-toggle costs none, and 8 machine instructions a pair", () => {
    expect(measured("irq-toggle 10").exits).toEqual(measured("irq-toggle 1000").exits);
    const [few, many] = ["irq-toggle 1000", "irq-toggle 2000"].map((command) => measured(command).machine.instret);
    // Digits more or less are printed by the same program.
    expect((many! - few!) / 1000).toBeGreaterThanOrEqual(8);
    expect((many! - few!) / 1000).toBeLessThan(8.1);
  });

  test("a page fault of user code costs 2, its hidden faults apart", () => {
    const { exits } = measured("page-fault 100");
    // One mapping serves them all, and its system call.
    expect(exits.hypercall).toBeLessThan(110);
    expect(exits["environment-call"]).toBeLessThan(10);
  });

  test.each([
    ["fork-exec 3", "fork-exec: 3 processes, 3 ended well"],
    ["pipe 10", "pipe: 10 messages, all read"],
    ["timer-tick 3", "timer-tick: 3 ticks"],
    ["disk-read 3", "disk-read: 3 blocks"],
    ["compute 3", "compute: 3 rounds"],
    ["signal 3", "signal: 3 sent, 3 handled"],
  ])("runs %s", (command, text) => {
    const machine = hutch(command);
    expect(machine.run(10_000_000)).toMatchObject({ kind: "end", reason: "poweroff", code: 0 });
    expect(said(machine)).toContain(text);
  });

  test.each([
    ["fork-exec 3", "fork-exec: 3 processes, 3 ended well"],
    ["page-fault 40", "page-fault: 40 pages, 40 of them fresh"],
    ["pipe 5", "pipe: 5 messages, all read"],
  ])("runs %s with page tables that it may only read, which it changes in batches", (command, text) => {
    const machine = hutch(`guard ${command}`);
    const vmm = machine.parts.execution as Vmm;
    const { tables } = vmm.kept!;
    let most = 0;
    for (;;) {
      const stop = machine.run(machine.step + 5003);
      most = Math.max(most, tables.frames().length);
      for (const { frame, flags } of vmm.shadow.leaves()) if (tables.has(frame)) expect(flags & 4).toBe(0);
      if (stop.kind !== "until") break;
    }
    expect(machine.end).toMatchObject({ reason: "poweroff", code: 0 });
    expect(said(machine)).toContain(text);
    expect(most).toBeGreaterThan(3);
    const calls: Record<number, number> = {};
    for (const event of eventsOf(machine.log.drain())) {
      // The kernel itself never stores to one, and nothing is refused.
      if (event.kind === "vmm.exit") expect(event.reason).not.toBe("table-write");
      if (event.kind !== "hypercall") continue;
      expect(event.error).toBe(0n);
      calls[event.call] = (calls[event.call] ?? 0) + 1;
    }
    expect(calls[CALL.update]).toBeGreaterThan(10);
    expect(calls[CALL.guard]! - calls[CALL.unguard]!).toBe(tables.frames().length);
  });

  test("runs in user mode of the real hart, at every resume", () => {
    const machine = hutch("null-syscall 10");
    const vmm = machine.parts.execution as Vmm;
    const { hart } = machine.parts.platform;
    const modes = new Set<number>();
    const run = hart.run.bind(hart);
    hart.run = (budget) => {
      modes.add(vmm.realMode);
      return run(budget);
    };
    machine.run(10_000_000);
    expect([...modes]).toEqual([0]);
  });

  test("has no sensitive instruction, and runs where they do not trap as it runs where they do", () => {
    const text = symbolsOf(kernel);
    const [start, end] = [text.get("text_start")!, text.get("text_end")!];
    const machine = hutch("null-syscall 10");
    const { memory, hart } = machine.parts.platform;
    const found: string[] = [];
    for (let at = Number(start & 0xffff_ffffn); at < Number(end & 0xffff_ffffn); at += 2) {
      const bits = Number(memory.read(at, 4));
      if ((bits & 3) !== 3) continue;
      const decoded = hart.decoded.decodeAt(bits & 0xffff, bits >>> 16);
      // Aligned or not: the second half of another instruction is none of these either.
      if (decoded !== undefined && siteClassOf(decoded) !== undefined)
        found.push(`${at.toString(16)} ${decoded.instruction.mnemonic}`);
    }
    expect(found).toEqual([]);
    const digests = [strict, leakyX86].map((profile) => {
      const one = hutch("fork-exec 2", { profile });
      expect(one.run(10_000_000)).toMatchObject({ kind: "end", reason: "poweroff" });
      expect((one.parts.execution as Vmm).leaked).toEqual({ user: 0, supervisor: 0 });
      return [one.step, said(one)];
    });
    expect(digests[1]).toEqual(digests[0]);
  });

  test("runs the same however its run is cut, and in every tier (T21)", () => {
    const whole = hutch("timer-tick 2; pipe 3");
    whole.run(10_000_000);
    for (const [slice, tier] of [
      [977, "interpreter"],
      [10_000_000, "jit"],
      [10_000_000, "reference"],
    ] as const) {
      const cut = hutch("timer-tick 2; pipe 3", { tier, threshold: 2 });
      while (cut.run(cut.step + slice).kind === "until");
      expect(cut.digest(), `${slice} ${tier}`).toEqual(whole.digest());
    }
  }, 60_000);

  test.each([native, full])("says on the machine of %o that there is no VMM for it, and fails", (technique) => {
    const machine = hutch("null-syscall 10", { technique });
    expect(machine.run(100_000)).toMatchObject({ kind: "end", reason: "panic", code: 1 });
    expect(said(machine)).toBe(
      "hutch-para: cannot run without Trapline's VMM, as the SBI has no hypercalls: boot hutch.elf, or use --technique para\n",
    );
  });
});
