/**
 * The house rules, as tests: what may import what, what may touch the host, and how files are kept.
 *
 * Each rule says what is wrong with one file, and is shown to fail on a planted one. Words that a rule bans are spelled here with a
 * character class (`T[O]DO`), so that the rule does not find itself.
 *
 * @module
 */

import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, expect, test } from "vitest";

/** Rooms in the order of imports: only ever to the left. The command line composes them all, and nothing imports it. */
const ROOMS = ["engine", "traces", "harness", "reports", "harness/cli", "experiments"];
/** The inner order of the engine. */
const ENGINE = ["event", "isa", "hart", "machine", "devices", "boards", "vmm", "techniques"];
/** What other rooms may import of a room: its public face, and what is plain data between two rooms. */
const DOORS = [
  ...["engine/mod.ts", "engine/event/mod.ts", "traces/mod.ts", "harness/mod.ts", "harness/guests/mod.ts"],
  ...["harness/comparison.ts", "reports/mod.ts"],
];
/** What a room may import from outside the project. The engine imports nothing: it runs as it is in Node, Deno, a worker or a browser. */
const PACKAGES: Record<string, RegExp> = {
  engine: /^$/,
  traces: /^(msgpackr\/pack|msgpackr\/unpack|fflate)$/,
  harness: /^(node:.*|commander|tinybench|@swc\/wasm-typescript)$/,
  reports: /^(d3|d3-node|jsdom)$/,
  "harness/cli": /^(node:.*|commander|tinybench)$/,
  experiments: /^trapline\/(engine|traces|harness|guests|reports)$/,
};
const TOP_LEVEL = [
  ...["package.json", "package-lock.json", "deno.json", "tsconfig.json", "tsconfig.build.json", "vitest.config.ts"],
  ...["biome.json", "tidy.test.ts", "README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff", "docs", ".ci"],
  ...["engine", "traces", "harness", "reports", "experiments", ".gitignore", ".gitattributes", ".editorconfig"],
];
/** Made by commands, and not kept. */
const MADE = [".git", "node_modules", "dist", "dist.partial", "results", "coverage"];

interface Source {
  /** From the package's root. */
  readonly path: string;
  readonly text: string;
  /** The text without its comments; lines keep their numbers. */
  readonly code: string;
}

const source = (path: string, text: string): Source => ({ path, text, code: withoutComments(text) });

function withoutComments(text: string): string {
  const strings = /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\[\s\S])*`/;
  const patterns = /(?<=[(,=:[!&|?{};]\s*|\breturn )\/(?![*/])(?:[^\\/[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\//;
  const comments = /\/\*[\s\S]*?\*\/|\/\/[^\n]*/;
  const tokens = new RegExp(`(${strings.source}|${patterns.source})|${comments.source}`, "g");
  return text.replace(tokens, (found, kept: string | undefined) =>
    kept === undefined ? found.replace(/[^\n]/g, " ") : found,
  );
}

const KEPT = /\.(ts|mjs|json|md|c|h|S|ld|sh|svg|css)$|(^|\/)(Makefile|run|LICENSE|\.git\w+|\.editorconfig)$/;

const files: readonly Source[] = readdirSync(".", { withFileTypes: true })
  .filter(({ name }) => !MADE.includes(name))
  .flatMap(({ name }) =>
    statSync(name).isDirectory()
      ? readdirSync(name, { recursive: true, encoding: "utf8" }).map((file) => join(name, file))
      : [name],
  )
  .filter((path) => KEPT.test(path) && !/node_modules|package-lock|\/build\//.test(path) && statSync(path).isFile())
  .sort()
  .map((path) => source(path, readFileSync(path, "utf8")));

const isTest = ({ path }: Source) => /\.(test|fixture)\.ts$/.test(path);
const isModule = ({ path }: Source) => /\.(ts|mjs)$/.test(path) && roomOf(path) >= 0;
const isProduct = (file: Source) => isModule(file) && file.path.endsWith(".ts") && !isTest(file);
const isCode = ({ path }: Source) => /\.(ts|mjs|c|h|S|sh|ld)$|Makefile$|^\.ci\//.test(path);
/** Where a run must be the same on every machine and at any time. The rest of harness/ talks to the host. */
const isReproducible = (file: Source) =>
  isProduct(file) && /^(engine|traces|reports|harness\/costs|experiments)\//.test(file.path);

/** A room's place in the order, or -1 for a file that is in none. */
function roomOf(path: string): number {
  return ROOMS.findLastIndex((room) => path.startsWith(`${room}/`));
}

/** All that a module imports, in whichever form. */
function imports({ code }: Source): string[] {
  const forms = /^\s*(?:import|export)\b[^;"]*?\bfrom\s*"([^"]+)"|^\s*import\s*"([^"]+)"|\bimport\(\s*"([^"]+)"/gm;
  return [...code.matchAll(forms)].map(([, from, effect, dynamic]) => (from ?? effect ?? dynamic)!);
}

const relativeImports = (file: Source) =>
  imports(file)
    .filter((specifier) => specifier.startsWith("."))
    .map((specifier) => ({ specifier, target: normalize(join(dirname(file.path), specifier)) }));

/** The lines of `text` on which `pattern` is found, with what was found. */
function found(path: string, text: string, pattern: RegExp): string[] {
  return text
    .split("\n")
    .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}: ${pattern.exec(line)![0]}`] : []));
}

interface Rule {
  readonly name: string;
  readonly of: (file: Source) => boolean;
  /** What is wrong with the file; empty where nothing is. */
  readonly complaints: (file: Source) => string[];
  /** Files that break the rule, each by its path and text. */
  readonly planted: readonly (readonly [path: string, text: string])[];
}

const HOST = new RegExp(
  [
    String.raw`\bMath\.(?!(?:imul|clz32|abs|min|max|floor|ceil|trunc|sign|round|sqrt)\b)\w+`,
    String.raw`(?<!(?:\b2|\d+n) ?)\*\*(?! ?\d+n)`, // A power of two, or of a bigint, is exact.
    String.raw`\bMath\b(?!\.)`, // Taken apart, or by a computed name, it could be any function.
    String.raw`\bDate\b\s*[.([]|\bnew Date\b|[=:] *Date\b|\bperformance\.|\bprocess\.|\bDeno\b|\bBun\b|\bBuffer\.|\bglobalThis\b`,
    String.raw`\blocaleCompare\b|\btoLocale\w*|\bIntl\b|\bcrypto\.|\bnavigator\.|\bfetch\(|\brequire\(`,
    String.raw`\bset(?:Timeout|Interval|Immediate)\b|\bWeakRef\b|\bFinalizationRegistry\b|\bimport\.meta\b`,
    String.raw`(?<![.\w#])console\.(?:log|error|warn|info|debug)\b`,
  ].join("|"),
);
const UNFINISHED =
  /\bT[O]DO\b|\bF[I]XME\b|\bX[X]X\b|not (yet )?i[m]plemented|pl[a]ceholder|for n[o]w\b|in a re[a]l (system|implementation)|simplified v[e]rsion/i;
const SKIPPED = /\b(?:it|test|describe)\.(?:sk[i]p|on[l]y|t[o]do|f[a]ils|sk[i]pIf|r[u]nIf)\b|expect\(t[r]ue\)/;
const ELSEWHERE =
  /\.\.\/sh[a]red|(?:^|[^A-Za-z0-9_.])\/(?:w[o]rk|f[a]rm|r[o]ot|h[o]me\/[a-z]+)\/|b[a]sh_jobs|n[p]mjs\.(?:org|com)|d[e]b\.debian\.org|j[s]r\.io/;

const RULES: readonly Rule[] = [
  {
    name: "a room imports only from itself and from rooms to its left",
    of: isModule,
    complaints: (file) =>
      relativeImports(file)
        .filter(({ target }) => roomOf(target) > roomOf(file.path))
        .map(({ specifier }) => `${file.path} imports ${specifier}`),
    planted: [
      ["engine/mod.ts", 'import { read } from "../traces/mod.ts";'],
      ["reports/table.ts", 'export * from "../harness/cli/output.ts";'],
      ["traces/reader.ts", 'const { cost } = await import("../harness/mod.ts");'],
      ["harness/record.ts", 'import type { Table } from "../reports/mod.ts";'],
    ],
  },
  {
    name: "inside the engine, imports go leftwards too",
    of: (file) => isModule(file) && !isTest(file) && file.path.startsWith("engine/"),
    complaints: (file) => {
      const place = (path: string) => ENGINE.indexOf(path.split("/")[1]!);
      if (place(file.path) < 0) return []; // The room's own mod.ts shows all of it.
      return relativeImports(file)
        .filter(({ target }) => place(target) < 0 || place(target) > place(file.path))
        .map(({ specifier }) => `${file.path} imports ${specifier}`);
    },
    planted: [
      ["engine/isa/decode.ts", 'import { Hart } from "../hart/mod.ts";'],
      ["engine/hart/paging.ts", 'import { createMachine } from "../mod.ts";'],
    ],
  },
  {
    name: "of another room, only its doors are imported; of the engine, traces knows the events alone",
    of: (file) => isModule(file) && !isTest(file),
    complaints: (file) =>
      relativeImports(file)
        .filter(({ target }) => {
          const [from, to] = [ROOMS[roomOf(file.path)]!, ROOMS[roomOf(target)]];
          if (from === to || (from === "harness/cli" && to === "harness")) return false;
          if (from === "traces" && to === "engine") return target !== "engine/event/mod.ts";
          return !DOORS.includes(target);
        })
        .map(({ specifier }) => `${file.path} imports ${specifier}`),
    planted: [
      ["harness/record.ts", 'import { Log } from "../engine/event/log.ts";'],
      ["traces/reader.ts", 'import { createMachine } from "../engine/mod.ts";'],
      ["reports/slowdown.ts", 'import { compare } from "../harness/compare.ts";'],
    ],
  },
  {
    name: "a relative import carries its extension, and names a file that is there",
    of: isModule,
    complaints: (file) =>
      relativeImports(file)
        .filter(({ target }) => !/\.(ts|mjs)$/.test(target) || !files.some(({ path }) => path === target))
        .map(({ specifier }) => `${file.path} imports ${specifier}`),
    planted: [
      ["engine/isa/decode.ts", 'import { rows } from "./table";'],
      ["engine/isa/decode.ts", 'import { rows } from "./not-there.ts";'],
    ],
  },
  {
    name: "a room imports only the packages that it may",
    of: isProduct,
    complaints: (file) =>
      imports(file)
        .filter((specifier) => !specifier.startsWith(".") && !PACKAGES[ROOMS[roomOf(file.path)]!]!.test(specifier))
        .map((specifier) => `${file.path} imports ${specifier}`),
    planted: [
      ["engine/machine/bus.ts", 'import { readFileSync } from "node:fs";'],
      ["reports/html.ts", 'import { writeFileSync } from "node:fs";'],
      ["traces/writer.ts", 'import { pack } from "msgpackr";'],
      ["experiments/boot.ts", 'import { readFileSync } from "node:fs";'],
    ],
  },
  {
    name: "what must be reproducible asks nothing of the host, and no maths that engines round differently",
    of: isReproducible,
    complaints: (file) => [
      ...found(file.path, file.code, HOST),
      ...imports(file)
        .filter((specifier) => specifier.startsWith("node:"))
        .map((specifier) => `${file.path} imports ${specifier}`),
    ],
    planted: [
      ["engine/hart/clock.ts", "const now = Date.now();"],
      ["engine/hart/clock.ts", "const now = performance.now();"],
      ["engine/hart/float.ts", "return Math.log2(x);"],
      ["harness/costs/model.ts", "return Math.random();"],
      ["harness/costs/model.ts", "return base ** exponent;"],
      ["harness/costs/model.ts", "const { random } = Math;"],
      ["harness/costs/model.ts", 'return Math["random"]();'],
      ["harness/costs/model.ts", 'import { hrtime } from "node:process";'],
      ["harness/costs/in-order.ts", "const clock = Date;"],
      ["reports/timeline.ts", "return Math.pow(base, exponent);"],
      ["experiments/boot.ts", "const seed = Math.random();"],
      ["reports/table.ts", "rows.sort((a, b) => a.name.localeCompare(b.name));"],
      ["reports/table.ts", "return value.toLocaleString();"],
      ["traces/writer.ts", "const level = process.env.LEVEL;"],
      ["traces/writer.ts", "return Buffer.from(bytes);"],
      ["engine/machine/run.ts", 'console.log("here");'],
      ["reports/escape.ts", "const quotes = /[\"'`]/g; // a quote that opens nothing\nconst now = Date.now();"],
    ],
  },
  {
    name: "a file has at most 600 lines",
    of: isCode,
    complaints: ({ path, text }) => {
      const lines = text.trimEnd().split("\n").length;
      return lines > 600 ? [`${path} has ${lines}`] : [];
    },
    planted: [["engine/hart/everything.ts", "export {};\n".repeat(601)]],
  },
  {
    name: "a module begins by saying what it is",
    of: (file) => isModule(file) && !isTest(file),
    complaints: ({ path, text }) => {
      const head = /^(?:#!.*\n)?\/\*\*[\s\S]*?\*\//.exec(text)?.[0] ?? "";
      const isExperiment = /^experiments\/[^/]*$/.test(path); // Its head is the question it asks.
      return head !== "" && (isExperiment || head.includes("@module")) ? [] : [path];
    },
    planted: [
      ["engine/mod.ts", "export {};\n"],
      ["engine/mod.ts", "/** What it is, with no end to the head. */\nexport {};\n"],
      ["experiments/boot.ts", "export default {};\n"],
    ],
  },
  {
    name: "a file is named in kebab-case, for what it holds",
    of: (file) => isModule(file) || file.path.startsWith("docs/"),
    complaints: ({ path }) => {
      const name = path.split("/").at(-1)!;
      const kebab = /^([a-z0-9]+(-[a-z0-9]+)*(\.(test|fixture))?\.(ts|mjs|md|svg)|[A-Z]+\.md)$/;
      return kebab.test(name) && !/^(utils?|helpers?|types?|constants?|manager|common|misc)\./.test(name) ? [] : [path];
    },
    planted: [
      ["engine/isa/utils.ts", ""],
      ["engine/isa/decodeTable.ts", ""],
    ],
  },
  {
    name: "nothing is left for later",
    of: isCode,
    complaints: ({ path, text }) => found(path, text, UNFINISHED),
    planted: [
      ["engine/mod.ts", "// TO" + "DO: the rest"],
      ["engine/mod.ts", "throw new Error('not yet " + "implemented');"],
      ["experiments/guests/hutch/kernel/main.c", "/* good enough for" + " now */"],
    ],
  },
  {
    name: "no test is skipped, runs alone or asserts a constant",
    of: isTest,
    complaints: ({ path, code }) => found(path, code, SKIPPED),
    planted: [
      ["engine/mod.test.ts", "test.sk" + 'ip("later", () => {});'],
      ["engine/mod.test.ts", "expect(tr" + "ue).toBe(true);"],
    ],
  },
  {
    name: "an error says what cannot be done, by which rule, without contractions or a full stop",
    of: isProduct,
    complaints: ({ path, code }) =>
      [...code.matchAll(/Error\(\s*(?:"(?=Cannot )((?:[^"\\]|\\.)*)"|`(?=Cannot )((?:[^`\\]|\\[\s\S])*)`)\s*[,)]/g)]
        .map(([, plain, template]) => plain ?? template!)
        .filter((message) => !/ as /.test(message) || /\.$|\b(can't|don't|isn't|won't|doesn't)\b/.test(message))
        .map((message) => `${path}: ${message}`),
    planted: [
      ["engine/mod.ts", 'throw new RangeError("Cannot load the image: it is empty");'],
      ["engine/mod.ts", 'throw new RangeError("Cannot load the image as it must hold code: it is empty.");'],
      ["engine/mod.ts", "throw new RangeError(`Cannot load it as it must hold code: it doesn't`);"],
    ],
  },
  {
    name: "nothing refers to one machine, or to a registry's host",
    of: () => true,
    complaints: ({ path, text }) => found(path, text, ELSEWHERE),
    planted: [
      ["docs/adding.md", "See `/wo" + "rk/main/engine`."],
      ["README.md", "npm i --registry https://registry.npm" + "js.org"],
      ["docs/ARCHITECTURE.md", "As .." + "/shared says."],
    ],
  },
  {
    name: "a document has one title, on its first line",
    of: ({ path }) => path.endsWith(".md"),
    complaints: ({ path, text }) => {
      const prose = text.replace(/^```[\s\S]*?^```/gm, "");
      const titles = prose.match(/^# .*/gm) ?? [];
      return titles.length === 1 && text.startsWith("# ") ? [] : [`${path} has ${titles.length} titles`];
    },
    planted: [
      ["docs/cli.md", "## Verbs\n"],
      ["docs/cli.md", "# Verbs\n\n# Options\n"],
      ["docs/cli.md", "Words before.\n\n# Verbs\n"],
    ],
  },
];

for (const { name, of, complaints, planted } of RULES) {
  describe(name, () => {
    test("holds for every file", () => {
      expect(files.filter(of).flatMap(complaints)).toEqual([]);
    });

    test("is seen to fail", () => {
      for (const [path, text] of planted) {
        const file = source(path, text);
        expect(of(file), path).toBe(true);
        expect(complaints(file), text.slice(0, 80)).toHaveLength(1);
      }
    });
  });
}

describe("the tree", () => {
  test("has no module that nothing reaches", () => {
    const modules = new Map(files.filter(isModule).map((file) => [file.path, file]));
    const scripts = files.filter(({ path }) => path === "package.json" || path === ".ci/run").map(({ text }) => text);
    const isRoot = (path: string) =>
      ROOMS.some((room) => path === `${room}/mod.ts`) ||
      path === "harness/guests/mod.ts" ||
      path === "harness/cli/trapline.ts" ||
      path.endsWith(".test.ts") ||
      /^experiments\/[^/]*\.ts$/.test(path) ||
      scripts.some((text) => text.includes(path));
    const reached = new Set<string>();
    const visit = (path: string) => {
      const file = modules.get(path);
      if (file === undefined || reached.has(path)) return;
      reached.add(path);
      // A worker's entry is no import, but its file is named in a string all the same.
      for (const [, name] of file.code.matchAll(/"([^"\n]+\.(?:ts|mjs))"/g)) {
        visit(normalize(join(dirname(path), name!)));
        visit(normalize(name!));
      }
    };
    for (const path of modules.keys()) if (isRoot(path)) visit(path);
    expect([...modules.keys()].filter((path) => !reached.has(path))).toEqual([]);
  });

  test("exports nothing that nobody names", () => {
    const modules = files.filter(isModule);
    const words = modules.map(({ path, code }) => ({ path, words: new Set(code.match(/\w+/g)) }));
    const idle = modules
      .filter(({ path }) => path !== "harness/experiment-hooks.ts") // Node calls its exports by name.
      .flatMap(({ path, code }) =>
        [...code.matchAll(/^export (?:async )?(?:const|function\*?|class|interface|type) (\w+)/gm)]
          .map(([, name]) => name!)
          .filter((name) => code.match(new RegExp(`\\b${name}\\b`, "g"))!.length === 1)
          .filter((name) => !words.some((other) => other.path !== path && other.words.has(name)))
          .map((name) => `${path}: ${name}`),
      );
    expect(idle).toEqual([]);
  });

  test("holds at its top only what the design names", () => {
    expect(readdirSync(".").filter((name) => ![...TOP_LEVEL, ...MADE].includes(name))).toEqual([]);
  });

  test("shows in the README the two commands that everything starts with", () => {
    const readme = readFileSync("README.md", "utf8");
    expect(readme).toContain("npm ci && npm start");
    expect(readme).toContain("npm ci && npm test");
  });

  test("links to and names in its documents only files that are there", () => {
    const isThere = (path: string) => statSync(path, { throwIfNoEntry: false }) !== undefined;
    const broken = files
      .filter(({ path }) => path.endsWith(".md"))
      .flatMap(({ path, text }) => {
        const links = [...text.matchAll(/\]\((?!https?:|#)([^)#\s]+)[^)]*\)/g)].map(([, link]) =>
          normalize(join(dirname(path), link!)),
        );
        const names = [...text.matchAll(/`((?:engine|traces|harness|reports|experiments|docs)\/[\w./-]*)`/g)];
        return [...links, ...names.map(([, name]) => name!)]
          .filter((target) => !isThere(target))
          .map((target) => `${path} names ${target}`);
      });
    expect(broken).toEqual([]);
  });
});
