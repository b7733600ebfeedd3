"""What the owner of a home sees: how it stands, and that a damaged store is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from simulator_cooperative import Cooperative
from simulator_link import Server, joined_home
from vicinia.node.app import main
from vicinia.node.services import integrity, keyring
from vicinia.node.store.alerts import Alerts
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
    key = keyring.identity(home.facts).public.hex
    replica.store.close()
    home.close()
    assert main(["status", "--dir", str(home.directory)]) == 0
    out = capsys.readouterr().out
    for part in (key, "since 20", "data          none", "left          0", "rho 0.0000 (epsilon 0.00)", "left rho",
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
