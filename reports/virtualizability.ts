/**
 * Which machines are virtualizable, and which instructions are in the way: what audits found, beside what became of a guest there.
 *
 * @module
 */
import {
  type Cause,
  type Comparison,
  INSTRUCTION_CLASSES,
  type InstructionClass,
  type ProfileAudit,
} from "../harness/comparison.ts";
import { formatCount } from "./format.ts";
import { drawLegend, layLegend } from "./legend.ts";
import { clipped } from "./palette.ts";
import { type Artifact, artifact, type Report } from "./report.ts";
import { drawSvg, type Pen } from "./svg.ts";
import { type Medium, number, type Table, text } from "./table.ts";

const NAME = "virtualizability";
const TITLE = "Virtualizability by profile";
const WIDTH = 760;
const ROW = 26;
const BAR = 16;
const LEFT = 110;
const BAR_WIDTH = 300;
const CELL = 18;
/** The width of a profile's column among the violators. */
const COLUMN = 92;
const HEAD = 30;

/** Fills are those of causes, so that there is one palette. */
const FILLS: Readonly<Record<InstructionClass, Cause>> = {
  privileged: "trap",
  "control-sensitive": "privileged",
  "behaviour-sensitive": "device",
  innocuous: "guest",
};

/**
 * Bars of Popek and Goldberg's classes for each profile that the experiment had audited, and the sensitive instructions that do not trap.
 *
 * @returns A report. It throws a RangeError for a comparison without audits.
 */
export function virtualizability(): Report {
  return {
    name: NAME,
    render: async ({ audits }: Comparison) => {
      if (audits === undefined || audits.length === 0)
        throw new RangeError(
          "Cannot draw virtualizability as it needs audits: the comparison has none; say audit: [strict] in the experiment",
        );
      return virtualizabilityOf(audits);
    },
  };
}

/** @returns The same of audits alone. */
export async function virtualizabilityOf(audits: readonly ProfileAudit[]): Promise<Artifact> {
  const caption =
    "Every instruction and CSR access of each profile, in the class that it was observed to be of. A machine is virtualizable if nothing sensitive is unprivileged; below, what is. Where such a machine runs a guest deprivileged all the same, it is another execution.";
  const svg = await draw(audits);
  return artifact({ name: NAME, title: TITLE, caption, svg, table: tableOf(audits) });
}

/** What is in the way, by CSR or by mnemonic, in the order of the first profile that has it. */
function obstacles(audits: readonly ProfileAudit[]): readonly string[] {
  return [...new Set(audits.flatMap(({ violators }) => violators.map(({ csr, mnemonic }) => csr ?? mnemonic)))];
}

function draw(audits: readonly ProfileAudit[]): Promise<string> {
  const names = obstacles(audits);
  const leaking = audits.filter(({ violators }) => violators.length > 0);
  const legend = layLegend(
    INSTRUCTION_CLASSES.map((name) => ({ text: name, swatch: FILLS[name] })),
    WIDTH - 16,
  );
  const top = 8 + legend.height + 8;
  const matrix = top + audits.length * ROW + 20;
  const height = names.length === 0 ? matrix : matrix + HEAD + names.length * CELL + 12;
  const frame = { name: NAME, title: TITLE, description: describe(audits), width: WIDTH, height };
  return drawSvg(frame, (svg) => {
    drawLegend(svg, legend.placed, 8, 8, `${NAME}-hatch`);
    for (const [index, audit] of audits.entries()) drawBar(svg, audit, top + index * ROW);
    if (names.length === 0) return;
    svg.add("text", { class: "strong", x: 8, y: matrix + 14 }, "sensitive, and no trap");
    for (const [column, { profile }] of leaking.entries())
      svg.add("text", { class: "middle", x: columnX(column) + CELL / 2, y: matrix + 14 }, clipped(profile, 14));
    for (const [row, name] of names.entries()) {
      const y = matrix + HEAD + row * CELL;
      svg.add("text", { class: "end", x: LEFT + 80, y: y + 11 }, name);
      for (const [column, audit] of leaking.entries()) drawCell(svg, audit, name, columnX(column), y);
    }
  });
}

const columnX = (column: number) => LEFT + 120 + column * COLUMN;

function drawBar(svg: Pen, audit: ProfileAudit, y: number): void {
  const { profile, classes, verdict, litmus, run } = audit;
  const all = INSTRUCTION_CLASSES.reduce((sum, name) => sum + classes[name], 0);
  const group = svg.add("g");
  group.add("title", {}, `${profile}: ${sentence(audit)}`);
  group.add("text", { class: "end", x: LEFT - 8, y: y + 12 }, clipped(profile, 16));
  let x = LEFT;
  for (const name of INSTRUCTION_CLASSES) {
    const width = (classes[name] / Math.max(1, all)) * BAR_WIDTH;
    if (width > 0) group.add("rect", { class: `fill ${FILLS[name]}`, x, y, width, height: BAR });
    x += width;
  }
  const said = [
    verdict === "virtualizable" ? "virtualizable" : `${formatCount(audit.violators.length)} in the way`,
    ...(litmus === null || litmus.total === 0 ? [] : [`litmus ${litmus.detected} of ${litmus.total}`]),
    ...(run === null ? [] : [run.equal ? "full is exact" : "full goes astray"]),
  ].join(", ");
  group.add("text", { class: verdict === "virtualizable" ? "" : "strong", x: LEFT + BAR_WIDTH + 10, y: y + 12 }, said);
}

function drawCell(svg: Pen, audit: ProfileAudit, name: string, x: number, y: number): void {
  const here = audit.violators.filter(({ csr, mnemonic }) => (csr ?? mnemonic) === name);
  const worst = INSTRUCTION_CLASSES.find((of) => here.some((violator) => violator.class === of));
  if (worst === undefined) {
    svg.add("line", { class: "rule", x1: x + 4, x2: x + CELL - 4, y1: y + 7, y2: y + 7 });
    return;
  }
  const group = svg.add("g");
  group.add("title", {}, `${audit.profile}: ${here.map(({ mnemonic }) => mnemonic).join(", ")} of ${name}, ${worst}`);
  group.add("rect", { class: `fill ${FILLS[worst]}`, x: x + 2, y, width: CELL - 4, height: CELL - 4 });
  group.add("text", { class: "quiet", x: x + CELL + 2, y: y + 11 }, String(here.length));
}

function sentence({ verdict, violators, classes, run }: ProfileAudit): string {
  const counts = INSTRUCTION_CLASSES.filter((name) => classes[name] > 0).map(
    (name) => `${formatCount(classes[name])} ${name}`,
  );
  const went = run === null ? "" : run.equal ? "; full is exact there" : "; full goes astray there";
  const said = verdict === "virtualizable" ? verdict : `not virtualizable for ${formatCount(violators.length)}`;
  return `${said} (${counts.join(", ")})${went}`;
}

function describe(audits: readonly ProfileAudit[]): string {
  return audits.map((audit) => `${audit.profile}: ${sentence(audit)}.`).join(" ");
}

function tableOf(audits: readonly ProfileAudit[]): Table {
  const count = (value: number | null) => number(value, formatCount);
  return {
    columns: [
      { title: "profile", numeric: false },
      { title: "verdict", numeric: false },
      ...INSTRUCTION_CLASSES.map((title) => ({ title, numeric: true, room: roomOf(title) })),
      { title: "violators", numeric: true },
      { title: "not as predicted", numeric: true, room: "page" },
      { title: "litmus", numeric: false },
      { title: "full", numeric: false },
      { title: "first silent instruction", numeric: false, room: "page" },
      { title: "its pc", numeric: false, room: "file" },
      { title: "its step", numeric: true, room: "file" },
      { title: "first difference at step", numeric: true, room: "page" },
      { title: "in the way", numeric: false, room: "file" },
    ],
    rows: audits.map((audit) => {
      const { profile, verdict, classes, violators, disagreements, litmus, run } = audit;
      const difference = run?.firstDifference ?? null;
      const silent = difference?.silent;
      return [
        text(profile),
        text(verdict),
        ...INSTRUCTION_CLASSES.map((name) => count(classes[name])),
        count(violators.length),
        count(disagreements),
        text(litmus === null ? "" : `${litmus.detected} of ${litmus.total}`),
        text(run === null ? "" : run.equal ? "exact" : "differs"),
        text(silent?.instruction ?? ""),
        text(silent?.pc ?? ""),
        count(silent?.step ?? null),
        count(difference?.step ?? null),
        text(obstacles([audit]).join(" ")),
      ];
    }),
  };
}

const roomOf = (name: InstructionClass): Medium =>
  name === "privileged" || name === "innocuous" ? "terminal" : "page";
