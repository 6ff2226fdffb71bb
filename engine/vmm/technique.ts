/**
 * What a technique is: policy over the VMM's mechanisms, as a value.
 *
 * @module
 */
import type { Exit, ExitReason } from "./exit.ts";
import type { ShadowOptions } from "./shadow-options.ts";
import type { VirtualCpu } from "./vcpu.ts";

/** What the VMM does once the technique has looked at an exit. */
export type Verdict =
  /** The instruction was carried out: the guest goes on behind it, and it counts as a step. */
  | "after"
  /** What was missing is there now: the guest runs the instruction again. */
  | "again"
  /** The trap is the guest kernel's to see: the VMM makes the guest take it. */
  | "reflect"
  /** The run ends. */
  | "stop";

export interface TechniqueContext {
  readonly vcpu: VirtualCpu;
}

/** What a technique may switch on in the VMM before the guest starts. */
export interface Mechanisms {
  /**
   * The guest's kernel runs copies of its code, in which what is sensitive traps: those traps are `rewritten-site` exits. Inline, what can
   * works on the state page instead, by itself or in a stub (`inline.ts`).
   */
  rewriteKernelCode(options: { readonly inline: boolean }): void;
  /**
   * The guest's kernel runs copies of the pages that its file records sites of, in which the wedge has patched the sites to work on the state page.
   */
  patchAnnotatedCode(): void;
  /** The guest's kernel finds the virtual CPU's state in the last page of its address space (`state-page.ts`). */
  shareState(): void;
  /** Shadow page tables are kept otherwise than by the plainest way (`shadow-options.ts`). Not for techniques with pages of the VMM's own. */
  shadowBy(options: Partial<ShadowOptions>): void;
  /** The guest's kernel may make hypercalls (`hypercalls.ts`); it has a state page then. */
  answerHypercalls(): void;
}

export type ExitHandlers = {
  readonly [R in ExitReason]: (exit: Extract<Exit, { reason: R }>, context: TechniqueContext) => Verdict;
};

/** What a machine profile must have for a technique to be sound on it. */
export type Requirement = "all-sensitive-trap";

/** A way for a VMM to get control of a guest's sensitive operations. */
export interface Technique {
  readonly name: "native" | "full" | "rewriting" | "para" | "pre" | (string & {});
  /** A technique in more than one form says which; otherwise empty. */
  readonly variant?: "" | "trap" | "inline" | (string & {});
  /** The variant of the guest that it runs. */
  readonly port: "bare" | "para" | "pre";
  readonly requires: readonly Requirement[];
  /** Whether it runs guests that start in machine mode, or bring firmware; the bare machine does. */
  readonly machineMode?: boolean;
  /** Called once, before the guest starts. */
  readonly prepare?: (mechanisms: Mechanisms) => void;
  /** One answer for each exit reason; absent only for the bare machine, which has no VMM. */
  readonly on?: ExitHandlers;
}
