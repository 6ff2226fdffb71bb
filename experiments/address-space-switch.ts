/**
 * What does a change of the address space cost on a machine that has five base registers for it, as Itanium had?
 *
 * full takes five trapped writes, para one hypercall. The second recording changes page-table entries too, by stores and fences, or by a call
 * beside the one for the registers; the third does the same, and the port makes one call of both.
 */
import { addressSpaceRemap, addressSpaceRemapAtOnce, addressSpaceSwitch } from "trapline/guests";
import { experiment, full, inOrder, native, para, regions } from "trapline/harness";
import { breakEven, exitsByReason, machineInstructions, slowdown } from "trapline/reports";

/** What each exit costs whatever it is for: the trap, the way into the VMM, the way out. */
const EXIT = ["trap.entry", "exit.save", "exit.restore", "trap.return"];

export default experiment({
  question: "By how much does one hypercall that changes five region registers beat five trapped writes?",
  guest: addressSpaceSwitch,
  techniques: [native, full, para],
  also: [{ guest: addressSpaceRemap }, { guest: addressSpaceRemapAtOnce }],
  profile: regions,
  costs: [inOrder],
  measure: "switch",
  reports: [
    machineInstructions(),
    slowdown({ baseline: native }),
    exitsByReason(),
    breakEven({ baseline: native, prices: EXIT }),
  ],
});
