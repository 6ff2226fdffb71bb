import { beforeAll, describe, expect, test } from "vitest";
import type { Comparison, RunSummary } from "../harness/comparison.ts";
import { exitsByReason } from "./exits-by-reason.ts";
import { HOSTILE } from "./golden/hostile-text.ts";
import { COMPARISON } from "./golden/null-syscall.ts";
import { renderReport } from "./render-report.ts";
import { costPerMark, slowdown } from "./slowdown.ts";
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

/** Puts a text everywhere where a guest, or whoever named a file, could put one. */
function poisoned(text: string): Comparison {
  const rename = (name: string) => (name === "syscall" ? text : name);
  const byReason = { [`reason${text}`]: 3 };
  const poison = (run: RunSummary): RunSummary => ({
    ...run,
    workload: text,
    binary: text,
    digest: text,
    trace: text,
    exits: { total: 3, byReason },
    identity: { level: "exact", equal: false, firstDifference: { event: 1, step: 1, message: text } },
    marks: run.marks.map((mark) => ({ ...mark, name: rename(mark.name), exits: { total: 3, byReason } })),
    timeline: run.timeline && {
      ...run.timeline,
      mark: text,
      entries: run.timeline.entries.map((entry) => ({ ...entry, label: text })),
    },
  });
  return {
    ...COMPARISON,
    experiment: text,
    question: text,
    guest: { name: text, images: [{ name: text, sha256: text }] },
    measure: text,
    costModel: {
      ...COMPARISON.costModel,
      name: text,
      summary: text,
      prices: COMPARISON.costModel.prices.map((price) => ({ ...price, source: text, unit: text })),
    },
    runs: COMPARISON.runs.map(poison),
    caveats: [{ id: text, text }],
  };
}

async function rendered(text: string) {
  const comparison = poisoned(text);
  const reports = [
    slowdown({ baseline: "native" }),
    exitsByReason(),
    timeline({ between: text, laps: 2 }),
    costPerMark({ baseline: "native" }),
  ];
  const { files, artifacts } = await renderReport(comparison, reports);
  const decoder = new TextDecoder("utf-8", { fatal: true });
  return { comparison, artifacts, files: new Map(files.map(({ path, bytes }) => [path, decoder.decode(bytes)])) };
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

/** Characters that would be obeyed instead of being shown; line ends of our own files are taken out first. */
const OBEYED = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]|\p{Noncharacter_Code_Point}|\p{Default_Ignorable_Code_Point}/u;

describe("text that a guest chose", () => {
  test("is tried in at least 60 ways", () => {
    expect(new Set(HOSTILE).size).toBeGreaterThanOrEqual(60);
  });

  test.each(HOSTILE)("adds no element and no attribute to the page, and is obeyed nowhere: %j", async (text) => {
    const benign = await rendered("benign");
    const { comparison, artifacts, files } = await rendered(text);
    const page = files.get("report.html")!;
    const { document, DOMParser: Parser } = new JSDOM(page).window;
    expect(skeleton(document)).toEqual(skeleton(new JSDOM(benign.files.get("report.html")!).window.document));
    expect(JSON.parse(document.getElementById("comparison")!.textContent!)).toEqual(
      JSON.parse(JSON.stringify(comparison)),
    );
    for (const [path, content] of files) {
      expect(content.replace(/\r?\n/g, ""), path).not.toMatch(OBEYED);
      if (!path.endsWith(".svg")) continue;
      const xml = new Parser().parseFromString(content, "image/svg+xml");
      const same = new Parser().parseFromString(benign.files.get(path)!, "image/svg+xml");
      expect(skeleton(xml), path).toEqual(skeleton(same));
    }
    for (const artifact of artifacts) {
      expect(artifact.text.replaceAll("\n", "")).not.toMatch(OBEYED);
      expect(artifact.text.split("\n").length, artifact.name).toBe(artifact.table.rows.length + 3);
      // No record begins a formula, whether quoted or not.
      expect(artifact.csv).not.toMatch(/(?:^|,|\n)"?[\s\u2400-\u2421]*[=+\-@][^\d,]/);
    }
  });
});
