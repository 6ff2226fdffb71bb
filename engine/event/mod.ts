/**
 * Events: what a run may log (`event.ts`), how a record lies in words (`record.ts`), and the log that a machine appends to (`log.ts`).
 *
 * Read them in that order.
 *
 * @module
 */

export * from "./event.ts";
export { type FieldsOf, Log } from "./log.ts";
export * from "./record.ts";
