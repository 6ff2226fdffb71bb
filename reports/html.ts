/**
 * One page that holds everything: answer, figures, tables, prices with their sources, runs with their digests, and the data itself.
 *
 * It loads nothing and runs nothing: the content security policy allows its own style and no script. Text comes through `escapeText`, figures
 * from d3-node, which escapes as XML does; there is no other way in.
 *
 * @module
 */
import type { Comparison } from "../harness/comparison.ts";
import { answer } from "./answer.ts";
import { escapeText, scriptJson } from "./escape.ts";
import { formatAmount, formatCount } from "./format.ts";
import { labelOf } from "./measure.ts";
import type { Artifact } from "./report.ts";
import { type Cell, fitted, number, type Table, text } from "./table.ts";

const POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

const STYLE = `
:root{color-scheme:light dark;--ink:#1b1f24;--quiet:#57606a;--paper:#ffffff;--rule:#d8dee4;--card:#f6f8fa;--good:#1a7f37;--bad:#c1121f}
@media (prefers-color-scheme:dark){:root{--ink:#e8eaed;--quiet:#a0a8b0;--paper:#15181c;--rule:#363c44;--card:#1d2127;--good:#4cc38a;--bad:#ff7b72}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,-apple-system,sans-serif}
main{max-width:58rem;margin:0 auto;padding:2.5rem 1.25rem 4rem}
h1{font-size:1.75rem;line-height:1.25;margin:0 0 .5rem;text-wrap:balance}
h2{font-size:1.25rem;margin:3rem 0 .75rem}
p{margin:.5rem 0;max-width:46rem}
.quiet,figcaption{color:var(--quiet)}
figcaption{font-size:.875rem;max-width:46rem;margin-top:.5rem}
.answer{background:var(--card);border-left:4px solid #0072b2;border-radius:4px;padding:.75rem 1.25rem;margin:1.5rem 0}
figure{margin:1rem 0}
figure svg{display:block;width:100%;height:auto}
.scroll{overflow-x:auto;margin:1rem 0}
table{border-collapse:collapse;font-size:.8125rem;font-variant-numeric:tabular-nums;line-height:1.4}
th,td{padding:.35rem .6rem;border-bottom:1px solid var(--rule);text-align:left;vertical-align:top;white-space:nowrap}
th{font-weight:600;border-bottom-color:var(--quiet);white-space:normal;vertical-align:bottom}
.number{text-align:right}
td.wide{white-space:normal;min-width:18rem}
code{font:.8125rem ui-monospace,Menlo,Consolas,monospace;overflow-wrap:anywhere}
td code{white-space:nowrap}
.equal{color:var(--good);font-weight:600}
.differs{color:var(--bad);font-weight:600}
@media print{main{max-width:none;padding:0}figure,table{break-inside:avoid}}
`.trim();

/**
 * Writes the page.
 *
 * @param comparison What was compared.
 * @param artifacts What the reports made of it, in the order of the page.
 * @returns HTML in one piece.
 */
export function html(comparison: Comparison, artifacts: readonly Artifact[]): string {
  const { experiment, question, guest, costModel } = comparison;
  const images = guest.images
    .map(({ name, sha256 }) => `<li>${escapeText(name)}: <code>${escapeText(sha256)}</code></li>`)
    .join("");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeText(question)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<header>
<h1>${escapeText(question)}</h1>
<p class="quiet">Experiment ${escapeText(experiment)}, guest ${escapeText(guest.name)}, cost model ${escapeText(costModel.name)}</p>
</header>
<section class="answer" aria-label="Answer">
${answer(comparison)
  .map((sentence) => `<p>${escapeText(sentence)}</p>`)
  .join("\n")}
</section>
${artifacts.map(section).join("\n")}
<section>
<h2>Runs</h2>
${runsTable(comparison)}
<p>The guest is made of these files, by the SHA-256 of their bytes:</p>
<ul>${images}</ul>
</section>
<section>
<h2>How the numbers were made</h2>
<p>The guest ran once and was recorded; every other run replayed its inputs and was checked against it. Cycles are not measured: each event of
a run takes prices from the list below, so the same traces give the same numbers on every machine, and other prices can be tried without running
anything again.</p>
<p>${escapeText(costModel.summary)}. A price is cited from a source, derived from a sequence of instructions that can be counted, or assumed.</p>
${pricesTable(comparison)}
</section>
<section>
<h2>Before you believe it</h2>
<ul>${comparison.caveats.map(({ text: caveat }) => `<li>${escapeText(caveat)}</li>`).join("")}</ul>
</section>
</main>
<script type="application/json" id="comparison">${scriptJson(comparison)}</script>
</body>
</html>
`;
}

function section({ title, caption, svg, table }: Artifact): string {
  // The figure's text is XML from a serialiser; everything in it that a guest chose was text there.
  const figure = svg === null ? "" : svg.trimEnd();
  return `<section>
<h2>${escapeText(title)}</h2>
<figure>
${figure}
<figcaption>${escapeText(caption)}</figcaption>
</figure>
${htmlTable(fitted(table, "page"))}
</section>`;
}

/** @returns A table that scrolls by itself where the page is narrow. */
export function htmlTable({ columns, rows }: Table): string {
  const side = (column: number) => (columns[column]!.numeric ? ' class="number"' : "");
  const header = columns
    .map(({ title }, column) => `<th scope="col"${side(column)}>${escapeText(title)}</th>`)
    .join("");
  const body = rows.map(
    (row) => `<tr>${row.map(({ shown }, column) => `<td${side(column)}>${escapeText(shown)}</td>`).join("")}</tr>`,
  );
  return scroll(`<thead><tr>${header}</tr></thead>\n<tbody>\n${body.join("\n")}\n</tbody>`);
}

function scroll(table: string): string {
  return `<div class="scroll"><table>\n${table}\n</table></div>`;
}

function runsTable({ runs }: Comparison): string {
  const header = ["workload", "technique", "binary", "instructions", "steps", "digest", "trace", "identity"];
  const rows = runs.map((run) => {
    const { identity } = run;
    const verdict =
      identity === null
        ? '<td class="quiet">recorded</td>'
        : identity.equal
          ? `<td class="equal">equal (${escapeText(identity.level)})</td>`
          : `<td class="wide differs">differs: ${escapeText(identity.firstDifference?.message ?? "")}</td>`;
    const cells: readonly Cell[] = [text(run.workload), text(labelOf(run))];
    const code = (value: string) => `<td><code>${escapeText(value)}</code></td>`;
    const counts = [number(run.instret, formatCount), number(run.steps, formatCount)];
    return `<tr>${cells.map(({ shown }) => `<td>${escapeText(shown)}</td>`).join("")}${code(run.binary)}${counts
      .map(({ shown }) => `<td class="number">${escapeText(shown)}</td>`)
      .join("")}${code(run.digest)}${code(run.trace)}${verdict}</tr>`;
  });
  const titles = header.map(
    (title) => `<th scope="col"${title === "instructions" || title === "steps" ? ' class="number"' : ""}>${title}</th>`,
  );
  return scroll(`<thead><tr>${titles.join("")}</tr></thead>\n<tbody>\n${rows.join("\n")}\n</tbody>`);
}

function pricesTable({ costModel: { prices } }: Comparison): string {
  const rows = prices.map(({ id, unit, cycles, low, high, status, source, of }) => {
    const made =
      of === null
        ? ""
        : ` (${Object.entries(of)
            .map(([part, count]) => `${count} ${part}`)
            .join(", ")})`;
    const numbers = [low, cycles, high]
      .map((value) => `<td class="number">${escapeText(formatAmount(value))}</td>`)
      .join("");
    return `<tr><td><code>${escapeText(id)}</code></td>${numbers}<td>${escapeText(status)}</td><td class="wide">${escapeText(unit)}</td><td class="wide">${escapeText(source + made)}</td></tr>`;
  });
  const number_ = ["low", "cycles", "high"].map((title) => `<th scope="col" class="number">${title}</th>`).join("");
  const header = `<th scope="col">price</th>${number_}<th scope="col">status</th><th scope="col">one unit is</th><th scope="col">source</th>`;
  return scroll(`<thead><tr>${header}</tr></thead>\n<tbody>\n${rows.join("\n")}\n</tbody>`);
}
