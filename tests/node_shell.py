"""The command line of a node, as a person or a script uses it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from vicinia.node.app import main

__all__ = ["Shell"]


class Shell:
    """Runs commands; `folder` is empty at first."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys

    def __call__(self, *words: object) -> tuple[int, str, str]:
        """(exit status, standard output, standard error); a traceback fails the test."""
        status = main([str(word) for word in words])
        captured = self._capsys.readouterr()
        assert "Traceback" not in captured.err
        return status, captured.out, captured.err

    def json(self, *words: object) -> Any:
        """What a command that succeeds prints with --json."""
        status, out, err = self(*words, "--json")
        assert (status, err) == (0, "")
        return json.loads(out)

    def refused(self, *words: object) -> tuple[int, str]:
        """(exit status, the one sentence) of a command that fails and prints nothing else."""
        status, out, err = self(*words)
        assert status != 0
        assert out == ""
        assert err.startswith("error: ")
        assert err.count("\n") == 1
        return status, err

    def file(self, name: str, text: str) -> Path:
        """A file of this text."""
        path = self.folder / name
        path.write_text(text)
        return path
