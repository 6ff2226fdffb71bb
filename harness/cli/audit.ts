/**
 * `trapline audit`: whether a profile's machine is virtualizable, by experiment; and with `--litmus`, what its holes do to a guest.
 *
 * @module
 */

import { join } from "node:path";
import type { Command } from "commander";
import { virtualizabilityOf } from "../../reports/mod.ts";
import { type Audit, type AuditedInstruction, audit, nameOf } from "../audit/audit.ts";
import { auditSummary } from "../audit/audit-profile.ts";
import { type Litmus, runLitmus } from "../audit/litmus.ts";
import { INSTRUCTION_CLASSES } from "../comparison.ts";
import { writeWhole } from "../files.ts";
import { profileNamed } from "../names.ts";
import type { Finish } from "./main.ts";
import { EXIT, type Outcome } from "./outcome.ts";

interface Options {
  readonly profile: string;
  readonly litmus?: boolean;
  readonly output?: string;
}

export function declare(command: Command, finish: Finish): void {
  command
    .option("--profile <NAME>", "the machine profile", "strict")
    .option(
      "--litmus",
      "run a small guest for each sensitive instruction that does not trap, and show where it goes wrong",
    )
    .option("-o, --output <FOLDER>", "write the figure and its table there")
    .action((options: Options) => finish(run(options)));
}

async function run({ profile: name, litmus: wanted = false, output }: Options): Promise<Outcome> {
  const profile = profileNamed(name);
  const audited = audit(profile);
  const litmus = wanted ? runLitmus(profile, audited) : undefined;
  const files = output === undefined ? [] : await writeFigure(output, audited, litmus);
  const wrong = audited.instructions.filter(({ agrees }) => !agrees);
  const unseen = (litmus ?? []).filter(({ detected }) => !detected);
  const { verdict, violators } = audited;
  const remark =
    wrong.length > 0
      ? `${wrong.length} of ${audited.instructions.length} rows were observed to be of another class than predicted: ${wrong.map(nameOf).slice(0, 8).join(", ")}`
      : unseen.length > 0
        ? `${unseen.length} of ${litmus!.length} litmus guests did not see what they are about: ${unseen.map(({ instruction }) => instruction).join("; ")}`
        : undefined;
  return {
    exitCode: remark === undefined ? EXIT.ok : EXIT.verification,
    document: {
      profile: audited.profile,
      verdict,
      violators,
      classes: audited.classes,
      instructions: audited.instructions,
      ...(litmus === undefined ? {} : { litmus: litmusDocument(litmus) }),
      files,
    },
    text: [
      ...auditText(audited, wrong),
      ...(litmus === undefined ? [] : litmusText(litmus)),
      ...files.map((file) => `written  ${file}`),
    ].join("\n"),
    ...(remark === undefined ? {} : { remark }),
  };
}

async function writeFigure(folder: string, audited: Audit, litmus?: readonly Litmus[]): Promise<readonly string[]> {
  const { name, svg, csv } = await virtualizabilityOf([auditSummary(audited, litmus ?? null, null)]);
  const files = [
    ...(svg === null ? [] : [{ path: join(folder, `${name}.svg`), text: svg }]),
    { path: join(folder, `${name}.csv`), text: csv },
  ];
  for (const { path, text } of files) writeWhole(path, text);
  return files.map(({ path }) => path);
}

function auditText(audited: Audit, wrong: readonly AuditedInstruction[]): readonly string[] {
  const { profile, verdict, classes, instructions } = audited;
  const dirties = instructions.filter((row) => row.dirties).length;
  const conditional = instructions.filter((row) => row.conditional).length;
  const said =
    verdict === "virtualizable"
      ? "virtualizable: every sensitive instruction is privileged"
      : `not virtualizable: ${audited.violators.length} sensitive instructions run in user mode without a trap`;
  return [
    `profile  ${profile}`,
    `verdict  ${said}`,
    "",
    ...INSTRUCTION_CLASSES.map((name) => `${String(classes[name]).padStart(5)}  ${name}`),
    `${String(instructions.length).padStart(5)}  instructions and CSR accesses, ${wrong.length === 0 ? "each as predicted" : `${wrong.length} NOT as predicted`}`,
    ...byClass(instructions),
    ...(wrong.length === 0
      ? []
      : ["", ...wrong.map((row) => `differs  ${nameOf(row)}: predicted ${row.class}, observed ${row.observed}`)]),
    "",
    `caveats  ${dirties} of the innocuous ones make FS Dirty, which nothing tells the supervisor`,
    `         ${conditional} trap in user mode while a privileged register says so, and run there while it does not`,
  ];
}

/** Those that are no matter of course, grouped: `csrrs csrrc  sie stvec`. */
function byClass(instructions: readonly AuditedInstruction[]): readonly string[] {
  return (["control-sensitive", "behaviour-sensitive"] as const).flatMap((name) => {
    const rows = instructions.filter(({ observed }) => observed === name);
    if (rows.length === 0) return [];
    const csrs = new Map<string, string[]>();
    for (const { mnemonic, csr } of rows) {
      const key = csr ?? "";
      csrs.set(key, [...(csrs.get(key) ?? []), mnemonic]);
    }
    const together = new Map<string, string[]>();
    for (const [csr, mnemonics] of csrs) {
      const key = mnemonics.join(" ");
      together.set(key, [...(together.get(key) ?? []), csr]);
    }
    return [
      "",
      `${name}, without a trap`,
      ...[...together].map(([mnemonics, names]) => `  ${`${mnemonics}  ${names.join(" ")}`.trimEnd()}`),
    ];
  });
}

function litmusDocument(litmus: readonly Litmus[]): object {
  return { detected: litmus.filter(({ detected }) => detected).length, total: litmus.length, guests: litmus };
}

function litmusText(litmus: readonly Litmus[]): readonly string[] {
  if (litmus.length === 0)
    return ["", "litmus   nothing sensitive runs in user mode without a trap, so there is nothing to show"];
  const detected = litmus.filter((one) => one.detected).length;
  const width = Math.max(...litmus.map(({ instruction }) => instruction.length));
  return [
    "",
    `litmus   ${detected} of ${litmus.length} detected`,
    ...litmus.flatMap(({ instruction, detected: seen, silent, difference, saw }) => [
      `  ${instruction.padEnd(width)}  ${seen ? "detected" : "NOT SEEN"}  saw ${saw.bare} bare, ${saw.full} under full`,
      ...(silent === null ? [] : [`    silent   ${silent.instruction} at pc ${silent.pc}, step ${silent.step}`]),
      ...(difference === null ? [] : [`    bare     ${difference.bare}`, `    full     ${difference.full}`]),
    ]),
  ];
}
