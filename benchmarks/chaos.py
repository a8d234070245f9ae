"""The long form of the chaos tests: kill engine and server every 2 to 5 seconds under 40 clients, then look.

python benchmarks/chaos.py --minutes 10
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

import chaos  # noqa: E402


def main() -> int:
    """Run it; exit status 1 if any detector found something in a whole build, or nothing in a broken one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long to kill")
    parser.add_argument("--clients", type=int, default=40, help="how many ask for drawings all the time")
    parser.add_argument("--seed", type=int, default=0, help="of the order of kills")
    parser.add_argument(
        "--broken", action="store_true", help="show on broken builds that the detectors find something"
    )
    options = parser.parse_args()
    bad = False
    for victims in (("engine",), ("server",), ("engine", "server")):
        with tempfile.TemporaryDirectory() as folder:
            found = chaos.rampage(
                Path(folder),
                seconds=options.minutes * 60 / 3,
                clients=options.clients,
                victims=victims,
                patience=300,
                seed=options.seed,
            )
        bad |= not found.clean
        sys.stdout.write(f"{' and '.join(victims)}: {'clean' if found.clean else 'NOT CLEAN'} {found}\n")
    if options.broken:
        for detectors, script in chaos.BROKEN.items():
            with tempfile.TemporaryDirectory() as folder:
                found = chaos.one_kill(Path(folder), script=script, patience=10)
            blind = [detector for detector in detectors if not getattr(found, detector)]
            bad |= bool(blind)
            sys.stdout.write(
                f"broken, {' and '.join(detectors)}: {f'NOT SEEN {blind}' if blind else 'seen'}\n"
            )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
