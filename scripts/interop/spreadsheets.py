"""Opens tables and workbooks with LibreOffice in English and in German and compares every cell.

    spreadsheets.py DIR      its *.csv and *.xlsx

LibreOffice converts each file to flat OpenDocument, which says of each cell whether it is a number or a text. A control
table with numbers of exactly three decimals has to fail: German reads 0.001 as 1.
"""

import csv
import math
import pathlib
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

# Windows' numbers of the languages, which LibreOffice's CSV filter takes.
LANGUAGES = {"en-US": 1033, "de-DE": 1031}
OFFICE, TABLE, TEXT = (f"{{urn:oasis:names:tc:opendocument:xmlns:{name}:1.0}}" for name in ("office", "table", "text"))
PROFILE = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry">
<item oor:path="/org.openoffice.Setup/L10N"><prop oor:name="ooSetupSystemLocale" oor:op="fuse"><value>{}</value></prop></item>
</oor:items>
"""


def convert(files, language, out):
    """Flat OpenDocument of each file, as LibreOffice opens it in a language."""
    profile = out / "profile"
    (profile / "user").mkdir(parents=True)
    (profile / "user" / "registrymodifications.xcu").write_text(PROFILE.format(language))
    for end in ("csv", "xlsx"):
        of_end = [str(file) for file in files if file.suffix == f".{end}"]
        # Comma, quotes, UTF-8, from line 1, no column formats, the language, quoted cells as text, detect special numbers.
        options = ["--infilter=CSV:44,34,76,1,," + f"{LANGUAGES[language]},true,true"] if end == "csv" else []
        command = ["soffice", f"-env:UserInstallation=file://{profile}", "--headless", *options,
                   "--convert-to", "fods", "--outdir", str(out / end), *of_end]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode != 0:
            sys.exit(f"spreadsheets: error: soffice failed: {done.stderr.strip()}")


def cells(path):
    """Sheets of rows of cells: a number, a text, or none; of another kind the kind and what is shown."""
    sheets = []
    for table in ElementTree.parse(path).getroot().iter(f"{TABLE}table"):
        rows = []
        for row in table.iter(f"{TABLE}table-row"):
            found = []
            for cell in row.iter(f"{TABLE}table-cell"):
                kind = cell.get(f"{OFFICE}value-type")
                text = "\n".join("".join(p.itertext()) for p in cell.findall(f"{TEXT}p"))
                value = {None: None, "float": None, "string": text}.get(kind, (kind, text))
                if kind == "float":
                    value = float(cell.get(f"{OFFICE}value"))
                repeated = int(cell.get(f"{TABLE}number-columns-repeated", 1))
                found += [value] * (repeated if value is not None else min(repeated, 1000))
            while found and found[-1] is None:
                found.pop()
            repeated = int(row.get(f"{TABLE}number-rows-repeated", 1))
            rows += [found] * (repeated if found else 1)
        while rows and not rows[-1]:
            rows.pop()
        sheets.append(rows)
    return sheets


def number(text):
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def wrong_in_table(raw, english, german):
    """Cells that do not mean what the file says."""
    for y, row in enumerate(raw):
        for x, text in enumerate(row):
            seen = [sheet[y][x] if y < len(sheet) and x < len(sheet[y]) else None for sheet in (english, german)]
            value = number(text)
            # A number is itself; what a language does not take for one stays as it is written.
            wanted = [text] if value is None else [value, text]
            # English takes true and false for what they say.
            wanted += [("boolean", text.upper())] if text in ("true", "false") else []
            right = [text == "" if cell is None else any(same(cell, want) for want in wanted) for cell in seen]
            if value is not None and not isinstance(seen[0], float):
                right[0] = False
            if not all(right):
                yield y + 1, x + 1, text, seen


def same(cell, want):
    if isinstance(cell, float) and isinstance(want, float):
        return math.isclose(cell, want, rel_tol=1e-14, abs_tol=1e-300)
    return type(cell) is type(want) and cell == want


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    place = pathlib.Path(sys.argv[1])
    control = place / "control.csv"
    control.write_text("a\r\n0.001\r\n4.584\r\n")
    files = sorted([*place.glob("*.csv"), *place.glob("*.xlsx")])
    checked = numbers = failures = 0
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for language in LANGUAGES:
            (folder / language).mkdir()
            convert(files, language, folder / language)
        for file in files:
            english, german = (cells(folder / language / file.suffix[1:] / f"{file.stem}.fods") for language in LANGUAGES)
            if file.suffix == ".csv":
                with open(file, newline="", encoding="utf-8") as opened:
                    raw = list(csv.reader(opened))
                wrong = list(wrong_in_table(raw, english[0], german[0]))
                count, figures = sum(map(len, raw)), sum(number(cell) is not None for row in raw for cell in row)
                text = sum(isinstance(cell, str) and number(cell) is not None for row in german[0] for cell in row)
                note = f"{figures} numbers, of which German leaves {text} as text"
            else:
                wrong = [] if english == german else [("?", "?", "", "the two differ")]
                flat = [cell for sheet in english for row in sheet for cell in row if cell is not None]
                count, figures = len(flat), sum(isinstance(cell, float) for cell in flat)
                note = f"{figures} numbers in both"
                table = place / f"{file.stem}.csv"
                if table.exists():
                    with open(table, newline="", encoding="utf-8") as opened:
                        raw = list(csv.reader(opened))
                    wrong += list(wrong_in_table(raw, english[0], german[0]))
            if file == control:
                if len(wrong) != 2:
                    sys.exit(f"spreadsheets: error: the control table was read right: this shows nothing: {wrong}")
                continue
            print(f"{file.name}: {count} cells, {note}, {len(wrong)} wrong")
            for row, column, text, seen in wrong[:5]:
                print(f"  row {row}, column {column}: {text!r} is {seen}")
            checked, numbers, failures = checked + count, numbers + figures, failures + len(wrong)
    print(f"{len(files) - 1} files, {checked} cells, {numbers} numbers, {failures} wrong; the control table was misread, as it must be")
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
