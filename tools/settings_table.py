"""Writes the table of settings into README.md, from secure_msg/settings.py."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
BEGIN, END = "<!-- settings -->\n", "<!-- /settings -->"

sys.path.insert(0, str(ROOT))

from secure_msg.settings import SETTINGS  # noqa: E402 - the project's folder has to be found first


def table() -> str:
    rows = ["| Name | Value | Default | Meaning |", "|---|---|---|---|"]
    for setting in SETTINGS:
        default = f"`{setting.default}`" if setting.default else ""
        rows.append(f"| `{setting.variable}` | {setting.type} | {default} | {setting.meaning} |")
    return "\n".join(rows) + "\n"


def with_table(readme: str) -> str:
    head, _, rest = readme.partition(BEGIN)
    return head + BEGIN + table() + END + rest.partition(END)[2]


if __name__ == "__main__":
    README.write_text(with_table(README.read_text()))
