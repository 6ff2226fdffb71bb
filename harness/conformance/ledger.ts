/** @module */
import type { Image } from "./image.ts";
import type { Stepper } from "./lockstep.ts";
export class Ledger {
  count(_image: Image, _stepper: Stepper): void {}
}
