"""
Checks a wheel of agtwisted: every file of the checkout's package and plugin is in it but the sources in C, nothing else but
what was compiled of them, and C{twistd} finds the plugin in it.

Run as C{python tools/checkwheel.py WHEEL}.
"""

import os
import site
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("agtwisted", "twisted")
LEFT_BEHIND_BY_RUNS = ("__pycache__", "dropin.cache")
SOURCES = (".c", ".h")
#: What is compiled, without what the interpreter adds.
COMPILED = ("agtwisted/speedups/_inC", "agtwisted/v14/_inC")


def filesOfCheckout() -> set[str]:
    """
    Return the files that a wheel must hold, relative to the checkout.

    @return: the paths, with slashes.
    """
    files = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file())
    relative = (path.relative_to(ROOT) for path in files)
    wanted = (path for path in relative if not set(path.parts) & set(LEFT_BEHIND_BY_RUNS) and path.suffix not in SOURCES)
    return {withoutTag(path.as_posix()) for path in wanted}


def withoutTag(name: str) -> str:
    """
    Return a file's name without what the interpreter adds to that of a module that was compiled for it.

    @param name: the name.
    """
    return name.split(".")[0] if name.endswith(".so") else name


def filesOfWheel(wheel: Path) -> set[str]:
    """
    Return the files that a wheel installs, without its own metadata.

    @param wheel: the wheel.
    @return: the paths, with slashes.
    """
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name and not name.endswith("/")}
    return {withoutTag(name) for name in names}


def twistdHelp(wheel: Path) -> str:
    """
    Unpack a wheel by itself and ask twistd what it can run.

    The dependencies come from the environment that runs this script; its .pth files are left out (-S) and the folder is
    an empty one, so that no other plugin than the wheel's can be found.

    @param wheel: the wheel.
    @return: what C{twistd --help} prints.
    """
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
        path = os.pathsep.join([folder, *site.getsitepackages()])
        command = [sys.executable, "-S", "-c", "from twisted.scripts.twistd import run; run()", "--help"]
        environment = os.environ | {"PYTHONPATH": path}
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True).stdout


def problems(wheel: Path) -> list[str]:
    """
    Look for what is wrong with a wheel.

    @param wheel: the wheel.
    @return: one line for each problem.
    """
    wanted, found = filesOfCheckout() | set(COMPILED), filesOfWheel(wheel)
    return [
        *(f"missing from the wheel: {name}" for name in sorted(wanted - found)),
        *(f"not of the checkout (a stale build/ folder?): {name}" for name in sorted(found - wanted)),
        *([] if "agserver" in twistdHelp(wheel) else ["twistd does not find agserver"]),
    ]


if __name__ == "__main__":
    found = problems(Path(sys.argv[1]))
    sys.exit("\n".join(found) or 0)
