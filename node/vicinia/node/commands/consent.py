"""vicinia-node consent: allow, refuse, ask, withdraw, and list what was decided."""

from __future__ import annotations

import argparse
import re
from decimal import Decimal

from vicinia.assembly.purposes import NON_COMMERCIAL, PURPOSES
from vicinia.errors import InvalidInput, NotFound
from vicinia.node.commands.arguments import whole
from vicinia.node.commands.context import Context, Subparsers
from vicinia.node.output import counted, show, table, when
from vicinia.node.services import consent, deciding
from vicinia.node.services.consent import ANY, QUERY, TRAIN, ConsentRecord
from vicinia.node.services.replica import Replica
from vicinia.node.store.consents import Consents
from vicinia.node.store.home import Home

__all__ = ["add", "run"]

_DAY_MS = 86_400_000
_DAYS = 365
_MOST_DAYS = 3650
_LARGEST_FLOOR = 131_072
_EPSILON = Decimal(2)
_MOST_EPSILON = 100
_USES = {QUERY: "queries", TRAIN: "training", ANY: "both"}
_VERBS = {"allow": "allowed", "never": "refused for good", "ask": "you will be asked", "withdraw": "withdrawn"}


def add(commands: Subparsers, common: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "consent",
        parents=[common],
        help="decide what your data may be used for",
        description="Decide what your data may be used for. Without a decision the answer is no, whatever the members "
        "voted; a decision counts for exactly the purpose and the kind of recipient that it names, and takes the place "
        "of an earlier one in the same words. To let a model be trained or evaluated is a permission of its own: "
        "allow --train.",
        epilog="example: vicinia-node consent allow --dataset budget --purpose dpv:NonCommercialResearch "
        "--recipient non-profit --epsilon 2 --days 365",
    )
    parser.add_argument(
        "action",
        choices=("allow", "never", "ask", "withdraw", "list", "purposes"),
        help="what you decide; list what was decided; or list the purposes that there are",
    )
    parser.add_argument("--dataset", metavar="D", help="a data set, or * (not with allow)")
    parser.add_argument("--purpose", metavar="DPV", help="such as dpv:NonCommercialResearch, or * (not with allow)")
    parser.add_argument("--recipient", metavar="KIND", help="non-profit, public, commercial, or * (not with allow)")
    parser.add_argument(
        "--train",
        action="store_true",
        help="decide about training and evaluating models only; without it allow is for queries, and every other "
        "decision for both",
    )
    parser.add_argument(
        "--floor",
        type=whole(1, _LARGEST_FLOOR),
        metavar="N",
        help="the smallest group that you accept (default: the by-laws')",
    )
    parser.add_argument(
        "--epsilon", type=_epsilon, default=_EPSILON, metavar="E", help="the most that one job may cost (default: 2)"
    )
    parser.add_argument(
        "--days", type=whole(1, _MOST_DAYS), default=_DAYS, metavar="N", help="how long you allow it (default: 365)"
    )
    parser.set_defaults(run=run)


def run(context: Context, arguments: argparse.Namespace) -> int:
    """Record one decision in every selected home, or list them."""
    if arguments.action == "list":
        return _list(context)
    if arguments.action == "purposes":
        return _purposes(context)
    for field in ("dataset", "purpose", "recipient"):
        if getattr(arguments, field) is None:
            raise InvalidInput(f"--{field} is missing.", where="consent", hint="See: vicinia-node consent --help")
    deciding.require_recipient(arguments.recipient, arguments.action)
    made = _made(arguments, context.clock())
    with context.homes() as homes, context.replica(homes) as replica:
        chosen, notes = _checked(homes, replica, made)
        versions = {
            name: Consents(home.database).add(made.dataset, made.purpose, made.recipient, made.encode())
            for name, (home, _) in chosen.items()
        }
    about = deciding.words(made)
    what = f"{about}: {_VERBS[made.mode]}"
    allowed = all("allow" in ended for _, ended in chosen.values())
    if made.mode == "withdraw" and not allowed:
        what = f"{about} was not allowed; what you said is taken back"
    lines = [f"{what} in {counted(len(versions), 'home')}.", *notes]
    if made.mode == "allow" and made.kind == TRAIN:
        lines.append(made.notice)
    document = {"homes": versions, "action": made.mode, "kind": made.kind, "notes": notes}
    show(context.as_json, document, lines)
    return 0


def _made(arguments: argparse.Namespace, now_ms: int) -> ConsentRecord:
    return ConsentRecord(
        dataset=arguments.dataset,
        purpose=arguments.purpose,
        recipient=arguments.recipient,
        mode=arguments.action,
        floor=arguments.floor or 0,
        epsilon=arguments.epsilon,
        expires_ms=now_ms + arguments.days * _DAY_MS if arguments.action == "allow" else 0,
        created_ms=now_ms,
        kind=TRAIN if arguments.train else "",
    )


def _checked(
    homes: dict[str, Home], replica: Replica | None, made: ConsentRecord
) -> tuple[dict[str, tuple[Home, frozenset[str]]], list[str]]:
    """The homes that the decision is for, each with what it ends there, and what could not be checked.

    Every home is checked before anything is recorded in one. Of many homes, a withdrawal is for those that have
    something to withdraw.
    """
    chosen: dict[str, tuple[Home, frozenset[str]]] = {}
    notes: dict[str, None] = {}
    nothing: NotFound | None = None
    for name, home in homes.items():
        earlier = consent.read(Consents(home.database))
        try:
            note = deciding.check(made, earlier, deciding.Known.of(home, replica))
        except NotFound as error:
            nothing = error
            continue
        if note:
            notes[note] = None
        chosen[name] = home, deciding.taken_back(made, earlier)
    if nothing is not None and not chosen:
        raise nothing
    return chosen, list(notes)


def _epsilon(text: str) -> Decimal:
    """A decimal number above 0: a consent that allows any cost, or none, is a slip of the hand."""
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,9})?", text, re.ASCII) or not 0 < Decimal(text) <= _MOST_EPSILON:
        raise argparse.ArgumentTypeError(f"this must be a number above 0, at most {_MOST_EPSILON}")
    return Decimal(text).normalize() + 0  # 2.0 is 2


def _list(context: Context) -> int:
    rows: list[tuple[str, ...]] = []
    document: dict[str, object] = {}
    with context.homes() as homes:
        for name, home in homes.items():
            records, now = consent.read(Consents(home.database)), context.clock()
            held = deciding.standing(records)
            states = [_state(one, held, now) for one in records]
            document[name] = [
                {
                    "dataset": one.dataset,
                    "purpose": one.purpose,
                    "recipient": one.recipient,
                    "kind": one.kind,
                    "decision": one.mode,
                    "floor": one.floor,
                    "epsilon": str(one.epsilon),
                    "expires_ms": one.expires_ms,
                    "created_ms": one.created_ms,
                    "state": state,
                }
                for one, state in zip(records, states, strict=True)
            ]
            rows += [(name, *_row(one), state) for one, state in zip(records, states, strict=True)]
    header = ("home", "data set", "purpose", "recipient", "use", "decision", "floor", "epsilon", "until", "")
    lines = table(header, rows) or ["Nothing was decided yet, so nothing is allowed."]
    show(context.as_json, {"homes": document}, lines)
    return 0


def _state(one: ConsentRecord, held: list[ConsentRecord], now_ms: int) -> str:
    """Whether a decision still counts: of those in the same words the newest does."""
    if one.mode == "withdraw":
        return "done"
    if not any(one is other for other in held):
        return "replaced or withdrawn"
    return "expired" if one.mode == "allow" and now_ms >= one.expires_ms else "counts"


def _row(one: ConsentRecord) -> tuple[str, ...]:
    limits = ("-", "-", "-")
    if one.mode == "allow":
        limits = (str(one.floor) if one.floor else "by-laws", f"{one.epsilon:f}", when(one.expires_ms))
    return one.dataset, one.purpose, one.recipient, _USES[one.kind], one.mode, *limits


def _purposes(context: Context) -> int:
    rows = [
        (term, "ordinary" if term in NON_COMMERCIAL else "special", ", ".join(sorted(broader)))
        for term, broader in PURPOSES.items()
    ]
    document = {term: {"vote": vote, "broader": sorted(PURPOSES[term])} for term, vote, _ in rows}
    show(context.as_json, {"purposes": document}, table(("purpose", "vote, if free", "is a kind of"), rows))
    return 0
