/**
 * A Debian package index (`Packages`): which version of a package is the newest, where it lies, and what it depends on.
 *
 * Left out: alternatives and version bounds in `Depends`, provided names.
 * Source: Debian Policy, 5.3 (binary package control files) and 5.6.12 (how versions compare); deb822(5).
 *
 * @module
 */

/** A package as its index has it. */
export interface IndexedPackage {
  readonly name: string;
  readonly version: string;
  /** Below the mirror's root. */
  readonly file: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  /** Names alone, in the order of `Depends`. */
  readonly depends: readonly string[];
}

/** A package index. */
export class PackageIndex {
  readonly #text: string;

  /** @param text All of a `Packages` file. */
  constructor(text: string) {
    this.#text = `\n${text}`;
  }

  /**
   * The newest version of a package.
   *
   * @returns Undefined where the index has none.
   */
  newest(name: string): IndexedPackage | undefined {
    let newest: IndexedPackage | undefined;
    const line = `\nPackage: ${name}\n`;
    for (let at = this.#text.indexOf(line); at >= 0; at = this.#text.indexOf(line, at + 1)) {
      const end = this.#text.indexOf("\n\n", at + 1);
      const found = read(name, this.#text.slice(at, end < 0 ? undefined : end));
      if (found !== undefined && (newest === undefined || compareVersions(found.version, newest.version) > 0))
        newest = found;
    }
    return newest;
  }
}

function read(name: string, stanza: string): IndexedPackage | undefined {
  const field = (label: string): string | undefined => new RegExp(`\\n${label}: (.*)`).exec(stanza)?.[1];
  const [version, file, size, sha256] = [field("Version"), field("Filename"), field("Size"), field("SHA256")];
  if (version === undefined || file === undefined || !/^[0-9a-f]{64}$/.test(sha256 ?? "")) return undefined;
  const depends = (field("Depends") ?? "").split(",").map((part) => part.trim().split(/[\s(:|]/)[0]!);
  return {
    name,
    version,
    file,
    sizeBytes: Number(size),
    sha256: sha256!,
    depends: depends.filter((part) => part !== ""),
  };
}

/**
 * The kernel's own package: the metapackage `linux-image-riscv64` depends on it, and its name changes with each release.
 *
 * @throws {RangeError} If the index has neither.
 */
export function linuxImage(index: PackageIndex): IndexedPackage {
  const meta = wanted(index, "linux-image-riscv64");
  const name = meta.depends.find((depended) => /^linux-image-\d/.test(depended));
  if (name === undefined) {
    throw new RangeError(
      `Cannot choose a kernel as linux-image-riscv64 ${meta.version} must depend on its image: it depends on ${meta.depends.join(", ") || "nothing"}`,
    );
  }
  return wanted(index, name);
}

/** The newest version of a package. @throws {RangeError} If the index has none. */
export function wanted(index: PackageIndex, name: string): IndexedPackage {
  const found = index.newest(name);
  if (found === undefined) throw new RangeError(`Cannot choose ${name} as the index must have it: it has no ${name}`);
  return found;
}

/**
 * Compares two versions as dpkg does.
 *
 * @returns Below, at or above zero.
 */
export function compareVersions(a: string, b: string): number {
  const [first, second] = [split(a), split(b)];
  return (
    first.epoch - second.epoch ||
    compareParts(first.upstream, second.upstream) ||
    compareParts(first.revision, second.revision)
  );
}

/** `[epoch:]upstream[-revision]`. */
function split(version: string): { readonly epoch: number; readonly upstream: string; readonly revision: string } {
  const colon = version.indexOf(":");
  const rest = version.slice(colon + 1);
  const dash = rest.lastIndexOf("-");
  return {
    epoch: colon < 0 ? 0 : Number(version.slice(0, colon)),
    upstream: dash < 0 ? rest : rest.slice(0, dash),
    revision: dash < 0 ? "0" : rest.slice(dash + 1),
  };
}

/** Alternates between a stretch without digits and one of digits, until they differ. */
function compareParts(a: string, b: string): number {
  let [left, right] = [a, b];
  while (left !== "" || right !== "") {
    const [leftWord, rightWord] = [/^\D*/.exec(left)![0], /^\D*/.exec(right)![0]];
    const words = compareWords(leftWord, rightWord);
    if (words !== 0) return words;
    [left, right] = [left.slice(leftWord.length), right.slice(rightWord.length)];
    const [leftDigits, rightDigits] = [/^\d*/.exec(left)![0], /^\d*/.exec(right)![0]];
    const numbers = BigInt(leftDigits || 0) - BigInt(rightDigits || 0);
    if (numbers !== 0n) return numbers < 0n ? -1 : 1;
    [left, right] = [left.slice(leftDigits.length), right.slice(rightDigits.length)];
  }
  return 0;
}

/** `~` comes before the end, the end before letters, letters before all else. */
function compareWords(a: string, b: string): number {
  const weight = (character: string | undefined): number => {
    if (character === "~") return -1;
    if (character === undefined) return 0;
    return character.charCodeAt(0) + (/[A-Za-z]/.test(character) ? 0 : 256);
  };
  for (let at = 0; at < Math.max(a.length, b.length); at++) {
    const difference = weight(a[at]) - weight(b[at]);
    if (difference !== 0) return difference;
  }
  return 0;
}
