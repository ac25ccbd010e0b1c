// A server to ask, and what `bitnet run` says to the same.
import {spawn, spawnSync} from "node:child_process";
import http from "node:http";
import {createRequire} from "node:module";
import assert from "node:assert/strict";

// What scripts/test-clients hands on.
export const [, , bitnet, folder, work, browser] = process.argv;
export const load = createRequire(folder + "/");

const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("BITNET_")));
const started = [];
// Whatever fails, no server outlives this program.
process.on("exit", () => started.forEach((server) => server.kill("SIGKILL")));

// Runs `bitnet serve` until stop(), which expects that it ends as it should.
export async function serve(...options) {
  const server = spawn(bitnet, ["serve", "--port", "0", ...options], {stdio: ["ignore", "inherit", "pipe"], env: environment});
  started.push(server);
  let said = "";
  const ended = new Promise((resolve) => server.once("exit", (code, signal) => resolve(code ?? signal)));
  const url = await new Promise((resolve, reject) => {
    server.stderr.setEncoding("utf8").on("data", (text) => {
      said += text;
      const found = /http:\/\/[\w.:[\]]+:\d+/.exec(said);
      if (found) resolve(found[0]);
    });
    ended.then((code) => reject(new Error(`bitnet serve ended with ${code}: ${said}`)));
  });
  // What cpp-httplib sets up with its first request is guarded where ThreadSanitizer does not see it: that one comes alone.
  await new Promise((resolve, reject) => {
    http.get(url + "/health", {agent: false}, (response) => response.resume().on("end", resolve)).on("error", reject);
  });
  // One that a failed test left running does not keep this program from its end.
  server.unref();
  server.stderr.unref();
  return {
    url,
    async metrics() {
      return metricsOf(await (await fetch(url + "/metrics")).text());
    },
    async stop() {
      server.ref();
      server.kill("SIGTERM");
      assert.equal(await ended, 0, said);
    },
  };
}

// The figures without labels.
export function metricsOf(text) {
  return Object.fromEntries([...text.matchAll(/^([a-z_]+) (\S+)$/gm)].map(([, name, value]) => [name, Number(value)]));
}

export function run(...args) {
  const {status, stdout, stderr} = spawnSync(bitnet, ["run", "-q", ...args], {encoding: "utf8", env: environment});
  assert.equal(status, 0, stderr);
  return stdout;
}

// Asks until `holds`; whoever runs the test ends it when that never comes.
export async function eventually(holds) {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20));
}
