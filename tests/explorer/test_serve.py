"""Who is let in: raw requests to the page and to its socket, from other hosts and of pages of other sites."""

import http.client
import os
import queue
import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from npp_jax.cli import app


def asked(served, path: str, **headers: str) -> int:
    """Status of the answer to a request."""
    connection = http.client.HTTPConnection(served.host, timeout=20)
    connection.putrequest("GET", path, skip_host="Host" in headers)
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    status = connection.getresponse().status
    connection.close()
    return status


def page(served) -> str:
    return "/" + served.url.rpartition("/")[2]


SOCKET = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec_WebSocket_Version": "13",
    "Sec_WebSocket_Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    "Sec_WebSocket_Protocol": "bokeh, none",
}


def test_the_page_is_there_for_its_own_host(served):
    assert asked(served, page(served)) == 200
    port = served.host.partition(":")[2]
    assert asked(served, page(served), Host=f"localhost:{port}", Origin=f"http://localhost:{port}") == 200


@pytest.mark.parametrize(
    "path", ["/", "/index.html", "/explore", "/favicon.ico.png", "/../", "/static/../../etc/passwd"]
)
def test_nothing_tells_the_address(served, path):
    assert asked(served, path) in (403, 404)


@pytest.mark.parametrize("host", ["attacker.example", "127.0.0.1", "127.0.0.1.attacker.example:{port}", ""])
def test_another_host_is_refused(served, host):
    named = host.format(port=served.host.partition(":")[2])
    assert asked(served, page(served), Host=named) in (400, 403)
    assert asked(served, page(served) + "/ws", Host=named, **SOCKET) in (400, 403)


@pytest.mark.parametrize(
    "origin", ["http://attacker.example", "null", "https://{host}", "http://{host}.attacker.example"]
)
def test_a_page_of_another_site_is_refused(served, origin):
    named = origin.format(host=served.host)
    assert asked(served, page(served), Origin=named) == 403
    assert asked(served, page(served) + "/ws", Origin=named, **SOCKET) == 403
    assert asked(served, "/static/js/bokeh.min.js", Origin=named) == 403


def test_a_socket_needs_the_token_of_its_page(served):
    own = {"Origin": f"http://{served.host}", **SOCKET}
    assert asked(served, "/another/ws", **own) == 404
    assert asked(served, page(served) + "/ws", **own) != 101 or closed_at_once(served, own)


def closed_at_once(served, headers: dict[str, str]) -> bool:
    """Whether a socket is closed before anything is sent over it."""
    host, _, port = served.host.partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as raw:
        lines = [f"GET {page(served)}/ws HTTP/1.1", f"Host: {served.host}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        raw.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        received = b""
        while chunk := raw.recv(4096):
            received += chunk
    body = received.partition(b"\r\n\r\n")[2]
    # A frame that closes, and nothing else.
    return not body or body[0] & 0x0F == 0x8


def test_it_listens_on_this_machine_alone(served):
    table = Path("/proc/net/tcp")
    if not table.exists():
        pytest.skip("this system has no table of its sockets in /proc")
    port = f"{int(served.host.partition(':')[2]):04X}"
    local = [line.split()[1] for line in table.read_text().splitlines()[1:] if line.split()[3] == "0A"]
    assert [address for address in local if address.endswith(f":{port}")] == [f"0100007F:{port}"]


def test_wrong_files_end_in_one_line(tmp_path):
    pytest.importorskip("bokeh", reason="the extra 'explore' (bokeh) is not installed")
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("kind = 3", encoding="utf-8")
    for file in (tmp_path / "none.toml", wrong, tmp_path):
        done = CliRunner().invoke(app, ["explore", str(file), "--no-browser"])
        assert done.exit_code == 2 and done.output.count("\n") == 1, done.output


def test_the_browser_is_not_called_with_the_address(tmp_path, monkeypatch):
    """What a process is called with is seen by all accounts of the machine."""
    serve = pytest.importorskip("npp_jax.explorer.serve", reason="the extra 'explore' (bokeh) is not installed")

    class Server:
        url = "http://127.0.0.1:5006/not-to-be-guessed"

        def __init__(self, build: object, *, port: int) -> None:
            pass

        def run(self) -> None:
            pass

    opened: queue.Queue[str] = queue.Queue()
    monkeypatch.setattr("npp_jax.explorer.run.page_of", lambda *given, **more: None)
    monkeypatch.setattr(serve, "PageServer", Server)
    monkeypatch.setattr("webbrowser.open", opened.put)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    done = CliRunner().invoke(app, ["explore", "experiment.toml"])
    assert done.exit_code == 0 and Server.url in done.output
    address, [leads] = opened.get(timeout=20.0), tmp_path.iterdir()
    assert Server.url not in address and address == leads.as_uri()
    assert Server.url in leads.read_text(encoding="utf-8")
    if hasattr(os, "getuid"):
        assert leads.stat().st_mode & 0o077 == 0

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    done = CliRunner().invoke(app, ["explore", "experiment.toml"])
    assert done.exit_code == 0 and Server.url in done.output and "no browser is opened" in done.output
    assert opened.empty()
