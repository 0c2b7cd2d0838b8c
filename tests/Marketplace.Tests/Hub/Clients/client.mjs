// Drives @huggingface/hub for the tests: one JSON request a line in, one JSON answer a line out. Arguments: address of the registry, token (or "-").
import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { mkdtemp, readFile, readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { pathToFileURL } from "node:url";

// The library prints; the answers have the output for themselves.
console.log = console.info = console.debug = console.error;

const [modules, hubUrl, token] = process.argv.slice(2);
const hub = await import(pathToFileURL(createRequire(join(modules, "package.json")).resolve("@huggingface/hub").replace(/index\.js$/, "index.mjs")));
const call = { hubUrl, ...(token === "-" ? {} : { accessToken: token }) };
const repo = (name) => ({ type: "model", name });
const blob = (base64) => new Blob([Buffer.from(base64, "base64")]);
const all = async (items) => { const list = []; for await (const item of items) list.push(item); return list; };
const adds = (files) => Object.entries(files ?? {}).map(([path, content]) => ({ operation: "addOrUpdate", path, content: blob(content) }));
const removals = (paths) => (paths ?? []).map((path) => ({ operation: "delete", path }));

const operations = {
  async whoami() { const me = await hub.whoAmI(call); return { name: me.name, role: me.auth.accessToken?.role }; },
  async createRepo({ name, isPrivate }) { const made = await hub.createRepo({ ...call, repo: repo(name), visibility: isPrivate ? "private" : "public" }); return { id: made.id, url: made.repoUrl }; },
  async deleteRepo({ name }) { await hub.deleteRepo({ ...call, repo: repo(name) }); return {}; },
  async repoExists({ name }) { return { exists: await hub.repoExists({ ...call, repo: repo(name) }) }; },
  async commit({ name, files, remove, message, parent }) {
    const made = await hub.commit({ ...call, repo: repo(name), title: message ?? "From a test", operations: [...adds(files), ...removals(remove)], ...(parent ? { parentCommit: parent } : {}) });
    return { commit: made.commit.oid, url: made.commit.url };
  },
  async uploadFolder({ name, folder, message }) {
    const paths = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((f) => f.isFile()).map((f) => join(f.parentPath ?? f.path, f.name));
    const files = await Promise.all(paths.map(async (path) => ({ path: relative(folder, path).split("\\").join("/"), content: new Blob([await readFile(path)]) })));
    const made = await hub.uploadFiles({ ...call, repo: repo(name), commitTitle: message ?? "From a test", files });
    return { commit: made.commit.oid, url: made.commit.url };
  },
  async deleteFiles({ name, paths }) { const made = await hub.deleteFiles({ ...call, repo: repo(name), paths }); return { commit: made?.commit.oid }; },
  async list({ name, revision }) {
    const entries = await all(hub.listFiles({ ...call, repo: repo(name), recursive: true, ...(revision ? { revision } : {}) }));
    return { files: entries.filter((e) => e.type === "file").map((e) => ({ path: e.path, size: e.size, sha256: e.lfs?.oid, oid: e.oid })) };
  },
  async info({ name, revision }) {
    const info = await hub.modelInfo({ ...call, name, additionalFields: ["sha", "tags", "library_name", "cardData", "author"], ...(revision ? { revision } : {}) });
    return { id: info.name, sha: info.sha, isPrivate: info.private, tags: info.tags, library: info.library_name, card: info.cardData, task: info.task, updatedAt: info.updatedAt };
  },
  async models({ owner, query, tags, limit }) {
    const found = await all(hub.listModels({ ...call, search: { owner, query, tags }, ...(limit ? { limit } : {}) }));
    return { names: found.map((m) => m.name) };
  },
  async download({ name, path, revision }) {
    const found = await hub.downloadFile({ ...call, repo: repo(name), path, ...(revision ? { revision } : {}) });
    return found === null ? { content: null } : { content: Buffer.from(await found.arrayBuffer()).toString("base64") };
  },
  async slice({ name, path, from, to }) {
    const found = await hub.downloadFile({ ...call, repo: repo(name), path });
    return { content: Buffer.from(await found.slice(from, to).arrayBuffer()).toString("base64") };
  },
  async fileInfo({ name, path, revision }) {
    const info = await hub.fileDownloadInfo({ ...call, repo: repo(name), path, ...(revision ? { revision } : {}) });
    return info === null ? { size: null } : { size: info.size, etag: info.etag };
  },
  async fileExists({ name, path }) { return { exists: await hub.fileExists({ ...call, repo: repo(name), path }) }; },
  async commits({ name }) {
    const found = await all(hub.listCommits({ ...call, repo: repo(name), batchSize: 2 }));
    return { commits: found.map((c) => ({ id: c.oid, title: c.title, author: c.authors[0]?.username })) };
  },
  async snapshot({ name, revision }) {
    const cacheDir = await mkdtemp(join(tmpdir(), "hub-"));
    return { folder: await hub.snapshotDownload({ ...call, repo: repo(name), cacheDir, ...(revision ? { revision } : {}) }) };
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { operation, ...given } = JSON.parse(line);
  let answer;
  try {
    answer = await operations[operation](given);
  } catch (e) {
    answer = { failure: { kind: e.constructor.name, status: e.statusCode ?? 0, message: e.message ?? String(e) } };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
