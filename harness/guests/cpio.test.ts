import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { type CpioEntry, writeCpio } from "./cpio.ts";

const text = (content: string): Uint8Array => new TextEncoder().encode(content);

const ENTRIES: readonly CpioEntry[] = [
  { name: "init", kind: "file", bytes: text("#!/bin/sh\n"), executable: true },
  { name: "dev", kind: "folder" },
  { name: "dev/console", kind: "character-device", major: 5, minor: 1 },
  { name: "bin", kind: "folder" },
  { name: "bin/sh", kind: "link", target: "busybox" },
];

/** Reads an archive back, by the format's own rules. */
function members(archive: Uint8Array): { name: string; fields: number[]; content: string; at: number }[] {
  const decode = (from: number, length: number) => new TextDecoder().decode(archive.subarray(from, from + length));
  const found: { name: string; fields: number[]; content: string; at: number }[] = [];
  let at = 0;
  while (at < archive.length) {
    expect(decode(at, 6)).toBe("070701");
    const fields = Array.from({ length: 13 }, (_, index) => Number.parseInt(decode(at + 6 + index * 8, 8), 16));
    const [size, nameSize] = [fields[6]!, fields[11]!];
    const name = decode(at + 110, nameSize - 1);
    const data = (at + 110 + nameSize + 3) & ~3;
    found.push({ name, fields, content: decode(data, size), at });
    at = (data + size + 3) & ~3;
  }
  return found;
}

describe("a cpio archive", () => {
  test("holds its files in the order of their names, and ends with the trailer", () => {
    const found = members(writeCpio(ENTRIES));
    expect(found.map(({ name }) => name)).toEqual(["bin", "bin/sh", "dev", "dev/console", "init", "TRAILER!!!"]);
    expect(found.map(({ content }) => content)).toEqual(["", "busybox", "", "", "#!/bin/sh\n", ""]);
    expect(found.every(({ at }) => at % 4 === 0)).toBe(true);
  });

  test("says what each file is, that root owns it, and that it is from 1970", () => {
    const [bin, sh, , console, init] = members(writeCpio(ENTRIES)).map(({ fields }) => fields);
    // ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
    expect(bin).toEqual([1, 0o040755, 0, 0, 2, 0, 0, 0, 0, 0, 0, 4, 0]);
    expect(sh).toEqual([2, 0o120777, 0, 0, 1, 0, 7, 0, 0, 0, 0, 7, 0]);
    expect(console).toEqual([4, 0o020600, 0, 0, 1, 0, 0, 0, 0, 5, 1, 12, 0]);
    expect(init).toEqual([5, 0o100755, 0, 0, 1, 0, 10, 0, 0, 0, 0, 5, 0]);
  });

  test("is the same bytes in whatever order its files come", () => {
    expect(writeCpio([...ENTRIES].reverse())).toEqual(writeCpio(ENTRIES));
  });

  test("is one that tar or cpio of the host lists, where there is one that can", () => {
    const archive = writeCpio(ENTRIES);
    const listed = spawnSync("cpio", ["-it", "--quiet"], { input: archive, encoding: "utf8" });
    const lines = listed.status === 0 ? listed.stdout.trim().split("\n") : members(archive).map(({ name }) => name);
    expect(lines.filter((name) => name !== "TRAILER!!!")).toEqual(["bin", "bin/sh", "dev", "dev/console", "init"]);
  });

  test.each([
    [{ name: "/init", kind: "folder" }, /"\/init" as a name must be a relative path/],
    [{ name: "", kind: "folder" }, /"" as a name must be a relative path/],
    [{ name: "dev", kind: "folder" }, /dev as a name stands for one file: it is there twice/],
    [
      { name: "lib/a.ko", kind: "file", bytes: text("") },
      /lib\/a\.ko as its folder must be in the archive too: lib is/,
    ],
  ] as [CpioEntry, RegExp][])("refuses %o", (entry, message) => {
    expect(() => writeCpio([...ENTRIES, entry])).toThrow(message);
  });
});
