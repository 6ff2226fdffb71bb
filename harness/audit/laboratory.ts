/**
 * A small machine on which single instructions are tried: in each mode, under each setting, from the same unprivileged state.
 *
 * Nothing here knows what an instruction should do. A trial puts its bits at the site, runs one step, and says what has become of the
 * machine; the reader compares.
 *
 * @module
 */
import { assemble, CSRS, type Csr, createMachine, type Machine, native, type Profile } from "../../engine/mod.ts";
import {
  AT_SITE,
  FILLED,
  HANDLERS,
  MODE_NUMBER,
  MODES,
  type Mode,
  RELOCATED,
  SETTINGS,
  type Setting,
  SITE,
  STATION_STEP,
  SUPERVISOR_CODE,
  stationProgram,
  TOLD_APART,
  USER_CODE,
} from "./station-program.ts";

/** A mode with its privileged state, to which the machine can be taken again and again. */
export interface Station {
  readonly name: string;
  readonly mode: Mode;
  readonly setting: Setting;
}

/** Instructions to run, with what their registers hold. */
export interface Trial {
  /** At the site, from where it runs. */
  readonly words: readonly number[];
  /** Code that what stands at the site may enter below its mode. */
  readonly user?: readonly number[];
  readonly supervisor?: readonly number[];
  /** Values of x registers in place of the station's, by number. */
  readonly x?: Readonly<Record<number, bigint>>;
}

/** What one step did. */
export interface Outcome {
  /** It retired; it trapped, for `cause`, which is else -1; or it waited. */
  readonly kind: "completed" | "trapped" | "waited";
  readonly cause: number;
  /** The mode that the machine is in afterwards. */
  readonly mode: number;
  readonly pc: bigint;
  /** All that user code could see itself: x, f, fcsr, memory at its addresses, pc. Empty where it trapped. */
  readonly visible: string;
  /** Privileged registers, and translations that are held, as text; FS counts as on or off. Empty where it trapped. */
  readonly privileged: string;
  /** FS is Dirty. */
  readonly dirty: boolean;
}

const STATIONS: readonly Station[] = MODES.flatMap((mode) =>
  SETTINGS.map((setting) => ({ name: `${mode}, ${setting}`, mode, setting })),
);

const MEMORY_BYTES = 256 * 1024;
const FCSR = 0x003;
const [SCAUSE, MCAUSE] = [0x142, 0x342];
const FS = 3 << 13;
const SD = 1n << 63n;
const NOP = 0x13;
const JUMP_TO_ITSELF = 0x6f;
const NO_CAUSE = -1;

interface Saved {
  readonly whole: Uint8Array;
  readonly registers: Uint32Array;
  readonly x: BigUint64Array;
  readonly schedule: Float64Array;
  readonly f: BigUint64Array;
  readonly pc: bigint;
  readonly reservation: number;
  readonly held: string;
  readonly page: string;
  readonly before: Outcome;
}

export class Laboratory {
  readonly stations: readonly Station[] = STATIONS;
  readonly #machine: Machine;
  readonly #holding: readonly Csr[];
  readonly #saved = new Map<string, Saved>();
  #at: Station | undefined;
  /** Whether anything beyond registers may differ from the station. */
  #disturbed = true;

  /** @param profile Of the machine. @throws {RangeError} If a station cannot be reached: the machine does not do what its set-up needs. */
  constructor(profile: Profile) {
    this.#machine = createMachine({
      kernel: assemble("j .", { base: 0x8000_0000n }).bytes,
      memoryBytes: MEMORY_BYTES,
      rtcSeconds: 0,
      machineMode: true,
      profile,
      technique: native,
      logging: false,
      tier: "interpreter",
    });
    this.#holding = CSRS.filter(
      ({ mode, view, writable, extension }) =>
        mode !== "user" &&
        view === undefined &&
        writable !== 0n &&
        (extension === undefined || profile.extensions.includes(extension)),
    );
    const reset = this.#machine.save();
    for (const station of STATIONS) {
      this.#machine.load(reset);
      this.#take(station, profile.stepsPerTick);
    }
  }

  #write(address: number, bytes: Uint8Array): void {
    this.#machine.parts.platform.deviceMemory("audit").write(BigInt(address), bytes);
  }
  /** Writes code where it is fetched from, translated or not. */
  #place(address: number, words: readonly number[]): void {
    const bytes = new Uint8Array(Uint32Array.from(words).buffer);
    this.#write(address, bytes);
    this.#write(address + RELOCATED, bytes);
  }

  #take(station: Station, stepsPerTick: number): void {
    const machine = this.#machine;
    const { hart, guest, position, schedule } = machine.parts.platform;
    const program = stationProgram(station.mode, station.setting, stepsPerTick);
    this.#write(0x8000_0000, assemble(program, { base: 0x8000_0000n }).bytes);
    const site = assemble(AT_SITE, { base: BigInt(SITE - 4) }).bytes;
    for (const relocation of [0, RELOCATED]) this.#write(SITE - 4 + relocation, site);
    const loop = new Uint32Array((HANDLERS.to - HANDLERS.from) / 4).fill(JUMP_TO_ITSELF);
    this.#place(HANDLERS.from, [...loop]);
    const pattern = Uint8Array.from({ length: 4096 }, (_, at) => (at * 37 + (at >> 8)) & 0xff);
    for (const page of FILLED) this.#write(page, pattern);
    for (const [index, page] of TOLD_APART.entries()) this.#write(page, new Uint8Array(4096).fill(index + 1));
    machine.run(STATION_STEP);
    if (hart.pc !== BigInt(SITE) || guest.mode !== MODE_NUMBER[station.mode] || position.step !== STATION_STEP) {
      throw new RangeError(
        `Cannot audit as the machine must come to station ${station.name}: it is at pc 0x${hart.pc.toString(16)} in mode ${guest.mode}`,
      );
    }
    this.#saved.set(station.name, {
      whole: machine.save(),
      registers: guest.save(),
      x: hart.x.slice(),
      f: hart.f.slice(),
      schedule: schedule.save(),
      pc: hart.pc,
      reservation: machine.parts.platform.reservation,
      held: this.#held(),
      page: this.#page(station),
      before: this.#observe(station, "completed", NO_CAUSE),
    });
  }

  /** Takes the machine to a station; only registers are put back where nothing else can differ. */
  #restore(station: Station): Saved {
    const saved = this.#saved.get(station.name)!;
    if (this.#disturbed || this.#at !== station) this.#machine.load(saved.whole);
    else {
      const { platform, execution } = this.#machine.parts;
      platform.guest.write(FCSR, 0, 0);
      platform.guest.load(saved.registers);
      platform.schedule.load(saved.schedule);
      platform.hart.x.set(saved.x);
      platform.hart.f.set(saved.f);
      platform.hart.pc = saved.pc;
      platform.position.step = STATION_STEP;
      platform.position.instret = STATION_STEP;
      platform.position.idle = 0;
      execution.reset();
    }
    this.#at = station;
    this.#disturbed = false;
    return saved;
  }

  /** The station itself, as an outcome of nothing. */
  before(station: Station): Outcome {
    return this.#saved.get(station.name)!.before;
  }

  /**
   * Runs one step of a trial. Trials at one station after the other are quicker than at many in turn.
   *
   * @param registersOnly The instruction can reach nothing but registers, so that the next trial need not put memory back.
   */
  try(station: Station, trial: Trial, registersOnly = false): Outcome {
    const saved = this.#begin(station, trial);
    const machine = this.#machine;
    const { position, guest } = machine.parts.platform;
    const stop = machine.run(STATION_STEP + 1);
    const waited = stop.kind === "waiting" || position.idle > 0;
    const kind = waited ? "waited" : position.instret > STATION_STEP ? "completed" : "trapped";
    const cause = kind === "trapped" ? guest.word(guest.mode === MODE_NUMBER.machine ? MCAUSE : SCAUSE) : NO_CAUSE;
    const outcome = this.#observe(station, kind, cause);
    this.#disturbed = waited || (!registersOnly && this.#isDisturbed(station, saved));
    return outcome;
  }

  /**
   * Runs a trial on, step by step.
   *
   * @returns Where it was and in which mode after each step, and what x registers but x10 hold in the end.
   */
  follow(station: Station, trial: Trial, steps: number): string {
    const saved = this.#begin(station, trial);
    const machine = this.#machine;
    const { hart, guest } = machine.parts.platform;
    const path: string[] = [];
    for (let step = 1; step <= steps; step++) {
      const { kind } = machine.run(STATION_STEP + step);
      path.push(`${kind} ${guest.mode} ${hart.pc.toString(16)}`);
      if (kind !== "until") break;
    }
    this.#disturbed = trial.user !== undefined || trial.supervisor !== undefined || this.#isDisturbed(station, saved);
    return `${path.join("; ")}; ${[...hart.x].filter((_, register) => register !== 10).join()}`;
  }

  #isDisturbed(station: Station, saved: Saved): boolean {
    const { reservation, position } = this.#machine.parts.platform;
    if (position.idle > 0 || reservation !== saved.reservation) return true;
    return this.#held() !== saved.held || this.#page(station) !== saved.page;
  }

  #begin(station: Station, { words, user, supervisor, x = {} }: Trial): Saved {
    const saved = this.#restore(station);
    this.#place(SITE, [...words, NOP, NOP]);
    if (user !== undefined) this.#place(USER_CODE, [...user, NOP, NOP]);
    if (supervisor !== undefined) this.#place(SUPERVISOR_CODE, [...supervisor, NOP, NOP]);
    const { hart } = this.#machine.parts.platform;
    for (const [register, value] of Object.entries(x)) hart.x[Number(register)] = value;
    return saved;
  }

  #observe(station: Station, kind: Outcome["kind"], cause: number): Outcome {
    const { hart, guest } = this.#machine.parts.platform;
    const dirty = (guest.status & FS) === FS;
    if (kind === "trapped") return { kind, cause, mode: guest.mode, pc: hart.pc, visible: "", privileged: "", dirty };
    guest.read(FCSR);
    const fcsr = guest.low;
    return {
      kind,
      cause,
      mode: guest.mode,
      pc: hart.pc,
      visible: [hart.x.join(), hart.f.join(), fcsr, hart.pc, this.#page(station)].join(" "),
      privileged: `${this.#registers().join()} ${this.#held()}`,
      dirty,
    };
  }

  /** Translations that are held. */
  #held(): string {
    return this.#machine.parts.execution.translations.entries().join();
  }
  /** The page that loads and stores reach. */
  #page({ setting, mode }: Station): string {
    const relocation = setting === "paged" && mode !== "machine" ? RELOCATED : 0;
    return digestOf(this.#machine.parts.platform.memory.view(FILLED[0] + relocation, 4096));
  }

  /** Every privileged register that holds something; counters by what software has set them off. */
  #registers(): readonly bigint[] {
    const { guest, position } = this.#machine.parts.platform;
    return this.#holding.map(({ number, name }) => {
      guest.read(number);
      const value = (BigInt(guest.high >>> 0) << 32n) | BigInt(guest.low >>> 0);
      if (name === "mstatus") return (value & ~(SD | BigInt(FS))) | ((guest.status & FS) === 0 ? 0n : BigInt(FS));
      const counted = name === "mcycle" ? position.time : name === "minstret" ? position.instret : 0;
      return BigInt.asUintN(64, value - BigInt(counted));
    });
  }
}

/** FNV-1a over words, 32 bits, twice: tells contents of a page apart. */
function digestOf(bytes: Uint8Array): string {
  let [low, high] = [0x811c_9dc5, 0xcbf2_9ce4];
  for (const word of new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)) {
    low = Math.imul(low ^ word, 0x0100_0193);
    high = Math.imul(high ^ word ^ (low >>> 24), 0x0100_0193);
  }
  return `${low >>> 0}.${high >>> 0}`;
}
