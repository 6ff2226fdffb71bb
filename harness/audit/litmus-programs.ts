/**
 * Litmus guests: for a sensitive instruction that does not trap, the shortest kernel that goes wrong by it.
 *
 * Each has a part that prepares, whose end is marked; the instruction, at the label `site`; and a part that makes something of it. What the
 * guest saw is in s11 when it calls the firmware. Reads give away whose register it is; writes are seen by what they should have done: an
 * interrupt comes or stays away, a trap or return goes elsewhere, an address leads elsewhere.
 *
 * @module
 */

/** The part before the mark, the instruction, the part behind it. */
export interface LitmusProgram {
  readonly prepare: string;
  readonly instruction: string;
  readonly use: string;
}

/** Code of the mark that stands before the instruction. */
export const LITMUS_MARK = 0x3ff;

const TABLES = 0x8030_0000;
const [A_PAGE, B_PAGE] = [TABLES + 0x1_0000, TABLES + 0x1_1000] as const;
/** What the guest finds at 1 GiB by the one root or the other. */
const SEEN = 0x4000_0000;
const satpOf = (root: number) => (8n << 60n) | BigInt(root / 4096);
const [ROOT, OTHER_ROOT] = [TABLES, TABLES + 4096] as const;

const pte = (at: number, physical: number, flags: number) =>
  `li t0, ${at}\nli t1, ${(physical / 4096) * 1024 + flags}\nsd t1, 0(t0)\n`;
const LEAF = 0xcf;

/** Two roots that differ in one page: it holds 0xa or 0xb. RAM is at its own place. */
const PAGING = [
  ...[ROOT, OTHER_ROOT].flatMap((root, index) => [
    pte(root + 16, 0x8000_0000, LEAF),
    pte(root + 8, TABLES + 0x2000 + 0x2000 * index, 1),
    pte(TABLES + 0x2000 + 0x2000 * index, TABLES + 0x3000 + 0x2000 * index, 1),
    pte(TABLES + 0x3000 + 0x2000 * index, index === 0 ? A_PAGE : B_PAGE, LEAF),
  ]),
  `li t0, ${A_PAGE}\nli t1, 10\nsd t1, 0(t0)\nli t0, ${B_PAGE}\nli t1, 11\nsd t1, 0(t0)\n`,
].join("");
const LOAD_SEEN = `li t0, ${SEEN}\nld s11, 0(t0)\n`;

const set = (csr: string, value: number | bigint | string) =>
  `${typeof value === "string" ? `la t0, ${value}` : `li t0, ${value}`}\ncsrw ${csr}, t0\n`;
const HANDLED = set("stvec", "handler");
/** Of sstatus. */
const [SIE, SPIE, SPP, SUM] = [2, 0x20, 0x100, 0x4_0000] as const;
const [SSI, STI] = [2, 0x20] as const;
/** A software interrupt, raised by the firmware. */
const RAISE = "li a7, 0x735049\nli a6, 0\nli a0, 1\nli a1, 0\necall\n";
const SPIN = "li t0, 150\nspin: addi t0, t0, -1\nbnez t0, spin\n";

type Kind = "write" | "set" | "clear";
export const KINDS: Readonly<Record<string, Kind>> = {
  csrrw: "write",
  csrrs: "set",
  csrrc: "clear",
  csrrwi: "write",
  csrrsi: "set",
  csrrci: "clear",
};

/** A value that the VMM's own register has not. */
const MARKED: Readonly<Record<string, string>> = {
  sstatus: set("sstatus", SUM | SPP),
  sie: set("sie", STI),
  stvec: HANDLED,
  scounteren: set("scounteren", 5),
  senvcfg: set("senvcfg", 1),
  sscratch: set("sscratch", 0x5a5a),
  sepc: set("sepc", 0x5a5a),
  scause: set("scause", 0x5a),
  stval: set("stval", 0x5a5a),
  sip: set("sip", SSI),
  stimecmp: set("stimecmp", 0x5a5a_5a5a),
  satp: PAGING + set("satp", satpOf(ROOT)),
};

/** @returns The program that reads a CSR by an instruction with a source of 0; undefined where there is none for the CSR. */
export function readLitmus(mnemonic: string, csr: string): LitmusProgram | undefined {
  const prepare = MARKED[csr];
  if (prepare === undefined) return undefined;
  const source = mnemonic.endsWith("i") ? "0" : "zero";
  return { prepare, instruction: `${mnemonic} a0, ${csr}, ${source}`, use: "mv s11, a0" };
}

interface Change {
  readonly prepare: string;
  /** The source: a register's value, which an immediate form has too where it is below 32. */
  readonly value: number | bigint | string;
  readonly use: string;
}

/** An interrupt that is taken as soon as the instruction lets it, or which it should have kept away. */
function interrupts(csr: "sstatus" | "sie" | "sip", kind: Kind): Change {
  const enabled = { sstatus: SIE, sie: SSI, sip: SSI }[csr];
  if (csr === "sip" && kind === "clear") {
    // sret enables interrupts: none may be pending by then.
    const prepare = HANDLED + set("sie", SSI) + set("sip", SSI) + set("sepc", "after") + set("sstatus", SPIE | SPP);
    return { prepare, value: SSI, use: "sret\nafter: nop" };
  }
  if (kind === "clear" || (csr === "sstatus" && kind === "write")) {
    const prepare = HANDLED + set("sie", SSI) + set("sstatus", SIE);
    return { prepare, value: kind === "clear" ? enabled : 0, use: `${RAISE}nop` };
  }
  const others = { sstatus: ["sie", "sip"], sie: ["sip"], sip: ["sie"] }[csr];
  const prepare = HANDLED + others.map((other) => set(other, SSI)).join("");
  return { prepare: csr === "sstatus" ? prepare : prepare + set("sstatus", SIE), value: enabled, use: "nop" };
}

function timer(kind: Kind, immediate: boolean): Change {
  const prepare = HANDLED + set("sie", STI) + set("sstatus", SIE);
  // 32 ticks are 320 steps: the clock is short of that at the site, and beyond it behind the loop.
  if (kind === "set") return { prepare: set("stimecmp", 32) + prepare, value: immediate ? 31 : -1, use: SPIN };
  return { prepare: set("stimecmp", 31) + prepare, value: kind === "write" ? 0 : 31, use: "nop" };
}

/** Handlers 16 bytes apart. */
function vector(kind: Kind, immediate: boolean): Change {
  const use = "ebreak";
  if (kind === "write") return { prepare: HANDLED, value: immediate ? 16 : "far", use };
  return { prepare: set("stvec", kind === "set" ? "handler" : "far"), value: 16, use };
}

function roots(kind: Kind, immediate: boolean): Change {
  const from = kind === "clear" ? OTHER_ROOT : ROOT;
  const prepare = PAGING + HANDLED + set("satp", satpOf(from));
  if (kind === "write") return { prepare, value: immediate ? 0 : satpOf(OTHER_ROOT), use: LOAD_SEEN };
  return { prepare, value: 1, use: LOAD_SEEN };
}

function counters(kind: Kind): Change {
  const prepare = HANDLED + set("scounteren", kind === "clear" ? 7 : 0) + set("sepc", "user") + set("sstatus", 0);
  return { prepare, value: 7, use: "sret\nuser: csrr s11, time\nli s11, 7\necall" };
}

/** What a register holds decides nothing but what is read back; of sepc, where sret goes. */
function held(csr: string, kind: Kind): Change {
  const prepare = HANDLED + set(csr, kind === "clear" ? 31 : 0);
  return { prepare, value: csr === "senvcfg" ? 1 : 30, use: `csrr s11, ${csr}` };
}

function returns(kind: Kind, immediate: boolean): Change {
  const prepare = HANDLED + set("sstatus", SPP) + set("sepc", kind === "set" ? "handler" : "far");
  const value = kind === "write" ? (immediate ? 16 : "handler") : 16;
  return { prepare, value, use: "sret" };
}

function changeOf(csr: string, kind: Kind, immediate: boolean): Change | undefined {
  switch (csr) {
    case "sstatus":
    case "sie":
    case "sip":
      return interrupts(csr, kind);
    case "stvec":
      return vector(kind, immediate);
    case "scounteren":
      return counters(kind);
    case "stimecmp":
      return timer(kind, immediate);
    case "satp":
      return roots(kind, immediate);
    case "sepc":
      return returns(kind, immediate);
    case "senvcfg":
    case "sscratch":
    case "scause":
    case "stval":
      return held(csr, kind);
    default:
      return undefined;
  }
}

/** @returns The program that writes a CSR by an instruction; undefined where there is none for the CSR. */
export function writeLitmus(mnemonic: string, csr: string): LitmusProgram | undefined {
  const kind = KINDS[mnemonic];
  const immediate = mnemonic.endsWith("i");
  const change = kind === undefined ? undefined : changeOf(csr, kind, immediate);
  if (change === undefined) return undefined;
  const { prepare, value, use } = change;
  if (immediate) return { prepare, instruction: `${mnemonic} zero, ${csr}, ${value}`, use };
  const operand = typeof value === "string" ? `la a1, ${value}\n` : `li a1, ${value}\n`;
  return { prepare: prepare + operand, instruction: `${mnemonic} zero, ${csr}, a1`, use };
}

/** Instructions that are no CSR access, by mnemonic. */
export const OTHER_LITMUS: Readonly<Record<string, LitmusProgram>> = {
  // The translation is held, and its entry leads elsewhere by now.
  "sfence.vma": {
    prepare: PAGING + set("satp", satpOf(ROOT)) + LOAD_SEEN + pte(TABLES + 0x3000, B_PAGE, LEAF),
    instruction: "sfence.vma",
    use: LOAD_SEEN,
  },
  // Guest time moves on to the timer at once.
  wfi: {
    prepare: HANDLED + set("stimecmp", 5000) + set("sie", STI),
    instruction: "wfi",
    use: "csrr s11, time",
  },
};

/** @returns The whole guest. Handlers leave s11 at 1 or 2, but where user code has set it. */
export function litmusSource({ prepare, instruction, use }: LitmusProgram): string {
  return `
    .option norvc
    ${prepare}
    slti zero, zero, ${LITMUS_MARK}
    site: ${instruction}
    ${use}
    report:
    mv a0, s11
    li a7, 0x10
    li a6, 3
    ecall
    li a7, 0x53525354
    li a6, 0
    li a0, 0
    li a1, 0
    ecall
    .align 6
    handler: bnez s11, report
    li s11, 1
    j report
    nop
    far: bnez s11, report
    li s11, 2
    j report
  `;
}
