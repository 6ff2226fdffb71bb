/**
 * Techniques, profiles and guests by the names that flags and traces give them.
 *
 * @module
 */

import { PROFILES, type Profile, profileByName, TECHNIQUES, type Technique } from "../engine/mod.ts";

/** A technique as flags name it: `full`, `rewriting:trap`. */
const flagOf = ({ name, variant = "" }: Technique): string => (variant === "" ? name : `${name}:${variant}`);

/**
 * A technique by its name, as in `native` or `rewriting:trap`.
 *
 * @throws {RangeError} If there is none of that name.
 */
export function techniqueNamed(name: string): Technique {
  const found = TECHNIQUES.find((technique) => flagOf(technique) === name);
  if (found !== undefined) return found;
  throw new RangeError(
    `Cannot use technique "${name}" as it must be one of ${TECHNIQUES.map(flagOf).join(", ")}: it is none of them`,
  );
}

/** @throws {RangeError} If there is no profile of that name. */
export function profileNamed(name: string): Profile {
  const found = profileByName(name);
  if (found !== undefined) return found;
  throw new RangeError(
    `Cannot use profile "${name}" as it must be one of ${PROFILES.map((profile) => profile.name).join(", ")}: it is none of them`,
  );
}
