"""A small service with the standard library alone. How it behaves is in behaviour.json."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

BEHAVIOUR = json.loads(Path("behaviour.json").read_text())
REVISION = BEHAVIOUR.get("claims", os.environ.get("SWARM_REVISION", ""))
SERVED = [0]


async def read_request(reader):
    line = (await reader.readline()).decode("latin-1").split()
    headers = {}
    while (raw := await reader.readline()) not in (b"\r\n", b""):
        name, _, value = raw.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    body = b""
    if "content-length" in headers:
        body = await reader.readexactly(int(headers["content-length"]))
    elif headers.get("transfer-encoding") == "chunked":
        while size := int(await reader.readline(), 16):
            body += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
    return line, headers, body


def reply(status, body, extra=""):
    head = f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\nconnection: close\r\n{extra}\r\n"
    return head.encode() + body


async def answer(writer, line, headers, body):
    path = line[1]
    if path == "/healthz":
        return reply(503 if BEHAVIOUR.get("unhealthy") else 200, b"")
    if path == "/version":
        return reply(200, json.dumps({"revision": REVISION}).encode())
    if path.startswith("/echo"):
        said = {"method": line[0], "path": path, "headers": headers, "body": body.decode()}
        return reply(
            200, json.dumps(said).encode(), "x-app: yes\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n"
        )
    if path == "/stream":
        writer.write(b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n")
        for part in (b"one", b"two", b"three"):
            writer.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
            await writer.drain()
            await asyncio.sleep(0.02)
        return b"0\r\n\r\n"
    if path == "/cut":
        writer.write(b"HTTP/1.1 200 X\r\ncontent-length: 100\r\n\r\nhalf")
        await writer.drain()
        return b""
    if path == "/slow":
        await asyncio.sleep(1.0)
        return reply(200, REVISION.encode())
    SERVED[0] += 1
    if SERVED[0] == BEHAVIOUR.get("crash_after"):
        os.kill(os.getpid(), signal.SIGKILL)
    await asyncio.sleep(BEHAVIOUR.get("delay", 0))
    failing = BEHAVIOUR.get("fail_every")
    if failing and SERVED[0] % failing == 0:
        return reply(500, b"broken")
    return reply(200, REVISION.encode())


async def handle(reader, writer):
    try:
        line, headers, body = await read_request(reader)
        if len(line) >= 2:
            writer.write(await answer(writer, line, headers, body))
            await writer.drain()
    except (ConnectionError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


def steal(port):
    """Somebody else takes the port, once, and this version ends as servers do."""
    marker = Path("stolen")
    if marker.exists():
        return
    marker.write_text(str(port))
    take = (
        f"import socket, sys; s = socket.socket(); s.bind(('127.0.0.1', {port})); s.listen();"
        "print(flush=True); sys.stdout.close(); s.accept(); s.accept(); s.accept(); s.accept()"
    )
    thief = subprocess.Popen(
        [sys.executable, "-c", take],
        start_new_session=True,
        env={"THIEF": "1"},
        stdout=subprocess.PIPE,
    )
    thief.stdout.readline()
    sys.exit("address already in use")


def prepare(port):
    if BEHAVIOUR.get("exit_at_start"):
        sys.exit("configuration is missing: DATABASE_URL")
    if BEHAVIOUR.get("with_child"):
        subprocess.Popen(["sleep", "1000"])
    if BEHAVIOUR.get("ignores_sigterm"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if BEHAVIOUR.get("steal_port"):
        steal(port)


async def main(port):
    server = await asyncio.start_server(handle, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    prepare(int(os.environ["PORT"]))
    asyncio.run(main(int(os.environ["PORT"])))
