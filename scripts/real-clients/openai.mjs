// npm's openai package against `bitnet serve`.
import {after, test} from "node:test";
import assert from "node:assert/strict";
import {eventually, load, run, serve} from "./server.mjs";

const OpenAI = load("openai");
const server = await serve("--api-key", "sesame");
after(() => server.stop());
const client = new OpenAI({baseURL: server.url + "/v1", apiKey: "sesame", maxRetries: 0});
const model = (await client.models.list()).data[0].id;

const PROMPT = "The capital of France is";
const QUESTION = "What is the capital of France?";
const user = (content) => [{role: "user", content}];
const LONG = {model, prompt: "Once upon a time", ignore_eos: true, max_tokens: 400, temperature: 0};

async function textsOf(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return {
    chunks,
    text: chunks.map((chunk) => chunk.choices[0]?.text ?? chunk.choices[0]?.delta?.content ?? "").join(""),
    reason: chunks.map((chunk) => chunk.choices[0]?.finish_reason).filter(Boolean),
    usage: chunks.at(-1).usage,
  };
}

test("models lists the one that is served", async () => {
  const {data} = await client.models.list();
  assert.equal(data.length, 1);
  assert.equal(data[0].object, "model");
  assert.equal((await client.models.retrieve(data[0].id)).id, data[0].id);
});

test("a completion is what bitnet run says", async () => {
  const answer = await client.completions.create({model, prompt: PROMPT, max_tokens: 50});
  assert.equal(answer.object, "text_completion");
  assert.equal(answer.choices[0].text, run(PROMPT, "-n", "50"));
  assert.equal(answer.choices[0].finish_reason, "stop");
  assert.ok(answer.usage.prompt_tokens > 0);
  assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
});

test("token ids are a prompt", async () => {
  const ids = [1, 70, 71, 72];
  const answer = await client.completions.create({model, prompt: ids, max_tokens: 12, temperature: 0});
  assert.equal(answer.choices[0].text, run("--ids", ids.join(","), "-n", "12"));
  assert.equal(answer.usage.prompt_tokens, ids.length);
});

test("a chat is what bitnet run says with the model's template", async () => {
  const answer = await client.chat.completions.create({model, messages: user(QUESTION), temperature: 0});
  assert.equal(answer.object, "chat.completion");
  assert.equal(answer.choices[0].message.role, "assistant");
  assert.equal(answer.choices[0].message.content, run("--template", "auto", QUESTION));
});

test("a stream is the same text in pieces, and its usage comes last where it is asked for", async () => {
  const request = {model, prompt: PROMPT, max_tokens: 50};
  const whole = await client.completions.create(request);
  const plain = await textsOf(await client.completions.create({...request, stream: true}));
  assert.equal(plain.text, whole.choices[0].text);
  assert.deepEqual(plain.reason, ["stop"]);
  assert.ok(plain.chunks.length > 2);
  assert.ok(plain.chunks.every((chunk) => !chunk.usage));
  const counted = await textsOf(await client.completions.create({...request, stream: true, stream_options: {include_usage: true}}));
  assert.equal(counted.usage.completion_tokens, whole.usage.completion_tokens);
  assert.deepEqual(counted.chunks.at(-1).choices, []);
});

test("the package's own reader of a chat's stream puts it together", async () => {
  const request = {model, messages: user(QUESTION), temperature: 0};
  const whole = await client.chat.completions.create(request);
  const final = await client.chat.completions.stream(request).finalChatCompletion();
  assert.equal(final.choices[0].message.content, whole.choices[0].message.content);
  assert.equal(final.choices[0].finish_reason, "stop");
});

test("the limit of tokens is told as the reason", async () => {
  const answer = await client.chat.completions.create({model, messages: user(QUESTION), max_completion_tokens: 2, temperature: 0});
  assert.equal(answer.choices[0].finish_reason, "length");
  assert.equal(answer.usage.completion_tokens, 2);
});

test("a stop string ends the text before it", async () => {
  const whole = run(PROMPT, "-n", "50");
  assert.match(whole, /Paris/);
  for (const stop of ["Paris", ["never said", "Paris"]]) {
    const answer = await client.completions.create({model, prompt: PROMPT, max_tokens: 50, stop});
    assert.equal(answer.choices[0].text, whole.slice(0, whole.indexOf("Paris")));
    assert.equal(answer.choices[0].finish_reason, "stop");
  }
});

test("the same request and seed have the same bytes, those of bitnet run", async () => {
  const request = {model, prompt: "Once upon a time", max_tokens: 30, temperature: 1.5, seed: 7};
  // All but the time, and what was there already of the prompt: that depends on what was asked before.
  const bytes = async () => (await (await client.completions.create(request).asResponse()).text()).replace(/("created"|"cached_tokens"):\d+/g, "");
  const first = await bytes();
  assert.equal(await bytes(), first);
  const {text} = (await client.completions.create(request)).choices[0];
  assert.equal(text, run("Once upon a time", "-n", "30", "--temp", "1.5", "--seed", "7"));
  assert.notEqual((await client.completions.create({...request, seed: 8})).choices[0].text, text);
});

test("n answers are those of as many seeds", async () => {
  const request = {model, messages: user("Tell me a story."), max_tokens: 20, temperature: 1.2, seed: 40};
  const {choices} = await client.chat.completions.create({...request, n: 3});
  assert.deepEqual(choices.map(({index}) => index), [0, 1, 2]);
  for (const [i, choice] of choices.entries()) {
    const alone = await client.chat.completions.create({...request, seed: 40 + i});
    assert.equal(choice.message.content, alone.choices[0].message.content);
  }
});

test("logprobs have every token and as many others as asked for", async () => {
  const chat = (await client.chat.completions.create({model, messages: user(QUESTION), temperature: 0, logprobs: true, top_logprobs: 3})).choices[0];
  const {content} = chat.logprobs;
  assert.equal(content.map(({token}) => token).join(""), chat.message.content);
  for (const {token, logprob, bytes, top_logprobs} of content) {
    assert.ok(logprob <= 0 && Number.isFinite(logprob));
    assert.equal(Buffer.from(bytes).toString(), token);
    assert.equal(top_logprobs.length, 3);
    assert.equal(top_logprobs[0].token, token);  // greedy
  }
  const {text, logprobs} = (await client.completions.create({model, prompt: PROMPT, max_tokens: 50, logprobs: 2})).choices[0];
  assert.equal(logprobs.tokens.join(""), text);
  assert.equal(logprobs.token_logprobs.length, logprobs.tokens.length);
  assert.equal(logprobs.text_offset.length, logprobs.tokens.length);
});

test("a request that cannot be is the package's BadRequestError, which names the field", async () => {
  const refused = {temperature: -1, top_p: 3, max_tokens: "many", stop: 5, tools: [{type: "function", function: {name: "f"}}]};
  for (const [name, value] of Object.entries(refused)) {
    await assert.rejects(client.chat.completions.create({model, messages: user(QUESTION), [name]: value}), (error) => {
      assert.ok(error instanceof OpenAI.BadRequestError, String(error));
      assert.equal(error.param, name);
      assert.ok(error.message.includes(name), error.message);
      return true;
    });
  }
  await assert.rejects(client.chat.completions.create({model, messages: []}), OpenAI.BadRequestError);
});

test("another model is the package's NotFoundError", async () => {
  await assert.rejects(client.models.retrieve("none"), OpenAI.NotFoundError);
  await assert.rejects(client.completions.create({model: "none", prompt: PROMPT}), (error) => {
    assert.ok(error instanceof OpenAI.NotFoundError, String(error));
    assert.equal(error.code, "model_not_found");
    return true;
  });
});

test("another key is the package's AuthenticationError", async () => {
  const stranger = new OpenAI({baseURL: server.url + "/v1", apiKey: "open", maxRetries: 0});
  await assert.rejects(stranger.models.list(), OpenAI.AuthenticationError);
  await assert.rejects(stranger.completions.create({model, prompt: PROMPT}), OpenAI.AuthenticationError);
});

test("a full queue is the package's RateLimitError, and says when to come back", async () => {
  const small = await serve("--sequences", "1", "--queue", "1", "--backend", "scalar", "--threads", "1");
  const one = new OpenAI({baseURL: small.url + "/v1", apiKey: "none", maxRetries: 0});
  const answers = await Promise.allSettled(Array.from({length: 12}, () => one.completions.create(LONG)));
  const refused = answers.filter(({status}) => status === "rejected").map(({reason}) => reason);
  assert.ok(refused.length > 0 && refused.length < 12, String(refused.length));
  for (const error of refused) {
    assert.ok(error instanceof OpenAI.RateLimitError, String(error));
    assert.match(error.headers.get("retry-after"), /^[1-9]\d*$/);
  }
  assert.equal(new Set(answers.filter(({value}) => value).map(({value}) => value.choices[0].text)).size, 1);
  await small.stop();
});

test("a client that leaves in mid-answer frees its sequence", async () => {
  const slow = await serve("--sequences", "1", "--backend", "scalar", "--threads", "1");
  const leaving = new OpenAI({baseURL: slow.url + "/v1", apiKey: "none", maxRetries: 0});
  let generated = 0;
  for (;;) {  // until one is seen that had not ended
    const stream = await leaving.completions.create({...LONG, stream: true});
    for await (const chunk of stream) {
      if (chunk.choices[0].text !== "") break;  // which aborts
    }
    await eventually(async () => (await slow.metrics()).bitnet_sequences_running === 0);
    const now = (await slow.metrics()).bitnet_generated_tokens_total;
    if (now - generated < 400) break;
    generated = now;
  }
  assert.ok((await slow.metrics()).bitnet_clients_gone_total > 0);
  assert.equal((await leaving.completions.create({model, prompt: PROMPT, max_tokens: 50})).choices[0].text, run(PROMPT, "-n", "50"));
  await slow.stop();
});
