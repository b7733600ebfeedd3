"""What the owner of a home sees: how it stands, and that a damaged store is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from node_shell import Shell
from simulator_cooperative import Cooperative, key
from simulator_link import PURPOSE, Server, joined_home
from vicinia.assembly import build_resign
from vicinia.node.app import main
from vicinia.node.services import integrity, keyring
from vicinia.node.store.alerts import Alerts
from vicinia.node.store.consents import Consents
from vicinia.node.store.home import Home


def test_status_is_readable(tmp_path: Path, allow: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    server = Server(Cooperative.found(households=4))
    home = joined_home(tmp_path / "home", server, server.coop.households[0])
    allow(home, server.coop.now_ms, mode="ask")
    job = server.propose_job()
    replica = server.replica(home.directory)
    replica.sync(server.link(0))
    replica.store.put_job(job.hash, job.canonical())
    home.facts.put(keyring.JOINED, server.coop.now_ms)
    home.facts.put(keyring.CONTACT, server.coop.now_ms)
    Alerts(home.database).add("Something happened.", 1)
    own = keyring.identity(home.facts).public.hex
    replica.store.close()
    home.close()
    assert main(["status", "--dir", str(home.directory)]) == 0
    out = capsys.readouterr().out
    for part in (own, "since 20", "data          none", "left          0", "rho 0.0000 (epsilon 0.00)", "left rho",
                 "Something happened.", "last contact  20", "member of valley", "you will be asked"):  # fmt: skip
        assert part in out
    assert f"asks you      {job.hash.hex()}" in out
    assert main(["init", "--dir", str(home.directory)]) == 3
    assert "vicinia-node status" in capsys.readouterr().err


def test_a_damaged_store_is_told(tmp_path: Path) -> None:
    home = Home.create(tmp_path / "h")
    keyring.create(home)
    with home.database.transaction("fill"):
        home.database.run("CREATE TABLE rows_of(a TEXT)")
        home.database.run_many("INSERT INTO rows_of VALUES(?)", [("x" * 900,)] * 200)
    assert integrity.inspect(home, lambda: 5, thorough=True) == ""
    home.database.run("PRAGMA wal_checkpoint(TRUNCATE)")
    home.close()
    data = bytearray((tmp_path / "h" / "home.db").read_bytes())
    data[-4096 * 3] ^= 1
    (tmp_path / "h" / "home.db").write_bytes(data)
    home = Home.open(tmp_path / "h")
    assert "damaged" in integrity.inspect(home, lambda: 5, thorough=True)
    ((_, sentence),) = Alerts(home.database).all()
    assert "backup" in sentence
    home.close()


@pytest.mark.parametrize(
    ("event", "told"), [(None, "member of valley"), ("ended", "no longer a member"), ("pending", "waits for")]
)
def test_status_says_what_the_confirmed_log_says_of_the_membership(
    tmp_path: Path, shell: Shell, event: str | None, told: str
) -> None:
    server = Server(Cooperative.found(households=4))
    signing = key("newcomer") if event == "pending" else server.coop.households[3]
    home = joined_home(tmp_path / "home", server, signing)
    if event == "ended":
        server.coop.append(build_resign(server.coop.coop, signing.public.id).sign(signing))
        server.confirm()
    _, out, _ = shell("status", "--dir", home.directory)
    assert "vicinia-node run" in out
    replica = server.replica(home.directory)
    replica.sync(server.link(3))
    replica.store.close()
    _, out, _ = shell("status", "--dir", home.directory)
    assert told in out


def test_status_shows_what_is_allowed_until_it_is_taken_back(shell: Shell) -> None:
    home = shell.folder / "home"
    shell("init", "--dir", home)
    words = ("--dataset", "budget", "--purpose", PURPOSE, "--recipient", "public", "--dir", home)
    _, out, _ = shell("status", "--dir", home)
    assert "none, so nothing is allowed" in out
    shell("consent", "allow", *words, "--floor", "30", "--epsilon", "1.5")
    _, out, _ = shell("status", "--dir", home)
    assert f"budget for {PURPOSE} by public: allowed (epsilon 1.5, 30 homes or more) until 20" in out
    shell("consent", "withdraw", *words)
    _, out, _ = shell("status", "--dir", home)
    assert "none, so nothing is allowed" in out
    opened = Home.open(home)
    Consents(opened.database).add("budget", PURPOSE, "public", b"{}")
    opened.close()
    status, out, _ = shell("status", "--dir", home)
    assert (status, "UNREADABLE, so nothing is allowed" in out) == (0, True)
