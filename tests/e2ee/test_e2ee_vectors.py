"""The scenarios of both languages: every operation gives what the file says, refusals included."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2ee.operations import OPERATIONS, run
from tests.tools import generate_e2ee_vectors

PROJECT = Path(__file__).parent.parent / "vectors" / "project"
KEYS = {"name", "operation", "reason", "inputs", "expected"}


def scenarios(name: str) -> list[Any]:
    """A parameter a scenario; a file without any, or with unknown keys, fails the collection."""
    found = json.loads((PROJECT / name).read_text(encoding="utf-8"))["scenarios"]
    assert found, f"{name} is empty"
    assert all(set(scenario) == KEYS for scenario in found), f"{name} has unknown keys"
    return [pytest.param(scenario, id=scenario["name"]) for scenario in found]


@pytest.mark.parametrize("scenario", scenarios("e2ee_python.json"))
def test_scenario_of_python(scenario: dict[str, Any]) -> None:
    assert run(scenario["operation"], scenario["inputs"]) == scenario["expected"]


@pytest.mark.parametrize("scenario", scenarios("e2ee_typescript.json"))
def test_scenario_of_typescript(scenario: dict[str, Any]) -> None:
    assert run(scenario["operation"], scenario["inputs"]) == scenario["expected"]


def test_the_file_is_what_the_generator_writes() -> None:
    kept = json.loads(generate_e2ee_vectors.PATH.read_text(encoding="utf-8"))["scenarios"]
    assert kept == generate_e2ee_vectors.generate()


def test_every_operation_has_a_scenario_that_succeeds() -> None:
    kept = json.loads(generate_e2ee_vectors.PATH.read_text(encoding="utf-8"))["scenarios"]
    done = {one["operation"] for one in kept if "error" not in one["expected"]}
    assert done == set(OPERATIONS)
