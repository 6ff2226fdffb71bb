/**
 * Steps the machine of ours through an image, and compares each state with QEMU's.
 *
 * A step that fetches nothing, an interrupt or a fetch that fails, has no record in QEMU's log: the state after it has. The log has neither
 * fcsr nor the mode nor memory; programs read fcsr, returns and faults show the mode, and loads show memory.
 *
 * @module
 */
import { createMachine, disassemble, type Machine, native, type Tier } from "../../engine/mod.ts";
import { COMPARED } from "./compared.ts";
import type { Image } from "./image.ts";
import { LOGGED } from "./image.ts";
import { RAM_BYTES } from "./memory-map.ts";
import { FIELDS, SATP, STATE_WORDS } from "./qemu-log.ts";

const TVM = 1 << 20;
const SCAUSE = 0x142;
const MCAUSE = 0x342;

/** The machine of ours, with what a comparison needs of it. */
export class Stepper {
  readonly machine: Machine;
  /** The state before the step that {@link step} made last. */
  readonly state = new Uint32Array(STATE_WORDS);
  /** Whether that step fetched nothing. */
  silent = false;
  /** The trap that it was, or -1; and whether that was an interrupt. */
  cause = -1;
  interrupt = false;
  /** The mode before it. */
  mode = 3;
  ended = false;
  /** Whether it waits for an interrupt that nothing will raise. */
  waiting = false;
  readonly #registers: Uint32Array;
  readonly #floats: Uint32Array;

  /** @param onMachine Is given the machine before its first step, to plant a fault in it. */
  constructor(image: Pick<Image, "bytes" | "start">, tier: Tier, onMachine: (machine: Machine) => void = () => {}) {
    this.machine = createMachine({
      kernel: image.bytes, memoryBytes: RAM_BYTES, rtcSeconds: 0, machineMode: true, profile: COMPARED, technique: native, logging: false, tier,
    }); // biome-ignore format: a list
    onMachine(this.machine);
    const { hart } = this.machine.parts.platform;
    const words = (view: BigUint64Array) => new Uint32Array(view.buffer, view.byteOffset, 64);
    this.#registers = words(hart.x);
    this.#floats = words(hart.f);
    for (let i = 0; Number(hart.pc) !== image.start; i++) {
      if (i > 1000)
        throw new RangeError(
          `Cannot start an image as its boot code must reach the programs: pc is 0x${hart.pc.toString(16)}`,
        );
      this.machine.run(this.machine.step + 1);
    }
  }

  /** Keeps the state, then makes a step. */
  step(): void {
    const { machine } = this;
    const { guest } = machine.parts.platform;
    this.capture();
    const { instret } = machine;
    const { kind } = machine.run(machine.step + 1);
    this.ended = kind === "end";
    this.waiting = kind === "waiting";
    this.cause = -1;
    this.silent = false;
    if (machine.instret !== instret || this.ended) return;
    guest.read(guest.mode === 1 ? SCAUSE : MCAUSE);
    this.cause = guest.low;
    this.interrupt = guest.high !== 0;
    this.silent = this.interrupt || this.cause === 1 || this.cause === 12;
  }

  /** Keeps the state as it is. */
  capture(): void {
    const { state } = this;
    const { hart, guest } = this.machine.parts.platform;
    this.mode = guest.mode;
    state[0] = hart.pcLow;
    state[1] = hart.pcHigh;
    state.set(this.#registers, 2);
    state.set(this.#floats, 66);
    let at = 130;
    for (const { number } of LOGGED) {
      guest.read(number);
      state[at] = guest.low;
      state[at + 1] = guest.high;
      at += 2;
    }
    // As QEMU's log has it.
    if (guest.mode === 1 && (guest.status & TVM) !== 0) state.fill(0, 2 * SATP, 2 * SATP + 2);
  }
}

/** Two states that should be equal and are not. */
export interface Mismatch {
  /** Compared states before this one, in the image. */
  readonly at: number;
  /** The instruction executed last, after which they differ: its address and what it was. */
  readonly pc: bigint;
  readonly instruction: string;
  readonly program: number;
  readonly section: number;
  readonly unit: number;
  readonly mode: number;
  /** For example `x5: QEMU 0x1, ours 0x0`. */
  readonly fields: readonly string[];
}

const value = (state: Uint32Array, field: number) =>
  `0x${((BigInt(state[2 * field + 1]!) << 32n) | BigInt(state[2 * field]!)).toString(16)}`;

/** @returns The fields in which two states differ. */
export function differences(ours: Uint32Array, qemu: Uint32Array): string[] {
  return FIELDS.flatMap((name, field) =>
    ours[2 * field] === qemu[2 * field] && ours[2 * field + 1] === qemu[2 * field + 1]
      ? []
      : [`${name}: QEMU ${value(qemu, field)}, ours ${value(ours, field)}`],
  );
}

export function equalStates(ours: Uint32Array, qemu: Uint32Array): boolean {
  for (let i = 0; i < STATE_WORDS; i++) if (ours[i] !== qemu[i]) return false;
  return true;
}

/** Folds a state into a running hash of two words. */
export function fold(hash: Uint32Array, state: Uint32Array): void {
  let [a, b] = [hash[0]!, hash[1]!];
  for (let i = 0; i < STATE_WORDS; i++) {
    a = Math.imul(a ^ state[i]!, 0x0100_0193);
    b = Math.imul(b + state[i]!, 0x85eb_ca6b) ^ (b >>> 13);
  }
  hash[0] = a ^ (b >>> 7);
  hash[1] = b + a;
}

/** Names what was executed at an address, from the image, or from memory where it changed or lies outside the programs. */
export function describe(image: Image, stepper: Stepper, pc: bigint): Omit<Mismatch, "at" | "fields" | "mode"> {
  const { memory } = stepper.machine.parts.platform;
  const physical = pc >= 0xffff_ffff_c000_0000n ? Number(pc - 0xffff_ffff_4000_0000n) : Number(pc);
  const bits = memory.holds(physical, 4) ? Number(memory.read(physical, 4)) : undefined;
  const placed = image.instructions.get(Number(pc));
  return {
    pc,
    instruction:
      bits === undefined ? "nothing that memory holds" : disassemble((bits & 3) === 3 ? bits : bits & 0xffff, pc),
    program: placed?.program ?? -1,
    section: placed?.section ?? -1,
    unit: placed?.unit ?? -1,
  };
}
