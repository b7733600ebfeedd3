"""What is left of a demo: a cooperative that goes on running, or only the logs of one that failed."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from deploy.demo.processes import Supervisor

__all__ = ["keep_logs", "leave_running"]


def leave_running(folder: Path, processes: Supervisor) -> None:
    """Write how to end what is left running into the folder, and say how to look around."""
    groups = " ".join(f"-{group}" for group in processes.release())
    end = folder / "end.sh"
    end.write_text(
        "#!/bin/sh\n# Ends the demo cooperative and removes its folder.\n"
        f"kill -s TERM -- {groups} 2>/dev/null\nsleep 3\nkill -s KILL -- {groups} 2>/dev/null\nrm -rf '{folder}'\n"
    )
    end.chmod(0o700)
    programs = Path(sys.executable).parent
    print(  # a failed demo may have ended before there was a home or a researcher to look at
        f"""
The cooperative is still running. Look around:
  {programs}/vicinia-coordinator status --dir {folder}/coordinator
  {programs}/vicinia-node status --homes {folder}/homes/all
  {programs}/vicinia-node jobs --why --homes {folder}/homes/all
  {programs}/vicinia-node left --homes {folder}/homes/all
  {programs}/vicinia datasets --dir {folder}/researchers/university
  {programs}/vicinia jobs --dir {folder}/researchers/university
The logs of all its processes are in {folder}/logs
End it, and remove everything:
  {end}"""
    )


def keep_logs(logs: Path) -> Path | None:
    """Move the logs to a folder of their own, which outlives the demo; None where nothing was logged."""
    if not any(log.stat().st_size for log in logs.glob("*")):
        return None
    kept = Path(tempfile.mkdtemp(prefix="vicinia-demo-logs-"))
    shutil.copytree(logs, kept, dirs_exist_ok=True)
    kept.chmod(0o700)
    return kept
