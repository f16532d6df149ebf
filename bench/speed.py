"""`make bench`: how fast the pipeline is, beside the plain way to do the same.

    python -m bench.speed --data chest_xray --backbone resnet50.keras --output bench-out

Everything is measured on this machine in one go, each way in a process of its own. The tables go to
the screen, the figures behind them to `speed.json` in the output folder.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2

from components.shared.nodes import EXAMPLE_GEN, STATISTICS_GEN, TRANSFORM

# As large as the films of the public set are on average.
_WIDTH = 1300
_FEW, _MANY = 120, 480
_TINY = 64
_SIDE = 256
_IMAGE_NODES = (EXAMPLE_GEN, STATISTICS_GEN, TRANSFORM)
# A net too small to count, and a gate that lets everything through.
_SMALL = (
    "--config=demo --set=trainer.epochs=1 --set=trainer.backbone=none --set=trainer.views=1 "
    "--set=evaluator.gate.auc=null --set=evaluator.gate.recall=null "
    "--set=evaluator.gate.specificity=null --set=evaluator.bootstrap_resamples=100 "
    f"--set=transform.input_size={_SIDE} --set=trainer.crop=0.125"
).split()


def timed(command: Sequence[str]) -> tuple[float, str]:
    """Runs a command; returns its seconds and what it printed.

    Raises:
        RuntimeError: it failed; the message has its last words.
    """
    started = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - started
    if done.returncode not in (0, 3):  # 3: the gate refused, and the work was done
        said = (done.stdout + done.stderr).strip()[-2000:]
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {said}")
    return seconds, done.stdout


def last_json(text: str) -> Any:
    """Returns the JSON in the last line of what a program printed."""
    return json.loads(text.strip().splitlines()[-1])


def pipeline(output: Path, *arguments: str) -> dict[str, Any]:
    """Runs the pipeline; returns its metrics.json with `seconds` of the whole process added."""
    command = [sys.executable, "-m", "pipeline.cli", "run", "--output", str(output), *arguments]
    seconds, _ = timed(command)
    metrics: dict[str, Any] = json.loads((output / "report" / "metrics.json").read_text())
    return {**metrics, "seconds": seconds}


def recipe(data: Path, backbone: str, output: Path) -> dict[str, Any]:
    """Measures the seed recipe end to end, by the pipeline and written plainly."""
    run = pipeline(
        output / "seed", f"--data={data}", "--config=seed", f"--set=trainer.backbone={backbone}"
    )
    plain = [sys.executable, "-m", "bench.plain", f"--data={data}", f"--backbone={backbone}"]
    seconds, printed = timed([*plain, f"--run={output / 'seed'}"])
    keys = ("seconds", "auc", "accuracy", "recall", "specificity")
    return {
        "pipeline": {**{key: run[key] for key in keys}, "timings": run["timings"]},
        "plain": {**last_json(printed), "seconds": seconds},
    }


def net(backbone: str, output: Path) -> Any:
    """Measures the net's rates, see `bench.rates`; a run of the seed recipe must be there."""
    command = [sys.executable, "-m", "bench.rates", f"--run={output / 'seed'}"]
    return last_json(timed([*command, f"--backbone={backbone}"])[1])


def write_films(data: Path, folder: Path, number: int, width: int | None) -> None:
    """Writes films of the data set's train split, three in four to train, the others to test.

    Args:
        data: the data set.
        folder: where to.
        number: how many, a multiple of eight; half of them are normal.
        width: in pixels, to which they are enlarged; None leaves them as they are.
    """
    names = {"NORMAL": "IM-{0:04d}-0001.jpeg", "PNEUMONIA": "person{0}_bacteria_{0}.jpeg"}
    for label, name in names.items():
        files = sorted((data / "train" / label).iterdir())[: number // 2]
        for count, file in enumerate(files):
            split = "train" if count < number * 3 // 8 else "test"
            # Each is a patient of its own, so that none is in two splits.
            target = folder / split / label / name.format(count + 1)
            target.parent.mkdir(parents=True, exist_ok=True)
            film = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
            if width:
                height = round(film.shape[0] * width / film.shape[1])
                film = cv2.resize(film, (width, height), interpolation=cv2.INTER_CUBIC)
            cv2.imwrite(str(target), film)


def opencv_seconds(folder: Path) -> float:
    """Returns the seconds a film that OpenCV takes to decode it and make it small, on one core."""
    cv2.setNumThreads(1)
    paths = [str(path) for path in folder.rglob("*.jpeg")]
    started = time.perf_counter()
    for path in paths:
        film = cv2.imread(path, cv2.IMREAD_GRAYSCALE)
        cv2.resize(film, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    return (time.perf_counter() - started) / len(paths)


def ingest(data: Path, output: Path) -> dict[str, Any]:
    """Measures ingestion and Transform of full-size films, per film: more films, more seconds."""
    runs = {}
    for number in (_FEW, _MANY):
        folder = output / f"films-{number}"
        write_films(data, folder, number, _WIDTH)
        timings = pipeline(output / f"ingest-{number}", f"--data={folder}", *_SMALL)["timings"]
        runs[number] = {node: timings[node] for node in _IMAGE_NODES}
    per_film = {
        node: (runs[_MANY][node] - runs[_FEW][node]) / (_MANY - _FEW) for node in _IMAGE_NODES
    }
    return {"seconds_per_film": per_film, "opencv": opencv_seconds(output / f"films-{_MANY}")}


def overhead(data: Path, output: Path) -> dict[str, Any]:
    """Measures a run with next to no image work."""
    folder = output / f"films-{_TINY}"
    write_films(data, folder, _TINY, None)
    run = pipeline(output / "overhead", f"--data={folder}", *_SMALL)
    return {"seconds": run["seconds"], "timings": run["timings"]}


def machine() -> dict[str, Any]:
    """Returns what it was measured on, and with what."""
    model = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    flags = Path("/proc/cpuinfo").read_text()
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "bfloat16": "avx512_bf16" in flags or "amx_bf16" in flags,
        "python": platform.python_version(),
        **{name: version(name) for name in ("tensorflow", "keras", "tfx", "apache-beam")},
    }


def tables(found: dict[str, Any]) -> str:
    """Returns the results as Markdown."""
    ours, plain = found["recipe"]["pipeline"], found["recipe"]["plain"]
    forward, tuning = found["net"]["forward"], found["net"]["tuning"]
    per_film, opencv = found["ingest"]["seconds_per_film"], found["ingest"]["opencv"]
    image = per_film[EXAMPLE_GEN] + per_film[TRANSFORM]
    idle = found["overhead"]
    start = idle["seconds"] - sum(idle["timings"].values())
    computed = {**found["machine"], "training computes in": found["net"]["precision"]}
    host = ", ".join(f"{key} {value}" for key, value in computed.items())
    rows = [
        host,
        "",
        "| | pipeline | plain | ratio |",
        "|---|---|---|---|",
        f"| seed recipe, end to end, s | {ours['seconds']:.0f} | {plain['seconds']:.0f} "
        f"| {plain['seconds'] / ours['seconds']:.2f} |",
        f"| its AUC on test | {ours['auc']:.4f} | {plain['auc']:.4f} "
        f"| {ours['auc'] - plain['auc']:+.4f} |",
        *(
            f"| frozen net in {name}, films/s | {forward[name]:.1f} | {forward['plain']:.1f} "
            f"| {forward[name] / forward['plain']:.2f} |"
            for name in ("trainer", "evaluator")
        ),
        f"| training step of conv5, films/s | {tuning['trainer']:.1f} | {tuning['plain']:.1f} "
        f"| {tuning['trainer'] / tuning['plain']:.2f} |",
        f"| its mean loss | {tuning['loss']['trainer']:.3f} | {tuning['loss']['plain']:.3f} | |",
        f"| the same on the smaller views of the recipe, films/s | {tuning['trainer_views']:.1f} "
        f"| {tuning['plain']:.1f} | {tuning['trainer_views'] / tuning['plain']:.2f} |",
        f"| ingest and Transform, ms a film | {image * 1e3:.1f} | {opencv * 1e3:.1f} "
        f"| {opencv / image:.2f} |",
        "",
        "| a run with next to no image work | seconds |",
        "|---|---|",
        f"| start, imports, report | {start:.1f} |",
        *(f"| {node} | {seconds:.1f} |" for node, seconds in idle["timings"].items()),
        f"| all | {idle['seconds']:.1f} |",
    ]
    return "\n".join(rows)


def main() -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="chest_xray")
    parser.add_argument("--backbone", required=True, help="a Keras model file")
    parser.add_argument("--output", type=Path, required=True, help="a folder that does not exist")
    options = parser.parse_args()
    if options.output.exists():
        parser.error(f"--output {options.output} exists already")
    options.output.mkdir(parents=True)
    found = {
        "machine": machine(),
        "overhead": overhead(options.data, options.output),
        "ingest": ingest(options.data, options.output),
        "recipe": recipe(options.data, options.backbone, options.output),
        "net": net(options.backbone, options.output),
    }
    (options.output / "speed.json").write_text(json.dumps(found, indent=1))
    print(tables(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
