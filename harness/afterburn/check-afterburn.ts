/**
 * `npm run check:afterburn`: tries the afterburner on what gcc makes of hutch's sources and of generated programs, and on a few lines for each thing
 * that it must read right. Needs Debian's cross compiler.
 *
 * Each input is assembled in four ways: as it is; as the afterburner gives it back when it is off; put together again from the statements that were
 * read, without comments; and annotated. The first three must be one object file, byte for byte. The annotated one, linked, must pass the scan, and
 * without pads be the instructions of the first. Memory instructions have the same names in the source and in the image.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process, { stderr, stdout } from "node:process";
import { decodeAt, elfSections } from "../../engine/mod.ts";
import { packageFile } from "../installation.ts";
import { afterburn } from "./afterburn.ts";
import { generatedC } from "./generated-c.ts";
import { MemoryCounter, type MemoryInstruction, memoryInstructions, placeText } from "./memory-sites.ts";
import { scanImage } from "./scan.ts";
import { parseSource } from "./statements.ts";
import { TOOL_LINES } from "./tool-lines.ts";

const CROSS = "riscv64-unknown-elf-";
const ARCHITECTURE = ["-march=rv64imafdc_zicsr_zifencei", "-mabi=lp64d"];
const LEVELS = [["-O0"], ["-O2"], ["-O2", "-g"]];
const GENERATED = 64;
/** Fewer are a failure, lest a list run empty unseen. */
const LEAST_INPUTS = 300;

interface Input {
  readonly name: string;
  readonly source: string;
  /** Annotated records that the image must hold, where that is known. */
  readonly expanded?: number;
  /** Sensitive instructions that the source hides, which the scan must find. */
  readonly hidden: number;
  /** Whether it has no macros. */
  readonly whole: boolean;
}

const scratch = mkdtempSync(join(tmpdir(), "trapline-afterburn-"));

/** Runs many commands of a shell, half of them at once with the other half: there are thousands, and a process of Node's is dear to start. */
async function runAll(commands: readonly string[]): Promise<void> {
  const halves = [0, 1].map((half) => commands.filter((_, index) => index % 2 === half));
  const ends = halves.map(async (half) => {
    const shell = spawn("sh", ["-e"], { cwd: scratch, stdio: ["pipe", "inherit", "inherit"] });
    shell.stdin.end(
      half
        .map((command) => `(${command}) || { echo 'it was: ${command.replaceAll("'", "")}' >&2; exit 1; }\n`)
        .join(""),
    );
    const [status] = await once(shell, "exit");
    if (status !== 0) {
      throw new RangeError(
        `Cannot check the afterburner as the cross compiler must take what it is given: exit code ${status}; apt-get install gcc-riscv64-unknown-elf`,
      );
    }
  });
  await Promise.all(ends);
}

/** What gcc makes of C sources, and the preprocessor of assembly sources. */
async function compiled(
  sources: readonly { readonly name: string; readonly path: string }[],
): Promise<readonly Input[]> {
  const jobs = sources.flatMap(({ name, path }) =>
    (path.endsWith(".S") ? [[]] : LEVELS).map((flags) => ({ name: `${name} ${flags.join(" ")}`, path, flags })),
  );
  const common = ["-std=gnu11", "-ffreestanding", "-fno-pic", "-mcmodel=medany", "-w", ...ARCHITECTURE];
  await runAll(
    jobs.map(({ path, flags }, index) => {
      const form = path.endsWith(".S") ? "-E" : "-S";
      // A port's own files see that port's headers, all others those of the bare one.
      const port = /\/(arch-\w+)\//.exec(path)?.[1] ?? "arch-bare";
      const includes = ["", `/kernel/${port}`].map(
        (folder) => `-I ${packageFile(`experiments/guests/hutch${folder}`)}`,
      );
      return [`${CROSS}gcc`, form, ...common, ...includes, ...flags, "-o", `compiled-${index}.s`, path].join(" ");
    }),
  );
  return jobs.map(({ name }, index) => {
    const whole = /\.c /.test(name);
    return { name, source: readFileSync(join(scratch, `compiled-${index}.s`), "utf8"), hidden: 0, whole };
  });
}

async function inputs(): Promise<readonly Input[]> {
  const hutch = ["kernel", "user"].flatMap((folder) => {
    const path = packageFile(`experiments/guests/hutch/${folder}`);
    const files = readdirSync(path, { recursive: true, encoding: "utf8" }).sort();
    return files
      .filter((file) => /\.[cS]$/.test(file))
      .map((file) => ({ name: `${folder}/${file}`, path: join(path, file) }));
  });
  const generated = Array.from({ length: GENERATED }, (_, seed) => {
    const path = join(scratch, `generated-${seed}.c`);
    writeFileSync(path, generatedC(seed));
    return { name: `generated ${seed}`, path };
  });
  const lines = TOOL_LINES.map(({ name, source, sites, expanded, hidden = 0 }) => {
    return { name, source, expanded: expanded ?? sites.length, hidden, whole: false };
  });
  return [...lines, ...(await compiled([...hutch, ...generated]))];
}

const FORMS: Readonly<Record<string, (source: string) => string>> = {
  original: (source) => source,
  off: (source) => afterburn(source, { file: "input.s", off: true }).text,
  together: putTogether,
  annotated: (source) => afterburn(source, { file: "input.s" }).text,
};

/** Commands that assemble an input in all forms, and link two of them; what it calls elsewhere is at 0. */
function assembled({ source }: Input, index: number): string[] {
  return Object.entries(FORMS).map(([form, made]) => {
    const folder = join(scratch, `${index}`, form);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "input.s"), made(source));
    // What a source takes in as it is, it takes in the same in all forms: nothing.
    for (const [, file] of source.matchAll(/\.incbin\s+"([^"]+)"/g)) writeFileSync(join(folder, file!), "");
    // Line tables hold the folder's name.
    const assemble = [`${CROSS}as`, ...ARCHITECTURE, '--debug-prefix-map="$PWD"=.', "-o input.o input.s"].join(" ");
    const link = `${CROSS}ld --no-relax --no-warn-rwx-segments --unresolved-symbols=ignore-all -e 0 -Ttext=0x10000000 -o input.elf input.o`;
    const linked = form === "original" || form === "annotated" ? ` && ${link}` : "";
    return `cd ${index}/${form} && ${assemble}${linked}`;
  });
}

/** The source again, from what was read of it alone. */
function putTogether(source: string): string {
  const { statements } = parseSource(source, "input.s");
  return statements
    .map(({ labels, name, rest }) => {
      const body = name === "=" ? rest.replace(",", " = ") : `${name} ${rest}`;
      return `${labels.map((label) => `${label}: `).join("")}${body}\n`;
    })
    .join("");
}

/** The mnemonics of an image's code, without pads and without what aligns it: no-ops, and zeros between sections. */
function mnemonics(file: Uint8Array): string[] {
  return elfSections(file, "input.elf").flatMap(({ bytes, executable, loaded }) => {
    const found: string[] = [];
    const half = (at: number): number => (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
    for (let at = 0; executable && loaded && at + 1 < bytes.length; ) {
      const decoded = decodeAt(half(at), half(at + 2));
      const isNop =
        decoded === undefined ? half(at) === 0 : decoded.instruction.mnemonic === "addi" && decoded.rd === 0;
      const mnemonic = decoded?.instruction.mnemonic ?? `${half(at)}`;
      if (!isNop && mnemonic !== "pad") found.push(mnemonic);
      at += decoded?.length ?? 2;
    }
    return found;
  });
}

const names = ({ places }: MemoryInstruction): string[] => places.map(placeText);

/** What is wrong with an input; empty where nothing is. */
function complaints({ source, expanded, hidden, whole }: Input, index: number): string[] {
  const file = (form: string, name: string): Buffer => readFileSync(join(scratch, `${index}`, form, name));
  const wrong: string[] = [];
  const original = file("original", "input.o");
  if (!original.equals(file("off", "input.o"))) wrong.push("switched off, it gives another object file");
  if (!original.equals(file("together", "input.o"))) wrong.push("put together again, it is another object file");
  const annotated = file("annotated", "input.elf");
  const { faults, sites } = scanImage(annotated, "input.elf");
  if (faults.length !== hidden)
    wrong.push(...faults.map(({ address, message }) => `0x${address.toString(16)}: ${message}`));
  if (faults.length < hidden) wrong.push(`the scan finds ${faults.length} of ${hidden} hidden sites`);
  const count = sites.filter(({ treatment }) => treatment === "annotated").length;
  const named = new Set(memoryInstructions(file("original", "input.elf"), "input.elf").flatMap(names));
  const counter = new MemoryCounter();
  const counted = parseSource(source, "input.s").statements.flatMap((statement) =>
    counter.follow(statement).map(placeText),
  );
  const misnamed = counted.filter((place) => !named.has(place));
  if (misnamed.length > 0) wrong.push(`its image has no memory instruction ${misnamed.join(", ")}`);
  // Only macros hide memory instructions from whoever counts them in the source.
  if (whole && new Set(counted).size !== named.size) wrong.push("not all memory instructions are counted");
  if (expanded !== undefined && count !== expanded) wrong.push(`it has ${count} annotated sites, not ${expanded}`);
  if (mnemonics(annotated).join() !== mnemonics(file("original", "input.elf")).join())
    wrong.push("annotated, it has other instructions");
  return wrong;
}

try {
  const all = await inputs();
  await runAll(all.flatMap(assembled));
  const found = all.flatMap((input, index) => complaints(input, index).map((text) => `${input.name}: ${text}\n`));
  for (const text of found) stderr.write(text);
  stdout.write(`${all.length} inputs, ${found.length} complaints\n`);
  if (all.length < LEAST_INPUTS || found.length > 0) process.exitCode = 1;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
