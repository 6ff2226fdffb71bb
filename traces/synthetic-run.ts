/**
 * A made-up run with the mix of a small Unix-like guest: system calls, page faults, timer ticks, console output, disk requests;
 * and, where asked for, the machine stream of a VMM that traps and emulates. For tests and measurements of traces.
 *
 * Left out: any claim that a real guest has this mix. Figures that matter are taken from real runs.
 *
 * @module
 */

import { Log } from "../engine/event/mod.ts";

export interface SyntheticRunOptions {
  /** Rounds, of about 6 guest events each. */
  readonly rounds: number;
  /** Whether the machine stream of a VMM is logged too: about 8 times as many events. */
  readonly vmm: boolean;
  readonly seed?: number;
  /** Called after each round. */
  readonly afterRound?: (log: Log, round: number) => void;
}

const KERNEL = 0xffff_ffff_8000_0000n;
/** Offsets in the kernel of the trap handler's sensitive instructions, with their bits. */
const HANDLER: readonly (readonly [number, number])[] = [
  [0x140, 0x1401_1173],
  [0x1c4, 0x1410_22f3],
  [0x1c8, 0x1000_2373],
  [0x1cc, 0x1420_23f3],
  [0x1d0, 0x1430_2473],
  [0x2f0, 0x1002_9073],
  [0x2f4, 0x1413_1073],
  [0x338, 0x1401_1173],
  [0x344, 0x1020_0073],
];

/** Logs the run. Equal options give equal events. */
export function syntheticRun(options: SyntheticRunOptions): Log {
  const log = new Log({ enabled: true });
  let state = options.seed ?? 1;
  // A linear congruential generator: its high bits are random enough, and the same everywhere.
  const random = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 8) % below;
  };
  let step = 0;
  let nextTick = 100_000;

  const exit = (reason: string, pc: bigint, bits: number, work: readonly (readonly [string, number])[]) => {
    if (!options.vmm) return;
    log.append("vmm.exit", step, { reason, pc, bits });
    for (const [name, count] of work) log.append("vmm.work", step, { work: name, count });
    log.append("vmm.resume", step, { mode: 1, real: 0 });
  };
  const handler = (from: number, to: number) => {
    for (const [offset, bits] of HANDLER.slice(from, to)) {
      step += 4 + random(6);
      exit("privileged-instruction", KERNEL + BigInt(offset), bits, [
        ["decode", 1],
        ["emulate", 1],
      ]);
    }
  };
  const trap = (cause: number, pc: bigint, value: bigint) => {
    exit("exception", pc, 0x73, [["inject", 1]]);
    if (options.vmm) log.append("vmm.inject", step, { cause, pc });
    log.append("guest.trap", step++, { cause, pc, value, from: 0, to: 1 });
    handler(0, 5);
    step += 40 + random(12) * 7;
  };
  const back = (pc: bigint) => {
    handler(5, 9);
    log.append("guest.return", step++, { pc, from: 1, to: 0 });
  };

  for (let round = 0; round < options.rounds; round++) {
    step += 60 + random(4) * 33;
    const site = 0x1_0000n + BigInt(Math.min(random(300), random(300)) * 52);
    trap(8, site, 0n);
    back(site + 4n);
    if (random(4) === 0) {
      const address = 0x3fff_0000n + BigInt(random(512) << 12) + BigInt(random(64) * 8);
      trap(random(2) === 0 ? 13 : 15, site + 0x20n, address);
      if (options.vmm) {
        log.append("vmm.work", step, { work: "walk-step", count: 3 });
        log.append("shadow.fill", step, { root: 1 + (round % 6), address: address & ~0xfffn, level: 0 });
      }
      back(site + 0x20n);
    }
    if (random(8) === 0) {
      for (let i = 0; i < 12; i++) {
        step += 9;
        exit("device-access", KERNEL + 0x2210n, 0x0055_8783, [["emulate", 1]]);
        log.append("device.read", step, { device: "uart", offset: 5, size: 1, value: 0x60 });
        step += 5;
        exit("device-access", KERNEL + 0x2220n, 0x00e5_0023, [["emulate", 1]]);
        log.append("device.write", step, { device: "uart", offset: 0, size: 1, value: 0x61 + random(26) });
      }
    }
    if (random(16) === 0) {
      step += 200;
      log.append("device.write", step, { device: "virtio-block", offset: 0x50, size: 4, value: 0 });
      const address = 0x8040_0000 + random(256) * 4096;
      const hash = (BigInt(Math.imul(state, 0x9e37_79b1) >>> 0) << 32n) | BigInt(state);
      log.append("idle", step, { ticks: 9000 + random(100) });
      log.append("dma", step, { device: "virtio-block", address, length: 1024, write: 1, hash });
      log.append("interrupt", step, { cause: 9, pc: KERNEL + 0x880n, from: 1, to: 1 });
    }
    if (step > nextTick) {
      nextTick += 100_000;
      const pc = 0x1_2000n + BigInt(random(2000) * 2);
      log.append("interrupt", step++, { cause: 5, pc, from: 0, to: 1 });
      handler(0, 5);
      log.append("sbi", step++, {
        extension: 0x5449_4d45,
        function: 0,
        a0: step + 100_000,
        a1: 0,
        a2: 0,
        error: 0,
        value: 0,
      });
      back(pc);
    }
    if (round % 1000 === 999) {
      log.append("mark", step++, { code: 0x301 });
      const digest = BigInt(state) * 0x1234_5678_9abc_def1n;
      log.append("checkpoint", step, { digestLow: digest, digestHigh: ~digest, instret: step - 5, time: step + 100 });
    }
    if (round % 5000 === 4999) {
      log.append("input.console", step, { data: Uint8Array.from("ls -l\r", (c) => c.charCodeAt(0)), request: round });
    }
    options.afterRound?.(log, round);
  }
  log.append("end", step, { reason: "poweroff", code: 0 });
  return log;
}
