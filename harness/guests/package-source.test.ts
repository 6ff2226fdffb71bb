import { createHash } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { basename } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Host } from "./host.fixture.ts";
import { wanted } from "./package-index.ts";
import { aptReason, aptSource, debianMirrors, mirrorSource } from "./package-source.ts";

const SUITE = { name: "trixie", architecture: "riscv64" };
const PACKAGE = "the bytes of a package";
const HASH = createHash("sha256").update(PACKAGE).digest("hex");
const INDEX = `Package: busybox-static\nVersion: 1:1.37.0-6\nFilename: pool/b/busybox-static_1.37.0-6_riscv64.deb\nSize: 22\nSHA256: ${HASH}\n`;

let host: Host;
beforeEach(() => {
  host = new Host();
  mkdirSync(host.path("apt"));
});
afterEach(() => host.remove());

/** An `apt-get` that knows one mirror; `update` and `download` are scripts. */
function apt(update: string, download = "", mirrors = "http://mirror.example/debian"): void {
  host.program(
    "apt-get",
    `case "$*" in
--version) ;;
*REPO_URI*) printf '%s\\n' ${mirrors} ;;
*FILENAME*) echo "${host.path("Packages")}" ;;
*update*) cp "$3" "${host.path("apt.conf")}"; cp "${host.path("apt")}/sources.list" "${host.path("sources.list")}"; ${update} ;;
*download*) echo "$*" > "${host.path("arguments")}"; ${download} ;;
esac`,
  );
}

const open = (alone = false) => {
  const options = {
    guest: "debian",
    command: "trapline guests fetch debian",
    folder: host.path("apt"),
    say: () => undefined,
  };
  return host.within(() => aptSource(SUITE, options), { alone });
};

describe("packages by the user's apt", () => {
  test("come from the mirror of its sources, for another suite and architecture, with all files in a folder of ours", async () => {
    apt(":", `printf '${PACKAGE}' > busybox-static_1%3a1.37.0-6_riscv64.deb`);
    host.file("Packages", INDEX);
    const source = await open();
    const path = await host.within(() => source.fetch(wanted(source.index, "busybox-static"), host.folder));
    expect(path).toBe(host.path("busybox-static_1.37.0-6_riscv64.deb"));
    expect(readFileSync(path, "utf8")).toBe(PACKAGE);
    expect(readFileSync(host.path("arguments"), "utf8")).toMatch(/ download busybox-static=1:1\.37\.0-6\n$/);
    expect(readFileSync(host.path("sources.list"), "utf8")).toMatch(
      /^deb (\[.*\] )?http:\/\/mirror\.example\/debian trixie main\n$/,
    );
    const configuration = readFileSync(host.path("apt.conf"), "utf8");
    const folders = [...configuration.matchAll(/^Dir::.* "(.*)";$/gm)].map(([, folder]) => folder!);
    expect(folders.filter((folder) => !folder.startsWith(host.path("apt")))).toEqual(["-"]);
    expect(configuration).toContain('APT::Architecture "riscv64";');
  });

  test("cannot be had while a mirror changes: the error says so, and how else; an older index does not do", async () => {
    host.file("Packages", INDEX);
    apt(
      "echo 'E: Failed to fetch http://mirror.example/Packages.xz  File has unexpected size (1 != 2). Mirror sync in progress? [IP: 1.2.3.4 80]'; echo 'E: Some index files failed to download.'; exit 100",
    );
    await expect(open()).rejects.toThrow(
      /^Cannot fetch debian as apt must read the index of trixie for riscv64: Failed to fetch http:\/\/mirror\.example\/Packages\.xz File has unexpected size \(1 != 2\)\. Mirror sync in progress\? \[IP: 1\.2\.3\.4 80\]; trapline guests fetch debian --mirror http:\/\/mirror\.example\/debian, which checks no signature, or --deb FILE\.\.\./,
    );
  });

  test("cannot be had where apt leaves no index, does not have the package, or has other bytes", async () => {
    apt(":", "echo 'E: Unable to fetch some archives.'");
    await expect(open()).rejects.toThrow(/must read the index of trixie for riscv64: it does not say why;/);
    host.file("Packages", INDEX);
    const fetched = async () => {
      const source = await open();
      return host.within(() => source.fetch(wanted(source.index, "busybox-static"), host.folder));
    };
    await expect(fetched()).rejects.toThrow(
      /as apt must have busybox-static 1:1\.37\.0-6: Unable to fetch some archives;/,
    );
    apt(":", "echo other > busybox-static.deb");
    await expect(fetched()).rejects.toThrow(
      /^Cannot use busybox-static_1\.37\.0-6_riscv64\.deb as its SHA-256 must be [0-9a-f]{64}: it is/,
    );
  });

  test("cannot be had without apt, or where its sources are not Debian's", async () => {
    await expect(open(true)).rejects.toThrow(
      /^Cannot fetch debian as that takes apt: there is no apt-get here; trapline guests fetch debian --mirror URL/,
    );
    apt(":", "", "http://archive.example/ubuntu/ http://archive.example/ubuntu/");
    await expect(open()).rejects.toThrow(
      /as a source of apt must be a mirror of Debian: it has http:\/\/archive\.example\/ubuntu\/; trapline/,
    );
  });
});

describe("what apt says", () => {
  test("names mirrors of the main archive, the plainest first", () => {
    const addresses = [
      "http://a/debian-security/",
      "http://b/debian-trixie",
      "http://c/debian/",
      "http://d/debian-ports/",
      "http://c/debian/",
      "http://e/node/",
    ];
    expect(debianMirrors(addresses)).toEqual(["http://c/debian/", "http://b/debian-trixie"]);
  });

  test("is reduced to its first error, else its first warning", () => {
    expect(aptReason("W: slow\nE: first   thing.\nE: second\n")).toBe("first thing");
    expect(aptReason("Hit:1 x\nW: GPG error; \n")).toBe("GPG error");
    expect(aptReason("Hit:1 x\n")).toBe("it does not say why");
  });
});

describe("packages by a mirror", () => {
  let server: Server;
  let files: Record<string, string | Uint8Array>;
  beforeEach(async () => {
    files = {
      "/debian/dists/trixie/main/binary-riscv64/Packages.gz": gzipSync(INDEX),
      "/debian/pool/b/busybox-static_1.37.0-6_riscv64.deb": PACKAGE,
    };
    server = createServer(({ url }, response) => {
      const body = files[url ?? ""];
      response.writeHead(body === undefined ? 404 : 200).end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });
  afterEach(() => new Promise((resolve) => server.close(resolve)));

  const address = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}/debian`;
  const said: string[] = [];
  const read = (mirror: string) =>
    mirrorSource(mirror, SUITE, { guest: "debian", folder: host.folder, say: (line) => said.push(line) });

  test("are checked against its index", async () => {
    const source = await read(`${address()}/`);
    const path = await source.fetch(wanted(source.index, "busybox-static"), host.folder);
    expect([basename(path), readFileSync(path, "utf8")]).toEqual(["busybox-static_1.37.0-6_riscv64.deb", PACKAGE]);
    expect(said.at(-1)).toBe("fetching pool/b/busybox-static_1.37.0-6_riscv64.deb, 0.0 MB");
    files["/debian/pool/b/busybox-static_1.37.0-6_riscv64.deb"] = "others";
    await expect(source.fetch(wanted(source.index, "busybox-static"), host.folder)).rejects.toThrow(
      /its SHA-256 must be/,
    );
  });

  test("cannot be had where it lacks the suite, does not answer, or is no address", async () => {
    await expect(read(`${address()}/other`)).rejects.toThrow(
      /Packages\.gz as the mirror must have it: it answers 404$/,
    );
    await expect(read("http://127.0.0.1:1/debian")).rejects.toThrow(/as the mirror must answer: /);
    await expect(read("ftp://x")).rejects.toThrow(
      /^Cannot fetch debian as a mirror must be an http or https address: it is "ftp:\/\/x"$/,
    );
  });
});
