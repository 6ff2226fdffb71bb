/**
 * Which binary ran under which technique, and how far each run is the recorded one.
 *
 * @module
 */
import type { Comparison, RunSummary } from "../harness/comparison.ts";
import { labelOf, recordingsOf } from "./measure.ts";
import { artifact, type Report } from "./report.ts";
import { text } from "./table.ts";

const NAME = "identity-matrix";

/**
 * A table of binaries by techniques: recorded, exact, observable, or why it was not run.
 *
 * @returns A report.
 */
export function identityMatrix(): Report {
  return {
    name: NAME,
    render: async (comparison) => {
      const techniques = [...new Set(comparison.runs.map(labelOf))];
      const binaries = [...new Set(comparison.runs.map(({ binary }) => binary))];
      return artifact({
        name: NAME,
        title: "Identity, by binary and technique",
        caption:
          "Exact: the same guest stream, event by event, and the same digest at every checkpoint as the recording of the same binary. Observable: users see what those of the named recording see.",
        svg: null,
        table: {
          columns: [{ title: "binary", numeric: false }, ...techniques.map((title) => ({ title, numeric: false }))],
          rows: binaries.map((binary) => [
            text(binary),
            ...techniques.map((label) => text(cellOf(comparison, binary, label))),
          ]),
        },
      });
    },
  };
}

function cellOf(comparison: Comparison, binary: string, label: string): string {
  const runs = comparison.runs.filter((run) => run.binary === binary && labelOf(run) === label);
  if (runs.length === 0) return `not run: ${reasonOf(comparison, binary, label)}`;
  return [...new Set(runs.map((run) => verdict(comparison, run)))].sort().join("; ");
}

function verdict(comparison: Comparison, { identity, recording, binary }: RunSummary): string {
  if (identity === null) return "recorded";
  if (!identity.equal) return "differs";
  if (identity.level === "exact") return "exact";
  const recorded = comparison.runs.find((run) => run.recording === recording && run.identity === null);
  return recorded === undefined || recorded.binary === binary ? "observable" : `observable by ${recorded.binary}`;
}

/** Why a pair is missing; from what the comparison shows of the binary and of the technique. */
function reasonOf(comparison: Comparison, binary: string, label: string): string {
  const under = comparison.runs.filter((run) => run.binary === binary);
  if (under.length > 0 && under.every(({ technique }) => technique === "para")) return "a ported kernel needs its VMM";
  if (label === "para") return "needs a ported kernel";
  const sites = comparison.binaries.find(({ name }) => name === binary)?.annotated ?? {};
  if (label === "pre" && Object.keys(sites).length === 0) return "needs an afterburned kernel";
  return recordingsOf(comparison).length === 1 ? "never recorded" : "the experiment leaves it out";
}
