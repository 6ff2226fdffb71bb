/**
 * What a guest executes on the bare machine between its marks, seen one step at a time: which of its kernel's instructions retire, by address,
 * and the pads behind them. It reads the kernel's text as a disassembler does, and asks no log.
 *
 * @module
 */
import { createMachine, decodeAt, elfSections, findInstruction, native, siteClassOf, strict } from "../engine/mod.ts";
import { MARK_BEGIN, MARK_END, MARK_LAP } from "./costs/marks.ts";
import type { Guest } from "./guests/mod.ts";

export interface ExecutedPath {
  readonly laps: number;
  /** Machine instructions that retired, of kernel and users; pads are not among them. */
  readonly instructions: number;
  readonly pads: number;
  /** System calls of user code. */
  readonly calls: number;
  /** How often each sensitive instruction of the kernel retired, by its address. */
  readonly sensitive: ReadonlyMap<bigint, number>;
}

const PAD = findInstruction("pad")!.op;
const USER = 0;

/**
 * Runs a guest step by step: its whole run, or from the begin mark of an id to its last lap mark.
 *
 * @param id Null for the whole run.
 */
export async function executedPath(guest: Guest, id: number | null): Promise<ExecutedPath> {
  const images = await guest.load();
  const machine = createMachine({
    ...images,
    append: guest.append ?? "",
    memoryBytes: 16 << 20,
    rtcSeconds: 0,
    machineMode: false,
    profile: strict,
    technique: native,
    logging: true,
    tier: "interpreter",
  });
  const text = elfSections(images.kernel, guest.name).filter(({ executable, loaded }) => executable && loaded);
  const half = (pc: bigint): number => {
    const section = text.find(({ address, bytes }) => pc >= address && pc < address + BigInt(bytes.length));
    if (section === undefined) return 0;
    const at = Number(pc - section.address);
    return (section.bytes[at] ?? 0) | ((section.bytes[at + 1] ?? 0) << 8);
  };
  const kernelAt = (pc: bigint) => {
    const low = half(pc);
    return low === 0 ? undefined : decodeAt(low, half(pc + 2n));
  };
  const { hart, guest: state } = machine.parts.platform;
  let seen = { laps: 0, instructions: 0, pads: 0, calls: 0, sensitive: new Map<bigint, number>() };
  let atLap = seen;
  let open = id === null;
  machine.stopAtMarks = id !== null;
  for (;;) {
    const [pc, mode, instret] = [hart.pc, state.mode, machine.instret];
    const stop = machine.run(open ? machine.step + 1 : Number.POSITIVE_INFINITY);
    machine.log.drain();
    if (stop.kind === "end") return id === null ? seen : atLap;
    if (open && stop.kind !== "logged" && machine.instret > instret) {
      seen.instructions += machine.instret - instret;
      const decoded = mode === USER ? undefined : kernelAt(pc);
      if (decoded !== undefined) {
        if (siteClassOf(decoded) !== undefined) seen.sensitive.set(pc, (seen.sensitive.get(pc) ?? 0) + 1);
        // A pad has no step of its own: it is between the instruction and where the hart stands now.
        for (let next = pc + BigInt(decoded.length); next < hart.pc; next += 4n) {
          if (kernelAt(next)?.instruction.op !== PAD) break;
          seen.pads++;
        }
      }
    } else if (open && mode === USER && stop.kind === "until" && state.mode !== USER) {
      seen.calls++;
    }
    if (stop.kind !== "mark" || (stop.code & 0xff) !== id) continue;
    const kind = stop.code >>> 8;
    if (kind === MARK_BEGIN) open = true;
    else if (kind === MARK_LAP && open) {
      seen.laps++;
      atLap = { ...seen, sensitive: new Map(seen.sensitive) };
    } else if (kind === MARK_END) return atLap;
    if (kind === MARK_BEGIN) seen = { laps: 0, instructions: 0, pads: 0, calls: 0, sensitive: new Map() };
  }
}
