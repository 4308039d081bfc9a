"""The server of a page: on this machine alone, under an address that cannot be guessed.

The page is Bokeh's own, with its scripts from this server. Requests that name another host (a name of another site that
points to this machine) or come from a page of another site are refused, those for pages and those for sockets.
"""

import os
import secrets
import tempfile
import threading
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bokeh.application import Application
from bokeh.application.handlers.function import FunctionHandler
from bokeh.document import Document
from bokeh.server.server import BaseServer
from bokeh.server.tornado import BokehTornado
from bokeh.server.util import bind_sockets
from bokeh.settings import settings
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPServerRequest
from tornado.ioloop import IOLoop
from tornado.web import RequestHandler

# The console of the browser is for what goes wrong.
settings.log_level = "warn"

ADDRESS = "127.0.0.1"

LARGEST_FILE = 8 * 2**20
"""Bytes of a file that may be handed to a page."""

# A file travels in base64, in one message.
_LARGEST_MESSAGE = 2 * LARGEST_FILE
_LARGEST_REQUEST = 2**20

_OPENED = 60.0
"""Time in which a browser has read the file that leads to a page [s]."""


class _Refused(RequestHandler):
    """Answers what is not for this page."""

    def prepare(self) -> None:
        """Refuse."""
        self.set_status(403)
        self.finish("refused: open the address that npp-jax explore has printed\n")


class _GuardedTornado(BokehTornado):
    """Bokeh's application behind a check of who asks, and from where."""

    own: frozenset[str] = frozenset()
    """Hosts under which it may be asked, with the port."""

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> Any:
        """The handler of a request, or that which refuses."""
        if self._is_own(request):
            return super().find_handler(request, **kwargs)
        return self.get_handler_delegate(request, _Refused)

    def _is_own(self, request: HTTPServerRequest) -> bool:
        headers = request.headers
        if headers.get_list("Host") != [request.host] or request.host.lower() not in self.own:
            return False
        origins = {f"http://{host}" for host in self.own}
        asked = headers.get_list("Origin") + headers.get_list("Sec-Websocket-Origin")
        return all(origin.lower() in origins for origin in asked)


class PageServer:
    """Serves one page.

    Parameters
    ----------
    build
        Builds the page in an empty document, once for each tab that opens it.
    port
        Port; any free one for zero.

    Raises
    ------
    OSError
        The port is taken.
    """

    def __init__(self, build: Callable[[Document], None], *, port: int = 0) -> None:
        sockets, self.port = bind_sockets(ADDRESS, port)
        self.token = secrets.token_urlsafe(24)
        hosts = [f"{name}:{self.port}" for name in (ADDRESS, "localhost")]
        application = Application(FunctionHandler(build))
        tornado = _GuardedTornado(
            {f"/{self.token}": application},
            extra_websocket_origins=hosts,
            absolute_url=f"http://{ADDRESS}:{self.port}",
            # The list of pages would tell the address.
            use_index=False,
            redirect_root=False,
            websocket_max_message_size_bytes=_LARGEST_MESSAGE,
            stats_log_frequency_milliseconds=3_600_000,
        )
        tornado.own = frozenset(hosts)
        http = HTTPServer(tornado, max_body_size=_LARGEST_REQUEST, max_buffer_size=2 * _LARGEST_MESSAGE)
        http.add_sockets(sockets)
        self._loop = IOLoop.current()
        self._server = BaseServer(self._loop, tornado, http)
        self._server.start()

    @property
    def url(self) -> str:
        """Address of the page."""
        return f"http://{ADDRESS}:{self.port}/{self.token}"

    def run(self) -> None:
        """Serve until the program ends."""
        self._loop.start()


def open_in_browser(url: str) -> None:
    """Open a page in the browser by a file that leads there, which this account alone can read.

    All accounts of a machine see the arguments of its processes: an address among those of a browser would let them in.

    Raises
    ------
    OSError
        The file cannot be written.
    """
    # Made for this account alone, under a name that no other knows.
    descriptor, name = tempfile.mkstemp(prefix="npp_jax_", suffix=".html")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f'<meta http-equiv="refresh" content="0; url={url}"><a href="{url}">npp_jax</a>\n')
    path = Path(name)
    # Some browsers are waited for until they end, and the page is served after this.
    threading.Thread(target=webbrowser.open, args=(path.as_uri(),), daemon=True).start()
    later = threading.Timer(_OPENED, path.unlink, kwargs={"missing_ok": True})
    later.daemon = True
    later.start()


def served_aside(build: Callable[[Document], None]) -> PageServer:
    """A server in a thread of its own, which ends with the program."""
    made: list[PageServer | Exception] = []
    there = threading.Event()

    def work() -> None:
        import asyncio

        asyncio.set_event_loop(asyncio.new_event_loop())
        try:
            made.append(PageServer(build))
        except Exception as error:
            made.append(error)
        there.set()
        if isinstance(made[0], PageServer):
            made[0].run()

    threading.Thread(target=work, daemon=True).start()
    there.wait()
    if isinstance(made[0], Exception):
        raise made[0]
    return made[0]
