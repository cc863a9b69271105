"""Hostile names, class names and configurations."""


def attack(a, area):
    for name in ("=1+1", "+1", "-1", "@a", "a\nb", "a\x1b]0;x\x07", "", ".", "..", "a/b", "/etc/x", "x" * 300, "a\tb"):
        ran = a.run(["--dataset", a.data, "--device", "cpu", "--epochs", 0, "--out", a.path(), f"--name={name}", "-q"])
        a.check(area, f"--name {name!r:.20}", ran, (2, 4), hasnt=("\x1b",))
    a.check(area, "--name ü 中", a.train(name="ü 中", epochs=0), 0)
    for key in ("lr", "batch-size", "threads", "seed", "epochs", "patience"):
        for value in ("-1", "abc", "", "1e999", "nan", "99999999999999999999"):
            if key == "lr" and value.isdigit():
                continue
            ran = a.run(["--dataset", a.data, "--device", "cpu", "--out", a.path(), f"--{key}={value}", "--dry-run"])
            a.check(area, f"--{key} {value!r}", ran, 2)
    for text in ("epochs = ", "epochs = -1", "arch = 3", "unknown = 1", "\0", "a = [" * 10_000, "epochs = 1\nepochs = 2"):
        path = a.path(f"{a.count}.toml")
        path.write_text(text)
        ran = a.run(["--config", path, "--dataset", a.data, "--dry-run"])
        a.check(area, f"--config {text!r:.20}", ran, (2, 4))
    large = a.path("large.toml")
    with large.open("wb") as file:
        file.truncate(1 << 32)
    a.check(area, "--config of 4 GiB", a.run(["--config", large, "--dataset", a.data], limit="-v 3000000"), 4)
    # Class names stand in tables, pictures, HTML and on terminals.
    classes = a.data / "classes.txt"
    try:
        for name in ("a\x1b[2J", "a\x07", "a\0b"):
            classes.write_text(f"{name}\nb\nc\n")
            a.check(area, f"class {name!r}", a.train(epochs=0), 3, hasnt=("\x1b",))
        classes.write_text("=cmd|' /C calc'!A0\n<script>alert(1)</script>\n+1 \"x\",y\n")
        out = a.path()
        ran = a.train("--arch", "encoder-mlp", out=out)
        a.check(area, "formulas and markup as class names: train", ran, 0)
        for table in sorted(out.rglob("*.csv")):
            cells = [cell.strip('"') for line in table.read_text().splitlines() for cell in line.split(",")]
            bad = [cell for cell in cells if cell.startswith(("=", "+", "@"))]
            a.note(area, f"formulas in {table.name}", [f"{bad[0]!r}"] if bad else [])
        pages = a.path()
        a.check(area, "report", a.run(["report", out, "--out", pages]), 0)
        written = [page.read_text() for page in (pages.rglob("*.html") if pages.is_dir() else [pages])]
        markup = not written or any("<script>alert(1)" in text for text in written)
        a.note(area, "markup in the report", ["<script> of a class, or no page"] if markup else [])
        a.check(area, "eval", a.run(["eval", out / "r", "--device", "cpu", "--hard", 5]), 0)
    finally:
        classes.unlink(missing_ok=True)
