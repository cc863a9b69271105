"""What peers.py measured: rows of peers.csv as they come, and the table at its end."""

import csv
import statistics
import sys

from contenders import Ours


class Table:
    """All that was measured, written as it comes."""

    def __init__(self, path):
        self.file = open(path, "w", newline="")
        self.rows = csv.writer(self.file)
        self.rows.writerow(["network", "peer", "tf32", "what", "round", "epochs", "seconds"])
        self.prepared, self.epochs, self.runs, self.notes = {}, {}, {}, []

    def add(self, arch, peer, what, number, epochs, seconds):
        tf32 = "on" if peer.tf32 else "off"
        self.rows.writerow([arch, peer.title, tf32, what, number, epochs, f"{seconds:.5f}"])
        self.file.flush()
        key = arch, peer.label
        if what == "prepare":
            self.prepared[key] = seconds
        elif what == "epoch":
            self.epochs.setdefault(key, []).append(seconds)
        else:
            self.runs[key] = seconds

    def note(self, text):
        self.notes.append(text)
        print(f"peers: {text}", file=sys.stderr, flush=True)

    def markdown(self, options, turns):
        many = options.many
        head = ["network", "peer", "TF32", "prepared in, s", "s/epoch, median", "min", "max", "samples", f"{many} epochs, s", "times ours", "last loss"]
        lines = [f"| {' | '.join(head)} |", "|---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|"]
        for arch in options.archs:
            found = [(statistics.median(self.epochs[arch, p.label]), p) for p in turns if arch in p.archs and (arch, p.label) in self.epochs]
            ours = next((median for median, p in found if isinstance(p, Ours)), None)
            for median, peer in sorted(found, key=lambda item: item[0]):
                key = arch, peer.label
                samples, run, prepared = self.epochs[key], self.runs.get(key), self.prepared.get(key)
                cells = [arch, peer.title, "on" if peer.tf32 else "off", f"{prepared:.1f}" if prepared else "–", f"{median:.4f}"]
                cells += [f"{min(samples):.4f}", f"{max(samples):.4f}", str(len(samples))]
                cells += [f"{run:.2f}" if run else f"({many * median:.1f})", f"{median / ours:.2f}" if ours else "–"]
                cells += [f"{peer.last[arch]:.4f}" if arch in peer.last else "–"]
                lines.append(f"| {' | '.join(cells)} |")
        return "\n".join(lines) + "\n"
