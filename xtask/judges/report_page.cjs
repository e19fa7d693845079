// Opens a run's page from file:// in a real browser: node report_page.cjs PROGRAM DIGITS FOLDER
//
// PROGRAM trains on DIGITS; report.html is opened as a phone and as a desktop, light and dark, used as a reader would, and printed.
// Whatever the console says, an outside address, a page wider than the screen, or a word that is cut off is a fault. Pictures of what was seen stay in FOLDER.
"use strict";
const { execFileSync } = require("node:child_process");
const path = require("node:path");
const { pathToFileURL } = require("node:url");
const { chromium } = require("playwright-core");

const [program, digits, folder] = process.argv.slice(2);
const SCREENS = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 900 } };

function check(holds, words) {
  if (!holds) throw new Error(words);
}

function train() {
  const run = path.join(folder, "run");
  const small = ["--limit", "1500", "--epochs", "3", "--device", "cpu", "--model", "small-cnn"];
  execFileSync(program, ["train", digits, ...small, "--out", run], { stdio: ["ignore", "ignore", "inherit"] });
  return pathToFileURL(path.join(run, "report.html")).href;
}

// Lightness of what a rgb() names, from 0 to 255.
const lightness = colour => colour.match(/\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part) / 3, 0);

async function fits(page, words) {
  const [wide, room] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  check(wide <= room, `${words}: the page is ${wide} wide on a screen of ${room}`);
}

// Words in drawings are whole: none reaches over the edge of its drawing.
async function whole(page, words) {
  const cut = await page.evaluate(() => [...document.querySelectorAll("svg text")].filter(text => {
    const own = text.getBoundingClientRect(), all = text.ownerSVGElement.getBoundingClientRect();
    return own.width > 0 && (own.left < all.left - 1 || own.right > all.right + 1 || own.top < all.top - 1 || own.bottom > all.bottom + 1);
  }).map(text => text.textContent));
  check(cut.length === 0, `${words}: cut off: ${cut.join(", ")}`);
}

// What a reader does: looks at a curve, at a cell of the matrix, at its shares, sorts the classes, unfolds what is folded.
async function use(page, isPhone) {
  const curve = page.locator(".plot svg").first();
  await (isPhone ? curve.tap() : curve.hover());
  const tip = await page.locator(".plot .tip").first().innerText();
  check(/^epoch \d+/.test(tip) && /train [\d.]+/.test(tip), `the curve tells ${JSON.stringify(tip)}`);
  const cell = page.locator("rect.cell[role=button]").first();
  await (isPhone ? cell.tap() : cell.click());
  check((await page.locator("section:has(.matrix) .pictures figure").count()) > 0, "a cell opens no pictures");
  const shares = page.locator("button.plain", { hasText: /^shares$/ });
  await shares.click();
  check((await shares.getAttribute("aria-pressed")) === "true", "shares cannot be chosen");
  const first = () => page.locator("section:has(h2:text-is('Classes')) tbody td").first().innerText();
  const before = await first();
  const head = page.locator("section:has(h2:text-is('Classes')) th button").first();
  await head.click();
  await head.click();
  check((await first()) !== before, "classes are not sorted");
  for (const summary of await page.locator("summary").all()) await summary.click();
  check(await page.locator("details[open] td.wrap").first().isVisible(), "settings do not unfold");
}

// Pictures that are shown are there: none is broken.
async function pictures(page) {
  await page.evaluate(() => document.querySelectorAll("img").forEach(image => { image.loading = "eager"; }));
  await page.waitForFunction(() => [...document.images].every(image => image.complete));
  const [all, broken] = await page.evaluate(() => [document.images.length, [...document.images].filter(image => !image.naturalWidth).length]);
  check(all > 20 && broken === 0, `${broken} of ${all} pictures are broken`);
  return all;
}

async function look(browser, address, screen, scheme) {
  const isPhone = screen === "phone", words = `${screen}, ${scheme}`;
  const context = await browser.newContext({ viewport: SCREENS[screen], colorScheme: scheme, hasTouch: isPhone, isMobile: isPhone });
  const page = await context.newPage();
  const said = [];
  page.on("console", message => said.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", error => said.push(`error: ${error}`));
  page.on("request", request => {
    if (!/^(file|data|blob):/.test(request.url())) said.push(`asks for ${request.url()}`);
  });
  await page.goto(address);
  const [back, ink] = await page.evaluate(() => {
    const style = getComputedStyle(document.body);
    return [style.backgroundColor, style.color];
  });
  const isDark = lightness(back) < lightness(ink);
  check(isDark === (scheme === "dark"), `${words}: ${ink} on ${back}`);
  await fits(page, words);
  await whole(page, words);
  await use(page, isPhone);
  await fits(page, `${words}, unfolded`);
  const count = await pictures(page);
  await page.screenshot({ path: path.join(folder, `${screen}-${scheme}.png`), fullPage: true });
  if (!isPhone && scheme === "light") {
    const printed = await page.pdf({ path: path.join(folder, "printed.pdf"), format: "A4" });
    check(printed.length > 10_000, "nothing is printed");
  }
  check(said.length === 0, `${words}: ${said.join("; ")}`);
  await context.close();
  return count;
}

async function judge() {
  const address = train();
  const browser = await chromium.launch({ executablePath: process.env.CHIARO_CHROMIUM, args: ["--no-sandbox"] });
  try {
    let count = 0;
    for (const screen of Object.keys(SCREENS)) {
      for (const scheme of ["light", "dark"]) count = await look(browser, address, screen, scheme);
    }
    console.log(`Chromium ${browser.version()}: nothing in the console at two widths, light and dark; ${count} pictures, all whole`);
  } finally {
    await browser.close();
  }
}

judge().catch(error => {
  console.log(`FAILED ${error.message}`);
  process.exit(1);
});
