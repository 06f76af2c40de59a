"""Sending an e-mail through the mail server that the administrator named."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from email.utils import formatdate
from typing import Any

from jupyter_mlinfn.jobs.notices.webhook import Perhaps, Undelivered

_REFUSED_FOR_GOOD = range(500, 600)


def send(
    mail: Mapping[str, Any],
    subject: str,
    text: str,
    delivery: str,
    goes: Callable[[], None] = lambda: None,
) -> None:
    """Send one message. ``mail`` is what :class:`~.settings.NoticeSettings` noted: ``host``
    (``name`` or ``name:port``), ``sender``, ``to``, ``security``. ``goes`` is called right before
    the text is sent. Raises :class:`Undelivered`, and :class:`Perhaps` where the server does not
    say whether it took it."""
    message = _message(mail, subject, text, delivery)
    way = _Way(goes)
    try:
        with _connected(str(mail["host"]), str(mail.get("security", "starttls")), way) as server:
            server.send_message(message)
    except (OSError, smtplib.SMTPException) as error:
        if not way.taken:
            raise _trouble(error, way) from error


def _trouble(error: Exception, way: _Way) -> Exception:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = {code for code, _ in error.recipients.values()}
        if codes.isdisjoint(_REFUSED_FOR_GOOD):
            return Undelivered(f"The mail server says to try later ({min(codes)}).")
        return Undelivered("The mail server does not know the address.", final=True)
    if isinstance(error, smtplib.SMTPResponseException):
        final = error.smtp_code in _REFUSED_FOR_GOOD
        return Undelivered(f"The mail server refuses it ({error.smtp_code}).", final=final)
    if way.went:
        return Perhaps()
    return Undelivered(f"The mail server does not answer: {error}.")


def _message(mail: Mapping[str, Any], subject: str, text: str, delivery: str) -> EmailMessage:
    message = EmailMessage()
    try:
        message["Subject"] = " ".join(subject.split())[:200]
        message["From"], message["To"] = str(mail["sender"]), str(mail["to"])
        message["Date"] = formatdate()
        message["Message-ID"] = f"<{delivery}@jupyter-mlinfn.invalid>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(text)
        str(mail["host"])
    except (KeyError, ValueError) as error:
        raise Undelivered(
            f"The settings for e-mail cannot be used: {error}.", final=True
        ) from error
    return message


class _Way:
    """How far a message came: its text went out, the server has taken it."""

    def __init__(self, goes: Callable[[], None]) -> None:
        self.goes = goes
        self.went = False
        self.taken = False


class _Told(smtplib.SMTP):
    """Tells how far a message came."""

    way: _Way

    def data(self, msg: Any) -> tuple[int, bytes]:
        """Send the text; the server has more time to take it than for other answers."""
        self.way.goes()
        self.way.went = True
        if self.sock is not None:
            self.sock.settimeout(2 * self.timeout)
        answer = super().data(msg)
        self.way.taken = answer[0] == 250
        return answer


class _ToldByTls(_Told, smtplib.SMTP_SSL):
    pass


def _connected(host: str, security: str, way: _Way, timeout: float = 5.0) -> _Told:
    name, _, port = host.partition(":")
    usual = {"tls": 465, "starttls": 587}.get(security, 25)
    number = int(port) if port.isdecimal() else usual
    server: _Told
    if security == "tls":
        context = ssl.create_default_context()
        server = _ToldByTls(name, number, timeout=timeout, context=context)
    else:
        server = _Told(name, number, timeout=timeout)
    server.way = way
    if security == "starttls":
        try:
            server.starttls(context=ssl.create_default_context())
        except BaseException:
            server.close()
            raise
    return server
