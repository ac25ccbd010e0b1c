// The chat page in a headless Chromium: it talks with the server it came from, and with nobody else.
import {after, test} from "node:test";
import fs from "node:fs";
import path from "node:path";
import assert from "node:assert/strict";
import {browser, folder, load, run, serve, work} from "./server.mjs";

const {chromium} = load("playwright-core");
const context = await chromium.launchPersistentContext(fs.mkdtempSync(path.join(work, "browser-")), {
  executablePath: browser,
  headless: true,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"],
});
after(() => context.close());

const QUESTION = "What is the capital of France?";

// A page, and all that it complained of or asked elsewhere.
async function open(server, [width, height]) {
  const page = await context.newPage();
  const faults = [];
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("console", (message) => {
    // That an answer is not 200 the browser says by itself; the page's own words are looked at.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) faults.push(message.text());
  });
  page.on("request", (request) => {
    const {origin, protocol} = new URL(request.url());
    if (origin !== server.url && protocol !== "data:") faults.push("asked " + request.url());
  });
  await page.setViewportSize({width, height});
  await page.goto(server.url + "/");
  return {
    page,
    faults,
    say: async (text) => {
      await page.getByLabel("Message", {exact: true}).fill(text);
      await page.keyboard.press("Enter");
    },
    answered: () => page.getByRole("button", {name: "Send"}).waitFor(),
    answer: () => page.locator("article.assistant").last().locator(".text").innerText(),
  };
}

const sizes = {narrow: [360, 740], wide: [1280, 800]};
for (const [name, size] of Object.entries(sizes)) {
  test("it shows the model's answer, " + name, async () => {
    const server = await serve();
    const {page, faults, say, answered, answer} = await open(server, size);
    await page.waitForFunction(() => document.querySelector("#model").textContent !== "");
    await page.getByRole("button", {name: "Settings"}).click();
    await page.getByLabel("Temperature").fill("0");
    await page.keyboard.press("Escape");
    await say(QUESTION);
    await answered();
    assert.equal(await answer(), run("--template", "auto", QUESTION).trim());
    await say("Tell me a story.");
    await answered();
    await page.screenshot({path: path.join(folder, `page-${name}.png`)});
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "wider than the window");
    assert.equal(await page.locator("article").count(), 4);
    await page.reload();
    assert.equal(await page.locator("article").count(), 4, "a talk outlasts a reload");
    await page.getByRole("button", {name: "New chat"}).click();
    assert.equal(await page.locator("article").count(), 0);
    assert.deepEqual(faults, []);
    await page.close();
    await server.stop();
  });
}

test("it stops an answer, and asks again with another seed", async () => {
  const server = await serve("--backend", "scalar", "--threads", "1");
  const {page, faults, say, answered} = await open(server, sizes.wide);
  await say("Tell me a story.");
  await page.keyboard.press("Escape");
  await answered();
  await page.getByRole("button", {name: "Again"}).click();
  await answered();
  assert.ok(await page.locator("article.assistant .figures").innerText());
  assert.deepEqual(faults, []);
  await page.close();
  await server.stop();
});

test("it asks for the key that the server wants", async () => {
  const server = await serve("--api-key", "sesame");
  const {page, faults, say, answered, answer} = await open(server, sizes.narrow);
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("textbox").or(dialog.locator("input")).first().fill("open");
  await page.keyboard.press("Enter");
  await dialog.getByText("It did not take the key").waitFor();
  await dialog.locator("input").first().fill("sesame");
  await page.keyboard.press("Enter");
  await dialog.waitFor({state: "hidden"});
  await say(QUESTION);
  await answered();
  assert.notEqual(await answer(), "");
  assert.deepEqual(faults, []);
  await page.close();
  await server.stop();
});

test("a server that is gone is told in words", async () => {
  const server = await serve();
  const {page, say, answered} = await open(server, sizes.narrow);
  await server.stop();
  await say(QUESTION);
  await answered();
  await page.getByText("The server cannot be reached.").last().waitFor();
  await page.close();
});
