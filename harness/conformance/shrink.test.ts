import { describe, expect, test } from "vitest";
import { disassemble } from "../../engine/mod.ts";
import { type Image, makeImage } from "./image.ts";
import { shrink } from "./shrink.ts";

/** Whether an image's programs still hold two instructions, one behind the other in one section. */
const holds = (image: Image): boolean => {
  const texts = [...image.instructions.values()]
    .filter(({ program }) => program < image.programs.length)
    .map(({ bits, program, section }) => `${program}.${section} ${disassemble(bits).split(" ")[0]}`);
  const divide = texts.find((text) => text.endsWith(" divuw"));
  return divide !== undefined && texts.slice(texts.indexOf(divide)).includes(divide.replace("divuw", "fsqrt.d"));
};

describe("shrinking", () => {
  test("leaves little but what the failure needs", () => {
    const image = Array.from({ length: 20 }, (_, seed) => seed)
      .map(makeImage)
      .find(holds);
    if (image === undefined) throw new RangeError("none of the first 20 images holds both instructions");
    const { image: small, attempts } = shrink(image, holds, 400);
    expect(holds(small)).toBe(true);
    expect(attempts).toBeLessThanOrEqual(400);
    expect(small.programs.flatMap(({ sections }) => sections)).toHaveLength(1);
    expect(small.programs[0]!.sections[0]!.units.length).toBeLessThanOrEqual(2);
  });

  test("stops after as many attempts as it is given", () => {
    let asked = 0;
    shrink(
      makeImage(1),
      () => {
        asked++;
        return false;
      },
      7,
    );
    expect(asked).toBe(7);
  });
});
