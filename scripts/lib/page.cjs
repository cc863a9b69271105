// A page in headless Chromium: what it complains of is a problem, and what it asks for is kept.
const path = require("node:path");
const { chromium } = require("playwright-core");

exports.launch = () => chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });

// Opens a file. Messages and errors go to `problems`, behind `where`; `asked` has addresses but those that are `inside`.
exports.open = async (browser, file, problems, { where = "", inside = /^data:/, ...options } = {}) => {
  const page = await browser.newPage(options);
  const told = where && `${where}: `;
  page.on("console", (message) => problems.push(`${told}console: ${message.text()}`));
  page.on("pageerror", (error) => problems.push(`${told}${error.message}`));
  const asked = [];
  page.on("request", (request) => inside.test(request.url()) || asked.push(request.url()));
  await page.goto("file://" + path.resolve(file));
  return { page, asked };
};
