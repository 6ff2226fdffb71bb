/**
 * A check that is off unless somebody asks: while the guest runs, the VMM's own memory stays as it is.
 *
 * The frames behind the guest's RAM hold shadow tables, copies, stubs and the state page. Only the last may change under the guest, for what stands
 * in for its sensitive instructions works there (T17). The check hashes all others before and behind runs of the hart, so a machine that has it is slow.
 *
 * Left out: `pre`, whose wedge is run by the same hart and writes the copies.
 *
 * @module
 */
import { PAGE_BYTES, RAM_BASE } from "../hart/memory.ts";
import type { Machine } from "../machine/machine.ts";
import { Vmm } from "./vmm.ts";

/**
 * Makes a machine throw where its guest has changed the VMM's memory. It does nothing to the bare machine.
 *
 * @param every Looks at one of so many runs of the hart.
 */
export function guardVmmMemory({ parts: { execution, platform } }: Machine, every = 1): void {
  if (!(execution instanceof Vmm)) return;
  const { hart, memory } = platform;
  const first = (RAM_BASE + memory.guestBytes) / PAGE_BYTES;
  const hashOf = (from: number, to: number) =>
    to > from ? hart.hash(memory.linear(from * PAGE_BYTES), (to - from) * PAGE_BYTES, 0) : 0n;
  const look = (end: number): string => {
    const shared = execution.state?.frame ?? first - 1;
    return shared < first ? `${hashOf(first, end)}` : `${hashOf(first, shared)} ${hashOf(shared + 1, end)}`;
  };
  const run = hart.run.bind(hart);
  let runs = 0;
  hart.run = (budget) => {
    if (runs++ % every !== 0) return run(budget);
    // One frame more than there are: the guest is not to find the next one either.
    const end = Math.min(first + execution.framesTaken + 1, (RAM_BASE + memory.ramBytes) / PAGE_BYTES);
    const before = look(end);
    const stop = run(budget);
    if (look(end) !== before) {
      throw new Error(
        `Cannot go on as the guest must not change the VMM's memory: it did, before pc 0x${hart.pc.toString(16)}`,
      );
    }
    return stop;
  };
}
