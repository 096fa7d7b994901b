/** The documentation speaks of what is there: files, sections, links. */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const read = (path: string) => readFileSync(join(root, path), "utf8");

/** Files below some folders, as paths from the root. */
const below = (...folders: string[]) =>
  folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map(
      (path) => `${folder}/${path.replaceAll("\\", "/")}`,
    ),
  );
const sources = below("src", "kernels", "scripts", "bench", "studio", "test").filter(
  (path) => /\.(tsx?|py|md)$/.test(path) && path !== "test/docs.test.ts",
);
const guides = [
  "README.md",
  "CONTRIBUTING.md",
  ...below("docs", "studio", "test").filter((path) => path.endsWith(".md")),
].filter((path) => !path.startsWith("docs/results/") && !path.startsWith("docs/api/"));

/** [heading, text] of each section of docs/math.md. */
const sections = read("docs/math.md")
  .split(/^## /m)
  .slice(1)
  .map((text): [string, string] => [text.slice(0, text.indexOf("\n")), text]);
const headings = sections.map(([heading]) => heading);

/** The sections of math.md that a source cites; a citation may go on in the next line of a comment. */
const citations = (text: string) =>
  [...text.matchAll(/math\.md, "([^"]*)"/g)].map(([, heading]) => heading.replace(/\s*\n[\s/*]*/g, " "));

/** What stands in backticks and looks like a path of this repository. */
const paths = (text: string) =>
  [...text.matchAll(/`((?:src|kernels|scripts|bench|studio|test|docs|assets)\/[\w./-]*)`/g)].map(
    ([, path]) => path,
  );

/** Links in Markdown to other files. */
const links = (text: string) =>
  [...text.replace(/```[\s\S]*?```/g, "").matchAll(/\]\(([^)\s#]+)[^)]*\)/g)]
    .map(([, target]) => target)
    .filter((target) => !/^[a-z]+:/.test(target));

describe("docs/math.md", () => {
  it("has every section that is cited", () => {
    const cited = sources.flatMap((source) =>
      citations(read(source)).map((heading) => ({ source, heading })),
    );
    expect(cited.length).toBeGreaterThan(10);
    expect(cited.filter(({ heading }) => !headings.includes(heading))).toEqual([]);
  });

  it.each(sections)("names files and tests of: %s", (_, text) => {
    const named = paths(text);
    expect(named.filter((path) => path.includes(".test."))).not.toEqual([]);
    expect(named.filter((path) => !path.includes(".test."))).not.toEqual([]);
  });
});

describe.each(guides)("%s", (guide) => {
  it("names files that there are", () => {
    // What git ignores is built, and need not be there.
    const absent = paths(read(guide)).filter((path) => !existsSync(join(root, path)));
    expect(absent.filter((path) => !ignored(path))).toEqual([]);
  });

  it("links to what there is", () => {
    const absent = links(read(guide)).filter((target) => !existsSync(join(root, dirname(guide), target)));
    expect(absent).toEqual([]);
  });
});

function ignored(path: string): boolean {
  try {
    execFileSync("git", ["check-ignore", "--quiet", path], { cwd: root });
    return true;
  } catch {
    return false;
  }
}

it("reads citations that go on in the next line", () => {
  expect(citations('(math.md, "Two\n * regimes"), docs/math.md, "Jets".')).toEqual(["Two regimes", "Jets"]);
});
