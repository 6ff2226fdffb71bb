import { describe, expect, test } from "vitest";
import {
  full,
  type Machine,
  native,
  para,
  pre,
  rewritingInline,
  rewritingTrap,
  type Technique,
} from "../engine/mod.ts";
import { hutch, hutchPara, hutchPre } from "./guests/mod.ts";
import { record } from "./record.ts";
import { verify } from "./verify.ts";

/** T22: an identity check must fail for every planted divergence, and say where it began. */

const CHECKPOINT_EVERY = 1000;
const RAM_BASE = 0x8000_0000;
const PAGE = 4096;
/** CSR numbers ("Currently allocated RISC-V CSR addresses"). */
const SSTATUS = 0x100;
const SIE = 0x104;
const STVEC = 0x105;
const SCOUNTEREN = 0x106;
const SSCRATCH = 0x140;
const SEPC = 0x141;
const SCAUSE = 0x142;
const STVAL = 0x143;
const SATP = 0x180;
const MEDELEG = 0x302;
const SUPERVISOR_TIMER = 5;

/** A build of hutch and the technique that it is recorded under. */
type Original = readonly [build: typeof hutch, technique: Technique];
const BARE: Original = [hutch, native];
const AFTERBURNED: Original = [hutchPre, native];
/** The port runs nowhere else, so it is recorded there, and its identity is exact too. */
const PORT: Original = [hutchPara, para];

const TECHNIQUES = [
  { title: "native", technique: native, original: BARE },
  { title: "full", technique: full, original: BARE },
  { title: "rewriting:trap", technique: rewritingTrap, original: BARE },
  { title: "rewriting:inline", technique: rewritingInline, original: BARE },
  { title: "pre", technique: pre, original: AFTERBURNED },
  { title: "para", technique: para, original: PORT },
] as const;

/** Recorded once for all that are compared with it. */
const recordings = new Map<string, ReturnType<typeof record>>();
function recorded(command: string, [build, technique]: Original): ReturnType<typeof record> {
  const guest = { ...build.running(command), memoryBytes: 16 << 20 };
  const key = `${guest.binary} ${command}`;
  const made = recordings.get(key) ?? record({ guest, technique, checkpointEvery: CHECKPOINT_EVERY });
  recordings.set(key, made);
  return made;
}
const calls = (original: Original) => recorded("null-syscall 40", original);
const ticks = (original: Original) => recorded("timer-tick 2", original);

/** Where in the run of system calls a fault is planted: before the program's ecall, or in the kernel's handler. */
type Place = "user" | "kernel";

interface Fault {
  readonly name: string;
  readonly place: Place;
  readonly apply: (machine: Machine) => void;
  /** It breaks something of a VMM's. */
  readonly virtual?: true;
}

/** Flips a bit of RAM as a wrong store would: the page counts as written. */
function flipMemory(machine: Machine, offset: number, bit = 0): void {
  const { memory } = machine.parts.platform;
  const bytes = memory.view(RAM_BASE + offset, 1);
  bytes[0]! ^= 1 << bit;
  memory.dirty[Math.floor(offset / PAGE)] = 1;
}

/** Flips bits of the low word of a CSR. */
function flipCsr(machine: Machine, number: number, bits: number): void {
  const { guest } = machine.parts.platform;
  guest.read(number);
  guest.write(number, (guest.low ^ bits) >>> 0, guest.high);
}

/** Flips a bit in what a device saves, and loads that: a field of its state. */
function flipDevice(machine: Machine, name: string, byteFromEnd: number, bit = 0): void {
  const device = machine.parts.platform.bus.devices.find((one) => one.name === name)!;
  const state = device.save();
  state[state.length - byteFromEnd]! ^= 1 << bit;
  device.load(state);
}

/** Makes the program's own page of code stand for another frame in the shadow. */
function mistakeShadow(machine: Machine): void {
  const { platform, execution } = machine.parts;
  const { shadow } = execution as unknown as {
    shadow: {
      leaves(): Iterable<{ key: string; page: number; frame: number; flags: number }>;
      root(key: { root: number; mode: number; sum: boolean; mxr: boolean; regions: readonly number[] }): number;
      fill(
        root: number,
        page: number,
        leaf: number,
        frame: number,
        viewer: { user: boolean; sum: boolean; mxr: boolean },
      ): void;
    };
  };
  const page = Number(platform.hart.pc) / PAGE;
  const leaf = [...shadow.leaves()].find((one) => one.key.split("/")[1] === "0" && one.page === Math.floor(page))!;
  const [root, mode, sum, mxr] = leaf.key.split("/").map(Number);
  const table = shadow.root({ root: root!, mode: mode!, sum: sum === 1, mxr: mxr === 1, regions: [] });
  const other = RAM_BASE / PAGE + (12 << 20) / PAGE;
  const executable = 0xdb; // V R X U A D
  shadow.fill(table, leaf.page, other * 256 + executable, other, { user: true, sum: false, mxr: false });
  platform.hart.fence();
}

const FAULTS: readonly Fault[] = [
  { name: "one bit of RAM that nobody uses", place: "user", apply: (m) => flipMemory(m, (15 << 20) + 123, 6) },
  { name: "one bit of the kernel's data", place: "user", apply: (m) => flipMemory(m, 0x20_9000, 3) },
  { name: "the first bit of RAM", place: "kernel", apply: (m) => flipMemory(m, 0) },
  { name: "the last bit of RAM", place: "kernel", apply: (m) => flipMemory(m, (16 << 20) - 1, 7) },
  {
    name: "one bit of a register that is in use (a7)",
    place: "user",
    apply: (m) => (m.parts.platform.hart.x[17]! ^= 1n),
  },
  {
    name: "the highest bit of a register that is not in use (s11)",
    place: "user",
    apply: (m) => (m.parts.platform.hart.x[27]! ^= 1n << 63n),
  },
  { name: "one bit of f31", place: "user", apply: (m) => (m.parts.platform.hart.f[31]! ^= 1n) },
  { name: "an instruction that is skipped", place: "user", apply: (m) => (m.parts.platform.hart.pc += 4n) },
  { name: "an instruction that is counted twice", place: "user", apply: (m) => m.parts.platform.position.retire(1) },
  {
    name: "an instruction that retires uncounted",
    place: "user",
    apply: (m) => (m.parts.platform.position.instret -= 1),
  },
  { name: "a tick of guest time too many", place: "user", apply: (m) => (m.parts.platform.position.idle += 1) },
  { name: "sepc off by four", place: "kernel", apply: (m) => flipCsr(m, SEPC, 4) },
  { name: "one bit of scause", place: "kernel", apply: (m) => flipCsr(m, SCAUSE, 1) },
  { name: "one bit of stval", place: "kernel", apply: (m) => flipCsr(m, STVAL, 1 << 20) },
  { name: "one bit of sscratch", place: "user", apply: (m) => flipCsr(m, SSCRATCH, 8) },
  { name: "one bit of stvec", place: "user", apply: (m) => flipCsr(m, STVEC, 1 << 12) },
  { name: "sstatus.SPP", place: "kernel", apply: (m) => flipCsr(m, SSTATUS, 1 << 8) },
  { name: "sstatus.SPIE", place: "kernel", apply: (m) => flipCsr(m, SSTATUS, 1 << 5) },
  { name: "sstatus.SUM", place: "user", apply: (m) => flipCsr(m, SSTATUS, 1 << 18) },
  { name: "an interrupt enable in sie", place: "user", apply: (m) => flipCsr(m, SIE, 1 << SUPERVISOR_TIMER) },
  { name: "one bit of scounteren", place: "user", apply: (m) => flipCsr(m, SCOUNTEREN, 1) },
  { name: "one bit of satp", place: "kernel", apply: (m) => flipCsr(m, SATP, 1) },
  { name: "one delegated exception", place: "user", apply: (m) => flipCsr(m, MEDELEG, 1 << 13) },
  { name: "a mode of more privilege", place: "user", apply: (m) => (m.parts.platform.guest.mode = 1) },
  {
    name: "one leaf that the hart forgets",
    place: "user",
    apply: (m) => m.parts.execution.translations.restore(m.parts.execution.translations.entries().slice(0, -4)),
  },
  {
    name: "an interrupt that comes early",
    place: "user",
    apply: (m) => m.parts.platform.guest.setLine(SUPERVISOR_TIMER, true),
  },
  { name: "a byte that is printed twice", place: "kernel", apply: (m) => m.parts.platform.print(Uint8Array.of(10)) },
  {
    name: "a byte that arrives from nowhere",
    place: "user",
    apply: (m) => m.parts.platform.console.receive(Uint8Array.of(65)),
  },
  { name: "a field of the UART (the scratch register)", place: "user", apply: (m) => flipDevice(m, "uart0", 6, 2) },
  { name: "a field of the CLINT (the shift of mtime)", place: "kernel", apply: (m) => flipDevice(m, "clint", 8) },
  { name: "a field of the RTC", place: "user", apply: (m) => flipDevice(m, "rtc0", 1) },
  { name: "a shadow entry that maps another frame", place: "user", apply: mistakeShadow, virtual: true },
];

async function planted(
  fault: Fault,
  technique: Technique,
  original: Original,
): Promise<{ atStep: number; found: number | null | undefined }> {
  const tape = await calls(original);
  const steps = [...tape.trace().guestEvents()]
    .filter((event) => event.kind === "guest.trap" && event.cause === 8)
    .map(({ step }) => step);
  // A system call whose handler a checkpoint falls into: what is planted there is still there then.
  const call = steps.findIndex(
    (step, n) =>
      n > 10 && Math.floor((step + 12) / CHECKPOINT_EVERY) < Math.floor(((steps[n + 1] ?? 0) - 1) / CHECKPOINT_EVERY),
  );
  const atStep = fault.place === "kernel" ? steps[call]! + 12 : steps[call]!;
  const { identity } = await verify(tape, { technique, tamper: { atStep, apply: fault.apply } });
  expect(identity.equal).toBe(false);
  expect(identity.firstDifference?.message).toMatch(/^Cannot verify null-syscall 40 under [\w.]+ as /);
  return { atStep, found: identity.firstDifference?.step };
}

describe.each(TECHNIQUES)("T22: under $title, a replay notices", ({ technique, original }) => {
  const faults = FAULTS.filter(({ virtual = false }) => !virtual || technique !== native);
  test.each(faults)("$name", async (fault) => {
    const { atStep, found } = await planted(fault, technique, original);
    // At the first event that shows it, and at the next checkpoint at the latest.
    expect(found).toBeGreaterThanOrEqual(atStep);
    expect(found).toBeLessThanOrEqual((Math.floor(atStep / CHECKPOINT_EVERY) + 1) * CHECKPOINT_EVERY);
  });

  test("nothing where nothing is planted", async () => {
    const tamper = { atStep: 30_000, apply: () => undefined };
    const { identity } = await verify(await calls(original), { technique, tamper });
    expect(identity).toEqual({ level: "exact", equal: true, firstDifference: null });
  });

  test.each([
    ["never fires", () => Number.POSITIVE_INFINITY],
    ["fires one step late", (at: number) => at + 1],
  ] as const)("a timer that %s", async (_, shifted) => {
    const tape = await ticks(original);
    const wait = [...tape.trace().guestEvents()].find((event) => event.kind === "idle")!;
    const apply = ({ parts: { platform } }: Machine) => platform.schedule.load(platform.schedule.save().map(shifted));
    const { identity } = await verify(tape, { technique, tamper: { atStep: wait.step - 2, apply } });
    expect(identity.equal).toBe(false);
    expect(identity.firstDifference?.step).toBe(wait.step);
  });
});
