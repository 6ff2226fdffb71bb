/**
 * The harness: record, replay, verify, compare; experiments and cost models. The only room that touches files, processes and host time.
 *
 * Reading order: `record.ts` and `replay.ts` over `drive.ts` (the loop they share) and `setup.ts`; `verify.ts`; `compare.ts` over `costs/`;
 * `experiment.ts` and `run-experiment.ts`; then `guests/`, and `cli/`, which puts it all together.
 *
 * @module
 */

export {
  full,
  leakyMin,
  leakySilent,
  leakyX86,
  native,
  PROFILES,
  type Profile,
  para,
  pre,
  regions,
  rewritingInline,
  rewritingTrap,
  shadowed,
  shadowedBy,
  type Technique,
} from "../engine/mod.ts";
export { type Audit, type AuditedInstruction, audit } from "./audit/audit.ts";
export { type Litmus, runLitmus } from "./audit/litmus.ts";
export { type ComparedRun, type CompareOptions, compare } from "./compare.ts";
export * from "./comparison.ts";
export { type ConsoleInput, LiveInput, type Moment, NO_INPUT, RecordedInput, ScriptedInput } from "./console-input.ts";
export { inOrder } from "./costs/in-order.ts";
export { type CostModel, type Overrides, resolvePrices } from "./costs/model.ts";
export { type PricedRun, Pricing, type PricingOptions, priceRun } from "./costs/price-run.ts";
export { DivergenceError } from "./divergence.ts";
export { type Ending, MARK_CHECKPOINT_DISTANCE, type Tamper } from "./drive.ts";
export { type Artifact, type Experiment, type ExperimentOptions, experiment, type Report } from "./experiment.ts";
export { parseInputScript, type Statement } from "./input-script.ts";
export { type LoadedExperiment, loadExperiment } from "./load-experiment.ts";
export { MemorySink, type RecordOptions, type RunResult, record, type Tape } from "./record.ts";
export { recordTo } from "./record-to.ts";
export { type OpenRecording, openRecording, openTrace } from "./recording.ts";
export { type Recording, type Replay, type ReplayOptions, replay } from "./replay.ts";
export { replayTo, type StoredVerification } from "./replay-task.ts";
export { type ExperimentResult, type RunExperimentOptions, readComparison, runExperiment } from "./run-experiment.ts";
export { DEFAULT_CHECKPOINT_EVERY, DEFAULT_MAX_STEPS, DEFAULT_RTC_SECONDS, type RecordingSettings } from "./setup.ts";
export { type ImageStore, memoryStore, sha256, storeBeside } from "./store.ts";
export { type Verification, verify, verifyTraces } from "./verify.ts";
