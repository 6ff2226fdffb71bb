/**
 * A trace's header: everything that is needed to make the recorded machine again, and the table that its records follow.
 *
 * @module
 */

import { type FieldType, LAYOUTS } from "../engine/event/mod.ts";
import { type Message, pack, Shape, unpack } from "./message.ts";
import { TraceFormatError } from "./trace-format-error.ts";

/** What a file was to the machine. */
export type ImageRole = "kernel" | "initrd" | "dtb" | "firmware" | "disk";
const ROLES: readonly string[] = ["kernel", "initrd", "dtb", "firmware", "disk"] satisfies ImageRole[];

/** A file that the machine started from. It is kept beside the trace, by its hash. */
export interface TraceImage {
  readonly role: ImageRole;
  /** As its user knows it; for messages, not for finding it. */
  readonly name: string;
  /** In 64 lower-case hexadecimal digits. */
  readonly sha256: string;
  readonly sizeBytes: number;
}

/** A name for the marks that a guest makes. */
export interface MarkName {
  /** The mark's id, from 0 to 255. */
  readonly id: number;
  readonly name: string;
}

export interface TraceHeader {
  /** The version of this package that recorded it. */
  readonly engineVersion: string;
  /** The guest's name or its binary's sha256, and what it was told to run. */
  readonly guest: string;
  readonly workload: string;
  readonly images: readonly TraceImage[];
  readonly technique: string;
  readonly variant: string;
  readonly profile: string;
  readonly memoryBytes: number;
  /** The kernel's command line. */
  readonly append: string;
  /** What the real-time clock read at step 0, in seconds since 1970. */
  readonly rtcSeconds: number;
  readonly machineMode: boolean;
  /** Steps between checkpoints. */
  readonly checkpointEvery: number;
  /** The step budget (T5). */
  readonly maxSteps: number;
  readonly devices: readonly string[];
  readonly marks: readonly MarkName[];
  /** Further settings that a replay needs, by name. */
  readonly settings: Readonly<Record<string, string | number | boolean>>;
}

/** The events table as the header keeps it: a row is the kind, its stream, then each field's name and type. */
function eventTable(): string[][] {
  return LAYOUTS.map(({ kind, stream, fields }) => [
    kind,
    stream,
    ...fields.flatMap(({ name, type }) => [name, type satisfies FieldType]),
  ]);
}

/** The header as a message: equal headers give equal bytes, in whatever order their members were written. */
export function packHeader(header: TraceHeader): Uint8Array {
  const settings = Object.entries(header.settings).sort(([a], [b]) => (a < b ? -1 : 1));
  const message: Message = {
    engineVersion: header.engineVersion,
    guest: header.guest,
    workload: header.workload,
    images: header.images.map(({ role, name, sha256, sizeBytes }) => ({ role, name, sha256, sizeBytes })),
    technique: header.technique,
    variant: header.variant,
    profile: header.profile,
    memoryBytes: header.memoryBytes,
    append: header.append,
    rtcSeconds: header.rtcSeconds,
    machineMode: header.machineMode,
    checkpointEvery: header.checkpointEvery,
    maxSteps: header.maxSteps,
    devices: [...header.devices],
    marks: header.marks.map(({ id, name }) => ({ id, name })),
    settings: settings.map(([name, value]) => [name, value]),
    events: eventTable(),
  };
  return pack(message);
}

/**
 * @returns The header, and how many kinds of event its table has.
 * @throws {TraceFormatError} If the message is no header, or its table is not the beginning of this version's.
 */
export function unpackHeader(payload: Uint8Array): { readonly header: TraceHeader; readonly knownKinds: number } {
  const shape = new Shape(unpack(payload, "the header"), "the header");
  const header: TraceHeader = {
    engineVersion: shape.at("engineVersion").text(),
    guest: shape.at("guest").text(),
    workload: shape.at("workload").text(),
    images: shape.at("images").items().map(readImage),
    technique: shape.at("technique").text(),
    variant: shape.at("variant").text(),
    profile: shape.at("profile").text(),
    memoryBytes: shape.at("memoryBytes").whole(),
    append: shape.at("append").text(),
    rtcSeconds: shape.at("rtcSeconds").whole(),
    machineMode: shape.at("machineMode").truth(),
    checkpointEvery: shape.at("checkpointEvery").whole(),
    maxSteps: shape.at("maxSteps").whole(),
    devices: shape
      .at("devices")
      .items()
      .map((device) => device.text()),
    marks: shape
      .at("marks")
      .items()
      .map((mark) => ({ id: mark.at("id").whole(), name: mark.at("name").text() })),
    settings: readSettings(shape.at("settings")),
  };
  const rows = shape
    .at("events")
    .items()
    .map((row) =>
      row
        .items()
        .map((cell) => cell.text())
        .join(" "),
    );
  const own = eventTable().map((row) => row.join(" "));
  rows.forEach((row, number) => {
    if (row !== own[number]) {
      throw new TraceFormatError(
        "its events must be known to this version",
        `kind ${number} is "${row}"; it was recorded by version ${header.engineVersion}: read it with that one, or record it again`,
      );
    }
  });
  return { header, knownKinds: rows.length };
}

function readImage(shape: Shape): TraceImage {
  const role = shape.at("role").text();
  const sha256 = shape.at("sha256").text();
  if (!ROLES.includes(role))
    throw new TraceFormatError(`an image must be one of ${ROLES.join(", ")}`, `it is "${role}"`);
  // It becomes a file name.
  if (!/^[0-9a-f]{64}$/.test(sha256))
    throw new TraceFormatError("a sha256 must have 64 hexadecimal digits", `it is "${sha256}"`);
  return { role: role as ImageRole, name: shape.at("name").text(), sha256, sizeBytes: shape.at("sizeBytes").whole() };
}

function readSettings(shape: Shape): TraceHeader["settings"] {
  const settings: Record<string, string | number | boolean> = Object.create(null);
  for (const pair of shape.items()) {
    const [name, value] = pair.items();
    if (name === undefined || value === undefined)
      throw new TraceFormatError("a setting must be a name and a value", "one is not");
    settings[name.text()] = value.scalar();
  }
  return { ...settings };
}
