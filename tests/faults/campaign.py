"""Hundreds of runs with faults at random: `make faults RUNS=300 SEED=1`.

Every run is a line of JSON in the file of results. Started again with the same seed, it goes on
after the last line.
"""

import argparse
import json
import re
import sys
import tempfile
from collections import Counter
from pathlib import Path
from statistics import quantiles
from typing import Any

from rich.console import Console
from rich.progress import Progress

from tests.faults.runs import carry_out, random_plan
from tests.faults.world import running_world

Result = dict[str, Any]


def main() -> None:
    """Carry out what is missing of the runs, and sum up all of them."""
    arguments = _arguments()
    results = arguments.results or Path(f"faults-{arguments.seed}.jsonl")
    done = _read(results)
    say = Console(stderr=True)
    say.print(f"Seed {arguments.seed}, {len(done)} of {arguments.runs} runs are in {results}.")
    if len(done) < arguments.runs:
        with (
            tempfile.TemporaryDirectory(prefix="faults-") as folder,
            running_world(Path(folder), notify=lambda sentence: None) as world,
            results.open("a") as file,
            Progress(console=say) as progress,
        ):
            bar = progress.add_task("Runs", total=arguments.runs, completed=len(done))
            for index in range(len(done), arguments.runs):
                outcome = carry_out(random_plan(f"{arguments.seed}/{index}"), world)
                done.append(outcome.to_dict())
                file.write(json.dumps(done[-1]) + "\n")
                file.flush()
                progress.advance(bar)
                if outcome.losses:
                    say.print(f"[red]LOST[/red] {outcome}")
    print(summary(done))
    sys.exit(any(result["losses"] for result in done))


def summary(results: list[Result]) -> str:
    """Return what the runs have shown, as text."""
    ended: Counter[str] = Counter()
    for result in results:
        ended.update(result["ended"])
    missed = sum(len(result["missed"]) for result in results)
    faults = Counter(_kind(fault) for result in results for fault in result["faults"])
    seconds = quantiles([result["seconds"] for result in results], n=100, method="inclusive")
    lines = [
        f"runs         {len(results)}",
        f"faults       {faults.total() - missed} ({missed} more came too late)",
        f"submissions  {ended.total()}: {', '.join(f'{n} {how}' for how, n in ended.items())}",
        f"losses       {sum(len(result['losses']) for result in results)}",
        f"seconds      median {seconds[49]:.1f}, 99 % within {seconds[98]:.1f}",
        "",
        *(f"  {count:4}  {kind}" for kind, count in faults.most_common()),
    ]
    return "\n".join(lines)


def _kind(fault: str) -> str:
    """Return what the fault is, without when and at which field."""
    return re.sub(r" after .*", "", re.sub(r"field \d+", "field", fault))


def _read(results: Path) -> list[Result]:
    if not results.exists():
        return []
    return [json.loads(line) for line in results.read_text().splitlines()]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--results", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
