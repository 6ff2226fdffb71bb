/**
 * Makes a failing image small by deleting: programs, then sections, then units, in halves and then one by one, as TestRIG does.
 *
 * Source: Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input" (2002); CTSRD, TestRIG.
 *
 * @module
 */
import { type Image, layOut } from "./image.ts";
import type { Program, Section } from "./program.ts";

/** What is left, and how many attempts it took. */
export interface Shrunk {
  readonly image: Image;
  readonly attempts: number;
}

/**
 * @param fails Whether an image still fails, in the way that is looked for.
 * @param most Attempts after which what is left counts as small.
 */
export function shrink(image: Image, fails: (image: Image) => boolean, most = 150): Shrunk {
  let attempts = 0;
  const holds = (programs: readonly Program[]): boolean => {
    if (attempts >= most) return false;
    attempts++;
    return fails(layOut(image.seed, programs));
  };
  let programs = reduce(image.programs, holds);
  for (const [p, program] of programs.entries()) {
    const withSections = (sections: readonly Section[]) => replaced(programs, p, { ...program, sections });
    const sections = reduce(program.sections, (some) => holds(withSections(some)));
    programs = withSections(sections);
    for (const [s, section] of sections.entries()) {
      const withUnits = (units: Section["units"]) => {
        const kept = programs[p]!;
        return replaced(programs, p, { ...kept, sections: replaced(kept.sections, s, { ...section, units }) });
      };
      programs = withUnits(reduce(section.units, (some) => holds(withUnits(some))));
    }
  }
  return { image: layOut(image.seed, programs), attempts };
}

const replaced = <T>(items: readonly T[], at: number, item: T): readonly T[] =>
  items.map((old, index) => (index === at ? item : old));

/** Deletes runs of items, each half as long as the last, as long as what is left holds. */
function reduce<T>(items: readonly T[], holds: (items: readonly T[]) => boolean): readonly T[] {
  let left = items;
  for (let length = Math.ceil(left.length / 2); length >= 1; length = length === 1 ? 0 : Math.ceil(length / 2)) {
    for (let at = 0; at < left.length; ) {
      const some = [...left.slice(0, at), ...left.slice(at + length)];
      if (holds(some)) left = some;
      else at += length;
    }
  }
  return left;
}
