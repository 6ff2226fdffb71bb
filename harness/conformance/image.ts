/**
 * Lays programs out into an image that boots on either machine.
 *
 * @module
 */
import { csrByName } from "../../engine/mod.ts";
import { finish, generate } from "./generate.ts";
import { CALL_OFFSET, ENVIRONMENT_BYTES, FIELD, handlers } from "./handlers.ts";
import {
  CODE,
  ENVIRONMENTS,
  IMAGE_END,
  ISLANDS,
  M_HANDLER,
  POOL,
  POOL_ENTRIES,
  RAM,
  ROOT_S,
  ROOT_S_SV48,
  ROOT_U,
  ROOT_U_SV48,
  S_HANDLER,
} from "./memory-map.ts";
import { floating, integer } from "./operands.ts";
import { type Environment, type Probe, type Program, type Section, word } from "./program.ts";
import { Seeded } from "./seeded.ts";
import { sweep } from "./sweep.ts";
import { protectionUnit } from "./system-units.ts";
import { returnAt } from "./units.ts";
import { aliasOf, makeWindows, type Windows } from "./windows.ts";

/** An instruction of an image, as it was generated. */
export interface Placed {
  readonly address: number;
  readonly bits: number;
  /** Indices of the program, of its section, and of the unit; -1 for the `ebreak` that a section begins with. */
  readonly program: number;
  readonly section: number;
  readonly unit: number;
  readonly probe: Probe | undefined;
}

export interface Image {
  readonly seed: number;
  readonly programs: readonly Program[];
  readonly bytes: Uint8Array;
  /** The address of the first instruction that is compared. */
  readonly start: number;
  /** By address. */
  readonly instructions: ReadonlyMap<number, Placed>;
}

const EBREAK = word("ebreak", {});

/** An image's tables and operands depend on its seed alone, so that shrinking keeps them. */
interface Ground {
  readonly windows: Windows;
  readonly pool: Uint8Array;
}
const grounds = new Map<number, Ground>();
function groundOf(seed: number): Ground {
  const known = grounds.get(seed);
  if (known !== undefined) return known;
  const random = new Seeded(seed ^ 0x5eed);
  const windows = makeWindows(random);
  const pool = new DataView(new ArrayBuffer(16 * POOL_ENTRIES));
  for (let i = 0; i < POOL_ENTRIES; i++) {
    pool.setBigUint64(8 * i, i % 4 === 3 ? floating(random) : integer(random), true);
    pool.setBigUint64(8 * (POOL_ENTRIES + i), floating(random), true);
  }
  grounds.clear(); // Images are made one after another.
  const ground = { windows, pool: new Uint8Array(pool.buffer) };
  grounds.set(seed, ground);
  return ground;
}

/** Every other image has STCE set, and with it the supervisor's timer. */
const isTimed = (seed: number): boolean => seed % 2 === 1;

/** Random programs in an image; a sweep comes on top. */
const PROGRAMS = 12;

/** Generates an image. */
export function makeImage(seed: number): Image {
  const { windows } = groundOf(seed);
  const random = Array.from({ length: PROGRAMS }, (_, i) => generate(seed * 1000 + i, windows.all, isTimed(seed)));
  return layOut(seed, [...random, sweep(seed, windows.all)]);
}

/** Lays programs out, of which parts may have been deleted. */
export function layOut(seed: number, programs: readonly Program[]): Image {
  const { windows, pool } = groundOf(seed);
  const bytes = new Uint8Array(IMAGE_END - RAM);
  const view = new DataView(bytes.buffer);
  const instructions = new Map<number, Placed>();
  let at = CODE;
  let environments = ENVIRONMENTS;
  const all: (readonly [program: number, section: number, content: Section])[] = programs.flatMap(
    ({ sections }, program) => sections.map((content, section) => [program, section, content] as const),
  );
  // The last random program, and the sweep behind it, run with a locked PMP entry.
  const locking = { environment: finish.environment, units: [protectionUnit(new Seeded(seed), true)] };
  const last = all.findIndex(([program]) => program === programs.length - 2);
  all.splice(Math.max(0, last), 0, [programs.length, 0, locking]);
  all.push([programs.length, 1, finish]);
  for (const [program, section, { environment, units }] of all) {
    // Sections that begin with a 16-bit ebreak leave what follows off the 4-byte grid.
    const short = units.length % 2 === 1;
    const begin = short ? 0x9002 : EBREAK;
    const place = (address: number, bits: number, size: number, unit: number, probe?: Probe) => {
      if (size === 2) view.setUint16(address - RAM, bits, true);
      else view.setUint32(address - RAM, bits, true);
      instructions.set(address, { address, bits, program, section, unit, probe });
    };
    place(at, begin, short ? 2 : 4, -1);
    at += short ? 2 : 4;
    const starts: number[] = [];
    let next = at;
    for (const unit of units) {
      starts.push(next);
      for (const { size } of unit) next += size;
    }
    writeEnvironment(view, environments - RAM, environment, at, next);
    environments += ENVIRONMENT_BYTES;
    for (const [index, unit] of units.entries()) {
      for (const { size, bits, probe } of unit) {
        const value = bits({ at, unit: (ahead) => starts[index + ahead] ?? next, next });
        place(at, value, size, index, probe);
        at += size;
      }
    }
  }
  if (at > ISLANDS[1]![0])
    throw new RangeError(`Cannot lay out an image as its programs must fit: they end at 0x${at.toString(16)}`);
  if (environments > IMAGE_END)
    throw new RangeError(`Cannot lay out an image as its environments must fit: there are ${all.length}`);
  for (const [from, to] of ISLANDS)
    for (let island = from; island < to; island += 2) view.setUint16(island - RAM, returnAt(island), true);
  for (const { address, bytes: content } of [
    ...handlers(at, isTimed(seed)),
    ...windows.pieces,
    { address: POOL, bytes: pool },
  ])
    bytes.set(content, address - RAM);
  return { seed, programs, bytes, start: CODE, instructions };
}

const MODE = { 3: 8n << 60n, 4: 9n << 60n } as const;
const ROOTS = { 3: { supervisor: ROOT_S, user: ROOT_U }, 4: { supervisor: ROOT_S_SV48, user: ROOT_U_SV48 } } as const;

function satpOf({ translation, levels }: Environment): bigint {
  return translation === "bare" ? 0n : MODE[levels] | BigInt(ROOTS[levels][translation] / 4096);
}

function writeEnvironment(
  view: DataView,
  offset: number,
  environment: Environment,
  start: number,
  resume: number,
): void {
  const put = (field: keyof typeof FIELD, value: bigint) => view.setBigUint64(offset + FIELD[field], value, true);
  const paged = environment.translation !== "bare";
  // The supervisor runs its handler where no user page is, under either root.
  const handler = paged ? aliasOf(S_HANDLER) : BigInt(S_HANDLER);
  put("mstatus", environment.mstatus);
  put("satp", satpOf(environment));
  put("stvec", handler | (environment.vectored ? 1n : 0n));
  put("call", handler + BigInt(CALL_OFFSET));
  put("medeleg", BigInt(environment.medeleg));
  put("mideleg", BigInt(environment.mideleg));
  put("mie", BigInt(environment.mie));
  put("resume", BigInt(resume));
  put("start", BigInt(start));
  put("mtvec", BigInt(M_HANDLER) | (environment.machineVectored ? 1n : 0n));
  put("counteren", BigInt(environment.counteren));
}

/** The numbers of the CSRs that QEMU's log has, in its order. */
export const LOGGED: readonly { readonly name: string; readonly number: number }[] = [
  ...[
    "mstatus",
    "mip",
    "mie",
    "mideleg",
    "medeleg",
    "mtvec",
    "stvec",
    "mepc",
    "sepc",
    "mcause",
    "scause",
    "mtval",
    "stval",
  ],
  ...["mscratch", "sscratch", "satp"],
].map((name) => ({ name, number: csrByName(name)!.number }));
