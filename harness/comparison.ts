/**
 * What a comparison of techniques found: plain data, and all that a report may know.
 *
 * A report is a pure function of a `Comparison`; whoever has the comparison as JSON can make every figure again without running a guest.
 * Host time, host names and paths outside the result folder never appear in it.
 *
 * Left out: the events themselves. They stay in the traces; a comparison keeps counts, and the few laps that a timeline draws.
 *
 * @module
 */

/** Who is to blame for a cycle. The order is the order of stacking, from the guest's own work upwards. */
export const CAUSES = ["guest", "trap", "privileged", "paging", "interrupt", "device", "syscall", "other"] as const;
export type Cause = (typeof CAUSES)[number];
export type ByCause = Readonly<Record<Cause, number>>;

export { causeOfExit } from "./costs/causes.ts";

/** Words fixed by the command line's JSON; a technique from a file of its user's has whatever name that gives it. */
export type TechniqueName = "native" | "full" | "rewriting" | "para" | "pre" | (string & {});
export type VariantName = "" | "trap" | "inline" | (string & {});

/**
 * Modelled cycles. `total` is the sum of `byCause` in the order of `CAUSES`, bit for bit; `low` and `high` are what the run costs
 * where every price is at its low, or at its high.
 */
export interface Cycles {
  readonly total: number;
  readonly low: number;
  readonly high: number;
  readonly byCause: ByCause;
}

/** Exits to the VMM; `total` is the sum of `byReason`. */
export interface Exits {
  readonly total: number;
  readonly byReason: Readonly<Record<string, number>>;
}

/** One line of the bill: `count` units of the price with the id `price`, for which `cause` is to blame. */
export interface PricedBy {
  readonly price: string;
  readonly cause: Cause;
  readonly count: number;
  readonly cycles: number;
}

/**
 * What passed between the begin mark of a name and its last lap mark, or its end mark where the guest made no lap marks, over all such
 * intervals. Divide by `laps` for the cost of one.
 */
export interface MarkSummary {
  readonly name: string;
  readonly laps: number;
  readonly steps: number;
  readonly exits: Exits;
  readonly cycles: Cycles;
  readonly pricedBy: readonly PricedBy[];
}

/** A place at which the guest left, for one reason, and how often it did. */
export interface ExitSite {
  readonly reason: string;
  /** A page fault that the guest never saw: only the shadow page table lacked an entry. */
  readonly hidden: boolean;
  /** In hexadecimal. */
  readonly pc: string;
  /** `user`; or the kernel's symbol with the distance from it, or the pc again where that is outside the kernel's text; empty without symbols. */
  readonly place: string;
  /** Empty for a reason that is not about the instruction there. */
  readonly instruction: string;
  readonly count: number;
}

/** What happened in a stretch of a run, counted from its events without a price. */
export interface Tallied {
  /** Guest instructions that retired. */
  readonly instructions: number;
  /** By what happened, as `costs/run-tallies.ts` calls it. */
  readonly counts: Readonly<Record<string, number>>;
  /** The busiest first; of hidden faults the busiest only. */
  readonly sites: readonly ExitSite[];
  /** Hidden faults at places beyond those. */
  readonly more: number;
  /** Pads that were run, where that was counted: they are machine instructions that no event tells of, and are in no bill. */
  readonly pads?: number;
}

/** Counts over a whole run, and over the laps of each mark: the same stretches as `MarkSummary` has. */
export interface RunTallies {
  readonly whole: Tallied;
  readonly marks: Readonly<Record<string, Tallied>>;
}

/** Something that cost cycles during a sampled lap: one exit with all its work, or one trap that the hardware took by itself. */
export interface TimelineEntry {
  /** Position in steps after the first sampled lap began. */
  readonly step: number;
  readonly label: string;
  readonly cause: Cause;
  readonly cycles: number;
}

/** The guest's own mode between two steps, counted as in `TimelineEntry`; 0 user, 1 supervisor, 3 machine. */
export interface ModeSpan {
  readonly from: number;
  readonly to: number;
  readonly mode: number;
}

/** The first laps of the measured mark, small enough to draw. */
export interface Timeline {
  readonly mark: string;
  /** Where each lap ended, in steps after the first began; ascending, one for each sampled lap. */
  readonly laps: readonly number[];
  readonly entries: readonly TimelineEntry[];
  readonly modes: readonly ModeSpan[];
  /** Entries beyond the cap, which are not in `entries`. */
  readonly dropped: number;
}

export interface FirstDifference {
  /** Ordinal of the event in the guest stream, from 0; null where something else differs. */
  readonly event: number | null;
  readonly step: number | null;
  readonly message: string;
  /** The first sensitive instruction of the kernel that ran without a trap before that, on a profile that leaks; absent where none did. */
  readonly silent?: SilentInstruction;
}

/** Whether a run is the recorded run, as far as was promised (T18 to T20). */
export interface Identity {
  readonly level: "exact" | "observable";
  readonly equal: boolean;
  readonly firstDifference: FirstDifference | null;
}

/**
 * Popek and Goldberg's classes. `privileged`: user mode always traps where a mode above does not. Of what does not always trap there,
 * `control-sensitive` changes what later instructions may do, `behaviour-sensitive` shows or changes what is not the user's, and
 * `innocuous` does neither.
 */
export const INSTRUCTION_CLASSES = ["privileged", "control-sensitive", "behaviour-sensitive", "innocuous"] as const;
export type InstructionClass = (typeof INSTRUCTION_CLASSES)[number];

/** A sensitive instruction that ran in user mode without a trap, and where. */
export interface SilentInstruction {
  readonly step: number;
  /** In hexadecimal. */
  readonly pc: string;
  readonly instruction: string;
}

/** What an audit found of one profile, and what full virtualization made of a guest there. */
export interface ProfileAudit {
  readonly profile: string;
  readonly verdict: "virtualizable" | "not-virtualizable";
  /** How many instructions and CSR accesses were observed to be of each class. */
  readonly classes: Readonly<Record<InstructionClass, number>>;
  /** Those that are sensitive and not privileged. */
  readonly violators: readonly {
    readonly mnemonic: string;
    readonly csr: string | null;
    readonly class: InstructionClass;
  }[];
  /** Rows of another class than predicted. */
  readonly disagreements: number;
  /** Litmus guests, one for each way in which a violator is silent; null where none were asked for. */
  readonly litmus: { readonly detected: number; readonly total: number } | null;
  /** The guest under `full`, whether it is sound there or not; null where none was run. */
  readonly run: Identity | null;
}

/** One run of a comparison; the first ten fields and `cycles`, `exits`, `identity` are those of `trapline run --json`. */
export interface RunSummary {
  readonly workload: string;
  readonly technique: TechniqueName;
  readonly variant: VariantName;
  /** `hutch`, `hutch-para`, `hutch-pre`, or the image's sha256. */
  readonly binary: string;
  readonly instret: number;
  readonly steps: number;
  /** Digest of the final state (T18), in hexadecimal. */
  readonly digest: string;
  /** The trace's file name. */
  readonly trace: string;
  /** The recorded guest's name: runs of one name are a recording and its replays, and only those are compared with each other. */
  readonly recording: string;
  readonly exits: Exits;
  readonly cycles: Cycles;
  /** Null for the recorded run, which has nothing to be compared with. */
  readonly identity: Identity | null;
  readonly marks: readonly MarkSummary[];
  /** Events by kind, of both streams; kinds that never occurred are absent. */
  readonly eventCounts: Readonly<Record<string, number>>;
  readonly pricedBy: readonly PricedBy[];
  readonly tallies: RunTallies;
  readonly timeline: Timeline | null;
}

export type PriceStatus = "cited" | "derived" | "assumed";

/** A price as it was used. */
export interface Price {
  readonly id: string;
  /** What one unit of it is. */
  readonly unit: string;
  readonly cycles: number;
  readonly low: number;
  readonly high: number;
  readonly status: PriceStatus;
  readonly source: string;
  /** For a derived price: how many of which other prices it is made of. */
  readonly of: Readonly<Record<string, number>> | null;
}

export interface PricedModel {
  readonly name: string;
  readonly summary: string;
  readonly prices: readonly Price[];
}

/** Something a reader must know before believing a number. */
export interface Caveat {
  readonly id: string;
  readonly text: string;
}

/** A kernel that ran, as a file. Sites are by class, as the afterburner calls it; classes without any are absent. */
export interface Binary {
  readonly name: string;
  readonly fileBytes: number;
  /** Of the sections that are executed. */
  readonly textBytes: number;
  /** Sensitive instructions in those. */
  readonly sensitive: Readonly<Record<string, number>>;
  /** Those that an afterburner recorded to be replaced. */
  readonly annotated: Readonly<Record<string, number>>;
  readonly padBytes: number;
}

/** What a port took: its own files, beside the lines of the kernel that all ports share. */
export interface PortEffort {
  readonly port: string;
  readonly files: number;
  readonly lines: number;
  readonly code: number;
}

export interface Comparison {
  readonly experiment: string;
  readonly question: string;
  readonly guest: {
    readonly name: string;
    readonly images: readonly { readonly name: string; readonly sha256: string }[];
  };
  /** Name of the mark whose laps are compared; null compares whole runs. */
  readonly measure: string | null;
  readonly costModel: PricedModel;
  readonly runs: readonly RunSummary[];
  readonly caveats: readonly Caveat[];
  /** The kernels that ran, those that are ELF files. */
  readonly binaries: readonly Binary[];
  /** What ports of the kernel took, `shared` first; absent where the sources are not there. */
  readonly effort?: readonly PortEffort[];
  /** Profiles that the experiment had audited; absent where it had none. */
  readonly audits?: readonly ProfileAudit[];
}
