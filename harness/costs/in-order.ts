/**
 * `inOrder`: a single-issue, in-order, five-stage RISC-V core with warm first-level caches, whose VMM is machine-mode code.
 *
 * The listings behind the derived prices, and the sources behind the cited ones, stand in docs/costs.md; a test counts the listings.
 *
 * Left out: TLB misses of the bare machine (they are not logged), the VMM's floating-point switch, multiplications and divisions at more
 * than one instruction, devices' own time.
 * Source: SiFive FE310-G000 manual, section 3.3; LLVM's scheduling model of Rocket.
 *
 * @module
 */
import type { Fold } from "../../engine/event/mod.ts";
import type { CostModel, Meter, PriceRow } from "./model.ts";

const FE310 = "SiFive FE310-G000 manual, 3.3";
const ROCKET = "LLVM RISCVSchedRocket.td";
const LISTED = "listed and counted in docs/costs.md";

const PRICES: readonly PriceRow[] = [
  {
    id: "guest.instruction",
    unit: "retired guest instruction",
    occasions: ["step"],
    status: "cited",
    cycles: 1,
    low: 1,
    high: 2,
    source: `peak rate of one a cycle (${FE310}); high: a stall for every instruction`,
  },
  {
    id: "alu",
    unit: "VMM instruction",
    occasions: ["part"],
    status: "cited",
    cycles: 1,
    source: `result after one cycle (${FE310})`,
  },
  {
    id: "load",
    unit: "VMM load that nobody waits for",
    occasions: ["part"],
    status: "cited",
    cycles: 1,
    low: 1,
    high: 2,
    source: `issued in one cycle (${FE310}); high: each waits a cycle for the cache`,
  },
  {
    id: "load.used",
    unit: "VMM load that the next instruction reads",
    occasions: ["part"],
    status: "cited",
    cycles: 2,
    low: 2,
    high: 3,
    source: `two cycles on a hit (${FE310}); high: LoadLatency 3 (${ROCKET})`,
  },
  {
    id: "store",
    unit: "VMM store",
    occasions: ["part"],
    status: "cited",
    cycles: 1,
    low: 1,
    high: 2,
    source: `issued in one cycle (${FE310}); high: a write buffer that fills`,
  },
  {
    id: "branch",
    unit: "VMM branch, direct jump or return",
    occasions: ["part"],
    status: "cited",
    cycles: 1,
    low: 1,
    high: 4,
    source: `no penalty when predicted, three cycles when not (${FE310}; MispredictPenalty 3, ${ROCKET})`,
  },
  {
    id: "jump.table",
    unit: "VMM jump through a table",
    occasions: ["part"],
    status: "cited",
    cycles: 4,
    low: 1,
    high: 4,
    source: `taken as mispredicted: three cycles more (${FE310})`,
  },
  {
    id: "csr",
    unit: "VMM access to a CSR",
    occasions: ["part"],
    status: "cited",
    cycles: 3,
    low: 1,
    high: 6,
    source: `a read's result after three cycles (${FE310}); low: hidden by scheduling; high: a write that refills the pipeline`,
  },
  {
    id: "sfence",
    unit: "sfence.vma in the VMM",
    occasions: ["shadow.drop"],
    status: "assumed",
    cycles: 6,
    low: 3,
    high: 40,
    source: "a pipeline refill; high: an invalidation that walks the TLB",
  },
  {
    id: "trap.entry",
    unit: "trap taken by the hardware",
    occasions: ["guest.trap", "interrupt", "sbi", "vmm.exit"],
    status: "assumed",
    cycles: 5,
    low: 3,
    high: 20,
    source: "refill of five stages; low: a mispredicted branch; high: the vector misses the instruction cache",
  },
  {
    id: "trap.return",
    unit: "xRET by the hardware",
    occasions: ["guest.return", "sbi", "vmm.resume"],
    status: "assumed",
    cycles: 5,
    low: 3,
    high: 20,
    source: "refill of five stages; low and high as trap.entry",
  },
  {
    id: "tlb.refill",
    unit: "another shadow root: leaves read again",
    occasions: ["vmm.work"],
    status: "assumed",
    cycles: 48,
    low: 0,
    high: 288,
    source: "8 leaves x 3 levels x 2 cycles; low: address-space numbers keep them; high: 32 leaves x 3 x 3",
  },
  {
    id: "device.access",
    unit: "access to a device's register",
    occasions: ["device.read", "device.write"],
    status: "assumed",
    cycles: 40,
    low: 10,
    high: 400,
    source: "one uncached access; from a port beside the core to a slow peripheral bus",
  },
  {
    id: "exit.save",
    unit: "way into the VMM: 30 registers and 4 CSRs saved, dispatch",
    occasions: ["vmm.exit", "sbi"],
    status: "derived",
    of: { alu: 6, load: 2, "load.used": 1, store: 34, branch: 2, "jump.table": 1, csr: 5 },
    source: LISTED,
  },
  {
    id: "exit.restore",
    unit: "way out of the VMM: registers and CSRs restored",
    occasions: ["vmm.resume", "sbi"],
    status: "derived",
    of: { alu: 1, load: 33, csr: 3 },
    source: LISTED,
  },
  {
    id: "work.root-switch",
    unit: "another shadow root: write of satp, with its fence",
    occasions: ["vmm.work"],
    status: "derived",
    of: { alu: 1, load: 1, csr: 1, sfence: 1 },
    source: LISTED,
  },
  {
    id: "work.decode",
    unit: "guest instruction fetched and decoded by the VMM",
    occasions: ["vmm.work"],
    status: "derived",
    of: { alu: 16, load: 3, "load.used": 1, branch: 1, "jump.table": 1, csr: 2 },
    source: LISTED,
  },
  {
    id: "work.emulate",
    unit: "guest instruction emulated",
    occasions: ["vmm.work"],
    status: "derived",
    of: { alu: 14, load: 4, "load.used": 1, store: 3, branch: 2 },
    source: LISTED,
  },
  {
    id: "work.walk-step",
    unit: "level of a guest page table read by the VMM",
    occasions: ["vmm.work"],
    status: "derived",
    of: { alu: 11, "load.used": 1, branch: 4 },
    source: LISTED,
  },
  {
    id: "work.shadow-fill",
    unit: "leaf written to a shadow page table",
    occasions: ["vmm.work"],
    status: "derived",
    of: { alu: 28, "load.used": 2, store: 1, branch: 5, sfence: 1 },
    source: LISTED,
  },
  {
    id: "inject",
    unit: "trap made for the guest",
    occasions: ["vmm.inject"],
    status: "derived",
    of: { alu: 9, load: 4, store: 6, branch: 2 },
    source: LISTED,
  },
  {
    id: "work.copy",
    unit: "doubleword copied by the VMM",
    occasions: ["vmm.work"],
    status: "derived",
    of: { alu: 2, load: 1, store: 1, branch: 1 },
    source: LISTED,
  },
  {
    id: "work.scan",
    unit: "halfword of the guest's code looked at by the rewriter",
    occasions: ["vmm.work"],
    status: "derived",
    of: { alu: 5, "load.used": 2, branch: 4 },
    source: LISTED,
  },
  {
    id: "work.patch",
    unit: "site put into a copy of the guest's code",
    occasions: ["vmm.work"],
    status: "derived",
    of: { alu: 6, store: 2, branch: 1 },
    source: LISTED,
  },
  {
    id: "work.stub",
    unit: "instruction of a stub, or jump to one, beside the guest's own",
    occasions: ["vmm.work"],
    status: "cited",
    cycles: 1,
    low: 1,
    high: 2,
    source: `as guest.instruction: peak rate of one a cycle (${FE310}); high: a stall for every instruction`,
  },
  {
    id: "work.wedge",
    unit: "instruction that the wedge runs to patch a page",
    occasions: ["vmm.work"],
    status: "cited",
    cycles: 1,
    low: 1,
    high: 2,
    source: `as guest.instruction: peak rate of one a cycle (${FE310}); high: a stall for every instruction`,
  },
  {
    id: "work.call",
    unit: "hypercall answered",
    occasions: ["vmm.work"],
    status: "derived",
    of: { alu: 6, load: 2, "load.used": 1, store: 3, branch: 2, "jump.table": 1 },
    source: LISTED,
  },
  {
    id: "work.table-entry",
    unit: "page-table entry checked and written for the guest",
    occasions: ["vmm.work"],
    status: "derived",
    of: { alu: 16, load: 2, "load.used": 2, store: 1, branch: 8 },
    source: LISTED,
  },
  {
    id: "work.device",
    unit: "access to the model of a device",
    occasions: ["vmm.work"],
    status: "derived",
    of: { alu: 18, load: 6, "load.used": 2, store: 4, branch: 2, "jump.table": 2 },
    source: LISTED,
  },
  {
    id: "work.root-tag",
    unit: "another shadow root: write of satp, with a number that the TLB knows",
    occasions: ["vmm.work"],
    status: "derived",
    of: { load: 2, "load.used": 1, branch: 1, csr: 1 },
    source: LISTED,
  },
  {
    id: "work.prefetch-look",
    unit: "page beside a fault that was looked at",
    occasions: ["vmm.work"],
    status: "derived",
    of: { alu: 8, "load.used": 2, branch: 3 },
    source: LISTED,
  },
  {
    id: "work.prefetch-fill",
    unit: "leaf written to a shadow page table besides the one that was missing",
    occasions: ["vmm.work"],
    status: "derived",
    of: { alu: 10, "load.used": 1, store: 1, branch: 2 },
    source: LISTED,
  },
  {
    id: "work.protect",
    unit: "shadow entry that shows a page table made read-only",
    occasions: ["vmm.work"],
    status: "derived",
    of: { alu: 2, load: 2, "load.used": 1, store: 1, branch: 1, sfence: 1 },
    source: LISTED,
  },
  {
    id: "work.trace",
    unit: "place of a page table in which a changed entry was looked up",
    occasions: ["vmm.work"],
    status: "derived",
    of: { alu: 4, load: 1, "load.used": 1, branch: 2 },
    source: LISTED,
  },
  {
    id: "work.resync",
    unit: "page-table entry compared with what was read from it",
    occasions: ["vmm.work"],
    status: "derived",
    of: { alu: 2, load: 1, "load.used": 1, branch: 2 },
    source: LISTED,
  },
  {
    id: "shadow.drop",
    unit: "entry dropped from a shadow page table",
    occasions: ["shadow.drop"],
    status: "derived",
    of: { alu: 1, store: 1, branch: 1 },
    source: LISTED,
  },
  {
    id: "sbi.call",
    unit: "SBI call answered",
    occasions: ["sbi"],
    status: "derived",
    of: { alu: 6, load: 5, "load.used": 1, store: 3, branch: 3, "jump.table": 1 },
    source: LISTED,
  },
];

const nothing = (): void => {};

function charges(meter: Meter): Fold<void> {
  // A trap or return inside the VMM is one that the VMM made: its exit, its work and its resume are its price.
  const entry = () => {
    if (!meter.vmm) meter.charge("trap.entry", 1, "trap");
  };
  const access = () => meter.charge("device.access", 1, "device");
  return {
    "guest.trap": entry,
    interrupt: entry,
    "guest.return": () => {
      if (!meter.vmm) meter.charge("trap.return", 1, "trap");
    },
    sbi: () => {
      // On the bare machine the platform's firmware is trapped into, and saves what a VMM saves.
      if (!meter.vmm) {
        for (const price of ["trap.entry", "exit.save", "exit.restore", "trap.return"])
          meter.charge(price, 1, "syscall");
      }
      meter.charge("sbi.call", 1, "syscall");
    },
    "device.read": access,
    "device.write": access,
    "vmm.exit": () => {
      meter.charge("trap.entry", 1, "other");
      meter.charge("exit.save", 1, "other");
    },
    "vmm.work": ({ work, count }) => {
      // What stands in for sensitive instructions was run by the guest, before the exit in which it is logged.
      if (work === "stub") meter.charge("work.stub", count, "privileged", true);
      else meter.charge(`work.${work}`, count, "other");
      if (work === "root-switch") meter.charge("tlb.refill", count, "other");
    },
    "vmm.inject": () => meter.charge("inject", 1, "other"),
    "vmm.resume": () => {
      meter.charge("exit.restore", 1, "other");
      meter.charge("trap.return", 1, "other");
    },
    "shadow.drop": ({ entries }) => {
      meter.charge("shadow.drop", entries, "paging");
      meter.charge("sfence", 1, "paging");
    },

    // Counted by the work that goes with them.
    "shadow.fill": nothing,
    "shadow.accessed": nothing,
    "stale-translation": nothing,
    "device.path": nothing,
    patch: nothing,
    // The hart carried it out as it does any instruction.
    leak: nothing,
    // Its work is logged as `call`.
    hypercall: nothing,
    // The device moves the bytes; waiting costs nothing, as guest time is open loop.
    dma: nothing,
    idle: nothing,
    // A mark is an instruction like any other; the rest is bookkeeping.
    mark: nothing,
    checkpoint: nothing,
    "input.console": nothing,
    end: nothing,
  };
}

/** The default cost model: prices that can be counted, or are assumed with a low and a high. */
export const inOrder: CostModel = {
  name: "inOrder",
  summary: "Single-issue, in-order, five-stage RISC-V core with warm first-level caches; the VMM is machine-mode code",
  prices: PRICES,
  instruction: "guest.instruction",
  charges,
};
