/**
 * Which way of shadow paging is cheapest, and on what: roots by view or shared, filling one page or its neighbours, following the guest's fences or
 * its stores?
 *
 * hutch's programs that change address spaces are recorded once each, and replayed under every variant of `full`. All must be the same run exactly.
 */
import { hutch } from "trapline/guests";
import { experiment, full, inOrder, native, shadowed } from "trapline/harness";
import { shadowFaults, slowdown } from "trapline/reports";

export default experiment({
  question: "Which way of shadow paging is cheapest, and on what?",
  guest: hutch.running("fork-exec 20"),
  also: [{ guest: hutch.running("page-fault 500") }, { guest: hutch.running("context-switch 500") }],
  techniques: [native, full, ...shadowed],
  costs: [inOrder],
  reports: [shadowFaults(), slowdown({ baseline: native })],
});
