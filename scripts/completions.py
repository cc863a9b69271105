#!/usr/bin/env python3
"""Types half-written commands into a real bash and a real zsh, presses TAB, and looks at what they offer.

    python3 scripts/completions.py [bash] [zsh]     both where nothing is said
    FM_EXP=PATH                                     the binary [default: target/debug/fm-exp]

A shell that is not installed is skipped, with the reason; exit code 1 where something is missing or offered that should
not be. Needs Python 3 and no package.
"""

import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
FM_EXP = pathlib.Path(os.environ.get("FM_EXP", ROOT / "target/debug/fm-exp")).resolve()

# What is typed, what must be offered, and what must not.
CASES = [
    ("fm-exp ", ["train", "sweep", "predict"], ["Cargo.toml"]),
    ("fm-exp sweep ", ["plan", "run", "status", "merge"], []),
    ("fm-exp train --", ["--arch", "--epochs", "--tensorboard"], ["--expect-run-id", "--stop-with-stdin", "--stop-after"]),
    ("fm-exp eval --", ["--dataset", "--hard", "--split"], []),
    ("fm-exp bench --r", ["--rounds"], ["--resume"]),
    ("fm-exp --arch ", ["cnn", "encoder-mlp"], ["a-file"]),
    ("fm-exp --device ", ["auto", "cpu", "cuda"], ["a-file"]),
    ("fm-exp --engine ", ["auto", "eager", "fused"], ["a-file"]),
    ("fm-exp --dataset ", ["fashion-mnist", "cifar-10", "a-directory"], ["a-file"]),
    ("fm-exp --protocol ", ["holdout", "notebook"], ["a-file"]),
    ("fm-exp --optimizer ", ["adam", "muon", "sgd"], []),
    ("fm-exp --schedule ", ["constant", "cosine", "wsd"], []),
    ("fm-exp --recipe ", ["notebook", "strong"], []),
    ("fm-exp --pretrain ", ["autoencoder", "classifier"], []),
    ("fm-exp --augment ", ["flip", "mixup"], []),
    ("fm-exp sweep --arch cnn,", ["encoder-mlp"], ["a-file"]),
    ("fm-exp sweep plan --set ", ["batch-size=", "lr="], []),
    ("fm-exp completions ", ["bash", "zsh", "fish"], ["a-file"]),
    ("fm-exp predict a-d", ["a-directory"], []),
]

START = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
}
SETUP = {
    # The list is printed whole and at once: no question, no pager.
    "bash": ["bind 'set completion-query-items 0'", "bind 'set page-completions off'",
             "bind 'set show-all-if-ambiguous on'", "bind 'set enable-bracketed-paste off'",
             "source <(fm-exp completions bash)"],
    "zsh": ["autoload -U compinit; compinit -u -D", "LISTMAX=0; unsetopt zle_bracketed_paste 2>/dev/null; bindkey -e",
            "zstyle ':completion:*' list-prompt ''; zstyle ':completion:*' select-prompt ''",
            "source <(fm-exp completions zsh)"],
}
PROMPT = "READY> "


class Shell:
    """A shell at the other end of a terminal of 200 columns."""

    def __init__(self, name, folder):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("FM_")}
        environment.update(PATH=f"{folder / 'bin'}:{environment['PATH']}", TERM="xterm", COLUMNS="200", LINES="200",
                           HOME=str(folder), PS1=PROMPT, PROMPT=PROMPT)
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(folder / "work")
            os.execvpe(START[name][0], START[name], environment)
        import fcntl
        import struct
        import termios
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 200, 200, 0, 0))
        for number, line in enumerate([f"PS1='{PROMPT}'", *SETUP[name]]):
            self.send(f"{line}; echo 'set'-{number}\n")
            self.read(lambda text, n=number: f"set-{n}" in text, 60)
        self.read(lambda _: False, 0.3)

    def send(self, text):
        os.write(self.terminal, text.encode())

    def read(self, enough, seconds):
        """What comes until it is enough, or time is up; without the codes that move the cursor."""
        text, end = "", time.monotonic() + seconds
        while time.monotonic() < end and not enough(text):
            if select.select([self.terminal], [], [], 0.05)[0]:
                try:
                    text += os.read(self.terminal, 65536).decode(errors="replace")
                except OSError:
                    break
                text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>()][A-Z0-9]?|[\x07\r]", "", text)
        return text

    def offers(self, typed, wanted):
        """What is on the screen after TAB, once all that is wanted is there and the shell is quiet."""
        self.send(typed + "\t")
        seen = lambda text: typed in text and all(word in text[text.find(typed):] for word in wanted)
        text = self.read(seen, 10)
        if not seen(text):
            self.send("\t")
            text += self.read(lambda more: seen(text + more), 10)
        text += self.read(lambda _: False, 0.3)
        # Ctrl-C leaves the line for the next.
        self.send("\x03")
        self.read(lambda more: PROMPT in more, 5)
        return text[text.find(typed):]

    def close(self):
        os.close(self.terminal)
        os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)


def check(name, folder):
    shell, bad = Shell(name, folder), 0
    try:
        for typed, wanted, unwanted in CASES:
            text = shell.offers(typed, wanted)
            missing = [word for word in wanted if word not in text]
            odd = [word for word in unwanted if word in text]
            if missing or odd:
                bad += 1
                print(f"{name}: after '{typed}' missing {missing}, unwanted {odd}, in:\n{text}")
    finally:
        shell.close()
    print(f"{name}: {len(CASES) - bad} of {len(CASES)} command lines are completed as they should be")
    return bad


def main():
    names = sys.argv[1:] or list(START)
    if not os.access(FM_EXP, os.X_OK):
        sys.exit(f"completions: error: {FM_EXP} is not there\n  help: cargo build -p fm-exp, or set FM_EXP")
    subprocess.run([FM_EXP, "--version"], check=True, stdout=subprocess.DEVNULL)
    bad = 0
    with tempfile.TemporaryDirectory() as there:
        folder = pathlib.Path(there)
        for made in ("bin", "work/a-directory"):
            (folder / made).mkdir(parents=True)
        (folder / "work/a-file").write_text("")
        (folder / "bin/fm-exp").symlink_to(FM_EXP)
        for name in names:
            if shutil.which(START[name][0]) is None:
                print(f"{name}: skipped, it is not installed")
                continue
            version = subprocess.run([START[name][0], "--version"], capture_output=True, text=True, check=False).stdout
            print(f"{name}: {version.splitlines()[0]}")
            bad += check(name, folder)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
