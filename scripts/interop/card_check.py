"""What scripts/interop/card.sh runs: reads each run's card with Hugging Face's own library, against its summary.json."""

import json
import sys
from pathlib import Path

from huggingface_hub import ModelCard

for run in map(Path, sys.argv[1:]):
    card = ModelCard.load(run / "README.md")
    summary = json.loads((run / "summary.json").read_text())
    results = {result.metric_type: result for result in card.data.eval_results}
    wanted = {"accuracy": "accuracy", "f1": "macro_f1", "loss": "loss", "ece": "calibration_error"}
    for metric, key in wanted.items():
        if abs(results[metric].metric_value - summary["test"][key]) > 1e-6:
            sys.exit(f"card: {run}: {metric} is {results[metric].metric_value}, summary.json has {summary['test'][key]}")
    dataset = Path(summary["dataset"]).name
    said = {"model": card.data.model_name, "task": results["accuracy"].task_type, "data": results["accuracy"].dataset_name,
            "datasets": card.data.datasets, "tag": card.data.pipeline_tag}
    if said != {"model": summary["name"], "task": "image-classification", "data": dataset, "datasets": [dataset],
                "tag": "image-classification"}:
        sys.exit(f"card: {run}: {said}")
    print(f"card: {run.name}: read by huggingface_hub, {len(results)} metrics as in summary.json, {len(card.text)} characters of text")
