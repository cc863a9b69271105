// What scripts/atlas_check.sh runs: see there.
const fs = require("node:fs");
const path = require("node:path");
const { launch, open } = require("./lib/page.cjs");

const [atlas, shots] = process.argv.slice(2);
const problems = [];
const check = (holds, text) => holds || problems.push(text);
const table = (name) => {
  if (!fs.existsSync(path.join(atlas, name))) {
    console.error(`atlas-check: error: no ${name} in ${atlas}: give the directory that fm-exp atlas has written`);
    process.exit(2);
  }
  const [header, ...lines] = fs.readFileSync(path.join(atlas, name), "utf8").trim().split(/\r?\n/);
  const columns = header.split(",");
  return lines.map((line) => Object.fromEntries(line.split(",").map((cell, i) => [columns[i], cell])));
};
const images = table("images.csv");
const suspects = table("suspects.csv");
const percent = (share) => `${(100 * share).toFixed(1)} %`;

(async () => {
  const browser = await launch();
  let looked = 0;
  for (const width of [390, 1280]) {
    for (const colorScheme of ["light", "dark"]) {
      const where = `${width} px, ${colorScheme}`;
      const options = { where, inside: /^(data|blob):/, viewport: { width, height: 900 }, colorScheme };
      const { page, asked } = await open(browser, path.join(atlas, "atlas.html"), problems, options);
      await page.waitForFunction(() => document.getElementById("state").textContent.includes(" of "), null, { timeout: 60000 });
      const state = () => page.textContent("#state");
      const count = async () => Number((await state()).split(" ")[0]);
      check((await count()) === images.length, `${where}: ${await state()}`);
      const sideways = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      check(sideways <= 0, `${where}: ${sideways} px wider than the window`);
      const inks = await page.evaluate(() => {
        const map = document.getElementById("map");
        return map.getContext("2d").getImageData(0, 0, map.width, map.height).data.filter((_, i) => i % 4 === 3).filter((a) => a > 0).length;
      });
      check(inks > 100, `${where}: the map is empty`);
      if (shots) {
        fs.mkdirSync(shots, { recursive: true });
        await page.screenshot({ path: path.join(shots, `atlas-${width}-${colorScheme}.png`), fullPage: true });
      }
      // Images by their number: what is said of them is what the table says.
      for (let n = 0; n < 20; n++) {
        const row = images[Math.floor(((n + 0.5) * images.length) / 20)];
        await page.fill("#index", `${row.set} ${row.index}`);
        const facts = Object.fromEntries(await page.evaluate(() =>
          [...document.querySelectorAll("#facts dt")].map((dt) => [dt.textContent, dt.nextSibling.textContent])));
        check(facts.image.startsWith(`${row.set} ${row.index}`), `${where}: asked for ${row.set} ${row.index}, got ${facts.image}`);
        check(facts.runs === row.runs || row.runs === "0", `${where}: ${facts.image}: ${facts.runs} runs, not ${row.runs}`);
        if (row.runs === "0") continue;
        looked += 1;
        check(Math.abs(Number(facts.difficulty) - (1 - Number(row.p_true))) < 2e-4, `${where}: ${facts.image}: difficulty ${facts.difficulty}`);
        check(facts.learned === (row.learned === "" ? "never" : `epoch ${row.learned}`), `${where}: ${facts.image}: ${facts.learned}`);
        check(facts.correct === percent(row.correct), `${where}: ${facts.image}: correct ${facts.correct}, not ${row.correct}`);
      }
      await page.fill("#index", "nothing");
      check((await state()).includes("no such index"), `${where}: ${await state()}`);
      await page.fill("#index", "");
      // Searches, each counted in the table.
      const cases = [
        [[["#file", "test"]], (row) => row.set === "test"],
        [[["#label", "1"]], (row) => row.label === "1"],
        [[["#label", "0"], ["#file", "train"]], (row) => row.label === "0" && row.set === "train"],
      ];
      for (const [choices, holds] of cases) {
        for (const [id, value] of choices) await page.selectOption(id, value);
        const wanted = images.filter(holds).length;
        check((await count()) === wanted, `${where}: ${JSON.stringify(choices)}: ${await state()}, not ${wanted}`);
        for (const [id] of choices) await page.selectOption(id, "");
      }
      await page.fill("#from", "0.5");
      const hard = images.filter((row) => row.runs !== "0" && Number(row.p_true) <= 0.5);
      const unseen = images.filter((row) => row.runs === "0").length;
      check(Math.abs((await count()) - hard.length - unseen) <= 2, `${where}: difficulty: ${await state()}, not ${hard.length}`);
      await page.fill("#from", "0");
      await page.check("#suspects");
      check((await count()) >= suspects.length, `${where}: suspects: ${await state()}`);
      for (const axis of ["difficulty", "epoch learned", "suspicion", "agreement", "share correct"]) await page.selectOption("#across", axis);
      for (const colour of ["difficulty", "epoch learned", "suspicion", "file"]) await page.selectOption("#colour", colour);
      await page.locator("#list button").first().click();
      check((await page.textContent("#facts dd")).length > 0, `${where}: a click on the list shows nothing`);
      await page.uncheck("#suspects");
      await page.selectOption("#across", "epoch learned");
      await page.selectOption("#up", "difficulty");
      if (shots) await page.screenshot({ path: path.join(shots, `atlas-learned-${width}-${colorScheme}.png`) });
      const box = await page.locator("#map").boundingBox();
      await page.mouse.click(box.x + box.width * 0.2, box.y + box.height * 0.8);
      check(asked.length === 1, `${where}: asked for ${asked.slice(1).join(", ")}`);
      await page.close();
    }
  }
  await browser.close();
  problems.forEach((problem) => console.error(`atlas-check: ${problem}`));
  const kb = Math.ceil(fs.statSync(path.join(atlas, "atlas.html")).size / 1000);
  console.log(`atlas-check: ${kb} kB, ${looked} images looked up, ${problems.length} problems`);
  process.exit(problems.length > 0 ? 1 : 0);
})();
