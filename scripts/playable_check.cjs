// What scripts/playable_check.sh runs: see there.
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const zlib = require("node:zlib");
const { execFileSync } = require("node:child_process");
const { launch, open } = require("./lib/page.cjs");

const [file, data, ...runs] = process.argv.slice(2);
const IMAGES = 100;
const problems = [];
const check = (holds, text) => holds || problems.push(text);

const idx = (name) => {
  const found = fs.readdirSync(data).find((other) => other.startsWith(name));
  const bytes = fs.readFileSync(path.join(data, found));
  return found.endsWith(".gz") ? zlib.gunzipSync(bytes) : bytes;
};

// Pictures for `predict` and the page alike: dark on white, light on black, transparent, wide, tiny, grey noise.
const pictures = (browserPage) => browserPage.evaluate(() => {
  const made = {
    "dark-on-white": [200, 300, (c) => { c.fillStyle = "#fff"; c.fillRect(0, 0, 200, 300); c.fillStyle = "#343"; c.fillRect(50, 40, 90, 220); }],
    "light-on-black": [64, 64, (c) => { c.fillStyle = "#000"; c.fillRect(0, 0, 64, 64); c.fillStyle = "#cde"; c.fillRect(8, 30, 48, 20); }],
    transparent: [120, 90, (c) => { c.fillStyle = "#a03010"; c.beginPath(); c.arc(60, 45, 40, 0, 7); c.fill(); }],
    wide: [400, 60, (c) => { c.fillStyle = "#eee"; c.fillRect(0, 0, 400, 60); c.fillStyle = "#205080"; c.fillRect(30, 10, 340, 40); }],
    tiny: [7, 5, (c) => { c.fillStyle = "#111"; c.fillRect(0, 0, 7, 5); c.fillStyle = "#bbb"; c.fillRect(2, 1, 3, 3); }],
    stripes: [333, 111, (c) => { for (let x = 0; x < 333; x++) { c.fillStyle = `rgb(${(x * 37) % 256},${(x * 91) % 256},${(x * 53) % 256})`; c.fillRect(x, 0, 1, 111); } }],
  };
  return Object.entries(made).map(([name, [w, h, draw]]) => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [w, h];
    draw(canvas.getContext("2d"));
    return [name, canvas.toDataURL("image/png").split(",")[1]];
  });
});

(async () => {
  const browser = await launch();
  const { page, asked } = await open(browser, file, problems, { viewport: { width: 1280, height: 900 } });
  await page.waitForSelector("body[data-ready]");
  const size = await page.evaluate(() => fm.play.shape.reduce((a, b) => a * b));

  // Test images by their bytes against predictions.csv, evenly over the file.
  const images = idx("t10k-images");
  const n = images.readUInt32BE(4);
  const rows = Array.from({ length: Math.min(IMAGES, n) }, (_, i) => Math.floor((i * n) / Math.min(IMAGES, n)));
  const said = await page.evaluate((all) => all.map((bytes) => fmPlay.classify(fm.play, Uint8Array.from(bytes))),
    rows.map((row) => [...images.subarray(images.length - (n - row) * size, images.length - (n - row - 1) * size)]));
  let [same, furthest] = [0, 0];
  runs.forEach((run, network) => {
    const [header, ...lines] = fs.readFileSync(path.join(run, "predictions.csv"), "utf8").trim().split(/\r?\n/).map((l) => l.split(","));
    const column = (name) => header.indexOf(name);
    rows.forEach((row, i) => {
      const shares = said[i][network];
      const predicted = Number(lines[row][column("predicted")]);
      const top = shares.indexOf(Math.max(...shares));
      same += top === predicted;
      // Rounded weights may turn a tie.
      check(shares[top] - shares[predicted] < 0.02, `${run}: test image ${row} is ${top}, predictions.csv has ${predicted}`);
      furthest = Math.max(furthest, Math.abs(shares[predicted] - Number(lines[row][column("p_predicted")])));
    });
  });

  // What the networks say of the picture that the page shows.
  const said_of_shown = () => page.evaluate(() => {
    const seen = document.getElementById("seen");
    const pixels = seen.getContext("2d").getImageData(0, 0, seen.width, seen.height).data;
    const plane = pixels.length / 4;
    const [channels] = fm.play.shape;
    const bytes = new Uint8Array(channels * plane);
    for (let c = 0; c < channels; c++) for (let i = 0; i < plane; i++) bytes[c * plane + i] = pixels[4 * i + c];
    return fmPlay.classify(fm.play, bytes);
  });

  // A file dragged from outside: the browser itself makes the events and their DataTransfer.
  const devtools = await page.context().newCDPSession(page);
  const drop = async (file) => {
    const data = { items: [], files: [file], dragOperationsMask: 1 };
    for (const type of ["dragEnter", "dragOver", "drop"]) {
      await devtools.send("Input.dispatchDragEvent", { type, x: 300, y: 300, data });
    }
  };
  await page.evaluate(() => window.addEventListener("drop", (event) => {
    document.body.dataset.drops = `${Number(document.body.dataset.drops ?? 0) + (event.isTrusted && event.dataTransfer.files.length === 1)}`;
  }));

  // Chosen and dropped files against `predict`.
  const place = fs.mkdtempSync(path.join(os.tmpdir(), "playable-"));
  let [dropped, drops] = [0, 0];
  for (const [name, base64] of await pictures(page)) {
    const png = path.join(place, `${name}.png`);
    fs.writeFileSync(png, Buffer.from(base64, "base64"));
    const after = async (what) => {
      const before = await page.evaluate(() => document.body.dataset.shown ?? "");
      await what();
      await page.waitForFunction((was) => document.body.dataset.shown !== was, before);
      return said_of_shown();
    };
    const chosen = await after(() => page.setInputFiles("#file", png));
    await page.click("#clear");
    const shown = await after(() => drop(png));
    check(JSON.stringify(shown) === JSON.stringify(chosen), `${name}.png: dropped it is another picture than chosen`);
    drops += 1;
    runs.forEach((run, network) => {
      const [{ top }] = JSON.parse(execFileSync(process.env.FM_EXP, ["predict", run, png, "--json"], { encoding: "utf8" }));
      const off = Math.max(...top.map(({ label, probability }) => Math.abs(shown[network][label] - probability)));
      check(off < 0.05, `${name}.png, ${run}: a probability is ${off.toFixed(3)} off predict's`);
      dropped = Math.max(dropped, off);
    });
  }

  const counted = await page.evaluate(() => Number(document.body.dataset.drops));
  check(counted === drops, `${counted} of ${drops} files were dropped`);

  // Drawn with the mouse: a shape, and something is said and shown near.
  await page.click("#clear");
  const box = await page.locator("#paper").boundingBox();
  const at = (x, y) => [box.x + x * box.width, box.y + y * box.height];
  await page.mouse.move(...at(0.3, 0.2));
  await page.mouse.down();
  for (const [x, y] of [[0.7, 0.2], [0.7, 0.8], [0.3, 0.8], [0.3, 0.2], [0.5, 0.5]]) await page.mouse.move(...at(x, y), { steps: 5 });
  await page.mouse.up();
  const drawn = await page.evaluate(() => ({
    bars: document.querySelectorAll(".network").length, rows: document.querySelectorAll(".network tbody tr").length,
    near: document.querySelectorAll("#nearest button").length, sideways: document.documentElement.scrollWidth - innerWidth,
  }));
  check(drawn.bars === runs.length && drawn.rows > drawn.bars && drawn.near > 0, `drawn: ${JSON.stringify(drawn)}`);
  check(drawn.sideways <= 0, `${drawn.sideways} px wider than the window`);
  check(asked.length === 1, `asked for ${asked.slice(1).join(", ")}`);
  if (process.env.SHOTS) {
    fs.mkdirSync(process.env.SHOTS, { recursive: true });
    for (const width of [1280, 390]) {
      await page.setViewportSize({ width, height: 900 });
      await page.waitForTimeout(500);
      await page.screenshot({ path: path.join(process.env.SHOTS, `playable-${width}.png`), fullPage: true });
    }
  }
  await browser.close();
  fs.rmSync(place, { recursive: true });
  problems.forEach((problem) => console.error(`playable-check: ${problem}`));
  console.log(`playable-check: ${fs.statSync(file).size} bytes, ${runs.length} networks; ${same} of ${rows.length * runs.length} classes as ` +
    `in predictions.csv, probabilities within ${furthest.toFixed(4)}; ${drops} pictures chosen and dropped, within ${dropped.toFixed(4)} of predict`);
  if (problems.length > 0) process.exit(1);
})();
