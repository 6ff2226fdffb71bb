/**
 * Which way of shadow paging is cheapest on Linux, which fences one page at a time, shares its kernel's tables between all processes, and maps its
 * memory by superpages? Needs `trapline guests build linux-mini`.
 */
import { linuxMini } from "trapline/guests";
import { experiment, full, inOrder, native, shadowed } from "trapline/harness";
import { shadowFaults, slowdown } from "trapline/reports";

export default experiment({
  question: "Which way of shadow paging is cheapest on Linux?",
  guest: linuxMini(),
  techniques: [native, full, ...shadowed],
  costs: [inOrder],
  reports: [shadowFaults(), slowdown({ baseline: native })],
});
