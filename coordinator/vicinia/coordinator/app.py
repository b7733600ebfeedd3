"""`vicinia-coordinator`: found a cooperative, invite members, accredit researchers, serve.

The only module that wires: it reads files and options, builds the services, and shows errors as one line.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import click
import typer
from vicinia.coordinator.clock import system_clock
from vicinia.coordinator.config import Folder, ServeOptions, default_folder
from vicinia.coordinator.output import counted, give_out, in_words, show
from vicinia.coordinator.reading import located, read
from vicinia.coordinator.usage import VersionOption, sentence
from vicinia.errors import InvalidInput, ViciniaError

__all__ = ["app", "main"]

_NAME = "vicinia-coordinator"
app = typer.Typer(
    name=_NAME,
    help="Run a data cooperative: found it, invite households, accredit researchers, serve them.",
    epilog="Example: vicinia-coordinator found --coop trento --name 'Trento' --registrar HEX --witness HEX, "
    "then: vicinia-coordinator serve. What a command takes: vicinia-coordinator invite --help",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

_DirOption = Annotated[
    Path | None,
    typer.Option(
        "--dir", help="The coordinator's folder; ~/.local/share/vicinia/coordinator otherwise.", show_default=False
    ),
]
_JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_AddressOption = Annotated[str, typer.Option("--address", help="Where homes reach the coordinator, HOST:PORT.")]
_EnrolmentOption = Annotated[str, typer.Option("--enrolment", help="Where they enrol, HOST:PORT.")]
_OutOption = Annotated[Path | None, typer.Option("--out", help="Write a new file (0600) and not to the screen.")]


@app.callback()
def _folder(context: typer.Context, directory: _DirOption = None, _version: VersionOption = False) -> None:
    """Run a data cooperative: found it, invite households, accredit researchers, serve them."""
    context.obj = directory


def _chosen(context: typer.Context, directory: Path | None) -> Folder:
    return Folder(directory or context.obj or default_folder())


@app.command(epilog="Example: vicinia-coordinator found --coop trento --name 'Trento' --registrar HEX --witness HEX")
def found(
    context: typer.Context,
    coop: Annotated[str, typer.Option(help="Short name: 3 or more of a-z, 0-9 and hyphens.")],
    name: Annotated[str, typer.Option(help="The name in full.")],
    registrar: Annotated[list[str], typer.Option(help="A registrar's public key, hex; repeat for each.")],
    witness: Annotated[list[str], typer.Option(help="A witness's public key, hex; repeat for each.")],
    bylaws: Annotated[Path | None, typer.Option(help="BYLAWS.toml; the defaults otherwise.")] = None,
    dataset: Annotated[list[Path] | None, typer.Option(help="MAP.toml of a data set; repeat for each.")] = None,
    directory: _DirOption = None,
    as_json: _JsonOption = False,
) -> None:
    """Found a cooperative, with its keys, certificate authority, by-laws and data sets, where there is none."""
    from dataclasses import replace

    from vicinia.assembly import ByLaws
    from vicinia.coordinator.services.founding import Charter
    from vicinia.coordinator.services.founding import found as found_cooperative
    from vicinia.query.mapping import parse_map

    rules = ByLaws.from_toml(read(bylaws), str(bylaws)) if bylaws else ByLaws()
    charter = Charter(
        coop=coop,
        registrars=_keys(registrar, "--registrar"),
        witnesses=_keys(witness, "--witness"),
        bylaws=ByLaws.from_payload(replace(rules, name=name).payload()),
        datasets=tuple(located(path, parse_map)[0] for path in dataset or ()),
    )
    folder = _chosen(context, directory)
    done = found_cooperative(folder, charter, system_clock())
    shown = {"coop": coop, "genesis": done.genesis.hex(), "log_key": done.log_key.hex, "leaves": done.leaves}
    show(shown, as_json, f"{name} ({coop}) is founded in {folder.path}.\ngenesis {done.genesis.hex()}")


@app.command(epilog="Example: vicinia-coordinator invite --count 20 --address HOST:8443 --enrolment HOST:8444")
def invite(
    context: typer.Context,
    address: _AddressOption,
    enrolment: _EnrolmentOption,
    count: Annotated[int, typer.Option(help="How many invitations.")] = 1,
    out: _OutOption = None,
    directory: _DirOption = None,
    as_json: _JsonOption = False,
) -> None:
    """Write invitations for households, one a line; each is good for one use."""
    from vicinia.coordinator.services.invitations import Addresses

    with _opened(_chosen(context, directory)) as cooperative:
        give_out(lambda: cooperative.inviter.households(count, Addresses(address, enrolment)), out, as_json)


@app.command(
    epilog="Example: vicinia-coordinator accredit --institution 'Universita di Trento' --kind public "
    "--address HOST:8443 --enrolment HOST:8444"
)
def accredit(
    context: typer.Context,
    institution: Annotated[str, typer.Option(help="The researcher's institution.")],
    kind: Annotated[str, typer.Option(help="non-profit, public or commercial.")],
    address: _AddressOption,
    enrolment: _EnrolmentOption,
    out: _OutOption = None,
    directory: _DirOption = None,
    as_json: _JsonOption = False,
) -> None:
    """Write an invitation for a researcher, who is accredited once the registrars have endorsed it."""
    from vicinia.assembly import RECIPIENTS
    from vicinia.coordinator.services.invitations import Addresses

    if kind not in RECIPIENTS:
        raise InvalidInput(
            f"{kind!r} is no kind of recipient.", where="--kind", hint=f"One of {', '.join(RECIPIENTS)}."
        )
    with _opened(_chosen(context, directory)) as cooperative:
        where = Addresses(address, enrolment)
        give_out(lambda: [cooperative.inviter.researcher(institution, kind, where)], out, as_json)


@app.command(epilog="Example: vicinia-coordinator serve --host 0.0.0.0 --port 8443 --enrolment-port 8444")
def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="The address to listen on; also a name in the certificate.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8443,
    enrolment_port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8444,
    ports_file: Annotated[Path | None, typer.Option(help="JSON with the ports, written when ready.")] = None,
    directory: _DirOption = None,
    log_level: Annotated[str, typer.Option(help="How much to log: debug, info, warning or error.")] = "info",
    as_json: Annotated[bool, typer.Option("--json", help="Log JSON lines.")] = False,
) -> None:
    """Serve homes and researchers until SIGTERM."""
    from vicinia.coordinator.logs import set_up_logging
    from vicinia.coordinator.serving import serve as serve_folder

    if log_level not in {"debug", "info", "warning", "error"}:
        raise InvalidInput(f"{log_level!r} is no level.", where="--log-level", hint="debug, info, warning or error.")
    set_up_logging(log_level, as_json=as_json)
    serve_folder(_chosen(context, directory), ServeOptions(host, port, enrolment_port, ports_file), system_clock)


@app.command(epilog="Example: vicinia-coordinator status --json")
def status(context: typer.Context, directory: _DirOption = None, as_json: _JsonOption = False) -> None:
    """Show what the cooperative is, and what is going on in it."""
    from vicinia.coordinator.services.overview import overview

    folder = _chosen(context, directory)
    with _opened(folder, forked=True) as cooperative:
        shown = overview(cooperative, system_clock())
    show(shown, as_json, "\n".join(in_words(shown)))


@app.command(epilog="Example: vicinia-coordinator recover --from replica.db")
def recover(
    context: typer.Context,
    copy: Annotated[Path | None, typer.Option("--from", help="A home's copy of the log: its replica.db.")] = None,
    newest: Annotated[
        bool, typer.Option("--newest", help="Nothing was restored: this database is the newest one.")
    ] = False,
    directory: _DirOption = None,
    as_json: _JsonOption = False,
) -> None:
    """Fetch the leaves that a database from a backup lacks, each of them checked, from a home's copy of the log."""
    from vicinia.coordinator.services.copy_of_log import CopyOfLog
    from vicinia.coordinator.serving import alone

    if (copy is None) != newest:
        raise InvalidInput("Say --from REPLICA.db, or --newest.", where="recover")
    folder = _chosen(context, directory)
    with alone(folder), _opened(folder, forked=True) as cooperative:
        recovery = cooperative.recovery
        done = recovery.take_from(CopyOfLog.read(copy)) if copy else recovery.take_as_newest()
    lines = [f"{counted(done.added, 'leaf', 'leaves')} fetched; the log has {done.size}."]
    if done.missing:
        lines.append(f"{counted(done.missing, 'more leaf', 'more leaves')} signed already: try another home's copy.")
    if done.voided:
        lines.append(f"{counted(done.voided, 'unused invitation')} can no longer be used: give out new ones.")
    shown = {"added": done.added, "log_size": done.size, "missing": done.missing, "voided_invitations": done.voided}
    show(shown, as_json, "\n".join(lines))


def _opened(folder: Folder, *, forked: bool = False) -> Any:
    """The cooperative in this folder, closed at the end; `forked`: also one that may not be served."""
    from contextlib import closing

    from vicinia.coordinator.services.cooperative import Cooperative

    return closing(Cooperative.open(folder, system_clock, forked=forked))


def _keys(texts: Sequence[str], where: str) -> Any:
    from vicinia.identity import VerifyingKey

    try:
        return tuple(VerifyingKey.from_hex(text) for text in texts)
    except InvalidInput as error:
        raise InvalidInput(error.what, where=where, hint="A home shows its key with: vicinia-node init.") from error


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; errors become one line on standard error and the error's exit status."""
    try:
        app(args=None if arguments is None else list(arguments), prog_name=_NAME, standalone_mode=False)
    except ViciniaError as error:
        _fail(str(error), error.exit_status)
    except click.exceptions.NoArgsIsHelpError as shown:
        typer.echo(shown.format_message())
        sys.exit(2)
    except click.ClickException as error:
        _fail(sentence(error, _NAME), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(130)
    sys.exit(0)


def _fail(told: str, status: int) -> None:
    typer.echo(f"error: {told}", err=True)
    sys.exit(status)


if __name__ == "__main__":
    main()
