/**
 * Loads and stores by bigint address, for instructions that TypeScript carries out: in RAM, across pages, and at devices.
 *
 * One code for the hart's own accesses and for a VMM that makes them for its guest: only the translation differs.
 *
 * @module
 */
import type { BlockKind, MemorySize } from "../isa/emit.ts";
import type { DecodeCache } from "./decode-cache.ts";
import { CAUSE, Trap } from "./evaluate.ts";
import * as at from "./layout.ts";
import type { MachineMemory } from "./memory.ts";
import { ACCESS, type Access, PAGE_FAULT } from "./paging.ts";

/** What lies beyond RAM. An access that nothing answers gives undefined or false, and becomes an access fault. */
export interface PhysicalBus {
  read(physical: number, size: MemorySize): bigint | undefined;
  write(physical: number, size: MemorySize, value: bigint): boolean;
  /** Whether anything lies at the address. */
  answers(physical: number): boolean;
}

/** Bytes of a cache block, as the device tree says it. */
export const BLOCK_BYTES = 64;

/** Fault causes by access. */
export const PAGE_CAUSE = [CAUSE.loadPage, CAUSE.storePage, CAUSE.fetchPage] as const;
export const ACCESS_CAUSE = [CAUSE.loadAccess, CAUSE.storeAccess, CAUSE.fetchAccess] as const;

/** @returns The physical address of `size` bytes that lie in one page, or a negative fault. */
export type Translate = (low: number, high: number, access: Access, size: number) => number;

export class MemoryAccess {
  /** Set by an access that a device answered. */
  deviceAnswered = false;
  /** A doubleword whose stores are told of; such a store counts as answered by a device. */
  watch: { readonly physical: number; readonly onStore: () => void } | undefined;
  readonly #memory: MachineMemory;
  readonly #bus: PhysicalBus;
  readonly #decoded: DecodeCache;
  readonly #translate: Translate;
  readonly #holds: (physical: number, size: number) => boolean;

  /** @param holds Whether bytes are RAM that this side may touch. */
  constructor(parts: {
    memory: MachineMemory;
    bus: PhysicalBus;
    decoded: DecodeCache;
    translate: Translate;
    holds: (physical: number, size: number) => boolean;
  }) {
    this.#memory = parts.memory;
    this.#bus = parts.bus;
    this.#decoded = parts.decoded;
    this.#translate = parts.translate;
    this.#holds = parts.holds;
  }

  /** @throws {Trap} The fault, if there is one. */
  physical(address: bigint, access: Access, size: number): number {
    const physical = this.#translate(Number(address & 0xffff_ffffn), Number(address >> 32n), access, size);
    if (physical >= 0) return physical;
    throw new Trap((physical === PAGE_FAULT ? PAGE_CAUSE : ACCESS_CAUSE)[access], address);
  }

  load(address: bigint, size: MemorySize, kind: "load" | "reserve" | "amo"): bigint {
    const access = kind === "amo" ? ACCESS.store : ACCESS.load;
    if (Number(address & 4095n) + size > 4096) {
      const [first, head, second] = this.#across(address, size, access);
      return this.#memory.read(first, head) | (this.#memory.read(second, size - head) << BigInt(8 * head));
    }
    const physical = this.physical(address, access, size);
    if (this.#holds(physical, size)) return this.#memory.read(physical, size);
    // Atomics and misaligned accesses never reach a device (T13).
    const value = kind === "load" && physical % size === 0 ? this.#bus.read(physical, size) : undefined;
    if (value === undefined) throw new Trap(ACCESS_CAUSE[access], address);
    this.deviceAnswered = true;
    return value;
  }

  store(address: bigint, size: MemorySize, value: bigint): void {
    if (Number(address & 4095n) + size > 4096) {
      const [first, head, second] = this.#across(address, size, ACCESS.store);
      this.write(first, head, value);
      this.write(second, size - head, value >> BigInt(8 * head));
      return;
    }
    const physical = this.physical(address, ACCESS.store, size);
    if (this.#holds(physical, size)) {
      this.write(physical, size, value);
      return;
    }
    if (physical % size !== 0 || !this.#bus.write(physical, size, value)) throw new Trap(CAUSE.storeAccess, address);
    this.deviceAnswered = true;
  }
  /** Writes RAM; decoded code follows. */
  write(physical: number, size: number, value: bigint): void {
    this.#memory.write(physical, size, value);
    this.#decoded.written(physical, size);
    const { watch } = this;
    if (watch === undefined || physical >= watch.physical + 8 || physical + size <= watch.physical) return;
    this.deviceAnswered = true;
    watch.onStore();
  }

  /**
   * Acts on the cache block that holds an address. A fault names the address itself, and is a store's in any case ("CMO Extensions", "Traps").
   *
   * @throws {Trap} The fault: zeroing needs what a store needs, the others what a load needs.
   */
  block(kind: BlockKind, address: bigint): void {
    const start = BigInt.asUintN(64, address & -BigInt(BLOCK_BYTES));
    const low = Number(start & 0xffff_ffffn);
    const physical = this.#translate(
      low,
      Number(start >> 32n),
      kind === "zero" ? ACCESS.store : ACCESS.load,
      BLOCK_BYTES,
    );
    if (physical === PAGE_FAULT) throw new Trap(CAUSE.storePage, address);
    if (kind !== "zero" && physical >= 0 && this.#bus.answers(physical)) return;
    if (physical < 0 || !this.#holds(physical, BLOCK_BYTES)) throw new Trap(CAUSE.storeAccess, address);
    if (kind !== "zero") return;
    for (let offset = 0; offset < BLOCK_BYTES; offset += 8) this.write(physical + offset, 8, 0n);
  }

  /** Both pages are translated before any effect; a fault names the first byte of the page that faults (T13). */
  #across(address: bigint, size: number, access: Access): readonly [first: number, head: number, second: number] {
    const head = 4096 - Number(address & 4095n);
    const next = BigInt.asUintN(64, address + BigInt(head));
    const first = this.physical(address, access, head);
    if (!this.#holds(first, head)) throw new Trap(ACCESS_CAUSE[access], address);
    const second = this.physical(next, access, size - head);
    if (!this.#holds(second, size - head)) throw new Trap(ACCESS_CAUSE[access], next);
    return [first, head, second];
  }

  /** Reserves the doubleword that `load` has just translated. */
  reserve(address: bigint): void {
    this.#memory.u32[at.RESERVATION >>> 2] = this.#memory.linear(this.physical(address, ACCESS.load, 1)) & ~7;
  }
  /** Whether the reservation covers `address`; it ends either way (T12). Beyond RAM there is none to cover: atomics never reach a device. */
  takeReservation(address: bigint, size: 4 | 8): boolean {
    const physical = this.physical(address, ACCESS.store, size);
    const reserved = this.#memory.u32[at.RESERVATION >>> 2]!;
    this.#memory.u32[at.RESERVATION >>> 2] = 0;
    if (!this.#holds(physical, size)) throw new Trap(CAUSE.storeAccess, address);
    return reserved === (this.#memory.linear(physical) & ~7);
  }
}
