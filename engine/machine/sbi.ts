/**
 * The supervisor binary interface of the platform, for one hart: BASE, TIME, IPI, RFENCE, HSM, SRST and DBCN.
 *
 * The same code answers on the bare machine and in a virtual-machine monitor (T15). It keeps no state: the timer's deadline is its
 * host's, and so in snapshots.
 *
 * Left out: the legacy extensions (0x00 to 0x0f), PMU, SUSP, NACL, STA, and HSM's stop and suspend; they answer SBI_ERR_NOT_SUPPORTED.
 * Source: RISC-V Supervisor Binary Interface Specification 2.0; chapter numbers below are its.
 *
 * @module
 */
import type { DeviceMemory } from "./device.ts";

/** The registers of a call, each as an unsigned 64-bit number; a7 is the extension, a6 the function. */
export interface SbiRegisters {
  readonly a0: bigint;
  readonly a1: bigint;
  readonly a2: bigint;
  readonly a3: bigint;
  readonly a4: bigint;
  readonly a5: bigint;
  readonly a6: bigint;
  readonly a7: bigint;
}

/** What goes into a0 and a1, as unsigned 64-bit numbers. */
export interface SbiAnswer {
  readonly error: bigint;
  readonly value: bigint;
}

/** What the SBI asks of the machine below it. */
export interface SbiHost {
  /** Guest-physical RAM. */
  readonly memory: DeviceMemory;
  /** Whether all of a range is RAM. */
  isMemory(address: bigint, length: number): boolean;
  /** The supervisor timer comes due when `time` reaches this tick, and its pending bit is cleared until then. */
  setTimer(time: bigint): void;
  raiseSoftwareInterrupt(): void;
  /** `fence.i`, as if the hart itself had run it. */
  fenceI(): void;
  /** `sfence.vma` for a range of virtual addresses, or all; and for one address space, or all. */
  fenceVirtual(range: { readonly start: bigint; readonly size: bigint } | "all", asid: bigint | "all"): void;
  writeConsole(bytes: Uint8Array): void;
  /** Takes up to `most` bytes of what the console has received. */
  readConsole(most: number): Uint8Array;
  /** Ends the run. `failed`: the guest named a system failure as its reason. */
  shutdown(kind: "poweroff" | "reboot", failed: boolean): void;
}

const EXTENSION_BASE = 0x10n;
const EXTENSION_TIME = 0x5449_4d45n;
const EXTENSION_IPI = 0x73_5049n;
const EXTENSION_RFENCE = 0x5246_4e43n;
const EXTENSION_HSM = 0x48_534dn;
const EXTENSION_SRST = 0x5352_5354n;
const EXTENSION_DBCN = 0x4442_434en;
const EXTENSIONS: ReadonlySet<bigint> = new Set([
  EXTENSION_BASE,
  EXTENSION_TIME,
  EXTENSION_IPI,
  EXTENSION_RFENCE,
  EXTENSION_HSM,
  EXTENSION_SRST,
  EXTENSION_DBCN,
]);

const SPECIFICATION_VERSION = 2n << 24n; // 2.0
/** Not in the list of registered implementations (chapter 4): "TRAP". */
const IMPLEMENTATION_ID = 0x5452_4150n;
const IMPLEMENTATION_VERSION = 1n;

const SUCCESS = answer(0n);
const FAILED = answer(-1n);
const NOT_SUPPORTED = answer(-2n);
const INVALID_PARAM = answer(-3n);
const ALREADY_AVAILABLE = answer(-6n);

/** The one hart. */
const HART = 0n;
const ALL_HARTS = 0xffff_ffff_ffff_ffffn;
const WHOLE_ADDRESS_SPACE = 0xffff_ffff_ffff_ffffn;
const WORD = 0xffff_ffffn;

/** The most bytes that one console call moves; a guest asks again for the rest (chapter 12). */
const CONSOLE_BYTES = 1 << 20;

export class Sbi {
  readonly #host: SbiHost;

  constructor(host: SbiHost) {
    this.#host = host;
  }

  /**
   * Answers a call, and does what it asks.
   *
   * @returns What the guest finds in a0 and a1. A call that ends the run is answered too; the hart does not get to see it.
   */
  call(x: SbiRegisters): SbiAnswer {
    switch (x.a7) {
      case EXTENSION_BASE:
        return base(x);
      case EXTENSION_TIME:
        if (x.a6 !== 0n) return NOT_SUPPORTED;
        this.#host.setTimer(x.a0);
        return SUCCESS;
      case EXTENSION_IPI:
        if (x.a6 !== 0n) return NOT_SUPPORTED;
        return this.#onHarts(x.a0, x.a1, () => this.#host.raiseSoftwareInterrupt());
      case EXTENSION_RFENCE:
        return this.#remoteFence(x);
      case EXTENSION_HSM:
        return hartState(x);
      case EXTENSION_SRST:
        return this.#systemReset(x);
      case EXTENSION_DBCN:
        return this.#debugConsole(x);
      default:
        return NOT_SUPPORTED;
    }
  }

  /** Chapter 3: a mask counts from `first`; -1 there means every hart, whatever the mask. */
  #onHarts(mask: bigint, first: bigint, act: () => void): SbiAnswer {
    if (first !== ALL_HARTS) {
      // A set bit is a hart: with one hart, only bit 0 from 0 exists. An empty mask names nobody.
      if (mask === 0n) return SUCCESS;
      if (first !== HART || mask !== 1n) return INVALID_PARAM;
    }
    act();
    return SUCCESS;
  }

  /** Chapter 8. The fences of the hypervisor extension (3 to 6) are for harts that have it. */
  #remoteFence(x: SbiRegisters): SbiAnswer {
    const range = (): { start: bigint; size: bigint } | "all" => {
      if ((x.a2 === 0n && x.a3 === 0n) || x.a3 === WHOLE_ADDRESS_SPACE) return "all";
      return { start: x.a2, size: x.a3 };
    };
    switch (x.a6) {
      case 0n:
        return this.#onHarts(x.a0, x.a1, () => this.#host.fenceI());
      case 1n:
        return this.#onHarts(x.a0, x.a1, () => this.#host.fenceVirtual(range(), "all"));
      case 2n:
        return this.#onHarts(x.a0, x.a1, () => this.#host.fenceVirtual(range(), x.a4));
      default:
        return NOT_SUPPORTED;
    }
  }

  /** Chapter 10. Type and reason are 32 bits wide. */
  #systemReset(x: SbiRegisters): SbiAnswer {
    if (x.a6 !== 0n) return NOT_SUPPORTED;
    const type = x.a0 & WORD;
    const reason = x.a1 & WORD;
    // 0 shutdown, 1 cold reboot, 2 warm reboot; 0 no reason, 1 system failure.
    if (type > 2n || reason > 1n) return INVALID_PARAM;
    this.#host.shutdown(type === 0n ? "poweroff" : "reboot", reason === 1n);
    return SUCCESS;
  }

  /** Chapter 12. */
  #debugConsole(x: SbiRegisters): SbiAnswer {
    const host = this.#host;
    if (x.a6 === 2n) {
      host.writeConsole(Uint8Array.of(Number(x.a0 & 0xffn)));
      return SUCCESS;
    }
    if (x.a6 > 2n) return NOT_SUPPORTED;
    const length = x.a0 < BigInt(CONSOLE_BYTES) ? Number(x.a0) : CONSOLE_BYTES;
    const address = x.a1;
    // RAM lies below 2^64, so an upper half (a2) that is not zero names none.
    if (x.a2 !== 0n || !host.isMemory(address, length)) return INVALID_PARAM;
    if (length === 0) return SUCCESS;
    if (x.a6 === 0n) {
      host.writeConsole(host.memory.read(address, length));
      return answer(0n, BigInt(length));
    }
    const received = host.readConsole(length);
    if (received.length > 0) host.memory.write(address, received);
    return answer(0n, BigInt(received.length));
  }
}

/** Chapter 4. The three machine registers read 0: this machine names no vendor. */
function base(x: SbiRegisters): SbiAnswer {
  switch (x.a6) {
    case 0n:
      return answer(0n, SPECIFICATION_VERSION);
    case 1n:
      return answer(0n, IMPLEMENTATION_ID);
    case 2n:
      return answer(0n, IMPLEMENTATION_VERSION);
    case 3n:
      return answer(0n, EXTENSIONS.has(x.a0) ? 1n : 0n);
    case 4n: // mvendorid
    case 5n: // marchid
    case 6n: // mimpid
      return SUCCESS;
    default:
      return NOT_SUPPORTED;
  }
}

/** Chapter 9. */
function hartState(x: SbiRegisters): SbiAnswer {
  switch (x.a6) {
    case 0n: // hart_start
      return x.a0 === HART ? ALREADY_AVAILABLE : INVALID_PARAM;
    case 1n: // hart_stop: nobody could start it again.
      return FAILED;
    case 2n: // hart_get_status: 0 is STARTED.
      return x.a0 === HART ? SUCCESS : INVALID_PARAM;
    default:
      return NOT_SUPPORTED;
  }
}

function answer(error: bigint, value = 0n): SbiAnswer {
  return { error: BigInt.asUintN(64, error), value };
}
