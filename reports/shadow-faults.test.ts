import { expect, test } from "vitest";
import type { RunSummary } from "../harness/comparison.ts";
import { COMPARISON } from "./golden/null-syscall.ts";
import { shadowFaults } from "./shadow-faults.ts";

const [native, full] = COMPARISON.runs as [RunSummary, RunSummary];
const site = (hidden: boolean, count: number) => ({
  reason: "page-fault",
  hidden,
  pc: "0x1",
  place: "",
  instruction: "",
  count,
});
const traced: RunSummary = {
  ...full,
  variant: "traced",
  cycles: { ...full.cycles, total: 900, low: 800, high: 1_700 },
  exits: { total: 37, byReason: { "page-fault": 30, "table-write": 4, "device-access": 3 } },
  eventCounts: { "shadow.accessed": 2, "stale-translation": 1 },
  pricedBy: [
    { price: "shadow.drop", cause: "paging", count: 11, cycles: 33 },
    { price: "shadow.drop", cause: "privileged", count: 2, cycles: 6 },
    { price: "work.prefetch-fill", cause: "paging", count: 8, cycles: 80 },
  ],
  tallies: { ...full.tallies, whole: { ...full.tallies.whole, sites: [site(true, 12), site(false, 9)], more: 9 } },
};
const plain: RunSummary = {
  ...full,
  exits: { total: 50, byReason: { "page-fault": 50 } },
  tallies: { ...full.tallies, whole: { ...full.tallies.whole, sites: [site(true, 41), site(false, 9)] } },
};

test("faults are counted by kind, those at places that were left out with them", async () => {
  const { csv, caption, svg } = await shadowFaults().render({ ...COMPARISON, runs: [native, plain, traced] });
  expect(csv.split("\r\n").slice(0, 3)).toEqual([
    "technique,true,hidden,A or D,traced writes,device,prefetched,tables or entries dropped,stale uses,cycles,low,high",
    `full,9,41,0,0,0,0,0,0,${full.cycles.total},${full.cycles.low},${full.cycles.high}`,
    "full traced,9,21,2,4,3,8,13,1,900,800,1700",
  ]);
  expect(svg).toBeNull();
  expect(caption).toBe(
    "Over whole runs. null-syscall: full traced costs least, 900 cycles (800 to 1,700); full costs 89,360. Fewest hidden faults and traced writes: full traced, 25; full has 41.",
  );
});

test("a run alone has nothing to be compared with", async () => {
  const { caption } = await shadowFaults().render({ ...COMPARISON, runs: [native, plain] });
  expect(caption).toBe("Over whole runs. ");
});
