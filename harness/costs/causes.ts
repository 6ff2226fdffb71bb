/**
 * Which cause an exit's reason counts as.
 *
 * @module
 */
import type { Cause } from "../comparison.ts";

const CAUSE_OF_REASON: Readonly<Record<string, Cause>> = {
  "privileged-instruction": "privileged",
  "rewritten-site": "privileged",
  "code-access": "paging",
  "protected-access": "paging",
  "table-write": "paging",
  "page-fault": "paging",
  interrupt: "interrupt",
  "device-access": "device",
  "environment-call": "syscall",
  hypercall: "syscall",
};

/**
 * @param reason The reason of a `vmm.exit`.
 * @returns Its cause; `other` for reasons with no cause of their own, such as `halt` or `breakpoint`.
 */
export function causeOfExit(reason: string): Cause {
  return (Object.hasOwn(CAUSE_OF_REASON, reason) ? CAUSE_OF_REASON[reason] : undefined) ?? "other";
}
