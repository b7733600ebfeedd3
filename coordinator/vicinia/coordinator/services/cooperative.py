"""All services of one cooperative over one database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vicinia.coordinator.clock import Clock
from vicinia.coordinator.config import Folder
from vicinia.coordinator.services.bell import Bell
from vicinia.coordinator.services.bulletin import Bulletin
from vicinia.coordinator.services.checkpoints import Checkpoints
from vicinia.coordinator.services.clerk import Clerk
from vicinia.coordinator.services.conductor import Conductor
from vicinia.coordinator.services.enrolment import Enrolment
from vicinia.coordinator.services.intake import Intake
from vicinia.coordinator.services.invitations import Inviter
from vicinia.coordinator.services.last_shown import LastShown
from vicinia.coordinator.services.last_signed import LastSigned
from vicinia.coordinator.services.ledger import Ledger
from vicinia.coordinator.services.live_runs import LiveRuns
from vicinia.coordinator.services.publication import Publication
from vicinia.coordinator.services.recovery import Recovery
from vicinia.coordinator.services.recruiter import Recruiter
from vicinia.coordinator.services.research import Research
from vicinia.coordinator.services.statements import Statements
from vicinia.coordinator.services.trainer import Trainer
from vicinia.coordinator.store.database import Database
from vicinia.errors import NotFound, StorageFault
from vicinia.identity import CertificateAuthority, SigningKey, read_secret

__all__ = ["Cooperative", "Step"]

Step = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Cooperative:
    """The services; `open` reads keys and log from a folder. `fault`: why nothing may be signed or served here."""

    database: Database
    authority: CertificateAuthority
    ledger: Ledger
    fault: StorageFault | None
    recovery: Recovery
    checkpoints: Checkpoints
    inviter: Inviter
    enrolment: Enrolment
    statements: Statements
    clerk: Clerk
    trainer: Trainer
    recruiter: Recruiter
    live: LiveRuns
    conductor: Conductor
    intake: Intake
    publication: Publication
    bulletin: Bulletin
    research: Research
    bell: Bell

    @classmethod
    def open(cls, folder: Folder, clock: Clock, *, forked: bool = False) -> Cooperative:
        """Open the cooperative that was founded in this folder; NotFound where there is none.

        StorageFault where its log is not the one that it has signed; `forked` opens it nevertheless, to be looked at.
        """
        database = Database(folder.database)
        database.upgrade()
        try:
            certificate = folder.authority_certificate.read_bytes()
        except FileNotFoundError as error:
            where = str(folder.authority_certificate)
            raise NotFound("The authority's certificate is missing.", where=where) from error
        authority = CertificateAuthority.load(read_secret(folder.authority_key), certificate)
        log_key = SigningKey.from_seed(read_secret(folder.log_key))
        signed, shown = LastSigned(folder.last_signed), LastShown(folder.last_shown)
        kept = signed.read()
        ledger = Ledger(database, log_key, clock)
        if ledger.assembly.genesis.log_key != log_key.public or authority.coop != ledger.coop:
            raise StorageFault("The keys in this folder are another cooperative's.", where=str(folder.path))
        fault = signed.fault(kept, ledger.tree)
        if fault is not None and not forked:
            raise fault
        bell = Bell()
        checkpoints = Checkpoints(database, ledger, signed, bell, clock)
        statements = Statements(database, ledger, clock)
        live = LiveRuns(database, ledger, shown, bell, clock)
        return cls(
            database=database,
            authority=authority,
            ledger=ledger,
            fault=fault,
            recovery=Recovery(database, ledger, signed, shown, clock),
            checkpoints=checkpoints,
            inviter=Inviter(database, ledger, authority.certificate_pem, clock),
            enrolment=Enrolment(database, ledger, authority, statements.settle, clock),
            statements=statements,
            clerk=Clerk(database, ledger, checkpoints, clock),
            trainer=Trainer(database, ledger, bell, clock),
            recruiter=Recruiter(database, ledger, checkpoints, clock),
            live=live,
            conductor=Conductor(database, ledger, checkpoints, live, clock),
            intake=Intake(database, live, bell, clock),
            publication=Publication(database, live, clock),
            bulletin=Bulletin(database, ledger, checkpoints, live, clock),
            research=Research(database, ledger, statements, live, clock),
            bell=bell,
        )

    def close(self) -> None:
        """End what is being computed, and give back the database."""
        self.trainer.close()
        self.database.close()

    def tick(self) -> None:
        """Move everything on by one step; `serve` calls the same steps one by one."""
        for step in self.steps:
            step()

    @property
    def steps(self) -> tuple[Step, ...]:
        """What a tick consists of, in order."""
        return (
            self.checkpoints.tick,
            self.clerk.tick,
            self.trainer.tick,
            self.recruiter.tick,
            self.conductor.tick,
            self.bulletin.tick,
        )
