// What scripts/report_check.sh runs: see there.
const fs = require("node:fs");
const path = require("node:path");
const { launch, open } = require("./lib/page.cjs");

const [report, shots] = process.argv.slice(2);
const problems = [];
let pages = 0;
const check = (holds, text) => holds || problems.push(text);

(async () => {
  const browser = await launch();
  for (const width of [390, 1280]) {
    for (const colorScheme of ["light", "dark"]) {
      const where = `${width} px, ${colorScheme}`;
      const { page, asked } = await open(browser, report, problems, { where, viewport: { width, height: 900 }, colorScheme });
      check(asked.length === 1, `${where}: asked for ${asked.slice(1).join(", ")}`);
      const found = await page.evaluate(() => ({
        plots: [...document.querySelectorAll("figure svg")].map((svg) => svg.querySelector("title")?.textContent),
        captions: document.querySelectorAll("figcaption").length,
        ids: [...document.querySelectorAll("[id]")].map((element) => element.id),
        sideways: document.documentElement.scrollWidth - document.documentElement.clientWidth,
        images: [...document.images].filter((image) => !image.complete || image.naturalWidth === 0 || !image.alt).length,
        // The smallest text of a plot that is not folded, in pixels of the screen.
        text: Math.min(...[...document.querySelectorAll("figure svg")].filter((svg) => svg.getBoundingClientRect().width > 0)
          .flatMap((svg) => {
            const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
            return [...svg.querySelectorAll("text")].map((text) => scale * Number(text.getAttribute("font-size")));
          })),
        unsaid: [...document.querySelectorAll(".scroll")]
          .filter((part) => part.scrollWidth > part.clientWidth + 4 && !part.classList.contains("scrolls")).length,
        groups: document.querySelectorAll("table.pairs tbody tr").length,
      }));
      check(width > 400 || found.text >= 9.5, `${where}: text of ${found.text.toFixed(1)} px in a plot`);
      check(found.unsaid === 0, `${where}: ${found.unsaid} parts scroll and do not say so`);
      check(found.plots.length >= 8 && found.plots.every(Boolean), `${where}: plots: ${found.plots}`);
      check(found.captions === found.plots.length, `${where}: ${found.captions} captions`);
      check(new Set(found.ids).size === found.ids.length, `${where}: an id stands twice`);
      check(found.sideways <= 0, `${where}: ${found.sideways} px wider than the window`);
      check(found.images === 0, `${where}: ${found.images} images do not show or say nothing`);
      // Sorting, by keyboard: by the first numbers of the first table.
      const column = await page.evaluate(() => {
        const cells = [...document.querySelector("table.sortable").tBodies[0].rows[0].cells];
        return cells.findIndex((cell, i) => i > 0 && cell.dataset.value !== undefined && !Number.isNaN(Number(cell.dataset.value)));
      });
      const heading = page.locator("table.sortable thead th").nth(column);
      await heading.locator("button").focus();
      await page.keyboard.press("Enter");
      const sorted = await page.evaluate((column) => {
        const rows = [...document.querySelector("table.sortable").tBodies[0].rows];
        const values = rows.map((row) => Number(row.cells[column].dataset.value));
        return values.every((value, i) => i === 0 || values[i - 1] <= value);
      }, column);
      check(sorted && (await heading.getAttribute("aria-sort")) === "ascending", `${where}: does not sort`);
      if (shots) {
        await page.reload();
        fs.mkdirSync(shots, { recursive: true });
        await page.screenshot({ path: path.join(shots, `report-${width}-${colorScheme}.png`), fullPage: true });
      }
      if (width === 1280 && colorScheme === "light") {
        const pdf = (await page.pdf({ preferCSSPageSize: true })).toString("latin1");
        pages = pdf.match(/\/Type\s*\/Page[^s]/g).length;
        check(pages <= (found.groups > 4 ? 10 : 5), `printed on ${pages} pages`);
        if (shots) fs.writeFileSync(path.join(shots, "report.pdf"), pdf, "latin1");
      }
      await page.close();
    }
  }
  await browser.close();
  problems.forEach((problem) => console.error(`report-check: ${problem}`));
  if (problems.length > 0) process.exit(1);
  console.log("report-check: 4 views: no console message, no request, every plot, sorted by keyboard, not wider than the window; " + pages + " pages");
})();
