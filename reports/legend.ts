/**
 * The legend of causes, and the hatching that marks assumed prices.
 *
 * @module
 */
import type { Cause } from "../harness/comparison.ts";
import { CAUSE_NAMES, textWidth } from "./palette.ts";
import { coordinate, type Pen } from "./svg.ts";

const SWATCH = 12;
const LINE = 20;

export interface LegendItem {
  readonly text: string;
  /** The swatch: a cause's colour, hatching, or a whisker. */
  readonly swatch: Cause | "hatch" | "whisker" | "user" | "kernel";
}

export function causeItems(causes: readonly Cause[]): LegendItem[] {
  return causes.map((cause) => ({ text: CAUSE_NAMES[cause], swatch: cause }));
}

interface Placed extends LegendItem {
  readonly x: number;
  readonly line: number;
}

/** @returns Where the items go on lines of a width, and how high all lines are. */
export function layLegend(
  items: readonly LegendItem[],
  width: number,
): { readonly placed: readonly Placed[]; readonly height: number } {
  let [x, line] = [0, 0];
  const placed = items.map((item) => {
    const wide = SWATCH + 6 + textWidth(item.text) + 18;
    if (x > 0 && x + wide > width) [x, line] = [0, line + 1];
    const place = { ...item, x, line };
    x += wide;
    return place;
  });
  return { placed, height: items.length === 0 ? 0 : (line + 1) * LINE };
}

/** Draws items that were laid out. */
export function drawLegend(svg: Pen, placed: readonly Placed[], left: number, top: number, hatchId: string): void {
  for (const { text, swatch, x, line } of placed) {
    const [at, y] = [left + x, top + line * LINE];
    if (swatch === "whisker") {
      svg.add("path", {
        class: "whisker",
        d: `M${coordinate(at)} ${y + 2}v8M${coordinate(at)} ${y + 6}h${SWATCH}M${coordinate(at + SWATCH)} ${y + 2}v8`,
      });
    } else {
      svg.add("rect", {
        class: swatch === "hatch" ? "fill guest" : `fill ${swatch}`,
        x: at,
        y,
        width: SWATCH,
        height: SWATCH,
      });
      if (swatch === "hatch") svg.add("rect", { fill: `url(#${hatchId})`, x: at, y, width: SWATCH, height: SWATCH });
    }
    svg.add("text", { x: at + SWATCH + 6, y: y + 10 }, text);
  }
}

/** Defines the hatching of a figure. */
export function defineHatch(svg: Pen, hatchId: string): void {
  const pattern = svg.add("defs").add("pattern", {
    id: hatchId,
    patternUnits: "userSpaceOnUse",
    width: 5,
    height: 5,
    patternTransform: "rotate(45)",
  });
  pattern.add("line", { class: "hatch", x1: 0, y1: 0, x2: 0, y2: 5 });
}
