// Writes the golden vectors of ../key-format.md with another implementation of
// BLAKE3 than cachekey's. A released vector never changes: run it only to add.
//
//   npm install --no-save @noble/hashes@1.8.0 && node generate.mjs v1
import { writeFileSync } from "node:fs";
import { blake3 } from "@noble/hashes/blake3";

const directory = process.argv[2];
const bytes = (s) => (typeof s === "string" ? new TextEncoder().encode(s) : Uint8Array.from(s));
const escape = (s) =>
  [...bytes(s)].map((b) => (/[A-Za-z0-9._\/-]/.test(String.fromCharCode(b)) ? String.fromCharCode(b) : "%" + b.toString(16).padStart(2, "0"))).join("");

const u64 = (n) => { const b = new Uint8Array(8); new DataView(b.buffer).setBigUint64(0, BigInt(n), true); return b; };
const join = (parts) => Uint8Array.from(parts.flatMap((p) => [...p]));
const framed = (s) => join([u64(bytes(s).length), bytes(s)]);

function nixBase32(hash) {
  const alphabet = "0123456789abcdfghijklmnpqrsvwxyz";
  let out = "";
  for (let n = Math.ceil((hash.length * 8) / 5) - 1; n >= 0; n--) {
    const bit = n * 5, i = bit >> 3, j = bit & 7;
    out += alphabet[((hash[i] >> j) | (i + 1 < hash.length ? hash[i + 1] << (8 - j) : 0)) & 31];
  }
  return out;
}
const digest = (name, message) => nixBase32(blake3(message, { context: `cachekey v1 ${name}`, dkLen: 20 }));

function write(name, lines) {
  writeFileSync(`${directory}/${name}.txt`, lines.map(([k, v]) => `${k}: ${v}\n`).join(""));
}

function ingredient(name, comment, which, entries) {
  const sorted = [...entries].sort((a, b) => Buffer.compare(Buffer.from(bytes(a[1])), Buffer.from(bytes(b[1]))));
  const message = join(sorted.flatMap(([type, path, content]) => [framed(path), bytes(type), framed(content)]));
  write(name, [
    ["kind", "ingredient"], ["comment", comment], ["ingredient", which],
    ...entries.map(([type, path, content]) => ["entry", `${type} ${escape(path)} ${escape(content)}`]),
    ["expect", digest(which, message)],
  ]);
}

// A workspace that is not the root is an extra without a name.
const all = (pairs, workspace) => (workspace ? [["", workspace], ...pairs] : pairs);
function extraDigest(pairs) {
  const sorted = [...pairs].sort((a, b) => Buffer.compare(Buffer.from(bytes(a[0])), Buffer.from(bytes(b[0]))));
  return digest("extra", join(sorted.flatMap(([n, v]) => [framed(n), framed(v)])));
}
function extra(name, comment, pairs, workspace = "") {
  write(name, [
    ["kind", "extra"], ["comment", comment],
    ...pairs.map(([n, v]) => ["extra", `${escape(n)} ${escape(v)}`]),
    ...(workspace ? [["workspace", workspace]] : []),
    ["expect", extraDigest(all(pairs, workspace))],
  ]);
}

function key(name, comment, { prefix = "same", system = "x86_64-linux", pairs = [], workspace = "", locks = [], tasks = [], tree }) {
  const part = (which, entries) => digest(which, join(entries.flatMap(([t, p, c]) => [framed(p), bytes(t), framed(c)])));
  const head = [prefix, "v1", ...(all(pairs, workspace).length ? [extraDigest(all(pairs, workspace))] : []), system].join("-") + "-";
  const l = head + part("locks", locks) + "-", t = l + part("tasks", tasks) + "-";
  write(name, [
    ["kind", "key"], ["comment", comment], ["prefix", prefix], ["system", system],
    ...pairs.map(([n, v]) => ["extra", `${escape(n)} ${escape(v)}`]),
    ...(workspace ? [["workspace", workspace]] : []),
    ...locks.map(([y, p, c]) => ["lock", `${y} ${escape(p)} ${escape(c)}`]),
    ...tasks.map(([y, p, c]) => ["task", `${y} ${escape(p)} ${escape(c)}`]),
    ["narHash", "sha256-" + Buffer.from(tree).toString("base64")],
    ["restore", t], ["restore", l], ["expect", t + nixBase32(Uint8Array.from(tree))],
  ]);
}

const commit = "8b137891791fe96927ad78e64b0aad7bded08bdc";
ingredient("empty", "no entries at all, as with --allow-missing", "locks", []);
ingredient("empty-tasks", "the same for the other ingredient: another context, another digest", "tasks", []);
ingredient("one", "one small file", "locks", [["f", "flake.lock", "{}\n"]]);
ingredient("empty-file", "a file without contents", "tasks", [["f", "same.yaml", ""]]);
ingredient("shift-left", "with shift-right: the same bytes, divided otherwise between path and contents", "locks", [["f", "a", "bc"]]);
ingredient("shift-right", "with shift-left", "locks", [["f", "ab", "c"]]);
ingredient("swallow", "contents that look like another entry's framing", "locks", [["f", "a", join([bytes("x"), framed("b"), bytes("f"), framed("y")])]]);
ingredient("swallowed", "the two entries that swallow imitates", "locks", [["f", "a", "x"], ["f", "b", "y"]]);
ingredient("order", "entries are hashed in bytewise order of their paths, however they come", "locks", [["f", "b/x.nix", "1"], ["f", "b.nix", "2"], ["f", "a.nix", "3"], ["f", "B.nix", "4"], ["f", "b-c.nix", "5"]]);
ingredient("link", "a symbolic link counts with its target", "locks", [["l", "go.sum", "../go.sum"]]);
ingredient("not-a-link", "a file whose contents are the target of the link", "locks", [["f", "go.sum", "../go.sum"]]);
ingredient("submodule", "a submodule counts with its commit, in lower-case hexadecimal", "locks", [["g", "vendor/lib", commit], ["f", "flake.lock", "{}\n"]]);
ingredient("odd-names", "paths are bytes: a newline, a space, UTF-8, and what is not UTF-8", "tasks", [["f", "a\nb/same.yaml", "1"], ["f", "a b/same.yaml", "2"], ["f", "é/same.yaml", "3"], ["f", [0xff, 0x2f, 0x73], "4"]]);
ingredient("long", "more than one chunk of BLAKE3 (1024 bytes)", "locks", [["f", "flake.nix", "0123456789abcdef".repeat(200)]]);
extra("extra-one", "one extra", [["job", "test"]]);
extra("extra-order", "extras are hashed in bytewise order of their names", [["os", "linux"], ["job", "test"], ["go", ""]]);
extra("extra-shift", "with extra-one: an equals sign in a name is a part of the name", [["j", "ob=test"]]);
extra("workspace", "a workspace in a directory of the repository is an extra without a name", [["job", "test"]], "services/a");
const locks = [["f", "flake.lock", "{}\n"], ["f", "flake.nix", "{ outputs = _: { }; }\n"]];
const tasks = [["f", "same.yaml", "version: \"1\"\n"]];
const tree = [...Array(32).keys()];
key("key", "a whole key", { locks, tasks, tree });
key("key-extra", "a whole key with extras and another prefix that has a hyphen", { prefix: "my-app", system: "aarch64-darwin", pairs: [["job", "test"]], locks, tasks, tree });
key("key-workspace", "a whole key of a workspace in a directory of the repository", { workspace: "a", locks, tasks: [["f", "a/same.yaml", "version: \"1\"\n"]], tree });
ingredient("followed", "a link brings the file that it leads to, which is an entry of its own", "locks", [["l", "tool.lock", "cfg/tools"], ["f", "cfg/tools", "1\n"]]);
