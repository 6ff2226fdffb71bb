/**
 * `trapline afterburn`: pads and annotates the sensitive instructions of assembly sources, stands in front of an assembler, and scans what was linked.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { argv, execArgv, execPath, versions } from "node:process";
import { type Command, InvalidArgumentError } from "commander";
import { SITE_CLASSES, type SiteClass, symbolsOf } from "../../engine/mod.ts";
import { type Afterburned, type AfterburnOptions, afterburn, at } from "../afterburn/afterburn.ts";
import { ASSEMBLER, assembleAnnotated, sourceText, writeWrapper } from "../afterburn/assembler-wrapper.ts";
import { faultingPlaces, parsePlaces, placeText } from "../afterburn/memory-sites.ts";
import { scanImage } from "../afterburn/scan.ts";
import { reasonOf, writeWhole } from "../files.ts";
import { openRecording } from "../recording.ts";
import type { Finish } from "./main.ts";
import { EXIT, type Outcome } from "./outcome.ts";

interface AfterburnFlags {
  readonly output?: string;
  readonly off?: boolean;
  readonly site?: Partial<Readonly<Record<SiteClass, number>>>;
  readonly userSection?: readonly string[];
  readonly asWrapper?: string;
  readonly assemble?: boolean;
  readonly assembler: string;
  readonly scan?: string;
  readonly memorySites?: string;
  readonly feedback?: string;
}

export function declare(command: Command, finish: Finish): void {
  command
    .argument("[SOURCE...]", "an assembly source; behind --, the assembler's arguments")
    .option("-o, --output <FILE>", "where the annotated source goes")
    .option("--off", "change nothing: the source is read and written again")
    .option("--site <CLASS=BYTES>", "bytes of the sites of a class, in place of those that it needs", siteBytes)
    .option(
      "--user-section <NAME>",
      "a section with code of user programs, which is listed only; may be repeated",
      (name: string, all: readonly string[] = []) => [...all, name],
    )
    .option("--memory-sites <FILE>", "memory instructions to annotate as well, as --feedback names them")
    .option("--as-wrapper <FOLDER>", "write a program `as` into a folder, for gcc -B FOLDER")
    .option("--assembler <PROGRAM>", "the assembler behind it", ASSEMBLER)
    .option("--assemble", "run the assembler on annotated sources, as that program does")
    .option("--scan <ELF>", "check that each sensitive instruction of a linked image is annotated or listed")
    .option(
      "--feedback <TRACE>",
      "name the memory instructions of the kernel for which a run left deprivileged execution",
    )
    .action((sources: readonly string[], flags: AfterburnFlags) => finish(act(sources, flags)));
}

/** `CLASS=BYTES` settings. */
function siteBytes(setting: string, all: AfterburnFlags["site"] = {}): AfterburnFlags["site"] {
  const [, name = "", digits = ""] = /^([a-z-]+)=(\d+)$/.exec(setting) ?? [];
  const bytes = Number(digits);
  if (!Object.hasOwn(SITE_CLASSES, name) || bytes > 64 || digits === "") {
    throw new InvalidArgumentError(
      `it must be CLASS=BYTES, at most 64, where CLASS is one of ${Object.keys(SITE_CLASSES).join(", ")}`,
    );
  }
  return { ...all, [name]: bytes };
}

async function act(sources: readonly string[], flags: AfterburnFlags): Promise<Outcome> {
  const options: Omit<AfterburnOptions, "file"> = {
    memory: flags.memorySites === undefined ? [] : parsePlaces(sourceText(flags.memorySites)),
    off: flags.off ?? false,
    siteBytes: flags.site ?? {},
    userSections: flags.userSection ?? [],
  };
  const forms = [flags.asWrapper, flags.scan, flags.feedback, flags.assemble, flags.output].filter(
    (form) => form !== undefined,
  );
  if (forms.length !== 1) {
    throw new RangeError(
      `Cannot afterburn as one of -o, --as-wrapper, --assemble, --scan and --feedback must say what to do: there are ${forms.length}; trapline afterburn --help`,
    );
  }
  if (flags.assemble === true) return assemble(flags.assembler, sources, options);
  if (flags.output !== undefined && sources.length === 1) return annotate(sources[0]!, flags.output, options);
  if (flags.output !== undefined || sources.length > 0) {
    throw new RangeError(
      `Cannot afterburn as -o takes one source, and the others none: there are ${sources.length}; trapline afterburn --help`,
    );
  }
  if (flags.feedback !== undefined) return feedback(flags.feedback);
  return flags.scan === undefined ? wrap(flags.asWrapper!, flags) : scan(flags.scan, options.memory);
}

function annotate(source: string, output: string, options: Omit<AfterburnOptions, "file">): Outcome {
  const burned = afterburn(sourceText(source), { ...options, file: source });
  writeWhole(output, burned.text);
  const annotated = burned.sites.filter(({ treatment }) => treatment === "annotated");
  const pads = annotated.reduce((sum, { padding }) => sum + padding, 0);
  const remark = remarksOf(burned).join("\n");
  return {
    exitCode: EXIT.ok,
    document: { source, output, ...documentOf(burned) },
    text: `${output}: ${annotated.length} sites annotated, with ${pads} bytes of pads`,
    ...(remark === "" ? {} : { remark }),
  };
}

function documentOf({ sites, remarks }: Afterburned): object {
  return {
    sites: sites.map(({ place, text, siteClass, treatment, padding }) => ({
      ...place,
      text,
      class: siteClass,
      treatment,
      padding,
    })),
    remarks: remarks.map(({ place, text }) => ({ ...place, text })),
  };
}

/** What was left as it is, and what could not be seen into. */
function remarksOf({ sites, remarks }: Afterburned): string[] {
  return [
    ...sites
      .filter(({ treatment }) => treatment !== "annotated")
      .map(({ place, text, treatment }) => `${at(place)}: listed only (${treatment}): ${text}`),
    ...remarks.map(({ place, text }) => `${at(place)}: ${text}`),
  ];
}

/** Silent where it goes well, as an assembler is. */
function assemble(assembler: string, args: readonly string[], options: Omit<AfterburnOptions, "file">): Outcome {
  const { exitCode, sources } = assembleAnnotated(assembler, args, options);
  return {
    exitCode: exitCode === 0 ? EXIT.ok : EXIT.usage,
    document: { assembler, exitCode, sources: sources.map(documentOf) },
    text: "",
  };
}

function wrap(folder: string, { assembler, off, site = {}, userSection = [], memorySites }: AfterburnFlags): Outcome {
  const runtime = versions.deno === undefined ? [execPath, ...execArgv] : [execPath, "run", "--allow-all"];
  const options = [
    ...(off === true ? ["--off"] : []),
    ...Object.entries(site).flatMap(([name, bytes]) => ["--site", `${name}=${bytes}`]),
    ...userSection.flatMap((name) => ["--user-section", name]),
    ...(memorySites === undefined ? [] : ["--memory-sites", resolve(memorySites)]),
  ];
  const command = [...runtime, argv[1]!, "afterburn", "--assembler", assembler, ...options, "--assemble"];
  const path = writeWrapper(folder, command);
  return { exitCode: EXIT.ok, document: { path, command }, text: path };
}

function scan(path: string, memory: AfterburnOptions["memory"]): Outcome {
  const image = imageBytes(path);
  const { sites, dropped, instructions, pads, undecoded, interior, faults } = scanImage(image, path, memory);
  const hex = (address: bigint): string => `0x${address.toString(16)}`;
  const place = symbolFinder(image, path);
  const listed = sites.filter(({ treatment }) => treatment !== "annotated").length;
  return {
    exitCode: faults.length === 0 ? EXIT.ok : EXIT.verification,
    document: {
      image: path,
      sites: sites.map(({ address, siteClass, ...site }) => ({ address: hex(address), class: siteClass, ...site })),
      dropped,
      instructions,
      pads,
      undecoded,
      interior: interior.map(hex),
      faults: faults.map(({ address, message }) => ({ address: hex(address), symbol: place(address), message })),
    },
    text: [
      ...faults.map(({ address, message }) => `${hex(address)} (${place(address) ?? "no symbol"}): ${message}`),
      `${path}: ${instructions} instructions, ${sites.length - listed} sites annotated, ${listed} listed, ${pads} pads, ${faults.length} faults`,
    ].join("\n"),
  };
}

function feedback(path: string): Outcome {
  const { trace, store } = openRecording(path);
  const { header, events } = { header: trace().header, events: trace().events() };
  const kernel = header.images.find(({ role }) => role === "kernel");
  if (kernel === undefined)
    throw new RangeError(`Cannot name memory instructions as the run must have a kernel: ${path} names none`);
  const places = faultingPlaces(events, store.get(kernel.sha256), kernel.name);
  return { exitCode: EXIT.ok, document: { trace: path, places }, text: places.map(placeText).join("\n") };
}

/** Finds the symbol at or before an address: `trap_return+0x1c`. */
function symbolFinder(image: Uint8Array, name: string): (address: bigint) => string | null {
  const symbols = [...symbolsOf(image, name)].sort(([, a], [, b]) => (a < b ? -1 : a > b ? 1 : 0));
  return (address) => {
    const [symbol, value = 0n] = symbols.findLast(([, before]) => before <= address) ?? [];
    if (symbol === undefined) return null;
    return value === address ? symbol : `${symbol}+0x${(address - value).toString(16)}`;
  };
}

function imageBytes(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new RangeError(`Cannot read ${path} as it must be a linked image: ${reasonOf(error)}`, { cause: error });
  }
}
