"""An SMTP server that does what a script says: any answer, silence or hanging up at any verb."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType

DROP = "DROP"
"""Close the connection instead of answering."""
HANG = "HANG"
"""Say nothing; the connection stays open."""

Answer = str | Sequence[str]
"""One answer for ever, or one after the other, of which the last stays."""

_DEFAULT = {
    "CONNECT": "220 scripted ESMTP",
    "HELO": "250 scripted",
    "STARTTLS": "220 go ahead",
    "AUTH": "235 welcome",
    "MAIL": "250 sender ok",
    "RCPT": "250 recipient ok",
    "DATA": "354 send it",
    ".": "250 queued as 42",
    "RSET": "250 forgotten",
    "NOOP": "250 ok",
    "QUIT": "221 bye",
}


@dataclass(slots=True)
class Mail:
    """A mail whose final dot arrived; ``recipients`` are those that were answered 250."""

    sender: str
    recipients: list[str]
    data: bytes


@dataclass(slots=True)
class Session:
    """One connection: each command line as it came, and whether it came encrypted."""

    commands: list[str] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def verbs(self) -> list[str]:
        return [line.split(" ", 1)[0].upper() for line in self.commands]


class SmtpServer:
    """Listens on a free port of 127.0.0.1 inside ``async with``.

    ``script`` maps a verb (``CONNECT`` and ``.`` are verbs too) or ``RCPT <address>`` to answers;
    ``extensions`` are the lines of EHLO. ``tls`` allows STARTTLS; with ``implicit`` it is there
    from the beginning.
    """

    def __init__(
        self,
        script: Mapping[str, Answer] | None = None,
        *,
        extensions: Sequence[str] = (),
        tls: ssl.SSLContext | None = None,
        implicit: bool = False,
    ) -> None:
        self.script: dict[str, Answer] = {**_DEFAULT, **(script or {})}
        self.extensions = list(extensions)
        self.sessions: list[Session] = []
        self.mails: list[Mail] = []
        self.reached: dict[str, asyncio.Event] = {}
        self._tls = tls
        self._implicit = implicit
        self._used: dict[str, int] = {}
        self._writers: dict[int, asyncio.StreamWriter] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> SmtpServer:
        context = self._tls if self._implicit else None
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=context)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        self.hang_up()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def hang_up(self) -> None:
        """Break every connection that is open now."""
        for writer in self._writers.values():
            writer.transport.abort()

    def when(self, verb: str) -> asyncio.Event:
        """Set when ``verb`` arrives."""
        return self.reached.setdefault(verb, asyncio.Event())

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        session = Session()
        self.sessions.append(session)
        number = len(self.sessions)
        self._writers[number] = writer
        try:
            await self._serve(session, reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the peer left, or the test is over
        finally:
            writer.transport.abort()
            self._writers.pop(number)
            self._tasks.discard(task)
            session.closed.set()

    async def _serve(
        self, session: Session, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        mail = Mail("", [], b"")
        going_on = bool(await self._say(writer, "CONNECT"))
        while going_on and (line := await self._read(session, reader, writer)):
            verb = line.split(" ", 1)[0].upper()
            mailbox = line.partition("<")[2].partition(">")[0]
            key = f"RCPT {mailbox}" if f"RCPT {mailbox}" in self.script else verb
            answer = await self._say(writer, key)
            match verb, answer[:3]:
                case _, "":
                    going_on = False
                case "STARTTLS", "220" if self._tls is not None:
                    await writer.start_tls(self._tls)
                case "AUTH", "334":
                    await self._read(session, reader, writer)
                    going_on = bool(await self._say(writer, "PASSWORD"))
                case "MAIL", _:
                    mail = Mail(mailbox, [], b"")
                case "RCPT", "250":
                    mail.recipients.append(mailbox)
                case "DATA", "354":
                    mail.data = (await reader.readuntil(b"\r\n.\r\n"))[:-3]
                    self.mails.append(mail)
                    going_on = bool(await self._say(writer, "."))
                case "QUIT", _:
                    going_on = False

    async def _read(
        self, session: Session, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> str:
        """The next line, noted; an empty text at the end of the connection."""
        line = (await reader.readline()).decode("utf-8", errors="replace").rstrip("\r\n")
        if line:
            session.commands.append(line)
            session.encrypted.append(writer.get_extra_info("ssl_object") is not None)
        return line

    async def _say(self, writer: asyncio.StreamWriter, key: str) -> str:
        """The answer given, or an empty text after which the connection ends."""
        self.when(key.split(" ", maxsplit=1)[0]).set()
        answer = self._next(key)
        if answer == DROP:
            return ""
        if answer == HANG:
            await asyncio.Event().wait()
        writer.write(answer.encode() + b"\r\n")
        await writer.drain()
        return "" if answer.startswith("421") else answer

    def _next(self, key: str) -> str:
        if key == "EHLO" and key not in self.script:
            lines = ["scripted", *self.extensions]
            dashed = [f"250-{line}" for line in lines[:-1]]
            return "\r\n".join([*dashed, f"250 {lines[-1]}"])
        answers = self.script.get(key, "500 what?")
        if isinstance(answers, str):
            return answers
        used = self._used.get(key, 0)
        self._used[key] = used + 1
        return answers[min(used, len(answers) - 1)]
