/**
 * Hypercalls: what a ported guest's kernel asks of the VMM in place of sensitive instructions. docs/hypercalls.md is the interface.
 *
 * A call is an ecall of the kernel's with {@link EXTENSION} in a7, its number in a6 and its arguments from a0 on; a0 and a1 get the answer, and
 * no other register changes. It counts as an SBI call does (T1). All addresses are guest-physical, and whatever they name is checked to lie in
 * guest RAM and read once: nothing that the guest stores meanwhile changes what was checked.
 *
 * Left out: more than one guest, so that `yield` has nobody to yield to.
 * Source of error numbers: RISC-V Supervisor Binary Interface Specification 2.0, chapter 3; of the extension's: its range for experiments.
 *
 * @module
 */
import { KIND_NUMBER } from "../event/record.ts";
import { PAGE_BYTES } from "../hart/memory.ts";
import { CSR, FS, MXR, SIE, SUM } from "../hart/privileged.ts";
import { PTE, SV48 } from "../hart/translations.ts";
import { REGIONS } from "../isa/csr.ts";
import type { Platform } from "../machine/platform.ts";
import type { DeviceOwners } from "./device-owners.ts";
import { GuardedTables } from "./guarded-tables.ts";
import type { GuestMemory } from "./guest-memory.ts";
import {
  type Answer,
  answer,
  DENIED,
  INVALID_ADDRESS,
  INVALID_PARAM,
  NOT_SUPPORTED,
  SUCCESS,
} from "./hypercall-answer.ts";
import { HypercallDisk, MOST_REQUESTS, REQUEST_BYTES } from "./hypercall-disk.ts";
import type { ShadowTables } from "./shadow.ts";
import { STATE_PAGE, type StatePage } from "./state-page.ts";
import type { VirtualCpu } from "./vcpu.ts";

/** "RP" in the range of experimental extensions, 0x08000000 to 0x08ffffff. */
export const EXTENSION = 0x0800_5250n;
const VERSION = 1n;

/** The calls; a call's number is its place. `arguments` names a0 and the following. Numbers are never given anew. */
export const HYPERCALLS = [
  { name: "probe", arguments: [], doc: "nothing; the value is the interface's version" },
  { name: "register", arguments: ["entry"], doc: "traps enter the kernel at this address, a multiple of 4; the value is the state page's" },
  { name: "enable", arguments: ["interrupts"], doc: "sets sie" },
  { name: "status", arguments: ["mask", "bits"], doc: "sets SUM, MXR and FS of sstatus, as far as the mask has them" },
  { name: "switch", arguments: ["satp", "mask", "bits"], doc: "changes the address space, and sets the status as `status` does" },
  { name: "return", arguments: [], doc: "as sret; a6 and a7 become spill0 and spill1, and the address space `next`, unless that is 0" },
  { name: "flush", arguments: ["what", "start", "count"], doc: "forgets translations: 0 all, 1 those of `count` pages from an address on, 2 those of the address space with this satp value" },
  { name: "timer", arguments: ["time"], doc: "the timer interrupt is pending from this time on" },
  { name: "block", arguments: ["open"], doc: "waits until an interrupt is pending that sie enables; if open is 1, opens interrupts first" },
  { name: "yield", arguments: [], doc: "gives the hart to whoever wants it; an interrupt that waits is taken behind it, if interrupts are open" },
  { name: "write", arguments: ["address", "length"], doc: "writes bytes to the console; the value is how many, at most 4096" },
  { name: "shutdown", arguments: ["kind", "failed"], doc: "ends the run: 0 power off, 1 reboot" },
  { name: "multicall", arguments: ["address", "count"], doc: "makes at most 64 calls, each 6 doublewords: number, a0, a1, a2, then error and value, which are written" },
  { name: "update", arguments: ["address", "count"], doc: "writes at most 512 page-table entries, each 2 doublewords: address, value; the value is how many were written" },
  { name: "guard", arguments: ["table"], doc: "the frame at this address is a page table from now on: the kernel may only read it" },
  { name: "unguard", arguments: ["table"], doc: "the frame is no page table any longer" },
  { name: "disk", arguments: [], doc: "makes the disk the kernel's to `submit` to; the value is its size in sectors of 512 bytes" },
  { name: "submit", arguments: ["address", "count"], doc: "begins at most 64 disk requests, each 5 doublewords: kind, sector, address, sectors, then status, which is written at its completion; the value is how many were begun" },
  { name: "interrupts", arguments: ["open"], doc: "closes interrupts (0) or opens them (1); the value is 1 if they were open" },
  { name: "regions", arguments: ["address"], doc: "sets the 5 region registers to the doublewords there, all or none; on machines that have them" },
] as const; // biome-ignore format: a table

export type HypercallName = (typeof HYPERCALLS)[number]["name"];
export const CALL = Object.fromEntries(HYPERCALLS.map(({ name }, number) => [name, number])) as Readonly<
  Record<HypercallName, number>
>;

const MOST_CALLS = 64;
const MOST_ENTRIES = 512;
const MOST_BYTES = 4096;
const MOST_PAGES = 512n;
/** The pending bit of the interrupt that tells of events. */
const SSIP = 2;
/** What `status` can change. */
const STATUS_BITS = SUM | MXR | FS;

/** Fields of the state page that are the kernel's alone. */
const OWN = ["spill0", "spill1", "spill2", "spill3", "link", "next"] as const;

/** What calls act on. */
export interface HypercallParts {
  readonly platform: Platform;
  readonly vcpu: VirtualCpu;
  readonly state: StatePage;
  readonly memory: GuestMemory;
  readonly shadow: ShadowTables;
  readonly owners: DeviceOwners;
  /** As sfence.vma does, of all or of one address. */
  fence(low?: number, high?: number): void;
  /** Logs that entries were dropped from the shadow. */
  dropped(cause: string, entries: number): void;
}

const RETURN = KIND_NUMBER["guest.return"];

export class Hypercalls {
  /** The guest waits in `block`, rather than at a wfi. */
  blocked = false;
  #opens = false;
  /** The page tables that the kernel may only read. */
  readonly tables: GuardedTables;
  readonly #disk: HypercallDisk;
  readonly #platform: Platform;
  readonly #host: HypercallParts;

  constructor(parts: HypercallParts) {
    this.#platform = parts.platform;
    this.#host = parts;
    const tables = new GuardedTables(parts.platform.memory, parts.fence);
    parts.memory.onLeaf = (entry, root, page) => tables.note(entry, root, page);
    this.tables = tables;
    this.#disk = new HypercallDisk({ ...parts, tables });
  }

  /** Forgets what the kernel has put into the VMM's keeping. */
  reset(): void {
    this.tables.reset();
    this.#disk.reset();
  }

  /** The kernel takes the interrupt that tells it of events: the next event needs another. */
  eventTaken(): void {
    const { guest } = this.#platform;
    guest.read(CSR.sip);
    guest.write(CSR.sip, guest.low & ~SSIP, guest.high);
  }

  /**
   * What the kernel keeps in the state page that is in no CSR; how many words of disk requests there are, and they; then the tables that are
   * guarded: 64 bits each.
   */
  save(): Uint8Array {
    const { tables } = this;
    const { state } = this.#host;
    const own = OWN.map((name) => state.read(name));
    const disk = this.#disk.save();
    const words = [...own, BigInt(disk.length), ...disk, ...tables.frames().map(BigInt)];
    return new Uint8Array(BigUint64Array.from(words).buffer);
  }
  /** @throws {RangeError} If the state is not one that {@link save} gave for a machine of this size. */
  load(saved: Uint8Array): void {
    const { tables } = this;
    const { state } = this.#host;
    const words = [...new BigUint64Array(saved.slice(0, saved.length - (saved.length % 8)).buffer)];
    const diskEnd = OWN.length + 1 + Number(words[OWN.length] ?? 0n);
    const frames = words.slice(diskEnd).map(Number);
    const disk = words.slice(OWN.length + 1, diskEnd);
    const { memory } = this.#platform;
    if (
      saved.length % 8 !== 0 ||
      words.length <= OWN.length ||
      words.length < diskEnd ||
      !frames.every((frame) => memory.guestHolds(frame * PAGE_BYTES, PAGE_BYTES))
    ) {
      throw new RangeError(
        `Cannot load a ported guest's state as it names frames of its RAM: ${saved.length} bytes do not`,
      );
    }
    this.#disk.load(disk);
    for (const [i, name] of OWN.entries()) state.write(name, words[i]!);
    tables.restore(frames);
  }

  /**
   * Whether the kernel's ecall is a hypercall: the number of the call, or -1. To ask the SBI for the extension is one.
   */
  numberOf(): number {
    const { x } = this.#platform.hart;
    if (x[17] === EXTENSION) return x[16]! < 0xffff_ffffn ? Number(x[16]) : 0xffff_ffff;
    return x[17] === SBI_BASE && x[16] === SBI_PROBE && x[10] === EXTENSION ? CALL.probe : -1;
  }

  /** Answers the call in the guest's registers. pc is behind it afterwards, or where `return` leads. */
  call(number: number): void {
    const { hart } = this.#platform;
    const { x } = hart;
    const [a0, a1, a2] = [x[10]!, x[11]!, x[12]!];
    this.#host.vcpu.work("call");
    if (number === CALL.return) this.#return();
    else if (number === CALL.block && (a0 === 0n || a0 === 1n)) this.#block(a0 === 1n);
    else {
      const { error, value } = number === CALL.multicall ? this.#multicall(a0, a1) : this.#one(number, a0, a1, a2);
      this.#answer(number, error, value);
    }
  }
  #answer(number: number, error: bigint, value: bigint): void {
    const { hart, position, log } = this.#platform;
    const { x } = hart;
    const answered = BigInt.asUintN(64, error);
    const made = { call: number, a0: x[10]!, a1: x[11]!, a2: x[12]! };
    log.append("hypercall", position.step, { ...made, error: answered, value });
    if (number !== CALL.return || error !== SUCCESS) {
      x[10] = answered;
      x[11] = value;
      hart.pc = BigInt.asUintN(64, hart.pc + 4n);
    }
    position.step += 1;
  }

  #one(number: number, a0: bigint, a1: bigint, a2: bigint): Answer {
    const { guest, services, memory } = this.#platform;
    const host = this.#host;
    switch (number) {
      case CALL.probe:
        return answer(SUCCESS, VERSION);
      case CALL.register:
        if ((a0 & 3n) !== 0n) return answer(INVALID_ADDRESS);
        write(guest, CSR.stvec, a0);
        return answer(SUCCESS, (BigInt(STATE_PAGE.high) << 32n) | BigInt(STATE_PAGE.low));
      case CALL.enable:
        write(guest, CSR.sie, a0);
        return answer(SUCCESS);
      case CALL.status:
        return answer(this.#status(a0, a1));
      case CALL.switch:
        return answer(this.#switch(a0, a1, a2));
      case CALL.flush:
        return answer(this.#flush(a0, a1, a2));
      case CALL.timer:
        services.setTimer(a0);
        return answer(SUCCESS);
      case CALL.yield:
        return answer(SUCCESS);
      case CALL.write: {
        const length = a1 < BigInt(MOST_BYTES) ? Number(a1) : MOST_BYTES;
        const physical = this.#range(a0, length, 1);
        if (physical < 0) return answer(INVALID_ADDRESS);
        host.vcpu.work("copy", Math.ceil(length / 8));
        if (length > 0) services.writeConsole(memory.view(physical, length).slice());
        return answer(SUCCESS, BigInt(length));
      }
      case CALL.shutdown:
        if (a0 > 1n || a1 > 1n) return answer(INVALID_PARAM);
        services.shutdown(a0 === 0n ? "poweroff" : "reboot", a1 === 1n);
        return answer(SUCCESS);
      case CALL.update:
        return this.#update(a0, a1);
      case CALL.guard: {
        const physical = this.#range(a0, PAGE_BYTES, PAGE_BYTES);
        if (physical < 0) return answer(INVALID_ADDRESS);
        this.tables.guard(physical / PAGE_BYTES);
        if (host.shadow.dropFrame(physical / PAGE_BYTES) > 0) this.#platform.hart.fence();
        return answer(SUCCESS);
      }
      case CALL.unguard: {
        const physical = this.#range(a0, PAGE_BYTES, PAGE_BYTES);
        if (physical < 0) return answer(INVALID_ADDRESS);
        return answer(this.tables.release(physical / PAGE_BYTES) ? SUCCESS : INVALID_PARAM);
      }
      case CALL.interrupts:
        return this.#interrupts(a0);
      case CALL.regions:
        return answer(this.#regions(a0));
      case CALL.disk:
        return this.#disk.attach();
      case CALL.submit:
        return this.#submit(a0, a1);
      case CALL.return:
      case CALL.block:
      case CALL.multicall:
        // Not as part of another, or with an argument that it does not have.
        return answer(INVALID_PARAM);
      default:
        return answer(NOT_SUPPORTED);
    }
  }

  /** @returns Where bytes of guest RAM lie, or -1 where not all of them are, or they are not aligned. */
  #range(address: bigint, length: number, align: number): number {
    if (address >= 2n ** 53n) return -1;
    const physical = Number(address);
    return physical % align === 0 && this.#platform.memory.guestHolds(physical, length) ? physical : -1;
  }
  /** Takes an array of doublewords out of guest memory, whole, before any of it is looked at. */
  #take(physical: number, words: number): BigUint64Array {
    this.#host.vcpu.work("copy", words);
    const start = this.#platform.memory.linear(physical) >>> 3;
    return this.#platform.memory.u64.slice(start, start + words);
  }

  /** Requests begin in order, up to the first that is refused. */
  #submit(address: bigint, count: bigint): Answer {
    if (count > BigInt(MOST_REQUESTS)) return answer(INVALID_PARAM);
    const physical = this.#range(address, Number(count) * REQUEST_BYTES, 8);
    if (physical < 0) return answer(INVALID_ADDRESS);
    const words = this.#take(physical, (Number(count) * REQUEST_BYTES) / 8);
    this.#host.vcpu.work("device", Number(count));
    return this.#disk.submit(physical, words);
  }

  #status(mask: bigint, bits: bigint): bigint {
    if ((mask & ~BigInt(STATUS_BITS)) !== 0n) return INVALID_PARAM;
    const { guest } = this.#platform;
    guest.read(CSR.sstatus);
    const changed = Number(mask);
    guest.write(CSR.sstatus, (guest.low & ~changed) | (Number(bits & mask) & changed), guest.high);
    return SUCCESS;
  }

  /** A root outside guest RAM, or a mode that there is not, is refused; it changes nothing. */
  #switch(satp: bigint, mask: bigint, bits: bigint): bigint {
    const { guest, memory } = this.#platform;
    if ((mask & ~BigInt(STATUS_BITS)) !== 0n) return INVALID_PARAM;
    const table = Number(satp & 0xfff_ffff_ffffn) * PAGE_BYTES;
    if (satp !== 0n && !memory.guestHolds(table, PAGE_BYTES)) return INVALID_ADDRESS;
    guest.read(CSR.satp);
    const [low, high] = [guest.low, guest.high];
    write(guest, CSR.satp, satp);
    guest.read(CSR.satp);
    if (((BigInt(guest.high >>> 0) << 32n) | BigInt(guest.low >>> 0)) !== satp) {
      guest.write(CSR.satp, low, high);
      return INVALID_PARAM;
    }
    this.#host.state.write("next", 0n);
    return this.#status(mask, bits);
  }

  #interrupts(open: bigint): Answer {
    if (open > 1n) return answer(INVALID_PARAM);
    const { guest } = this.#platform;
    guest.read(CSR.sstatus);
    const were = (guest.low & SIE) === 0 ? 0n : 1n;
    if (open !== were) guest.write(CSR.sstatus, guest.low ^ SIE, guest.high);
    return answer(SUCCESS, were);
  }

  /** A table outside guest RAM, or bits that no register has, are refused before any of them is set. */
  #regions(address: bigint): bigint {
    const { guest, memory, profile } = this.#platform;
    if (!profile.extensions.includes("xregions")) return NOT_SUPPORTED;
    const physical = this.#range(address, 8 * REGIONS, 8);
    if (physical < 0) return INVALID_ADDRESS;
    const tables = this.#take(physical, REGIONS);
    for (const table of tables) {
      if (table >> 44n !== 0n) return INVALID_PARAM;
      if (table !== 0n && !memory.guestHolds(Number(table) * PAGE_BYTES, PAGE_BYTES)) return INVALID_ADDRESS;
    }
    for (const [n, table] of tables.entries()) write(guest, CSR.sregion0 + n, table);
    return SUCCESS;
  }

  /** Return from a trap handler, to an address space of the kernel's choice. */
  #return(): void {
    const { hart, guest, log, position } = this.#platform;
    const { state } = this.#host;
    const next = state.read("next");
    const error = next === 0n ? SUCCESS : this.#switch(next, 0n, 0n);
    if (error !== SUCCESS) {
      this.#answer(CALL.return, error, 0n);
      return;
    }
    hart.x[16] = state.read("spill0");
    hart.x[17] = state.read("spill1");
    const from = guest.mode;
    const step = position.step;
    this.#answer(CALL.return, SUCCESS, 0n);
    guest.leave("sret");
    hart.dropReservation();
    log.appendWords(RETURN, step, hart.pcLow, hart.pcHigh, from, guest.mode);
  }

  /** Interrupts open only as the call ends: one that came before would find the guest in front of its call, and it would wait for another. */
  #block(open: boolean): void {
    this.#opens = open;
    if (this.#platform.guest.awake) {
      this.unblock();
    } else {
      this.blocked = true;
      this.#host.vcpu.waiting = true;
    }
  }
  /** What a blocked guest waited for has come. */
  unblock(): void {
    const { guest } = this.#platform;
    this.blocked = false;
    if (this.#opens) {
      guest.read(CSR.sstatus);
      guest.write(CSR.sstatus, guest.low | SIE, guest.high);
    }
    this.#answer(CALL.block, SUCCESS, 0n);
  }

  #flush(what: bigint, start: bigint, count: bigint): bigint {
    const host = this.#host;
    if (what === 0n) host.fence();
    else if (what === 1n) {
      if (count > MOST_PAGES) host.fence();
      else
        for (let i = 0n; i < count; i++) {
          const address = BigInt.asUintN(64, start + i * BigInt(PAGE_BYTES));
          host.fence(Number(address & 0xffff_ffffn), Number(address >> 32n));
        }
    } else if (what === 2n) {
      const mode = start >> 60n;
      if (mode !== 8n && mode !== 9n) return INVALID_PARAM;
      const root = Number(start & 0xfff_ffff_ffffn) + (mode === 9n ? SV48 : 0);
      host.memory.translations.forget(root);
      host.dropped("space", host.shadow.dropSpace(root));
    } else return INVALID_PARAM;
    return SUCCESS;
  }

  /** Calls that cannot be part of another are refused; what each answers is written where it stood. */
  #multicall(address: bigint, count: bigint): Answer {
    const { memory, hart } = this.#platform;
    const { tables } = this;
    const { vcpu } = this.#host;
    if (count > BigInt(MOST_CALLS)) return answer(INVALID_PARAM);
    const physical = this.#range(address, Number(count) * 48, 8);
    if (physical < 0) return answer(INVALID_ADDRESS);
    const entries = this.#take(physical, Number(count) * 6);
    vcpu.work("call", Number(count));
    for (let i = 0; i < Number(count); i++) {
      const number = entries[6 * i]!;
      const made = this.#one(
        number < 0xffff_ffffn ? Number(number) : 0xffff_ffff,
        entries[6 * i + 1]!,
        entries[6 * i + 2]!,
        entries[6 * i + 3]!,
      );
      // An earlier call may have made a page table of the array, which changes only through `update`.
      const place = physical + 48 * i + 32;
      if (tables.has(Math.floor(place / PAGE_BYTES))) return answer(DENIED, BigInt(i + 1));
      memory.write(place, 8, BigInt.asUintN(64, made.error));
      memory.write(place + 8, 8, made.value);
      hart.written(place, 16);
    }
    return answer(SUCCESS, count);
  }

  /** Entries are written in order, up to the first that is refused. */
  #update(address: bigint, count: bigint): Answer {
    const { memory, hart } = this.#platform;
    const { tables } = this;
    const { vcpu } = this.#host;
    if (count > BigInt(MOST_ENTRIES)) return answer(INVALID_PARAM);
    const physical = this.#range(address, Number(count) * 16, 8);
    if (physical < 0) return answer(INVALID_ADDRESS);
    const entries = this.#take(physical, Number(count) * 2);
    vcpu.work("table-entry", Number(count));
    for (let i = 0; i < Number(count); i++) {
      const entry = this.#range(entries[2 * i]!, 8, 8);
      const value = entries[2 * i + 1]!;
      if (entry < 0) return answer(INVALID_ADDRESS, BigInt(i));
      if (!tables.has(Math.floor(entry / PAGE_BYTES)) || !this.#entryMay(value)) return answer(DENIED, BigInt(i));
      const before = tables.before(entry);
      memory.write(entry, 8, value);
      hart.written(entry, 8);
      tables.changed(before);
    }
    return answer(SUCCESS, count);
  }
  /**
   * Whether an entry may stand in a page table: it points to a table, or to RAM or a device of the guest's, and gives no way to write a table.
   * The pages behind a superpage's first are left to the shadow, which shows no table writable, whatever maps it.
   */
  #entryMay(value: bigint): boolean {
    const { memory, bus } = this.#platform;
    const flags = Number(value & 0xffn);
    if ((flags & PTE.V) === 0) return true;
    if (value >> 54n !== 0n || (flags & (PTE.R | PTE.W)) === PTE.W) return false;
    const frame = Number((value >> 10n) & 0xfff_ffff_ffffn);
    const guarded = this.tables.has(frame);
    if ((flags & (PTE.R | PTE.X)) === 0) return guarded;
    if (memory.guestHolds(frame * PAGE_BYTES, PAGE_BYTES)) return !guarded || (flags & PTE.W) === 0;
    return bus.answers(frame * PAGE_BYTES);
  }
}

const SBI_BASE = 0x10n;
const SBI_PROBE = 3n;

function write(guest: Platform["guest"], number: number, value: bigint): void {
  guest.write(number, Number(value & 0xffff_ffffn), Number(value >> 32n));
}
