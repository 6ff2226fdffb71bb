/** `docs/cli.md` against the command line: what one knows the other names. */
import { readdirSync, readFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { Terminal } from "./cli.fixture.ts";

const terminal = new Terminal();
afterAll(() => terminal.remove());

const document = readFileSync("docs/cli.md", "utf8");

/** The text of a verb's own section, and of `record`'s, whose options others share. */
const sectionOf = (verb: string): string =>
  document
    .split(/^## /m)
    .filter((section) => section.startsWith(`${verb}\n`) || section.startsWith("record\n"))
    .join("");

describe("docs/cli.md", async () => {
  const verbs = [...(await terminal.run("--help")).out.matchAll(/^ {2}([a-z]+) /gm)].map(([, verb]) => verb!);

  test("knows of verbs at all", () => {
    expect(verbs).toContain("recost");
    expect(verbs.length).toBeGreaterThan(10);
  });

  test.each(verbs)("has a section on %s that names each of its options", async (verb) => {
    expect(document).toMatch(new RegExp(`^## ${verb}$`, "m"));
    const { out } = await terminal.run(verb, "--help");
    // By the short name where there is one, as the document has it.
    const options = [...out.matchAll(/^ {2}(-\w|--[a-z-]+)/gm)].map(([, option]) => option!);
    expect(options).toContain("-h");
    const everyVerbs = new Set(["-h", "--json"]);
    const missing = options.filter((option) => !everyVerbs.has(option) && !sectionOf(verb).includes(option));
    expect(missing).toEqual([]);
  });

  test("names each experiment that comes with trapline", () => {
    const names = readdirSync("experiments").flatMap((name) => (name.endsWith(".ts") ? [name.replace(".ts", "")] : []));
    const [, run = ""] = document.split("\n## run\n");
    expect(names.filter((name) => !run.includes(`\`${name}\``))).toEqual([]);
  });
});
