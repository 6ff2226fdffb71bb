/**
 * Why a guest left deprivileged execution: a closed union, so that a technique that forgets a reason does not compile.
 *
 * @module
 */

/** A sensitive instruction, or an access to a privileged CSR, trapped in user mode. */
export interface PrivilegedInstructionExit {
  readonly reason: "privileged-instruction";
}
/** An access faulted in the shadow page table, and is no device's. */
export interface PageFaultExit {
  readonly reason: "page-fault";
  /** Whether the guest's own page table permits the access, so that only the shadow was missing. */
  readonly hidden: boolean;
}
/** A load or store reached an address that a device answers at. */
export interface DeviceAccessExit {
  readonly reason: "device-access";
}
/** An ecall; `call` is whose it is: a trap of the guest's own, as its user code's and all of a guest with firmware are, or firmware's to answer. */
export interface EnvironmentCallExit {
  readonly reason: "environment-call";
  readonly call: "system" | "firmware";
}
/** Any other exception: illegal, breakpoint, misaligned, access fault. */
export interface ExceptionExit {
  readonly reason: "exception";
}
/** An interrupt is due for the guest. */
export interface InterruptExit {
  readonly reason: "interrupt";
}
/** The guest waits (wfi). */
export interface HaltExit {
  readonly reason: "halt";
}
/** A call that only a ported guest makes; `call` is its number, which may be none that there is. */
export interface HypercallExit {
  readonly reason: "hypercall";
  readonly call: number;
}
/** A site that the VMM has put into a copy of the guest's code trapped: the guest's own instruction there is to be carried out. */
export interface RewrittenSiteExit {
  readonly reason: "rewritten-site";
}
/** A load or store reached a page of which the guest runs a copy: it is to be carried out on the original. */
export interface CodeAccessExit {
  readonly reason: "code-access";
}

/** An access that no shadow entry can stand for, as PMP permits it with a part of the page only, or MPRV makes it in another mode's view. */
export interface ProtectedAccessExit {
  readonly reason: "protected-access";
}

/** A store reached a page table that the guest has said is one, or that the VMM traces: it is to be carried out, and what was read there is looked up again. */
export interface TableWriteExit {
  readonly reason: "table-write";
  /** The VMM has found the page to be one for the guest to write again, itself: there is nothing to carry out. */
  readonly released?: boolean;
}

/** Every exit. */
export type Exit =
  | PrivilegedInstructionExit
  | PageFaultExit
  | DeviceAccessExit
  | EnvironmentCallExit
  | ExceptionExit
  | InterruptExit
  | HaltExit
  | HypercallExit
  | RewrittenSiteExit
  | CodeAccessExit
  | ProtectedAccessExit
  | TableWriteExit;

export type ExitReason = Exit["reason"];
