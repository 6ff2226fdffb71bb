import { beforeAll, describe, expect, test } from "vitest";
import type { Comparison, RunSummary } from "../harness/comparison.ts";
import { csv } from "./csv.ts";
import { decomposition } from "./decomposition.ts";
import { visible } from "./escape.ts";
import { exitsByReason } from "./exits-by-reason.ts";
import { exitSites, exitsPerOperation } from "./exits-per-operation.ts";
import { HOSTILE } from "./golden/hostile-text.ts";
import { COMPARISON } from "./golden/null-syscall.ts";
import { html } from "./html.ts";
import { identityMatrix } from "./identity-matrix.ts";
import { imageGrowth, padding, patching, portEffort, sitesByClass } from "./kernels.ts";
import { markdown } from "./markdown.ts";
import { renderReport } from "./render-report.ts";
import { costPerMark, slowdown } from "./slowdown.ts";
import { drawSvg } from "./svg.ts";
import { number, type Table, text } from "./table.ts";
import { timeline } from "./timeline.ts";

interface Parsed {
  readonly window: { readonly document: Document; readonly DOMParser: typeof DOMParser };
}
let JSDOM: new (html: string) => Parsed;
beforeAll(async () => {
  // biome-ignore lint/suspicious/noTsIgnore: jsdom has no types of its own.
  // @ts-ignore: jsdom has no types of its own.
  ({ JSDOM } = (await import("jsdom")) as { JSDOM: typeof JSDOM });
});

/** Puts texts, as `next` gives them, everywhere where a guest, or whoever named a file, could put one. */
function poisoned(next: () => string): Comparison {
  const [workload, mark, reason, label, binary] = [next(), next(), next(), next(), next()];
  const sites = [false, true].map((hidden) => {
    return { reason, hidden, pc: next(), place: next(), instruction: next(), count: 3 };
  });
  const tallied = { instructions: 100, counts: { "vmm.exit": 3 }, sites, more: 0 };
  const byReason = Object.fromEntries([[reason, 3]]);
  const poison = (run: RunSummary): RunSummary => ({
    ...run,
    workload,
    binary,
    digest: next(),
    trace: next(),
    exits: { total: 3, byReason },
    identity: { level: "exact", equal: false, firstDifference: { event: 1, step: 1, message: next() } },
    marks: run.marks.map((of) => ({
      ...of,
      name: of.name === "syscall" ? mark : of.name,
      exits: { total: 3, byReason },
    })),
    tallies: { whole: tallied, marks: Object.fromEntries([[mark, { ...tallied, pads: 1 }]]) },
    timeline: run.timeline && {
      ...run.timeline,
      mark,
      entries: run.timeline.entries.map((entry) => ({ ...entry, label })),
    },
  });
  const { costModel } = COMPARISON;
  return {
    ...COMPARISON,
    experiment: next(),
    question: next(),
    guest: { name: next(), images: [{ name: next(), sha256: next() }] },
    measure: mark,
    costModel: {
      name: next(),
      summary: next(),
      prices: costModel.prices.map((price) => ({ ...price, source: next(), unit: next() })),
    },
    runs: COMPARISON.runs.map(poison),
    caveats: [{ id: next(), text: next() }],
    binaries: [
      {
        name: next(),
        fileBytes: 200,
        textBytes: 100,
        sensitive: Object.fromEntries([[reason, 1]]),
        annotated: Object.fromEntries([[reason, 1]]),
        padBytes: 4,
      },
    ],
    effort: [{ port: next(), files: 1, lines: 2, code: 1 }],
  };
}

/** Every element with the names of its attributes, and the values of those that are not geometry. */
function skeleton(root: Document | Element): string[] {
  const geometry = new Set(["x", "y", "x1", "x2", "y1", "y2", "d", "width", "height", "viewBox"]);
  return [...root.querySelectorAll("*")].map((element) => {
    const attributes = [...element.attributes].map(({ name, value }) =>
      geometry.has(name) ? name : `${name}=${value}`,
    );
    return `${element.parentElement?.tagName ?? ""}>${element.tagName} ${attributes.sort().join(" ")}`;
  });
}

const parsePage = (page: string) => new JSDOM(page).window.document;

/** Characters that would be obeyed instead of being shown. */
const OBEYED = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]|\p{Noncharacter_Code_Point}|\p{Default_Ignorable_Code_Point}/u;

/** Our own line ends are no danger. */
const expectShown = (content: string) => expect(content.replace(/\r?\n/g, "")).not.toMatch(OBEYED);

describe("text that a guest chose", () => {
  test("is tried in at least 60 ways", () => {
    expect(new Set(HOSTILE).size).toBeGreaterThanOrEqual(60);
  });

  let benign: readonly string[] = [];
  test.each(HOSTILE)("adds no element and no attribute to the page: %j", (payload) => {
    if (benign.length === 0)
      benign = skeleton(
        parsePage(
          html(
            poisoned(() => "benign"),
            [],
          ),
        ),
      );
    const comparison = poisoned(() => payload);
    const page = html(comparison, []);
    const document = parsePage(page);
    expect(skeleton(document)).toEqual(benign);
    expect(JSON.parse(document.getElementById("comparison")!.textContent!)).toEqual(
      JSON.parse(JSON.stringify(comparison)),
    );
    expect(document.querySelector("h1")!.textContent).toBe(visible(payload));
    expectShown(page);
  });

  test.each(HOSTILE)("ends no cell, row or line of a table, and begins no formula: %j", (payload) => {
    const table: Table = {
      columns: [
        { title: payload, numeric: false },
        { title: "n", numeric: true },
      ],
      rows: [[text(payload), number(1, String)]],
    };
    const [header, row, ...rest] = csv(table).split("\r\n");
    expect([header!.endsWith(",n"), row!.endsWith(",1"), rest]).toEqual([true, true, [""]]);
    expect(row).not.toMatch(/^"?[\s\u2400-\u2421]*[=+\-@]/);
    expect(row!.replace(/""/g, "").match(/"/g)?.length ?? 0).toBe(/[",]/.test(visible(payload)) ? 2 : 0);
    const lines = markdown(table).split("\n");
    expect(lines).toHaveLength(4);
    expect(lines[2]!.match(/(?<!\\)(?:\\\\)*\|/g)).toHaveLength(3);
    expectShown(csv(table));
    expectShown(markdown(table));
  });

  test("stays text in a figure, read as XML and as HTML", async () => {
    const draw = (texts: readonly string[]) =>
      drawSvg(
        { name: "figure", title: texts.join(" "), description: texts.join(" "), width: 10, height: 10 },
        (svg) => {
          for (const payload of texts) svg.add("g", {}).add("text", { "data-text": payload }, payload);
        },
      );
    const svg = await draw(HOSTILE);
    const { DOMParser: Parser } = new JSDOM("").window;
    const shown = HOSTILE.map(visible);
    for (const root of [new Parser().parseFromString(svg, "image/svg+xml"), parsePage(svg)]) {
      const texts = [...root.querySelectorAll("text")];
      expect(texts.map((element) => element.textContent)).toEqual(shown);
      expect(texts.map((element) => element.getAttribute("data-text"))).toEqual(shown);
      expect(texts.every((element) => element.attributes.length === 1)).toBe(true);
      // svg, title, desc, style, and for each payload a group with a text; a page adds html, head and body.
      expect(root.querySelectorAll("svg, svg *").length).toBe(4 + 2 * HOSTILE.length);
      expect(root.querySelectorAll("*").length).toBeLessThanOrEqual(7 + 2 * HOSTILE.length);
    }
    expectShown(svg);
  });

  test("changes no element in whole reports, wherever it stands", async () => {
    const make = async (next: () => string) => {
      const comparison = poisoned(next);
      const between = comparison.measure!;
      const reports = [
        slowdown({ baseline: "native" }),
        exitsByReason(),
        timeline({ between, laps: 2 }),
        costPerMark({ baseline: "native" }),
        identityMatrix(),
        exitsPerOperation(),
        exitSites(),
        decomposition(),
        imageGrowth(),
        sitesByClass(),
        patching(),
        padding(),
        portEffort(),
      ];
      const { files, artifacts } = await renderReport(comparison, reports);
      return {
        files: files.map(({ path, bytes }) => ({
          path,
          content: new TextDecoder("utf-8", { fatal: true }).decode(bytes),
        })),
        artifacts,
      };
    };
    const plain = await make(() => "benign");
    const expected = skeleton(parsePage(plain.files[0]!.content));
    let place = 0;
    for (let round = 0; round * 20 < HOSTILE.length; round++) {
      place = round * 20;
      const { files, artifacts } = await make(() => HOSTILE[place++ % HOSTILE.length]!);
      expect(skeleton(parsePage(files[0]!.content))).toEqual(expected);
      for (const { content } of files) expectShown(content);
      for (const artifact of artifacts) expectShown(artifact.text);
    }
  });
});
