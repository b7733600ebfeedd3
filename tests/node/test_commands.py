"""The command line: sentences, exit statuses, JSON; no traceback and nothing changed on bad input."""

from __future__ import annotations

import re

import pytest
from node_shell import Shell
from vicinia.node.app import main
from vicinia.node.store.home import Home

MAP = """
dataset = "budget"
description = "Weekly spending of the household"
category = "pd:Transactional"
household = "#row"
[columns]
fuel = { from = "sfuel", type = "real", low = 0.0, high = 0.4, required = true }
"""


def test_init_prints_the_key_of_one_home_and_refuses_a_second_time(shell: Shell) -> None:
    home = shell.folder / "home"
    key = shell.json("init", "--dir", home)["key"]
    assert len(bytes.fromhex(key)) == 32
    status, _, err = shell("init", "--dir", home)
    assert status == 3
    assert err.startswith("error: ")
    assert shell.json("status", "--dir", home)["homes"]["home"]["key"] == key


def test_many_homes_are_made_filled_and_asked_in_one_start(shell: Shell) -> None:
    homes, names = shell.folder / "homes", shell.file("names", "0\n1\n2\n")
    made = shell.json("init", "--homes", homes, "--names", names)["homes"]
    assert set(made) == {"0", "1", "2"}
    again = shell.json("init", "--homes", homes, "--names", names)["homes"]
    assert again == made
    data = shell.file("data.csv", "sfuel\n0.1\n0.2\n0.9\n0.3\n")
    report = shell.json("import", "--homes", homes, "--map", shell.file("m.toml", MAP), "--data", data)
    assert report["imported"] == {"0": 1, "1": 1, "2": 1}
    assert report["findings"] == [{"line": 4, "what": "fuel: outside the bounds, clamped"}]
    only = shell.file("only", "1\n")
    what = ("--dataset", "budget", "--purpose", "dpv:NonCommercialResearch", "--recipient", "non-profit")
    allowed = shell.json("consent", "allow", "--homes", homes, "--only", only, *what)
    assert allowed["homes"] == {"1": 1}
    listed = shell.json("consent", "list", "--homes", homes)["homes"]
    assert [len(listed[name]) for name in "012"] == [0, 1, 0]
    assert shell.json("left", "--homes", homes, "--verify")["ok"]
    assert shell.json("jobs", "--homes", homes, "--why")["homes"] == {"0": [], "1": [], "2": []}


def test_votes_and_rules_wait_in_the_store(shell: Shell) -> None:
    home, job = shell.folder / "home", "ab" * 32
    shell("init", "--dir", home)
    assert shell.json("vote", job, "no", "--dir", home)["choice"] == "no"
    assert shell.json("vote", "--list", "--dir", home)["homes"]["home"][0]["state"] == "queued"
    rules = shell.file("rules.toml", '[[rules]]\nvote = "yes"\nwhen = { le = ["epsilon", 1.0] }\n')
    assert shell.json("vote", "--standing", rules, "--dir", home)["homes"] == 1


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("", 2),
        ("bogus", 2),
        ("init --homes HERE", 2),
        ("init --dir HERE/a --homes HERE", 2),
        ("status --dir HERE/none", 3),
        ("status --dir HERE/home --only HERE/none", 2),
        ("import --dir HERE/home --map HERE/none --data HERE/none", 3),
        ("import --dir HERE/home --map HERE/bad.toml --data HERE/bad.toml", 2),
        ("import --dir HERE/home", 2),
        ("consent allow --dir HERE/home", 2),
        ("consent allow --dir HERE/home --dataset * --purpose dpv:X --recipient public", 2),
        ("consent allow --dir HERE/home --dataset d --purpose dpv:X --recipient public --epsilon nan", 2),
        ("consent allow --dir HERE/home --dataset d --purpose dpv:X --recipient public --days 0", 2),
        ("consent allow --dir HERE/home --dataset d --purpose dpv:X --recipient friends", 2),
        ("vote --dir HERE/home", 2),
        ("vote abc yes --dir HERE/home", 2),
        ("vote --standing HERE/bad.toml --dir HERE/home", 2),
        ("left --vector zz --dir HERE/home", 2),
        ("left --vector ab --dir HERE/home", 2),
        ("left --vector abcdef --dir HERE/home", 3),
        ("vote abcdef yes --dir HERE/home", 3),
        ("jobs abcdef --dir HERE/home", 3),
        ("jobs abcde --dir HERE/home", 2),
        ("join vicinia1.x.y --dir HERE/new", 2),
        ("join --dir HERE/new", 2),
        ("sponsor nothing --dir HERE/home", 2),
        ("registrar pending --dir HERE/home", 3),
        ("unlock --dir HERE/home", 2),
        ("unlock --rotate --dir HERE/home", 3),
        ("run --dir HERE/home", 3),
        ("join EMPTY --dir HERE/new", 2),
        ("join BLANK --dir HERE/new", 2),
        ("join ZERO --dir HERE/new", 2),
        ("join --invitations HERE/none --dir HERE/new", 3),
        ("join --invitations HERE/home --dir HERE/new", 2),
        ("join --invitations HERE/binary --dir HERE/new", 2),
        ("join --invitations HERE/nothing --dir HERE/new", 2),
        ("join --invitations HERE/bad.toml --names HERE/twice --homes HERE/new", 2),
        ("join --invitations HERE/bad.toml --names HERE/nothing --homes HERE/new", 2),
        ("join x --names HERE/twice --dir HERE/new", 2),
        ("init --dir EMPTY", 2),
        ("init --dir HERE/a --names HERE/twice", 2),
        ("init --dir HERE/bad.toml", 9),
        ("status --dir ZERO", 2),
        ("status --homes HERE/bad.toml", 3),
        ("status --dir HERE/keyless", 9),
        ("status --homes HERE --only HERE/binary", 2),
        ("import --dir HERE/home --map HERE/home --data HERE/bad.toml", 2),
        ("import --dir HERE/home --map HERE/binary --data HERE/bad.toml", 2),
        ("import --dir HERE/home --map HERE/map.toml --data EMPTY", 2),
        ("import --dir HERE/home --map HERE/map.toml --data HERE/nothing", 2),
        ("import --dir HERE/home --map HERE/map.toml --data HERE/d.csv --household 7", 3),
        ("consent allow --dir HERE/home --dataset d --purpose dpv:X --recipient public --epsilon=-1", 2),
        ("consent allow --dir HERE/home --dataset d --purpose dpv:X --recipient public --epsilon 1e999", 2),
        ("consent allow --dir HERE/home --dataset d --purpose dpv:X --recipient public --epsilon 0", 2),
        ("consent allow --dir HERE/home --dataset d --purpose dpv:X --recipient public --floor=-1", 2),
        ("consent allow --dir HERE/home --dataset d --purpose dpv:X --recipient public --days 99999999999", 2),
        ("consent allow --dir HERE/home --dataset d --purpose research --recipient public", 2),
        ("consent allow --dir HERE/home --dataset EMPTY --purpose dpv:X --recipient public", 2),
        ("vote EMPTY yes --dir HERE/home", 2),
        ("vote --standing HERE/binary --dir HERE/home", 2),
        ("vote --standing HERE/home --dir HERE/home", 2),
        ("left --vector EMPTY --dir HERE/home", 2),
        ("left --vector ab --verify --dir HERE/home", 2),
    ],
)
def test_bad_input_is_a_sentence_and_a_status(shell: Shell, words: str, status: int) -> None:
    shell("init", "--dir", shell.folder / "home")
    shell.file("bad.toml", "what = is this")
    shell.file("nothing", "")
    shell.file("twice", "a\na\n")
    shell.file("map.toml", MAP)
    shell.file("d.csv", "sfuel\n0.1\n")
    (shell.folder / "binary").write_bytes(bytes(range(256)))
    shell("init", "--dir", shell.folder / "keyless")
    (shell.folder / "keyless" / "store.key").write_text("this is no key")
    before = {path.name for path in shell.folder.iterdir()}
    special = {"EMPTY": "", "BLANK": "  ", "ZERO": "a\0b"}
    code, out, err = shell(*(special.get(word, word.replace("HERE", str(shell.folder))) for word in words.split()))
    assert code == status
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert {path.name for path in shell.folder.iterdir()} == before
    listed = shell.json("consent", "list", "--dir", shell.folder / "home")
    assert listed["homes"]["home"] == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("statsu", "There is no command 'statsu'. Did you mean status?"),
        ("frobnicate", "There is no command 'frobnicate'. See: vicinia-node --help"),
        ("consent lits", "Action cannot be 'lits'. Did you mean list?"),
        ("consent nothing", "One of allow, never, ask, withdraw, list, purposes."),
        ("vote 3f2a9b1c yes --dir HERE/home no", "Unrecognized arguments: no."),
        ("vote --dir HERE/home 3f2a9b1c maybe", "'maybe' is no choice"),
        ("jobs --dir HERE/home 3f2a9b1c", "begins with 3f2a9b1c"),
        ("init --dir HERE/file", "This is a file, and a folder is needed."),
    ],
)
def test_words_may_stand_after_options_and_slips_are_named(shell: Shell, words: str, says: str) -> None:
    shell("init", "--dir", shell.folder / "home")
    shell.file("file", "")
    _, err = shell.refused(*words.replace("HERE", str(shell.folder)).split())
    assert says in err


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert re.fullmatch(r"vicinia-node \d+\.\d+\S*\n", capsys.readouterr().out)


def test_a_defect_is_told_with_the_place_of_its_details(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    home = shell.folder / "home"
    shell("init", "--dir", home)

    def broken(*_: object) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr("vicinia.node.services.standing.describe", broken)
    status, _, err = shell("status", "--dir", home)
    details = home / "defects.log"
    assert status == 1
    assert err.count("\n") == 1
    assert "secret" not in err
    assert str(details) in err
    assert "ZeroDivisionError" in details.read_text()
    assert details.stat().st_mode & 0o77 == 0
    assert main(["status", "--dir", str(home), "--debug"]) == 1
    assert details.read_text().count("Traceback") == 1


def test_a_defect_where_there_is_no_home_says_how_to_see_it(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("vicinia.node.homes.Selection.open", broken)
    status, _, err = shell("status", "--dir", shell.folder / "none")
    assert status == 1
    assert "--debug" in err
    assert not (shell.folder / "none").exists()


def test_a_locked_home_takes_no_votes(shell: Shell) -> None:
    home = shell.folder / "home"
    shell("init", "--dir", home)
    opened = Home.open(home)
    opened.lock("test")
    opened.close()
    status, _, err = shell("vote", "ab" * 32, "yes", "--dir", home)
    assert status == 4
    assert "unlock" in err
    assert shell.json("vote", "--list", "--dir", home)["homes"]["home"] == []


@pytest.mark.parametrize("command", ["init", "join", "import", "run", "consent", "vote", "sponsor", "registrar", "jobs", "left", "status", "unlock"])  # fmt: skip  # noqa: E501
def test_every_command_has_help_with_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "example: vicinia-node " + command in shown
    assert re.search(r"[a-z]\. (positional arguments|options):", shown)  # sentences that say what it does


def test_many_joins_need_as_many_invitations(shell: Shell) -> None:
    names, lines = shell.file("names", "a\nb\n"), shell.file("inv", "vicinia1.x.y\n")
    status, _, err = shell("join", "--homes", shell.folder / "homes", "--names", names, "--invitations", lines)
    assert status == 2
    assert "only 1 invitation." in err
    assert not (shell.folder / "homes").exists()


def test_a_name_that_leads_out_of_the_folder_is_refused(shell: Shell) -> None:
    names = shell.file("names", "../outside\n")
    status, _, err = shell("init", "--homes", shell.folder / "homes", "--names", names)
    assert status == 2
    assert "line 1" in err


MANY = MAP.replace('"#row"', '"home"')


def test_one_home_holds_one_household(shell: Shell) -> None:
    home, many = shell.folder / "home", shell.file("many.toml", MANY)
    shell("init", "--dir", home)
    data = shell.file("data.csv", "home,sfuel\na,0.1\nb,0.2\na,0.3\n")
    words = ("import", "--dir", home, "--map", many, "--data", data)
    assert "several households ('a', 'b', ...)" in shell.refused(*words)[1]
    assert shell.json("status", "--dir", home)["homes"]["home"]["rows"] == {}
    _, out, _ = shell(*words, "--household", "a")
    assert out == "budget: 2 rows imported.\n1 record of other households left out.\n"
    status, err = shell.refused(*words, "--household", "b")
    assert (status, "are those of household 'a'" in err) == (2, True)
    again = shell.json(*words)  # the home knows whose it is
    assert (again["imported"], again["already"], again["strangers"]) == ({"home": 0}, 2, 1)
    anew = shell.json(*words, "--household", "b", "--replace")
    assert (anew["imported"], anew["already"]) == ({"home": 1}, 0)
    assert shell.json("status", "--dir", home)["homes"]["home"]["rows"] == {"budget": 1}


def test_a_replaced_data_set_may_have_another_definition(shell: Shell) -> None:
    home, data = shell.folder / "home", shell.file("data.csv", "sfuel\n0.1\n")
    shell("init", "--dir", home)
    shell.json("import", "--dir", home, "--map", shell.file("one.toml", MAP), "--data", data)
    other = shell.file("other.toml", MAP.replace("high = 0.4", "high = 0.5"))
    _, err = shell.refused("import", "--dir", home, "--map", other, "--data", data)
    assert f"{other}: " in err
    assert "--replace" in err
    assert shell.json("import", "--dir", home, "--map", other, "--data", data, "--replace")["imported"] == {"home": 1}


def test_errors_in_a_map_and_in_its_data_name_the_files_and_lines(shell: Shell) -> None:
    home, data = shell.folder / "home", shell.file("mine.csv", "sfuel\n0.1\n0.9\nmuch\n")
    shell("init", "--dir", home)
    broken = shell.file("mine.toml", MAP.replace("low = 0.0", "lo = 0.0"))
    assert f"error: {broken}, line 7: " in shell.refused("import", "--dir", home, "--map", broken, "--data", data)[1]
    _, out, _ = shell("import", "--dir", home, "--map", shell.file("m.toml", MAP), "--data", data, "--household", "1")
    assert "  mine.csv, line 3: " in out


def test_help_begins_with_examples_and_explains_what_is_for_many_homes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    out = capsys.readouterr().out
    assert "examples:" in out
    assert "for many homes at once (demos, tests):" in out


def test_a_home_that_is_not_locked_has_nothing_to_unlock(shell: Shell) -> None:
    shell("init", "--dir", shell.folder / "home")
    status, err = shell.refused("unlock", "--dir", shell.folder / "home")
    assert (status, "is not locked" in err) == (2, True)
    home = Home.open(shell.folder / "home")
    home.lock("the store was restored.")
    home.close()
    assert "may have forgotten" in shell.refused("unlock", "--dir", shell.folder / "home")[1]
