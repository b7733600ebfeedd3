"""What holds for every test: a summary of the skips, and no silent skip where the data is there."""

from __future__ import annotations

import os
from collections import Counter

import pytest
from hypothesis import HealthCheck, settings
from vicinia.identity.channel import require_tls13

require_tls13()  # before any test imports gRPC, which reads its cipher suites once
# Tests run side by side, one a core: threads of a numerical library would only wait for each other. Read at import.
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

settings.register_profile("vicinia", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("vicinia")


def _skip_reasons(reporter: pytest.TerminalReporter) -> Counter[str]:
    """How often each reason was given; pytest keeps it as the last part of a triple."""
    reasons: Counter[str] = Counter()
    for report in reporter.stats.get("skipped", []):
        longrepr = report.longrepr
        reason = str(longrepr[2]) if isinstance(longrepr, tuple) else str(longrepr)
        reasons[reason.removeprefix("Skipped: ")] += 1
    return reasons


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests were skipped, and why."""
    reasons = _skip_reasons(terminalreporter)
    terminalreporter.write_line(f"skipped: {sum(reasons.values())}")
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"  {count} x {reason}")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """With VICINIA_REQUIRE_DATA set, a test that skips for want of data fails the run."""
    if not os.environ.get("VICINIA_REQUIRE_DATA"):
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if isinstance(reporter, pytest.TerminalReporter):
        lacking = [reason for reason in _skip_reasons(reporter) if reason.startswith("data not there")]
        if lacking:
            reporter.write_line("VICINIA_TEST_DATA is there, but tests found no data: " + "; ".join(lacking))
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
