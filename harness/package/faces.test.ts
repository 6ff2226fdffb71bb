import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";

const json = (path: string) => JSON.parse(readFileSync(path, "utf8"));

/** `trapline/NAME` and the source that it means, as the compiler is told. */
const faces: Record<string, string> = Object.fromEntries(
  Object.entries<[string]>(json("tsconfig.json").compilerOptions.paths).map(([face, [path]]) => [face, path]),
);

/** Prints, for each face, whether it is the very module that its source is: one instance, not a compiled copy. */
const program = `
  const faces = ${JSON.stringify(faces)};
  for (const [face, path] of Object.entries(faces)) {
    console.log(face, (await import(face)) === (await import(path)));
  }
`;
const allAreSources = Object.keys(faces).map((face) => `${face} true`);

function lines(command: string, args: readonly string[]): string[] {
  const output = execFileSync(command, args, { encoding: "utf8", env: { ...process.env, DENO_NO_UPDATE_CHECK: "1" } });
  return output.trim().split("\n");
}

/** Each loads all of the product in a process of its own. */
const timeout = 120_000;

describe("trapline/* means the sources", () => {
  test("under vitest", async () => {
    const { publicModules } = await import("../installation.ts");
    const [viaName, viaPath] = await Promise.all([import("trapline/guests"), import("../guests/mod.ts")]);
    expect(viaName).toBe(viaPath);
    expect(Object.keys(publicModules)).toEqual(Object.keys(faces));
  });

  test("under tsx", { timeout }, () => {
    const module = `(async () => {${program}})()`;
    expect(lines("node", ["--import", "tsx", "--input-type=module", "--eval", module])).toEqual(allAreSources);
  });

  test("under Deno", { timeout }, () => {
    expect(lines("node", ["node_modules/deno/bin.cjs", "eval", program])).toEqual(allAreSources);
  });
});

describe("trapline/*, wherever it is written down", () => {
  test("names the same sources for Deno", () => {
    expect(json("deno.json").imports).toEqual(faces);
  });

  test("names the compiled file of each source in the package", () => {
    const compiled = Object.entries(faces).map(([face, path]) => {
      const stem = path.replace(/^\.\//, "./dist/").replace(/\.ts$/, "");
      return [face.replace(/^trapline/, "."), { types: `${stem}.d.ts`, default: `${stem}.js` }];
    });
    const { "./package.json": _, ...exported } = json("package.json").exports;
    expect(exported).toEqual(Object.fromEntries(compiled));
  });
});
