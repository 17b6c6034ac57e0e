"""Brings what `make run` and `make test` need on a fresh machine; standard library only.

A step is skipped when its inputs have not changed since it succeeded; it fails with a sentence.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
STAMPS = VENV / "stamps"
NODE_FLOOR = (20, 19)


class Missing(Exception):
    """Something that this script cannot bring; the text is a sentence for a person."""


def say(text: str) -> None:
    print(f"· {text}", flush=True)


def run(command: Sequence[str | Path], *, quiet: bool = False) -> None:
    """Run a command in the project's folder; its output is shown when it fails or is wanted."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        check=False,
        text=True,
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.STDOUT if quiet else None,
    )
    if done.returncode:
        if quiet:
            sys.stderr.write(done.stdout)
        raise Missing(f"'{' '.join(str(part) for part in command)}' ended with {done.returncode}.")


def digest(*paths: Path) -> str:
    total = hashlib.sha256(sys.version.encode())
    for path in paths:
        total.update(path.read_bytes())
    return total.hexdigest()


def once(name: str, key: str, step: Callable[[], None]) -> None:
    """Do a step unless it already succeeded for the same key."""
    stamp = STAMPS / name
    if stamp.exists() and stamp.read_text() == key:
        return
    step()
    STAMPS.mkdir(parents=True, exist_ok=True)
    stamp.write_text(key)


def apt_install(*packages: str) -> bool:
    """Debian's packages, when there is apt-get and we are root."""
    apt = shutil.which("apt-get")
    if apt is None or not hasattr(os, "geteuid") or os.geteuid() != 0:
        return False
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    ended = 0
    for words in (["update"], ["install", "-y", *packages]):
        done = subprocess.run(
            [apt, "-qq", *words], check=False, env=environment, capture_output=True
        )
        ended = done.returncode
    return ended == 0


def make_environment() -> None:
    if any((BIN / name).exists() for name in ("pip", "pip.exe")):
        return
    say("making the virtual environment")
    if new_environment():
        return
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    if not (apt_install(package) and new_environment()):
        raise Missing(
            f"Python cannot make virtual environments here; install it (on Debian: {package})."
        )


def new_environment() -> bool:
    """In a process of its own: Debian's Python without its venv package ends the one it runs in."""
    shutil.rmtree(VENV, ignore_errors=True)
    command = [sys.executable, "-m", "venv", str(VENV)]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def install(name: str, *files: str) -> None:
    paths = [ROOT / file for file in files]

    def step() -> None:
        say(f"installing {', '.join(files)}")
        wanted = [argument for path in paths for argument in ("-r", path)]
        run([BIN / "python", "-m", "pip", "install", "-q", "--require-hashes", *wanted], quiet=True)

    once(name, digest(*paths), step)


def install_command() -> None:
    """`secure-msg` of this very folder, as pip would make it of pyproject.toml's entry point.

    Written here, because an editable install would have to fetch a build backend.
    """
    python = BIN / ("python.exe" if os.name == "nt" else "python")
    lines = (
        f"#!{python}",
        "import sys",
        f"sys.path.insert(0, {str(ROOT)!r})",
        "from secure_msg.cli.main import main",
        'sys.exit(main(prog_name="secure-msg"))',
    )
    script = BIN / ("secure-msg-script.py" if os.name == "nt" else "secure-msg")
    script.write_text("\n".join(lines) + "\n")
    script.chmod(0o755)
    if os.name == "nt":
        command = f'@"{python}" "{script}" %*\n'
        (BIN / "secure-msg.cmd").write_text(command)


def node_version(node: str | Path) -> tuple[int, ...]:
    done = subprocess.run([str(node), "--version"], check=False, capture_output=True, text=True)
    return tuple(int(part) for part in re.findall(r"\d+", done.stdout)[:2])


def find_node() -> tuple[Path, Path]:
    """Node and npm: the system's when new enough, else those of the environment."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and node_version(node) >= NODE_FLOOR:
        return Path(node), Path(npm)
    install("node", "requirements/node.txt")
    os.environ["PATH"] = f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise Missing("Node.js could not be installed into the environment.")
    return Path(node), Path(npm)


def install_packages(npm: Path) -> None:
    def step() -> None:
        say("installing the browser's packages")
        run([npm, "ci", "--ignore-scripts", "--no-fund", "--no-audit"], quiet=True)

    if not (ROOT / "node_modules").is_dir():
        (STAMPS / "packages").unlink(missing_ok=True)
    once("packages", digest(ROOT / "package-lock.json", ROOT / "package.json"), step)


def bundle(node: Path) -> None:
    sources = sorted((ROOT / "static" / "src").rglob("*.ts"))
    key = digest(ROOT / "tools" / "build.mjs", ROOT / "package-lock.json", *sources)

    def step() -> None:
        say("bundling the page's script")
        run([node, "tools/build.mjs"])

    if not (ROOT / "static" / "dist" / "main.js").exists():
        (STAMPS / "bundle").unlink(missing_ok=True)
    once("bundle", key, step)


def check_playwright() -> None:
    """Its driver brings a Node of its own, which needs a library that a bare Debian lacks."""
    command = [str(BIN / "playwright"), "--version"]

    def works() -> bool:
        return subprocess.run(command, check=False, capture_output=True).returncode == 0

    if not works() and not (apt_install("libatomic1") and works()):
        raise Missing("Playwright's driver does not start here; it needs libatomic.so.1.")


def find_chromium() -> str:
    """Chromium for the tests: the system's, else Debian's package, else Playwright's own."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found:
            return found
    say("installing Chromium for the tests")
    if apt_install("chromium") and (found := shutil.which("chromium")):
        return found
    done = subprocess.run([str(BIN / "playwright"), "install", "chromium"], cwd=ROOT, check=False)
    if done.returncode:
        raise Missing(
            "The end-to-end tests need Chromium: install it (on Debian: apt-get install chromium), "
            "or let 'playwright install chromium' reach the network."
        )
    return ""


def bring_tools() -> None:
    """For tests in which system calls fail, and of a plain copy; they are skipped without them."""
    for name in ("strace", "rsync"):
        if shutil.which(name) is None and not apt_install(name):
            say(
                f"{name} is not here and could not be installed (on Debian: apt-get install {name})"
            )


def bring_servers() -> None:
    """PostgreSQL and Redis, which the tests start on ports of their own."""
    for name, package in (("postgres", "postgresql"), ("redis-server", "redis-server")):
        if not has_program(name) and not (apt_install(package) and has_program(name)):
            raise Missing(
                f"The tests of the PostgreSQL store need {name} (on Debian: "
                f"apt-get install {package})."
            )


def has_program(name: str) -> bool:
    """Also where Debian keeps PostgreSQL's programs, off PATH."""
    off_path = Path("/usr/lib/postgresql").glob(f"*/bin/{name}")
    return shutil.which(name) is not None or any(off_path)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("goal", choices=("run", "test", "fault"))
    goal = parser.parse_args().goal
    if sys.version_info < (3, 11):  # noqa: UP036 - the check is for machines with an older one
        print("SECURE-MSG needs Python 3.11 or newer.", file=sys.stderr)
        return 1
    try:
        make_environment()
        install("server", "requirements.txt")
        install_command()
        if goal != "run":
            install("dev", "requirements.txt", "requirements/dev.txt")
        node, npm = find_node()
        install_packages(npm)
        bundle(node)
        if goal == "test":
            check_playwright()
            find_chromium()
        if goal != "run":
            bring_servers()
            bring_tools()
    except Missing as error:
        print(f"{error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
