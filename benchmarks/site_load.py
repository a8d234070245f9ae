"""Load on a real site: how much it draws, how it refuses, how quick it stays.

python benchmarks/site_load.py sustained --minutes 10
python benchmarks/site_load.py overload --minutes 2
python benchmarks/site_load.py latency --minutes 2

Needs the extra `bench`. Each starts a site of its own with the embedded model, and locust beside it.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SCENARIOS = {"sustained": ["Drawer"], "overload": ["Rusher", "Light"], "latency": ["Drawer", "Reader"]}
KEYS = ["crowd:crowd", "heavy:heavy", "light:light"]


class Watch(threading.Thread):
    """Reads the site's metrics and memory every few seconds."""

    def __init__(self, url: str, pid: int) -> None:
        super().__init__(daemon=True)
        self.url, self.pid = url, pid
        self.rows: list[dict[str, float]] = []
        self.stopping = threading.Event()

    def run(self) -> None:
        """Read until told to stop."""
        while not self.stopping.wait(5):
            self.rows.append(self.read())

    def read(self) -> dict[str, float]:
        """Now."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=30) as answer:
            text = answer.read().decode()
        names = {
            "pictures": "nonet_pictures_total",
            "queue": "nonet_queue_length",
            "drawing": "nonet_drawing",
            "accepted": "nonet_accepted_total",
            "ended": "nonet_ended_total",
            "drawn": 'nonet_ended_total{[^}]*state="drawn"[^}]*}',
            "rows": "nonet_batch_rows",
            "seconds_sum": "nonet_drawing_seconds_sum",
            "seconds_count": "nonet_drawing_seconds_count",
            "eta_error_sum": "nonet_eta_error_seconds_sum",
            "eta_error_count": "nonet_eta_error_seconds_count",
        }
        found = {name: _metric(text, metric) for name, metric in names.items()}
        found["time"] = time.monotonic()
        found["site_mb"], found["engine_mb"] = _memory(self.pid), sum(map(_memory, _children(self.pid)))
        return found


def _metric(text: str, name: str) -> float:
    """A metric's number, summed over its labels unless the name has some."""
    return sum(float(found[1]) for found in re.finditer(rf"^{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE))


def _memory(pid: int) -> float:
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(encoding="ascii"))
    return int(found[1]) / 1024 if found else 0.0


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for one in tasks for child in (one / "children").read_text(encoding="ascii").split()]


def start_site(folder: Path, together: int, queue_max: int) -> tuple[subprocess.Popen[bytes], str]:
    """A site with the embedded model, when it is ready."""
    environment = {
        **os.environ,
        "NONET_PORT": "0",
        "NONET_DATA": str(folder),
        "NONET_API_KEYS": json.dumps(KEYS),
        "NONET_RATE_KEY": "1000000/minute",
        # Whoever rushes may fill the line but for one place.
        "NONET_CALLER_QUEUE_MAX": str(queue_max - 1),
        "NONET_QUEUE_MAX": str(queue_max),
        "NONET_DRAWINGS_TOGETHER": str(together),
        "NONET_LOG_LEVEL": "warning",
    }
    site = subprocess.Popen([sys.executable, "-m", "nonet", "serve"], env=environment, stdout=subprocess.PIPE)
    assert site.stdout is not None
    url = site.stdout.readline().decode().split()[-1]
    while True:
        try:
            urllib.request.urlopen(f"{url}/readyz", timeout=5).close()
            return site, url
        except OSError:
            time.sleep(0.5)


def run_users(url: str, scenario: str, options: argparse.Namespace, folder: Path) -> list[dict[str, str]]:
    """Locust's table of a scenario."""
    extra = {"overload": 1, "latency": 10}.get(scenario, 0)
    environment = {
        **os.environ,
        "LOAD_DRAWINGS_A_SECOND": str(options.rate),
        "LOAD_DRAWERS": str(options.users),
        "LOAD_COUNT": str(options.count),
    }
    command = [sys.executable, "-m", "locust", "-f", str(HERE / "site_users.py"), "--headless", "-H", url]
    command += ["-u", str(options.users + extra), "-r", "50", "-t", f"{int(options.minutes * 60)}s"]
    command += ["--csv", str(folder / "load"), "--only-summary", "--loglevel", "ERROR", *SCENARIOS[scenario]]
    # 1 is locust's word for failed requests, which are in its table.
    if subprocess.run(command, env=environment, check=False).returncode not in (0, 1):
        raise SystemExit("locust did not run to its end")
    with (folder / "load_stats.csv").open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def finish(watch: Watch) -> dict[str, float]:
    """Nobody asks for more: wait until every drawing that was accepted has ended, and say how each did."""
    began = time.monotonic()
    while (now := watch.read())["ended"] < now["accepted"] and time.monotonic() - began < 600:
        time.sleep(0.5)
    counts = {name: now[name] for name in ("accepted", "ended", "drawn")}
    return {**counts, "rest_took_s": round(time.monotonic() - began, 1)}


def report(rows: list[dict[str, str]], watched: list[dict[str, float]]) -> dict[str, Any]:
    """What was measured, as JSON values."""
    first, last = watched[0], watched[-1]
    seconds = max(1e-9, last["time"] - first["time"])
    told = last["eta_error_count"] - first["eta_error_count"]
    drawn = last["seconds_count"] - first["seconds_count"]
    return {
        "answers": {
            row["Name"]: {
                "count": int(row["Request Count"]),
                "failures": int(row["Failure Count"]),
                "median_ms": float(row["Median Response Time"] or 0),
                "p99_ms": float(row["99%"] or 0),
                "max_ms": round(float(row["Max Response Time"] or 0), 1),
            }
            for row in rows
            if row["Name"] != "Aggregated"
        },
        "pictures_a_second": round((last["pictures"] - first["pictures"]) / seconds, 2),
        "mean_drawing_s": round((last["seconds_sum"] - first["seconds_sum"]) / drawn, 1) if drawn else None,
        "queue_at_end": last["queue"],
        "site_mb": [
            round(first["site_mb"]),
            round(max(row["site_mb"] for row in watched)),
            round(last["site_mb"]),
        ],
        "engine_mb": [round(row["engine_mb"]) for row in (*watched[:: max(1, len(watched) // 10)], last)],
        "mean_eta_error_s": round((last["eta_error_sum"] - first["eta_error_sum"]) / told, 1)
        if told
        else None,
    }


def main() -> int:
    """Run a scenario and print what it measured as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("scenario", choices=SCENARIOS)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rate", type=float, help="drawings a second that are asked for")
    parser.add_argument("--users", type=int, default=60, help="how many ask for drawings")
    parser.add_argument("--count", type=int, default=9, help="pictures of a drawing")
    parser.add_argument(
        "--together", type=int, default=0, help="drawings that an engine works on at a time; 0: as suits it"
    )
    options = parser.parse_args()
    if options.rate is None:
        # 500,000 pictures a day; ten times that; and enough to be busy.
        options.rate = {"sustained": 5.8, "overload": 58.0, "latency": 2.0}[options.scenario] / options.count
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        queue_max = 30 if options.scenario == "overload" else 1000
        site, url = start_site(folder / "site", options.together, queue_max)
        watch = Watch(url, site.pid)
        watch.start()
        try:
            rows = run_users(url, options.scenario, options, folder)
            watch.stopping.set()
            watch.join()
            watch.rows.append(watch.read())
            in_the_end = finish(watch)
        finally:
            watch.stopping.set()
            site.terminate()
            site.wait(120)
    measured = {**report(rows, watch.rows), "in_the_end": in_the_end}
    sys.stdout.write(json.dumps(measured, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
