// curl against `bitnet serve`: as people write it in a shell.
import {after, test} from "node:test";
import {spawn} from "node:child_process";
import assert from "node:assert/strict";
import {metricsOf, run, serve} from "./server.mjs";

const server = await serve();
after(() => server.stop());

// `input` is its stdin. The head is apart from the body.
function curl(path, {input, args = []} = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn("curl", ["--silent", "--show-error", "--include", "--noproxy", "*", ...args, server.url + path]);
    let text = "";
    let said = "";
    child.stdout.setEncoding("utf8").on("data", (part) => { text += part; });
    child.stderr.setEncoding("utf8").on("data", (part) => { said += part; });
    child.on("error", reject);
    child.on("close", (code) => {
      if (code !== 0) return reject(new Error(`curl: ${code}: ${said}`));
      let end = text.indexOf("\r\n\r\n");
      while (text.startsWith("HTTP/1.1 100")) {
        text = text.slice(end + 4);
        end = text.indexOf("\r\n\r\n");
      }
      const head = text.slice(0, end);
      resolve({status: Number(head.split(" ")[1]), head: head.toLowerCase(), body: text.slice(end + 4)});
    });
    child.stdin.on("error", () => {});  // it may end before it has read all
    child.stdin.end(input);
  });
}

const json = ["--header", "Content-Type: application/json", "--data-binary", "@-"];
const post = (path, request, more = []) =>
  curl(path, {input: typeof request === "string" ? request : JSON.stringify(request), args: [...json, ...more]});
const PROMPT = "The capital of France is";
const request = {prompt: PROMPT, max_tokens: 50};

test("the server is well, and the page says who may show it", async () => {
  assert.equal((await curl("/health")).status, 200);
  const page = await curl("/");
  assert.match(page.head, /content-type: text\/html; charset=utf-8/);
  assert.match(page.head, /content-security-policy: .*frame-ancestors 'none'/);
  assert.match(page.head, /x-content-type-options: nosniff/);
  assert.match(page.body, /^<!doctype html>/);
});

test("a completion is what bitnet run says, whether it comes whole or in pieces", async () => {
  const whole = await post("/v1/completions", request);
  assert.match(whole.head, /content-type: application\/json/);
  assert.equal(JSON.parse(whole.body).choices[0].text, run(PROMPT, "-n", "50"));
  const stream = await post("/v1/completions", {...request, stream: true}, ["--no-buffer"]);
  assert.match(stream.head, /content-type: text\/event-stream/);
  const events = stream.body.trimEnd().split("\n\n").map((event) => event.replace(/^data: /, ""));
  assert.equal(events.pop(), "[DONE]");
  assert.equal(events.map((event) => JSON.parse(event).choices[0].text).join(""), run(PROMPT, "-n", "50"));
});

test("a body may come in chunks, or after a 100", async () => {
  for (const more of [["--header", "Transfer-Encoding: chunked"], ["--header", "Expect: 100-continue"], ["--http1.0"]]) {
    const answer = await post("/v1/completions", request, more);
    assert.equal(answer.status, 200, answer.body);
    assert.equal(JSON.parse(answer.body).choices[0].text, run(PROMPT, "-n", "50"));
  }
});

test("what cannot be is an error in OpenAI's form", async () => {
  const cases = [
    [400, () => post("/v1/completions", "{\"prompt\": \"a\"")],
    [400, () => post("/v1/completions", "{\"prompt\": \"\xff")],
    [400, () => post("/v1/completions", "")],
    [400, () => post("/v1/completions", {...request, temperature: -1})],
    [404, () => curl("/v1/nothing")],
    [405, () => curl("/v1/completions")],
    [405, () => post("/v1/models", {})],
    [413, () => post("/v1/completions", {...request, prompt: "a".repeat(64 << 20)})],
  ];
  for (const [status, ask] of cases) {
    const answer = await ask();
    assert.equal(answer.status, status, answer.head + answer.body);
    const {error} = JSON.parse(answer.body);
    assert.deepEqual(Object.keys(error).sort(), ["code", "message", "param", "type"]);
    assert.ok(error.message.length > 10, error.message);
  }
});

test("HEAD has a head and no body", async () => {
  const answer = await curl("/health", {args: ["--head"]});
  assert.equal(answer.status, 200);
  assert.equal(answer.body, "");
});

test("the metrics are Prometheus text and count what was asked", async () => {
  const before = metricsOf((await curl("/metrics")).body).bitnet_generated_tokens_total;
  const answer = JSON.parse((await post("/v1/completions", request)).body);
  const {head, body} = await curl("/metrics");
  assert.match(head, /content-type: text\/plain; version=0\.0\.4/);
  assert.match(body, /^bitnet_requests_total\{route="\/v1\/completions",status="200"\} \d+$/m);
  assert.ok(metricsOf(body).bitnet_generated_tokens_total >= before + answer.usage.completion_tokens);
  for (const line of body.trimEnd().split("\n")) {
    assert.match(line, /^# (HELP|TYPE) [a-z_]+ .+$|^[a-z_]+(\{([a-z_]+="[^"\n]*",?)+\})? (\d\S*|\+Inf)$/);
  }
});
