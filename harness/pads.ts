/**
 * How often a recorded kernel runs the pads that an afterburner put behind its instructions.
 *
 * A pad weighs nothing (T3), so no event tells of it. The guest is run once more, bare, with an address mark at each padded site, which makes no
 * difference to it; each time that a site is come to, its pads are run. Counted over the whole run and over the laps of the guest's own marks.
 *
 * @module
 */
import { elfSections, ImageError, readSites, SITE_SECTION, type Site } from "../engine/mod.ts";
import { Laps, MARK_LAP } from "./costs/marks.ts";
import { Tally } from "./costs/tally.ts";
import type { Guest } from "./guests/mod.ts";
import { type RecordOptions, record } from "./record.ts";

export interface PadCounts {
  readonly whole: number;
  readonly marks: Readonly<Record<string, number>>;
}

const PAD_BYTES = 4;

/** The sites of a kernel that have pads; none where it was never afterburned. */
export function paddedSites(kernel: Uint8Array): readonly Site[] {
  let records: Uint8Array | undefined;
  try {
    records = elfSections(kernel, "kernel").find(({ name }) => name === SITE_SECTION)?.bytes;
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
  }
  return readSites(records ?? new Uint8Array(0)).filter(({ padding, address }) => padding > 0 && address > 0n);
}

/**
 * Runs a guest bare, and counts.
 *
 * @returns Undefined where its kernel has no pads; nothing is run then.
 * @throws As `record`.
 */
export async function countPads(
  guest: Guest,
  settings: Omit<RecordOptions, "guest" | "sink" | "store"> = {},
): Promise<PadCounts | undefined> {
  const sites = paddedSites((await guest.load()).kernel);
  if (sites.length === 0) return undefined;
  const nameOf = (site: Site): string => `pad-${site.address.toString(16)}`;
  const watched = sites.map((site) => [nameOf(site), `0x${site.address.toString(16)}`] as const);
  const tape = await record({
    ...settings,
    guest: { ...guest, addressMarks: { ...guest.addressMarks, ...Object.fromEntries(watched) } },
  });
  const names = Object.fromEntries(tape.trace().header.marks.map(({ id, name }) => [id, name]));
  const pads = new Map(sites.map((site) => [nameOf(site), site.padding / PAD_BYTES]));
  const laps = new Laps([], names);
  const tally = new Tally();
  const read = (step: number) => () => ({ step, units: new Float64Array(0), exits: tally.snapshot() });
  for (const event of tape.events()) {
    if (event.kind !== "mark") continue;
    const here = pads.get(names[event.code & 0xff] ?? "");
    if (here === undefined) laps.mark(event, read(event.step));
    else if (event.code >>> 8 === MARK_LAP) tally.add("pads", here);
  }
  laps.end(read(tape.steps));
  return {
    whole: tally.total(),
    marks: Object.fromEntries(laps.summaries().map(({ name, exits }) => [name, exits.total])),
  };
}
