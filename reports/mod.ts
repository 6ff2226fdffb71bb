/**
 * Reports: pure functions from a comparison to figures, tables and one page. Nothing here writes a file or reads a clock.
 *
 * Read `measure.ts` (what is compared), `slowdown.ts` (a whole report), `stacked-bars.ts` (a figure), `svg.ts` (the door to d3-node),
 * `escape.ts` (why a guest cannot write into the page), then `html.ts` and `render-report.ts`.
 *
 * @module
 */
export { answer, defaultBaseline } from "./answer.ts";
export { type BreakEvenOptions, breakEven } from "./break-even.ts";
export { costPerExit } from "./cost-per-exit.ts";
export { type Difference, decomposition, differences } from "./decomposition.ts";
export { devicePaths } from "./device-paths.ts";
export { escapeText, visible } from "./escape.ts";
export { exitsByReason } from "./exits-by-reason.ts";
export { type ExitsPerOperationOptions, exitSites, exitsPerOperation } from "./exits-per-operation.ts";
export { identityMatrix } from "./identity-matrix.ts";
export { imageGrowth, padding, patching, portEffort, sitesByClass } from "./kernels.ts";
export { machineInstructions } from "./machine-instructions.ts";
export { markdown } from "./markdown.ts";
export type { Baseline } from "./measure.ts";
export { type RenderedReport, type ReportFile, renderReport } from "./render-report.ts";
export type { Artifact, Report } from "./report.ts";
export { shadowFaults } from "./shadow-faults.ts";
export { costPerMark, slowdown } from "./slowdown.ts";
export type { Cell, Column, Table } from "./table.ts";
export { timeline } from "./timeline.ts";
export { virtualizability, virtualizabilityOf } from "./virtualizability.ts";
